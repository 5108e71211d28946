//! Per-region overlap: the exact area under its curve, and what is covered at a false positive rate.
//!
//! The PRO curve is the mean over regions of each region's own curve "covered fraction against FPR", and so is the area
//! under it. A pixel of region r is covered from its group's place on: nothing before FPR `a/N`, a straight ramp up to
//! `b/N`, one after it, where `a` and `b` are the normal pixels above and not below its score. Up to a limit of `x`
//! normal pixels its ramp encloses `x - (a + b)/2` if `b <= x`, and `(x - a)^2 / (2 (b - a))` if `a < x < b`, which is
//! the linear interpolation at the limit and happens in one group only. So a region needs three integers.

use super::ranking::{Group, tag_of};

/// A limit given as a false positive rate, in normal pixels. A product meant to be whole is whole: 0.29 of 100 is 29,
/// although the floats say 28.999999999999996.
pub fn limit_in_pixels(fpr: f64, normals: u64) -> f64 {
    let pixels = fpr * normals as f64;
    let whole = pixels.round();
    if (pixels - whole).abs() <= 4.0 * f64::EPSILON * pixels { whole } else { pixels }
}

/// The regions as seen up to a limit on false positives.
#[derive(Debug, Clone)]
pub struct Overlap {
    /// The limit, in normal pixels.
    limit: f64,
    /// Of each region, in the order of the tags.
    regions: Vec<Region>,
    /// `a` and `b` of the group that straddles the limit.
    straddling: Option<(f64, f64)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Region {
    area: u64,
    /// Pixels wholly below the limit.
    covered: u64,
    /// The sum of their `a + b`: at most `2 N |r|`, below 2^63.
    fp_twice: u64,
    /// Pixels in the straddling group.
    straddling: u64,
}

impl Overlap {
    /// No pixel taken yet; `areas` of the regions in pixels, `limit` in normal pixels.
    pub fn new(areas: impl Iterator<Item = u64>, limit: f64) -> Self {
        Self { limit, regions: areas.map(|area| Region { area, ..Region::default() }).collect(), straddling: None }
    }

    /// Takes the next group down.
    pub fn add(&mut self, group: &Group) {
        let (before, after) = (group.fp_before as f64, group.fp as f64);
        if after <= self.limit {
            for &member in group.members {
                let region = &mut self.regions[tag_of(member)];
                region.covered += 1;
                region.fp_twice += group.fp_before + group.fp;
            }
        } else if before < self.limit {
            self.straddling = Some((before, after));
            group.members.iter().for_each(|&member| self.regions[tag_of(member)].straddling += 1);
        }
    }

    /// The area under the PRO curve up to the limit, divided by the limit; `None` without a region or below a limit of 0.
    pub fn area(&self) -> Option<f64> {
        self.weighted_area(|_| 1.0)
    }

    /// The same where a region counts `weight(tag)` times.
    pub fn weighted_area(&self, weight: impl Fn(usize) -> f64) -> Option<f64> {
        let x = self.limit;
        let ramp = self.straddling.map_or(0.0, |(a, b)| (x - a).powi(2) / (2.0 * (b - a) * x));
        let area = |r: &Region| (r.covered as f64 - r.fp_twice as f64 / (2.0 * x) + r.straddling as f64 * ramp) / r.area as f64;
        let (sum, count) =
            self.regions.iter().enumerate().fold((0.0, 0.0), |(sum, count), (tag, r)| (sum + weight(tag) * area(r), count + weight(tag)));
        (count > 0.0 && x > 0.0).then(|| sum / count)
    }

    /// The covered fraction of each region at the limit, linear between the two ends of the group that straddles it.
    pub fn covered(&self) -> impl Iterator<Item = f64> {
        let share = self.straddling.map_or(0.0, |(a, b)| (self.limit - a) / (b - a));
        self.regions.iter().map(move |r| (r.covered as f64 + r.straddling as f64 * share) / r.area as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_limit_is_whole_although_the_floats_say_otherwise() {
        assert_ne!(0.29 * 100.0, 29.0);
        assert_eq!(limit_in_pixels(0.29, 100), 29.0);
        assert_eq!(limit_in_pixels(0.3, 7), 0.3 * 7.0);
        assert!((1..10_000).all(|n| limit_in_pixels(0.05, 20 * n) == n as f64));
    }
}
