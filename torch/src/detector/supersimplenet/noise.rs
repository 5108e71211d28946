//! Anomalies in features: where they are, and the noise that they are made of. Drawn on the CPU from the step's stream, so that a
//! resumed run and a GPU draw the same.

use harness::config::{NoiseMask, SuperSimpleNet};
use harness::image::Mask;
use harness::pseudo::perlin;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use crate::nn::first::normal;
use crate::tensors;

/// The masks of a batch of `images` that was doubled: `2 * images` of `side` x `side` cells, the first copy's first.
pub fn masks(images: usize, side: usize, keys: &SuperSimpleNet, draws: &mut ChaCha8Rng) -> Vec<Mask> {
    let one = |index: usize| match keys.mask {
        NoiseMask::Halves => Mask::filled(side, side, u8::from(index >= images)),
        NoiseMask::Perlin if draws.random::<f64>() < keys.empty => Mask::filled(side, side, 0),
        NoiseMask::Perlin => perlin::blots(side, side, keys.threshold, draws),
    };
    (0..2 * images).map(one).collect()
}

/// `features` `[N, C, h, w]` with Gaussian noise of deviation `std` on every channel of the cells that `masks` mark; in the unit of
/// `deviation` `[C]`, if there is one.
pub fn disturb(features: &Tensor, masks: &[Mask], std: f64, deviation: Option<&Tensor>, draws: &mut ChaCha8Rng) -> Tensor {
    let marks = masks.iter().flat_map(|mask| &mask.data);
    let cells: Vec<i64> = (0..).zip(marks).filter(|(_, mark)| **mark != 0).map(|(cell, _)| cell).collect();
    if cells.is_empty() {
        return features.shallow_clone();
    }
    let (n, channels, h, w) = features.size4().expect("a map has four dimensions");
    // Only what lies under a mask is drawn: an eighth of all cells where the settings are the published ones.
    let values = normal(draws, cells.len() * channels as usize, std);
    let noise = tensors::upload(&Tensor::from_slice(&values), features.device()).view([cells.len() as i64, channels]);
    let noise = deviation.map_or_else(|| noise.shallow_clone(), |deviation| &noise * deviation);
    let cells = tensors::upload(&Tensor::from_slice(&cells), features.device());
    let rows = features.permute([0, 2, 3, 1]).reshape([n * h * w, channels]);
    rows.index_add(0, &cells, &noise).view([n, h, w, channels]).permute([0, 3, 1, 2])
}

/// Masks as labels of cells, f32 `[N, h, w]` on the device of `like`.
pub fn labels(masks: &[Mask], like: &Tensor) -> Tensor {
    let marks: Vec<f32> = masks.iter().flat_map(|mask| &mask.data).map(|&mark| f32::from(mark)).collect();
    let (height, width) = (masks[0].height as i64, masks[0].width as i64);
    tensors::upload(&Tensor::from_slice(&marks), like.device()).view([-1, height, width])
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
