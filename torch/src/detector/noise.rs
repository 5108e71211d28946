//! Gaussian noise in features, where masks say so: anomalies that are made in no image. Drawn on the CPU from the step's stream, so that
//! a resumed run and a GPU draw the same.

use harness::image::Mask;
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use crate::nn::first::normal;
use crate::tensors;

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
    let noise = noise.to_kind(features.kind());
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
