//! The two-sided sign-flip test of paired differences (Fisher 1935): if nothing distinguishes the two of a pair, each
//! difference is as likely with either sign. p is the share of all sign patterns whose mean is at least as far from 0 as the
//! observed one.
//!
//! Exact up to [`EXACT_PAIRS`] pairs: the sums of either half's patterns are listed, and one list is searched for each sum of
//! the other, so that 2^n patterns cost some `n 2^(n/2)`. Beyond that a seeded sample with the observed pattern counted
//! among the draws, (1 + hits)/(1 + draws), which keeps the test's size (Phipson and Smyth 2010).

use rand::Rng;

use crate::seed;

/// Up to so many pairs every sign pattern is counted.
pub const EXACT_PAIRS: usize = 30;

/// Sampled sign patterns beyond that.
pub const SIGN_FLIP_DRAWS: u64 = 100_000;

/// Sums closer than this share of `sum |d|` are equal: more than rounding, far less than any difference of percentages.
const TIE: f64 = 1e-12;

/// The two-sided p of `differences`, 0 < p <= 1; `seed` matters beyond [`EXACT_PAIRS`] only. Depends neither on their order
/// nor on which of a pair is subtracted from which. 1 without a pair, with a single one, and where all differences are 0.
/// No value may be NaN.
pub fn sign_flip(differences: &[f64], seed: u64) -> f64 {
    let mut sizes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let all: f64 = sizes.iter().sum();
    let least = differences.iter().sum::<f64>().abs() - TIE * all;
    if least <= 0.0 {
        return 1.0; // every pattern is at least as far off as a mean of 0
    }
    if sizes.len() <= EXACT_PAIRS { exact(&sizes, least) } else { sampled(&sizes, least, seed) }
}

/// The smallest p that [`sign_flip`] can give for so many pairs: only the observed pattern and its mirror image hit.
pub fn smallest_sign_flip_p(pairs: usize) -> f64 {
    match pairs {
        0 => 1.0,
        n if n <= EXACT_PAIRS => 2.0 / 2f64.powi(n as i32),
        _ => 1.0 / (1 + SIGN_FLIP_DRAWS) as f64,
    }
}

fn exact(sizes: &[f64], least: f64) -> f64 {
    let (one, other) = sizes.split_at(sizes.len() / 2);
    let (one, mut other) = (sums(one), sums(other));
    other.sort_by(f64::total_cmp);
    // Patterns come in pairs of opposite sums, so those at the upper end are half of all hits.
    let above: usize = one.iter().map(|s| other.len() - other.partition_point(|o| s + o < least)).sum();
    2.0 * above as f64 / (one.len() as f64 * other.len() as f64)
}

/// The sums of all 2^n sign patterns.
fn sums(sizes: &[f64]) -> Vec<f64> {
    sizes.iter().fold(vec![0.0], |sums, d| sums.iter().map(|s| s - d).chain(sums.iter().map(|s| s + d)).collect())
}

