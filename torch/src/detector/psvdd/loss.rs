//! The two losses of either size of patches: neighbours are to be described alike (SVDD'), and the direction from one patch to
//! another is to be told. Pairs are cut from the images of the batch, one of each image for each loss.

use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::draw::{Corner, Pair, beside, neighbours};
use super::memory::deviation;
use super::network::{Network, Patch};
use crate::nn::first::normal;
use crate::tensors;

/// Standard deviation of the shift of each channel, and of the noise on each value, of a patch whose position is asked for.
const NOISE: f64 = 0.02;

/// What is learned from the patches of one size. No dimension, f64.
#[derive(Debug)]
pub struct Losses {
    /// Mean distance of neighbours.
    pub svdd: Tensor,
    /// Cross entropy of the directions.
    pub position: Tensor,
    /// Deviation of the descriptions of this batch; records no gradient.
    pub deviation: Tensor,
}

/// The losses of `images` [B, 3, S, S] as the network takes them.
pub fn losses(network: &Network, patch: Patch, images: &Tensor, draws: &mut ChaCha8Rng) -> Losses {
    let (batch, _, size, _) = images.size4().expect("images are [B, 3, S, S]");
    let placed: Vec<Pair> = (0..batch).map(|_| beside(size, patch, draws)).collect();
    let crops = both(images, patch, &placed);
    let crops = &crops + noise(&crops, draws);
    let described = network.patches(patch, &crops); // [2 B, 64]
    let labels: Vec<i64> = placed.iter().map(|pair| pair.direction).collect();
    let position = position(network, patch, &described, &tensors::upload(&Tensor::from_slice(&labels), images.device()));
    let close: Vec<Pair> = (0..batch).map(|_| neighbours(size, patch, draws)).collect();
    let svdd = svdd(&network.patches(patch, &both(images, patch, &close)));
    Losses { svdd, position, deviation: tch::no_grad(|| deviation(&described)) }
}

/// Mean distance of the first half of `described` [2 B, 64] from the second.
pub fn svdd(described: &Tensor) -> Tensor {
    let (first, second) = halves(described);
    // Its gradient is zero where a pair is one patch; that of a root of squares is not a number there.
    (first - second).norm_scalaropt_dim(2, [1i64].as_slice(), false).mean(Kind::Double)
}

/// Cross entropy of the directions `labels` `[B]` from the first half of `described` [2 B, 64] to the second.
pub fn position(network: &Network, patch: Patch, described: &Tensor, labels: &Tensor) -> Tensor {
    let (first, second) = halves(described);
    network.directions(patch, &first, &second).log_softmax(-1, Kind::Double).nll_loss(labels)
}

/// The first patches of all pairs, then the second: [2 B, 3, K, K].
fn both(images: &Tensor, patch: Patch, pairs: &[Pair]) -> Tensor {
    let cut = |of: fn(&Pair) -> Corner| pairs.iter().zip(0..).map(move |(pair, image)| crop(&images.get(image), patch, of(pair)));
    Tensor::stack(&cut(|pair| pair.first).chain(cut(|pair| pair.second)).collect::<Vec<_>>(), 0)
}

/// A patch of an image [3, S, S].
fn crop(image: &Tensor, patch: Patch, [top, left]: Corner) -> Tensor {
    image.narrow(1, top, patch.side()).narrow(2, left, patch.side())
}

/// Noise for patches [N, 3, K, K]: a shift of each channel and a value for each pixel's.
fn noise(crops: &Tensor, draws: &mut ChaCha8Rng) -> Tensor {
    let (count, channels, k, _) = crops.size4().expect("patches are [N, 3, K, K]");
    let mut drawn = |shape: [i64; 4]| {
        let values = normal(draws, shape.iter().product::<i64>() as usize, NOISE);
        tensors::upload(&Tensor::from_slice(&values), crops.device()).view(shape)
    };
    drawn([count, channels, 1, 1]) + drawn([count, channels, k, k])
}

fn halves(described: &Tensor) -> (Tensor, Tensor) {
    let [first, second] = <[Tensor; 2]>::try_from(described.chunk(2, 0)).expect("two patches a pair");
    (first, second)
}
