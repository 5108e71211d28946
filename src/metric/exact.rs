//! Scores that float32 would round, ranked exactly.
//!
//! A metric asks only for the order of scores, apart from thresholds and the binned forms of AUPRO. So all scores of a category are
//! sorted once, and the key of each is its place among the distinct ones; what follows is the way of float32 scores, and a
//! [`Scale`] knows which score a place stands for. Cost: 8 bytes a pixel for the maps and 8 for the sort, about 100 ns a pixel and
//! thread; maps of float32 never come this way.

use std::sync::Arc;

use rayon::prelude::*;

use super::accumulator::{Accumulator, Keyed, check_count, regions_of};
use super::curve::Curves;
use super::key::Scale;
use super::protocol::Protocol;
use super::scores::Scores;
use crate::image::{Map64, Mask};
use crate::{Error, Result};

const REMEDY: &str = "scores must be finite: look at what wrote this map";

/// One test image: as [`Sample`](super::Sample), in float64.
#[derive(Debug, Clone)]
pub struct Sample64 {
    pub name: String,
    pub map: Map64,
    pub mask: Option<Mask>,
    pub image_score: f64,
    pub anomalous: bool,
}

/// Evaluates the samples of one category.
///
/// # Errors
/// As of [`Keyed::of`] and [`Accumulator::take`].
pub fn evaluate64(samples: &[Sample64], protocol: &Protocol) -> Result<(Scores, Curves)> {
    check_count("this category", samples.iter().map(|s| s.map.data.len()).sum())?;
    samples.par_iter().try_for_each(check_finite)?;
    let pixels = distinct(samples.par_iter().flat_map_iter(|s| s.map.data.iter().copied()).collect());
    let images = distinct(samples.iter().map(|s| s.image_score).collect());
    let scales = [pixels, images].map(|scores| Scale::Ranks(Arc::new(scores)));
    let keyed = |sample: &Sample64| -> Result<Keyed> {
        let Sample64 { name, map, mask, image_score, anomalous } = sample;
        let regions = regions_of(name, [map.width, map.height], (mask.as_ref(), *anomalous), protocol.connectivity())?;
        let [of_pixels, of_images] = &scales;
        let keyed = Keyed::by(map, &regions, |score| place(of_pixels, score), of_pixels, protocol);
        Ok(keyed.of_image_score(name, place(of_images, *image_score), *anomalous))
    };
    let keyed: Vec<Result<Keyed>> = samples.par_iter().map(keyed).collect();
    let mut accumulator = Accumulator::on(scales, protocol)?;
    keyed.into_iter().try_for_each(|keyed| accumulator.take(keyed?))?;
    Ok(accumulator.finish())
}

/// The greatest of a map's pixels; `None` of an empty map.
pub fn image_score64(map: &Map64) -> Option<f64> {
    map.data.iter().copied().reduce(f64::max)
}

/// The mean of a map's pixels; `None` of an empty map.
pub fn mean_score64(map: &Map64) -> Option<f64> {
    (!map.data.is_empty()).then(|| map.data.iter().sum::<f64>() / map.data.len() as f64)
}

fn check_finite(sample: &Sample64) -> Result<()> {
    let Sample64 { name, map, image_score, .. } = sample;
    if let Some(at) = map.data.iter().position(|score| !score.is_finite()) {
        let place = format!("x = {}, y = {}", at % map.width, at / map.width);
        return Err(Error::environment(format!("the score map of {name} has {} at {place}", map.data[at]), REMEDY));
    }
    if !image_score.is_finite() {
        return Err(Error::environment(format!("the image score of {name} is {image_score}"), REMEDY));
    }
    Ok(())
}

/// Each score once, ascending; both zeros are one.
fn distinct(mut scores: Vec<f64>) -> Vec<f64> {
    scores.par_iter_mut().for_each(|score| *score += 0.0); // -0.0 + 0.0 is +0.0
    scores.par_sort_unstable_by(f64::total_cmp);
    scores.dedup();
    scores
}

