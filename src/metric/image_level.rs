//! Image-level metrics: the same ranking with one score an image.

use super::curve::Rising;
use super::key::key;
use super::ranking::{Population, Ranking, packed};
use super::roc::{Separation, Tally};
use crate::image::Map;

/// The score of an image: the greatest of its pixels' scores; `None` of an empty map. NaN pixels are passed over; a map that has
/// one is refused by [`Keyed::of`](super::Keyed::of).
pub fn image_score(map: &Map) -> Option<f32> {
    map.data.iter().copied().reduce(f32::max)
}

/// Images with their scores and whether they are anomalous.
pub fn population(images: impl Iterator<Item = (f32, bool)>) -> Population {
    let mut population = Population::default();
    for (score, anomalous) in images {
        match anomalous {
            true => population.positive.push(packed(key(score), 0)),
            false => population.normal.push(key(score)),
        }
    }
    population
}

/// AUROC, AP and F1max of images, and the points of their ROC curve.
pub fn separation(population: Population) -> (Separation, Vec<[f64; 2]>) {
    let ranking = Ranking::new(population);
    let (normals, positives) = (ranking.normals, ranking.positives());
    let (mut tally, mut curve) = (Tally::default(), Rising::new(normals, positives, None, 1.0));
    for group in ranking.groups() {
        tally.add(&group, positives);
        curve.add(&group);
    }
    (tally.finish(normals, positives), curve.finish())
}
