//! The score constraint against its slow twin, and the invariants that it must keep.

use crate::slow::{self, Map, assert_all_near, assert_near, defaults, split, value, values, with_gradient};
use harness::config::{Activation, PairMode, Scope, Score};
use harness::seed;
use harness_torch::detector::mlff::loss::{activate, normal_hinge, pair_hinge};
use proptest::prelude::*;
use tch::{Kind, Tensor};

fn cfg(pair_mode: PairMode, pair_scope: Scope, lambda: f64) -> Score {
    Score { pair_mode, pair_scope, lambda, ..defaults().score }
}

fn all_pairs(lambda: f64) -> Score {
    cfg(PairMode::AllPairs, Scope::Batch, lambda)
}

fn pair(s: &Map, mask: &Map, cfg: &Score) -> f64 {
    value(&pair_hinge(&s.tensor(), &mask.tensor(), cfg, &mut seed::stream(0, "pairs", 0, 0)))
}

/// Scores and a mask with at least one pixel of each class.
fn batch(seed: u64, size: [usize; 4], share: f64, scale: f64) -> (Map, Map) {
    let mut mask = Map::mask(seed, size, share);
    mask.data[0] = 1.0;
    *mask.data.last_mut().unwrap() = 0.0;
    (Map::random(seed, "s", size, scale), mask)
}

/// Scores in 1024ths, and thresholds between them: no hinge has its kink within the step of a difference quotient.
fn on_grid(s: &Map) -> Map {
    s.map(|s| (s * 1024.0).round() / 1024.0)
}