/// The place of a score on a scale of ranks.
fn place(scale: &Scale, score: f64) -> u32 {
    match scale {
        Scale::Ranks(scores) => scores.partition_point(|&s| s < score) as u32,
        Scale::Float32 => super::key::key(score as f32),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::slow::Lcg;
    use super::super::{Sample, Variant, evaluate};
    use super::*;
    use crate::image::Map;

    /// Images of 12 x 9 px, every second of them with two regions; `of` makes a score of a multiple of 1/8.
    fn images(of: impl Fn(f64) -> f64) -> Vec<Sample64> {
        let mut random = Lcg(11);
        let image = |i: usize| {
            let mask = (i % 2 == 1).then(|| {
                Mask::from_vec(12, 9, (0..108).map(|p| u8::from((p / 12 < 3 && p % 12 < 4) || (p / 12 > 6 && p % 12 > i))).collect())
            });
            let raised = |p: usize| mask.as_ref().is_some_and(|m| m.data[p] == 1);
            let map: Vec<f64> = (0..108).map(|p| of((random.unit() * 40.0).floor() / 8.0 + if raised(p) { 1.5 } else { 0.0 })).collect();
            let map = Map64::from_vec(12, 9, map);
            Sample64 { name: format!("{i}"), image_score: image_score64(&map).unwrap(), map, anomalous: mask.is_some(), mask }
        };
        (0..8).map(image).collect()
    }

    fn single(samples: &[Sample64], protocol: &Protocol) -> (Scores, Curves) {
        let maps: Vec<Map> = samples.iter().map(|s| Map::from_vec(12, 9, s.map.data.iter().map(|&v| v as f32).collect())).collect();
        let sample = |(s, map): (&'_ Sample64, &'_ Map)| (s.name.clone(), s.mask.clone(), map.clone(), s.image_score as f32, s.anomalous);
        let owned: Vec<_> = samples.iter().zip(&maps).map(sample).collect();
        let samples: Vec<Sample> = owned
            .iter()
            .map(|(name, mask, map, image_score, anomalous)| Sample {
                name,
                map,
                mask: mask.as_ref(),
                image_score: *image_score,
                anomalous: *anomalous,
            })
            .collect();
        evaluate(&samples, protocol).unwrap()
    }

    #[test]
    fn scores_that_float32_holds_give_the_same_in_every_form() {
        for variant in Variant::all() {
            let protocol = Protocol { variant, ..Protocol::default() };
            let samples = images(|v| v - 2.0);
            assert_eq!(evaluate64(&samples, &protocol).unwrap(), single(&samples, &protocol), "{variant}");
        }
    }

    #[test]
    fn an_offset_that_float32_would_round_away_changes_no_metric() {
        let protocol = Protocol::default();
        let (plain, curves) = evaluate64(&images(|v| v), &protocol).unwrap();
        // Multiples of 2^-23 beside 2^20: float64 holds them, float32 does not.
        let (moved, moved_curves) = evaluate64(&images(|v| 1_048_576.0 + v / 1_048_576.0), &protocol).unwrap();
        assert_eq!(curves, moved_curves);
        let threshold = plain.pixel_f1max_threshold.map(|t| 1_048_576.0 + t / 1_048_576.0);
        assert_eq!(moved.pixel_f1max_threshold, threshold);
        let image_f1max_threshold = moved.image_f1max_threshold;
        assert_eq!(moved, Scores { pixel_f1max_threshold: threshold, image_f1max_threshold, ..plain.clone() });
        // What it guards against: rounded, all pixels are equal.
        assert_ne!(single(&images(|v| 1_048_576.0 + v / 1_048_576.0), &protocol).0.pixel_auroc, plain.pixel_auroc);
    }

    #[test]
    fn a_score_that_is_not_finite_is_refused_by_name_and_pixel() {
        let mut samples = images(|v| v);
        samples[3].map.data[14] = f64::INFINITY;
        let error = evaluate64(&samples, &Protocol::default()).unwrap_err();
        assert!(error.what.contains("map of 3 has inf at x = 2, y = 1") && !error.remedy.contains("optim.lr"), "{error}");
    }
}
