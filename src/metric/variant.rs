//! Other code's forms of AUPRO, by name, for comparison with the figures published with them. None is a default.
//!
//! The binned forms count a pixel as predicted where its score is above a threshold; thresholds are
//! `min + i (max - min)/n`, `i = 0..n`, over all scores. Points with FPR below the limit are kept, their FPR is divided by
//! the greatest of them, and the trapezoid area of what is left is the result: no point at the origin, no interpolation.

use super::components::Regions;
use super::key::Scale;
use super::pro::limit_in_pixels;
use super::ranking::{Population, key_of, packed, tag_of};
use crate::config::ProVariant;
use crate::image::Plane;
use serde::{Deserialize, Serialize};

/// How AUPRO is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// One point per distinct score, interpolated at the limit, divided by it: the reference.
    #[default]
    Exact,
    /// 200 linear thresholds over the category, FPR rescaled by its own maximum (several repositories).
    Linear200,
    /// The same with 100 thresholds (a multi-class benchmark).
    Linear100,
    /// `Linear200` in which a hit is a prediction within 5x5 pixels, a false alarm is not.
    Dilated5,
    /// `Linear200` of each image with a region alone, averaged over those images (reverse distillation).
    RdPerImage,
    /// The exact form over regions of edge neighbours, whatever the protocol's connectivity.
    Connectivity4,
    /// The exact area up to the last FPR that a distinct score reaches within the limit, divided by that FPR.
    ReachedFpr,
    /// The exact form, and every other metric, after a float32 sigmoid of the scores if any is outside [0, 1].
    Squashed,
}

const NAMES: [(Variant, &str); 8] = [
    (Variant::Exact, "exact"),
    (Variant::Linear200, "linear200"),
    (Variant::Linear100, "linear100"),
    (Variant::Dilated5, "dilated5"),
    (Variant::RdPerImage, "rd_per_image"),
    (Variant::Connectivity4, "connectivity4"),
    (Variant::ReachedFpr, "reached_fpr"),
    (Variant::Squashed, "squashed"),
];

impl Variant {
    /// All variants, the exact one first.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(variant, _)| *variant)
    }

    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(variant, _)| *variant == self).expect("every variant is named").1
    }
}

impl std::fmt::Display for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Variant {
    type Err = crate::Error;

    fn from_str(name: &str) -> crate::Result<Self> {
        let known = NAMES.iter().find(|(_, n)| *n == name).map(|(variant, _)| *variant);
        known.ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(_, n)| *n).collect();
            crate::Error::config(format!("no variant of AUPRO is called {name:?}"), format!("one of {}", names.join(", ")))
        })
    }
}

impl From<ProVariant> for Variant {
    fn from(variant: ProVariant) -> Self {
        match variant {
            ProVariant::Exact => Self::Exact,
            ProVariant::RdPerImage => Self::RdPerImage,
            ProVariant::Grid => Self::Linear200,
        }
    }
}

/// AUPRO over `steps` linear thresholds of the range of all pixels. `hits` are packed keys and tags of the regions' pixels,
/// `weight` is `1/(|r| R)` of a tag. `None` without pixels, or where no two points or no FPR above zero remain.
pub fn binned(
    (pixels, scale): (&Population, &Scale),
    hits: &[u64],
    weight: impl Fn(usize) -> f64,
    steps: usize,
    limit: f64,
) -> Option<f64> {
    let (least, greatest) = pixels.range(scale)?;
    let span = greatest - least;
    let thresholds: Vec<f64> = (0..steps).map(|i| least + span * i as f64 / steps as f64).collect();
    let passed = |key| thresholds.partition_point(|&t| t < scale.score(key));
    let (mut alarms, mut overlaps) = (vec![0_u64; steps + 1], vec![0.0; steps + 1]); // by the number of thresholds passed
    pixels.normal.iter().flatten().for_each(|&k| alarms[passed(k)] += 1);
    hits.iter().for_each(|&h| overlaps[passed(key_of(h))] += weight(tag_of(h)));
    let (normals, mut fp, mut pro) = (pixels.normals() as f64, 0, 0.0);
    let mut points = Vec::with_capacity(steps);
    for (alarms, overlap) in alarms.into_iter().zip(overlaps).skip(1).rev() {
        fp += alarms;
        pro += overlap;
        points.push([fp as f64 / normals, pro]); // from the highest threshold down: FPR rises
    }
    points.retain(|p| p[0] < limit);
    let reached = points.last()?[0];
    let area: f64 = points.windows(2).map(|w| (w[1][0] - w[0][0]) * (w[0][1] + w[1][1]) / 2.0).sum();
    (points.len() > 1 && reached > 0.0).then(|| area / reached)
}

/// The regions' pixels with the greatest score within 5x5 pixels: what a dilated prediction hits.
pub fn dilated_hits<T: Copy>(map: &Plane<T>, regions: &Regions, key: impl Fn(T) -> u32) -> Vec<u64> {
    let pixels = regions.runs.iter().flat_map(|run| (run.start..run.end).map(move |x| (x, run.y, run.region)));
    let around = |at: usize, size: usize| at.saturating_sub(2)..(at + 3).min(size);
    pixels
        .map(|(x, y, region)| {
            let columns = around(x, map.width);
            let rows = around(y, map.height).map(|y| &map.data[y * map.width..][columns.clone()]);
            let greatest = rows.flatten().map(|&score| key(score)).max().unwrap_or(0); // keys order as scores do
            packed(greatest, region as u32)
        })
        .collect()
}

/// The greatest number of false positives within the limit that a threshold between distinct scores makes, in normal
/// pixels.
pub fn reached_limit(mut normal: Vec<u32>, limit: f64) -> f64 {
    let allowed = limit_in_pixels(limit, normal.len() as u64) as usize;
    if allowed >= normal.len() {
        return normal.len() as f64;
    }
    // The score that goes one too far takes all its equals with it.
    let (above, too_far, _) = normal.select_nth_unstable_by(allowed, |a, b| b.cmp(a));
    above.iter().filter(|&k| k > too_far).count() as f64
}

/// Squeezes scores into [0, 1] by a sigmoid if any is outside; the rounding to float32 makes ties.
pub fn squash(population: &mut Population, scale: &mut Scale) {
    if population.range(scale).is_some_and(|(least, greatest)| least < 0.0 || greatest > 1.0) {
        population.map_scores(scale, |s| (1.0 / (1.0 + (-s).exp())) as f32);
        *scale = Scale::Float32;
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::key;
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for variant in Variant::all() {
            assert_eq!(variant.to_string().parse::<Variant>().unwrap(), variant);
            assert_eq!(serde_json::to_value(variant).unwrap(), variant.name());
        }
        let message = "linear".parse::<Variant>().unwrap_err().to_string();
        assert!(message.contains("linear200") && message.contains("rd_per_image"), "{message}");
    }

    #[test]
    fn the_configuration_names_three_of_them() {
        let of = |v| Variant::from(v);
        assert_eq!(
            [of(ProVariant::Exact), of(ProVariant::RdPerImage), of(ProVariant::Grid)],
            [Variant::Exact, Variant::RdPerImage, Variant::Linear200]
        );
    }

    #[test]
    fn the_reached_limit_stops_before_the_group_that_goes_too_far() {
        let scores = || -> Vec<u32> { [9.0, 8.0, 8.0, 8.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0].map(key).to_vec() };
        let reached = [0.05, 0.1, 0.3, 0.4, 0.55, 1.0].map(|limit| reached_limit(scores(), limit));
        assert_eq!(reached, [0.0, 1.0, 1.0, 4.0, 5.0, 10.0]);
    }
}