fn off_grid(threshold: f64) -> f64 {
    ((threshold * 1024.0).floor() + 0.5) / 1024.0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_pair_term_agrees_with_a_double_loop(
        seed: u64, b in 1usize..4, h in 1usize..6, w in 1usize..6, share in 0.0..1.0,
        scale in 0.1..8.0, lambda in 0.0..6.0, mean: bool, image: bool,
    ) {
        let (s, mask) = (on_grid(&Map::random(seed, "s", [b, 1, h, w], scale)), Map::mask(seed, [b, 1, h, w], share));
        let lambda = off_grid(lambda);
        let mode = if mean { PairMode::Mean } else { PairMode::AllPairs };
        let cfg = cfg(mode, if image { Scope::Image } else { Scope::Batch }, lambda);
        let (got, gradient) = with_gradient(&s, |s| pair_hinge(s, &mask.tensor(), &cfg, &mut seed::stream(0, "", 0, 0)));
        assert_near(got, slow::pair_hinge(&s, &mask, &cfg), 1e-9);
        assert_all_near(&gradient, &slow::differences(&s, |s| slow::pair_hinge(s, &mask, &cfg)), 1e-6);
        let single = value(&pair_hinge(&s.float(), &mask.float(), &cfg, &mut seed::stream(0, "", 0, 0)));
        assert_near(single, got, 1e-5);
        prop_assert!(got >= 0.0);
    }

    #[test]
    fn the_value_is_exact_at_ties(seed: u64, lambda in 0u8..4) {
        let (s, mask) = batch(seed, [2, 1, 4, 4], 0.4, 4.0);
        let s = s.map(f64::round);
        let cfg = all_pairs(f64::from(lambda));
        assert_near(pair(&s, &mask, &cfg), slow::pair_hinge(&s, &mask, &cfg), 1e-12);
    }

    #[test]
    fn the_first_term_agrees_with_its_definition(seed: u64, share in 0.0..1.0, gamma in -2.0..2.0) {
        let (s, mask) = (on_grid(&Map::random(seed, "s", [2, 1, 3, 4], 4.0)), Map::mask(seed, [2, 1, 3, 4], share));
        let gamma = off_grid(gamma);
        let (got, gradient) = with_gradient(&s, |s| normal_hinge(s, &mask.tensor(), gamma));
        assert_near(got, slow::normal_hinge(&s, &mask, gamma), 1e-12);
        assert_all_near(&gradient, &slow::differences(&s, |s| slow::normal_hinge(s, &mask, gamma)), 1e-6);
    }

    #[test]
    fn it_is_zero_exactly_when_the_classes_are_apart(seed: u64, gap in -1.0..1.0f64, gamma in 0.0..3.0) {
        let lambda = 2.0;
        let (s, mask) = batch(seed, [1, 1, 4, 4], 0.4, 3.0);
        let (n, a) = split(&s.data, &mask.data);
        let (top, bottom) = (n.iter().fold(f64::MIN, |m, &x| m.max(x)), a.iter().fold(f64::MAX, |m, &x| m.min(x)));
        // Move the anomalous scores so that the smallest exceeds the greatest normal one by lambda + gap.
        let moved = Map { size: s.size, data: s.data.iter().zip(&mask.data).map(|(s, y)| s + y * (top + lambda + gap - bottom)).collect() };
        let hinge = value(&normal_hinge(&moved.tensor(), &mask.tensor(), gamma));
        prop_assert_eq!(hinge == 0.0, top <= gamma);
        if gap.abs() > 1e-9 {
            prop_assert_eq!(pair(&moved, &mask, &all_pairs(lambda)) == 0.0, gap > 0.0);
        }
    }

    #[test]
    fn a_common_shift_moves_only_the_first_term(seed: u64, shift in 0.0..1e3) {
        let (s, mask) = batch(seed, [2, 1, 3, 4], 0.4, 4.0);
        let moved = s.map(|s| s + shift);
        assert_near(pair(&moved, &mask, &all_pairs(5.0)), pair(&s, &mask, &all_pairs(5.0)), 1e-9);
        let first = |s: &Map| value(&normal_hinge(&s.tensor(), &mask.tensor(), 2.5));
        prop_assert!(first(&moved) >= first(&s));
    }

    #[test]
    fn the_pair_term_is_homogeneous(seed: u64, c in 0.01..50.0, lambda in 0.0..5.0) {
        let (s, mask) = batch(seed, [2, 1, 3, 4], 0.4, 4.0);
        assert_near(pair(&s.map(|s| c * s), &mask, &all_pairs(c * lambda)), c * pair(&s, &mask, &all_pairs(lambda)), 1e-9);
    }

    #[test]
    fn its_gradients_balance_and_stay_in_range(seed: u64, lambda in 0.0..6.0, random: bool) {
        let (s, mask) = batch(seed, [2, 1, 4, 5], 0.4, 4.0);
        let cfg = cfg(if random { PairMode::Random } else { PairMode::AllPairs }, Scope::Batch, lambda);
        let (_, gradient) = with_gradient(&s, |s| pair_hinge(s, &mask.tensor(), &cfg, &mut seed::stream(seed, "", 0, 0)));
        let (n, a) = split(&gradient, &mask.data);
        let (most_n, most_a) = match random {
            false => (1.0 / n.len() as f64, 1.0 / a.len() as f64),
            true => (1.0 / n.len().min(a.len()) as f64, 1.0 / n.len().min(a.len()) as f64),
        };
        prop_assert!(gradient.iter().sum::<f64>().abs() < 1e-12);
        prop_assert!(n.iter().all(|g| (0.0..=most_n + 1e-15).contains(g)) && a.iter().all(|g| (-most_a - 1e-15..=0.0).contains(g)));
    }

    #[test]
    fn equal_scores_cost_lambda(score in -5.0..5.0, lambda in 0.0..6.0, seed: u64) {
        let (s, mask) = batch(seed, [1, 1, 3, 5], 0.4, 1.0);
        for mode in [PairMode::AllPairs, PairMode::Random, PairMode::Mean] {
            assert_near(pair(&s.map(|_| score), &mask, &cfg(mode, Scope::Batch, lambda)), lambda, 1e-12);
        }
    }

    #[test]
    fn the_difference_of_means_is_a_lower_bound(seed: u64, lambda in 0.0..6.0) {
        let (s, mask) = batch(seed, [2, 1, 3, 4], 0.4, 4.0);
        prop_assert!(pair(&s, &mask, &cfg(PairMode::Mean, Scope::Batch, lambda)) <= pair(&s, &mask, &all_pairs(lambda)) + 1e-12);
    }

    #[test]
    fn neither_order_nor_replication_changes_it(seed: u64, times in 2usize..4, lambda in 0.0..6.0) {
        let (s, mask) = batch(seed, [1, 1, 1, 12], 0.4, 4.0);
        let want = pair(&s, &mask, &all_pairs(lambda));
        let pick = |pixels: &[usize]| {
            let of = |map: &Map| Map { size: [1, 1, 1, pixels.len()], data: pixels.iter().map(|&i| map.data[i]).collect() };
            pair(&of(&s), &of(&mask), &all_pairs(lambda))
        };
        assert_near(pick(&[7, 2, 11, 0, 5, 9, 1, 10, 3, 8, 6, 4]), want, 1e-9);
        assert_near(pick(&(0..12 * times).map(|i| i % 12).collect::<Vec<_>>()), want, 1e-9);
        let anomalous_again = (0..12).filter(|&i| mask.data[i] == 1.0);
        assert_near(pick(&(0..12).chain(anomalous_again).collect::<Vec<_>>()), want, 1e-9);
    }

    #[test]
    fn it_is_convex_along_segments(seed: u64, at in 0.0..1.0, lambda in 0.0..6.0) {
        let (s, mask) = batch(seed, [1, 1, 3, 4], 0.4, 4.0);
        let other = Map::random(seed, "other", s.size, 4.0);
        let between = Map { size: s.size, data: s.data.iter().zip(&other.data).map(|(a, b)| a + at * (b - a)).collect() };
        let l = |s: &Map| pair(s, &mask, &all_pairs(lambda)) + value(&normal_hinge(&s.tensor(), &mask.tensor(), 1.0));
        prop_assert!(l(&between) <= (1.0 - at) * l(&s) + at * l(&other) + 1e-12);
    }

    #[test]
    fn random_pairs_are_disjoint_and_as_many_as_the_smaller_class(seed: u64, share in 0.0..1.0, b in 1usize..4, image: bool) {
        // With a huge lambda each pair is active, so the gradient shows which pixels are in one.
        let (s, mask) = (Map::random(seed, "s", [b, 1, 3, 5], 1.0), Map::mask(seed, [b, 1, 3, 5], share));
        let cfg = cfg(PairMode::Random, if image { Scope::Image } else { Scope::Batch }, 1e3);
        let (got, gradient) = with_gradient(&s, |s| pair_hinge(s, &mask.tensor(), &cfg, &mut seed::stream(seed, "", 0, 0)));
        let rows = if image { b } else { 1 };
        let per_row = 15 * b / rows;
        let smaller = |r: usize| {
            let (n, a) = split(&s.data[r * per_row..][..per_row], &mask.data[r * per_row..][..per_row]);
            n.len().min(a.len())
        };
        let counted = (0..rows).filter(|&r| smaller(r) > 0).count().max(1);
        let mut value = 0.0;
        for r in 0..rows {
            let m = smaller(r);
            let unit = 1.0 / (m.max(1) * counted) as f64;
            let (n, a) = split(&gradient[r * per_row..][..per_row], &mask.data[r * per_row..][..per_row]);
            let paired = |class: &[f64], sign: f64| class.iter().filter(|&&g| (g - sign * unit).abs() < 1e-12).count();
            prop_assert_eq!((paired(&n, 1.0), paired(&a, -1.0)), (m, m));
            value += if m > 0 { 1e3 / counted as f64 } else { 0.0 };
        }
        value += s.data.iter().zip(&gradient).map(|(s, g)| s * g).sum::<f64>();
        assert_near(got, value, 1e-9);
    }
}

