//! Image-level metrics: the same ranking with one score an image.

use super::curve::Rising;
use super::key::Scale;
use super::ranking::{Population, Ranking, packed};
use super::roc::{Separation, Tally};
use crate::image::Map;

/// The score of an image: the greatest of its pixels' scores; `None` of an empty map. NaN pixels are passed over; a map that has
/// one is refused by [`Keyed::of`](super::Keyed::of).
pub fn image_score(map: &Map) -> Option<f32> {
    let (chunks, rest) = map.data.as_chunks::<16>(); // as many maxima as a vector register holds, at the speed of memory
    let lanes = chunks.iter().fold([f32::NEG_INFINITY; 16], |most, chunk| std::array::from_fn(|i| chunk[i].max(most[i])));
    let most = lanes.iter().chain(rest).copied().reduce(f32::max);
    most.filter(|_| !map.data.is_empty())
}

/// The mean of a map's pixels, summed in float64; `None` of an empty map.
pub fn mean_score(map: &Map) -> Option<f32> {
    let sum: f64 = map.data.iter().map(|&score| f64::from(score)).sum();
    (!map.data.is_empty()).then(|| (sum / map.data.len() as f64) as f32)
}

/// Images with the keys of their scores and whether they are anomalous.
pub fn population(images: impl Iterator<Item = (u32, bool)>) -> Population {
    let (mut normal, mut positive) = (Vec::new(), Vec::new());
    for (key, anomalous) in images {
        match anomalous {
            true => positive.push(packed(key, 0)),
            false => normal.push(key),
        }
    }
    Population { normal: vec![normal], positive }
}

/// AUROC, AP and F1max of images, and the points of their ROC curve.
pub fn separation(population: Population, scale: &Scale) -> (Separation, Vec<[f64; 2]>) {
    let ranking = Ranking::new(population);
    let (normals, positives) = (ranking.normals, ranking.positives());
    let (mut tally, mut curve) = (Tally::default(), Rising::new(normals, positives, None, 1.0));
    for group in ranking.groups() {
        tally.add(&group, positives);
        curve.add(&group);
    }
    (tally.finish(normals, positives, scale), curve.finish())
}
