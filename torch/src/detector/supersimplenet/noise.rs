//! Where the noise is, and in which unit. Drawn on the CPU from the step's stream, so that a resumed run and a GPU draw the same.

use harness::config::{NoiseMask, SuperSimpleNet};
use harness::image::Mask;
use harness::pseudo::perlin;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

/// The masks of a batch of `images` that was doubled: `2 * images` of `side` x `side` cells, the first copy's first.
pub fn masks(images: usize, side: usize, keys: &SuperSimpleNet, draws: &mut ChaCha8Rng) -> Vec<Mask> {
    let one = |index: usize| match keys.mask {
        NoiseMask::Halves => Mask::filled(side, side, u8::from(index >= images)),
        NoiseMask::Perlin if draws.random::<f64>() < keys.empty => Mask::filled(side, side, 0),
        NoiseMask::Perlin => perlin::blots(side, side, keys.threshold, draws),
    };
    (0..2 * images).map(one).collect()
}

/// The standard deviation of each channel over all cells of the maps that it is told of.
#[derive(Debug, Default)]
pub struct Spread {
    cells: i64,
    /// Sum and sum of squares, f64 `[C]` each.
    sums: Option<[Tensor; 2]>,
}

impl Spread {
    /// Maps `[B, C, h, w]`.
    pub fn add(&mut self, maps: &Tensor) {
        let maps = maps.to_kind(tch::Kind::Double);
        let sum = |x: &Tensor| x.sum_dim_intlist([0i64, 2, 3].as_slice(), false, None::<tch::Kind>);
        let here = [sum(&maps), sum(&maps.square())];
        self.cells += maps.numel() as i64 / maps.size()[1];
        self.sums = Some(match self.sums.take() {
            None => here,
            Some([one, two]) => [one + &here[0], two + &here[1]],
        });
    }

    /// `[C]` in f32; none where there was no map.
    pub fn deviation(self) -> Option<Tensor> {
        let [sum, squares] = self.sums?;
        let mean = sum / self.cells as f64;
        Some((squares / self.cells as f64 - mean.square()).clamp_min(0.0).sqrt().to_kind(tch::Kind::Float))
    }
}