fn sampled(sizes: &[f64], least: f64, seed: u64) -> f64 {
    let mut stream = seed::stream(seed, "sign flip", 0, 0);
    let mut hit = || {
        let sum: f64 = sizes
            .chunks(64)
            .map(|chunk| {
                let signs = stream.next_u64();
                chunk.iter().enumerate().map(|(i, d)| if signs >> i & 1 == 1 { *d } else { -d }).sum::<f64>()
            })
            .sum();
        sum.abs() >= least
    };
    let hits = (0..SIGN_FLIP_DRAWS).filter(|_| hit()).count();
    (1 + hits) as f64 / (1 + SIGN_FLIP_DRAWS) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every pattern, one by one.
    fn slow(differences: &[f64]) -> f64 {
        let n = differences.len();
        let sum =
            |pattern: usize| -> f64 { differences.iter().enumerate().map(|(i, d)| if pattern >> i & 1 == 1 { -d } else { *d }).sum() };
        let hits = (0..1 << n).filter(|&p| sum(p).abs() >= sum(0).abs() * (1.0 - 1e-9) - 1e-15).count();
        hits as f64 / (1_u64 << n) as f64
    }

    fn differences() -> impl Strategy<Value = Vec<f64>> {
        // Few distinct values, so that ties and zeros are common.
        prop::collection::vec((-6i32..=6).prop_map(|d| f64::from(d) / 10.0), 0..10)
    }

    proptest! {
        #[test]
        fn counting_by_halves_is_counting_all(d in differences()) {
            prop_assert!((sign_flip(&d, 0) - slow(&d)).abs() < 1e-12);
        }

        #[test]
        fn neither_order_nor_labels_matter(d in differences(), turn in 0usize..10) {
            let p = sign_flip(&d, 0);
            let swapped: Vec<f64> = d.iter().map(|d| -d).collect();
            let mut turned = d.clone();
            turned.rotate_left(turn % d.len().max(1));
            prop_assert_eq!(sign_flip(&swapped, 0), p);
            prop_assert_eq!(sign_flip(&turned, 0), p);
            prop_assert!(p > 0.0 && p <= 1.0 && (p >= smallest_sign_flip_p(d.len()) || d.is_empty()));
        }
    }

    #[test]
    fn p_values_are_scipys() {
        let golden: serde_json::Value = serde_json::from_str(include_str!("../../tests/golden/statistics.json")).unwrap();
        for case in golden["sign_flip"].as_array().unwrap() {
            let d: Vec<f64> = serde_json::from_value(case["differences"].clone()).unwrap();
            let (p, expected) = (sign_flip(&d, 0), case["p"].as_f64().unwrap());
            assert!((p - expected).abs() < 1e-12, "{d:?}: {p}, not {expected}");
        }
    }

    #[test]
    fn without_evidence_p_is_one() {
        for d in [&[][..], &[0.3], &[0.0, 0.0], &[0.1, -0.1], &[0.1 + 0.2, -0.3]] {
            assert_eq!(sign_flip(d, 0), 1.0, "{d:?}");
        }
        assert_eq!(sign_flip(&[0.1, 0.0], 0), 1.0, "a zero counts either way");
    }

    #[test]
    fn equal_gains_of_all_pairs_reach_the_smallest_p() {
        for n in [2, 6, 20, EXACT_PAIRS] {
            assert_eq!(sign_flip(&vec![0.01; n], 0), smallest_sign_flip_p(n));
        }
        assert_eq!(smallest_sign_flip_p(6), 0.03125);
    }

    #[test]
    fn beyond_the_exact_form_a_sample_comes_close_and_repeats() {
        // The sample of 26 pairs against their exact p.
        let d: Vec<f64> = (0..26).map(|i| f64::from((i * 7) % 13) - 4.6).collect();
        let mut sizes: Vec<f64> = d.iter().map(|d| d.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        let least = d.iter().sum::<f64>().abs();
        let (exact, drawn) = (exact(&sizes, least), sampled(&sizes, least, 3));
        let deviation = (exact * (1.0 - exact) / SIGN_FLIP_DRAWS as f64).sqrt();
        assert!((exact - drawn).abs() < 4.0 * deviation, "{exact} {drawn}");
        assert_eq!(drawn, sampled(&sizes, least, 3));
        assert_ne!(drawn, sampled(&sizes, least, 4));
        assert_eq!(sign_flip(&vec![1.0; 40], 0), smallest_sign_flip_p(40));
    }

    #[test]
    fn under_the_null_the_test_keeps_its_size() {
        let mut stream = seed::stream(1, "null", 0, 0);
        let trials = 4000;
        let mut draw = || (stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        for pairs in [5, 8, 12] {
            for coarse in [false, true] {
                // Skewed sizes with a fair sign; coarse ones have ties and zeros.
                let mut one = || {
                    let size = draw().powi(3);
                    let size = if coarse { (size * 4.0).round() } else { size };
                    if draw() < 0.5 { size } else { -size }
                };
                for level in [0.05, 0.2] {
                    let rejected = (0..trials).filter(|_| sign_flip(&(0..pairs).map(|_| one()).collect::<Vec<_>>(), 0) <= level).count();
                    let rate = rejected as f64 / f64::from(trials);
                    let slack = 3.0 * (level * (1.0 - level) / f64::from(trials)).sqrt();
                    assert!(rate <= level + slack, "{pairs} pairs: {rate} at {level}");
                    // Without ties p takes each multiple of the smallest one equally often: the test wastes no more than that.
                    let step = smallest_sign_flip_p(pairs);
                    let reached = (level / step).floor() * step;
                    assert!(coarse || rate >= reached - slack, "{pairs} pairs: {rate} at {level}, not {reached}");
                }
            }
        }
    }
}