#[test]
fn random_pairs_tend_to_all_pairs() {
    let (s, mask) = batch(5, [1, 1, 7, 10], 0.3, 4.0);
    let random = cfg(PairMode::Random, Scope::Batch, 2.0);
    let draws: Vec<f64> =
        (0..400).map(|i| value(&pair_hinge(&s.tensor(), &mask.tensor(), &random, &mut seed::stream(1, "pairs", 0, i)))).collect();
    let mean = slow::mean(draws.iter().copied());
    let deviation = slow::mean(draws.iter().map(|d| (d - mean).powi(2))).sqrt();
    let want = slow::pair_hinge(&s, &mask, &all_pairs(2.0));
    assert!((mean - want).abs() < 4.0 * deviation / 400f64.sqrt() && deviation > 0.0, "{mean} {want} {deviation}");
}

#[test]
fn one_stream_gives_one_draw_of_pairs() {
    let (s, mask) = batch(5, [1, 1, 7, 10], 0.3, 4.0);
    let random = cfg(PairMode::Random, Scope::Batch, 2.0);
    let at = |index: u64| value(&pair_hinge(&s.tensor(), &mask.tensor(), &random, &mut seed::stream(1, "pairs", 0, index)));
    assert_eq!(at(3), at(3));
    assert_ne!(at(3), at(4));
}

#[test]
fn a_missing_class_or_an_empty_batch_costs_a_zero_that_has_a_gradient() {
    for pixels in [0, 3] {
        for class in [0.0, 1.0] {
            for (mode, scope) in [
                (PairMode::AllPairs, Scope::Batch),
                (PairMode::AllPairs, Scope::Image),
                (PairMode::Random, Scope::Batch),
                (PairMode::Random, Scope::Image),
                (PairMode::Mean, Scope::Batch),
                (PairMode::Mean, Scope::Image),
            ] {
                let images = if pixels == 0 { 0 } else { 2 };
                let s = Map::random(1, "s", [images, 1, 1, pixels.max(1)], 9.0);
                let mask = s.map(|_| class);
                let (got, gradient) = with_gradient(&s, |s| {
                    pair_hinge(s, &mask.tensor(), &cfg(mode, scope, 5.0), &mut seed::stream(0, "", 0, 0))
                        + normal_hinge(s, &mask.tensor(), 1e3)
                });
                assert_eq!(got, 0.0);
                assert!(gradient.iter().all(|&g| g == 0.0) && gradient.len() == s.data.len());
            }
        }
    }
}

#[test]
fn activations_are_what_they_are_called() {
    let s = Tensor::from_slice(&[-2.0f64, 0.0, 3.0]);
    assert_eq!(values(&activate(&s, Activation::Identity)), [-2.0, 0.0, 3.0]);
    assert_eq!(values(&activate(&s, Activation::Abs)), [2.0, 0.0, 3.0]);
    assert_all_near(&values(&activate(&s, Activation::Softplus)), &[(-2f64).exp().ln_1p(), 2f64.ln(), 3f64.exp().ln_1p()], 1e-12);
    assert_eq!(activate(&s.to_kind(Kind::BFloat16), Activation::Abs).kind(), Kind::Float);
}
