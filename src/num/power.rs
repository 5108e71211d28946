//! How many pairs make an effect visible: planning of paired comparisons.
//!
//! For differences that are roughly normal a two-sided paired test at level a finds a mean difference d with probability 1 - b by
//! `n = ((z(1 - a/2) + z(1 - b)) s/d)^2 + z(1 - a/2)^2 / 2` pairs, s being the differences' standard deviation; the second term stands
//! for s being estimated (Guenther 1981). The sign-flip test is about as strong as that of Student, but no stronger than
//! its smallest p: with n pairs it needs `2/2^n <= a`. Of m comparisons adjusted by Holm the first one needs a/m, by which all are
//! planned.

use super::{normal_quantile, smallest_sign_flip_p};

/// The probability with which a planned effect is found.
pub const POWER: f64 = 0.8;

/// Pairs by which a mean difference of `effect` is told from noise at `level` with probability [`POWER`], where the
/// differences have standard deviation `deviation` (same unit) and `comparisons` are adjusted together. None where no number
/// does: an effect of 0, or not finite.
pub fn pairs_needed(effect: f64, deviation: f64, comparisons: usize, level: f64) -> Option<u64> {
    let z = quantile(comparisons, level);
    let ratio = deviation / effect.abs();
    if !ratio.is_finite() {
        return None;
    }
    let pairs = ((z + normal_quantile(POWER)) * ratio).powi(2) + z * z / 2.0;
    Some((pairs.ceil() as u64).max(least_pairs(comparisons, level)))
}

/// The smallest mean difference that so many pairs tell from noise: the inverse of [`pairs_needed`]. None where the pairs are
/// too few for any.
pub fn visible_effect(pairs: u64, deviation: f64, comparisons: usize, level: f64) -> Option<f64> {
    let z = quantile(comparisons, level);
    let left = pairs as f64 - z * z / 2.0;
    (pairs >= least_pairs(comparisons, level) && left > 0.0).then(|| (z + normal_quantile(POWER)) * deviation / left.sqrt())
}

fn quantile(comparisons: usize, level: f64) -> f64 {
    normal_quantile(1.0 - level / (2.0 * comparisons.max(1) as f64))
}

/// The fewest pairs whose smallest p is below the level after adjustment.
fn least_pairs(comparisons: usize, level: f64) -> u64 {
    let reaches = |pairs: &u64| smallest_sign_flip_p(*pairs as usize) * comparisons.max(1) as f64 <= level;
    (1..64).find(reaches).unwrap_or(64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::sign_flip;
    use crate::seed;
    use proptest::prelude::*;
    use rand::RngExt;

    #[test]
    fn by_the_planned_number_of_pairs_four_of_five_effects_are_found() {
        let mut stream = seed::stream(7, "power", 0, 0);
        for (ratio, comparisons) in [(0.6, 1), (1.0, 1), (0.8, 4)] {
            let pairs = pairs_needed(ratio, 1.0, comparisons, 0.05).unwrap();
            let trials = 600;
            let mut found = 0;
            for _ in 0..trials {
                let mut one = || ratio + normal_quantile(stream.random_range(1e-9..1.0 - 1e-9));
                let differences: Vec<f64> = (0..pairs).map(|_| one()).collect();
                found += usize::from(sign_flip(&differences, 0) * comparisons as f64 <= 0.05);
            }
            let share = found as f64 / f64::from(trials);
            // Three standard deviations of a share of 0.8 in 600 trials are 0.05; pairs are whole and few.
            assert!((0.74..=0.9).contains(&share), "{pairs} pairs find {share} of effects of {ratio} among {comparisons}");
        }
    }

    #[test]
    fn the_numbers_are_those_of_the_formula() {
        // (1.959964 + 0.841621)^2 = 7.84888; 1.959964^2 / 2 = 1.92073.
        assert_eq!(pairs_needed(1.0, 1.0, 1, 0.05), Some(10));
        assert_eq!(pairs_needed(0.5, 1.0, 1, 0.05), Some(34), "31.395 + 1.921");
        assert_eq!(pairs_needed(100.0, 1.0, 1, 0.05), Some(6), "2/2^5 is 0.0625");
        assert_eq!(pairs_needed(100.0, 1.0, 4, 0.05), Some(8), "2/2^8 x 4 is 0.031");
        assert_eq!((pairs_needed(0.0, 1.0, 1, 0.05), pairs_needed(0.0, 0.0, 1, 0.05)), (None, None));
        assert_eq!(visible_effect(5, 1.0, 1, 0.05), None);
    }

    proptest! {
        #[test]
        fn an_effect_that_is_visible_needs_no_more_pairs(pairs in 8u64..400, deviation in 0.01f64..10.0, comparisons in 1usize..8) {
            if let Some(effect) = visible_effect(pairs, deviation, comparisons, 0.05) {
                let needed = pairs_needed(effect * (1.0 + 1e-9), deviation, comparisons, 0.05).unwrap();
                prop_assert!(needed <= pairs, "{needed} > {pairs}");
                let smaller = pairs_needed(effect * 0.9, deviation, comparisons, 0.05).unwrap();
                prop_assert!(smaller >= needed);
            }
        }
    }
}
