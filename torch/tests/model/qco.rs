//! Quantization and encoding against a loop over pixels and levels.

use harness::config::{Levels, Qco, Window};
use harness_torch::model::qco::{self, encode};
use proptest::prelude::*;
use tch::{Kind, Tensor};

use crate::setup::{distance, finite, values, wave64};

const FULL: Qco = Qco { levels: Levels::Midpoint, window: Window::Full };

fn choices() -> impl Strategy<Value = Qco> {
    let levels = prop_oneof![Just(Levels::Midpoint), Just(Levels::Endpoint)];
    let window = prop_oneof![Just(Window::Full), Just(Window::Half)];
    (levels, window).prop_map(|(levels, window)| Qco { levels, window })
}

/// Groups of at least two values each, as cosines.
fn groups() -> impl Strategy<Value = Vec<Vec<f64>>> {
    (1usize..4, 2usize..30).prop_flat_map(|(g, k)| prop::collection::vec(prop::collection::vec(-1.0f64..1.0, k), g))
}

fn tensor(groups: &[Vec<f64>]) -> Tensor {
    tch::set_num_threads(1);
    Tensor::from_slice(&groups.concat()).reshape([groups.len() as i64, -1])
}

/// One group's levels and encodings; `None` for an encoding that rounding decides.
fn slow(group: &[f64], count: usize, choice: &Qco) -> (Vec<f64>, Vec<Vec<Option<f64>>>) {
    let least = group.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = group.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let step = (greatest - least) / count as f64;
    let shift = if choice.levels == Levels::Midpoint { 0.5 } else { 1.0 };
    let levels: Vec<f64> = (0..count).map(|n| least + (n as f64 + shift) * step).collect();
    let one = |value: f64, n: usize| {
        let offset = levels[n] - value;
        let (fires, margin) = match (choice.window, choice.levels) {
            (Window::Full, _) => (offset.abs() < step, (offset.abs() - step).abs()),
            (Window::Half, Levels::Endpoint) => (-step / 2.0 <= offset && offset < step / 2.0, (offset.abs() - step / 2.0).abs()),
            (Window::Half, Levels::Midpoint) => {
                let place = (value - least) / step;
                let border = place.round();
                let inner = border > 0.0 && border < count as f64;
                (n == (place.floor() as usize).min(count - 1), if inner { (place - border).abs() * step } else { step })
            }
        };
        (margin > 1e-9).then_some(if fires { 1.0 - offset.abs() } else { 0.0 })
    };
    let encoding = group.iter().map(|&value| (0..count).map(|n| one(value, n)).collect()).collect();
    (levels, encoding)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn encoding_is_what_a_loop_over_pixels_and_levels_gives(groups in groups(), count in 2usize..9, choice in choices()) {
        let encoded = encode(&tensor(&groups), count as i64, &choice);
        let (levels, encoding, shares) = (values(&encoded.levels), values(&encoded.encoding), values(&encoded.shares()));
        for (g, group) in groups.iter().enumerate() {
            let (slow_levels, slow_encoding) = slow(group, count, &choice);
            for n in 0..count {
                prop_assert!((levels[g * count + n] - slow_levels[n]).abs() < 1e-12);
            }
            let at = |k: usize, n: usize| encoding[(g * group.len() + k) * count + n];
            for (k, row) in slow_encoding.iter().enumerate() {
                for (n, slow) in row.iter().enumerate() {
                    prop_assert!(slow.is_none_or(|slow| (at(k, n) - slow).abs() < 1e-12));
                }
            }
            let counts: Vec<f64> = (0..count).map(|n| (0..group.len()).map(|k| at(k, n)).sum()).collect();
            for n in 0..count {
                prop_assert!((shares[g * count + n] - counts[n] / (counts.iter().sum::<f64>() + 1e-6)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn levels_rise_strictly_inside_the_range_and_shares_sum_to_one(groups in groups(), count in 2i64..9) {
        let x = tensor(&groups).to_kind(Kind::Float);
        let range = x.amax([1], false) - x.amin([1], false);
        prop_assume!(range.min().double_value(&[]) >= 1e-4 * count as f64);
        let encoded = encode(&x, count, &FULL);
        let levels = &encoded.levels; // [G, N]
        prop_assert!((levels.narrow(1, 1, count - 1) - levels.narrow(1, 0, count - 1)).min().double_value(&[]) > 0.0);
        prop_assert!((levels.amin([1], false) - x.amin([1], false)).min().double_value(&[]) > 0.0);
        prop_assert!((x.amax([1], false) - levels.amax([1], false)).min().double_value(&[]) > 0.0);
        let sums = encoded.shares().sum_dim_intlist([1i64].as_slice(), false, None::<Kind>);
        prop_assert!((sums - 1.0).abs().max().double_value(&[]) < 2e-6);
    }

    #[test]
    fn each_pixel_fires_one_level_or_two_neighbours(groups in groups(), count in 2usize..9) {
        let x = tensor(&groups);
        prop_assume!((x.amax([1], false) - x.amin([1], false)).min().double_value(&[]) >= 1e-6 * count as f64);
        for row in values(&encode(&x, count as i64, &FULL).encoding).chunks(count) {
            let fired: Vec<usize> = (0..count).filter(|&n| row[n] != 0.0).collect();
            prop_assert!(fired.len() == 1 || (fired.len() == 2 && fired[1] == fired[0] + 1), "{fired:?}");
        }
    }

    #[test]
    fn half_windows_bin(groups in groups(), count in 2usize..9) {
        let encoded = encode(&tensor(&groups), count as i64, &Qco { window: Window::Half, ..FULL });
        for row in values(&encoded.encoding).chunks(count) {
            prop_assert_eq!(row.iter().filter(|e| **e != 0.0).count(), 1);
        }
    }
}

#[test]
fn a_constant_group_fires_every_level_equally_with_finite_gradients() {
    tch::set_num_threads(1);
    for level in [-0.25, 0.0, 1.0] {
        let x = Tensor::full([2, 9], level, (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
        let encoded = encode(&x, 8, &FULL);
        assert_eq!(distance(&encoded.encoding, &encoded.encoding.ones_like()), 0.0);
        assert!(distance(&encoded.shares(), &(encoded.levels.ones_like() / 8.0)) < 1e-6);
        (encoded.shares() * encoded.levels).sum(Kind::Float).backward();
        assert!(finite(&x.grad()));
    }
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    tch::set_num_threads(1);
    for choice in [FULL, Qco { levels: Levels::Endpoint, window: Window::Half }] {
        let x = wave64(&[2, 11], 0.83) * 0.5;
        let (weight, level_weight) = (wave64(&[2, 11, 5], 1.7), wave64(&[2, 5], 0.9));
        let loss = |x: &Tensor| {
            let encoded = encode(x, 5, &choice);
            (encoded.encoding * &weight).sum(Kind::Double) + (encoded.levels * &level_weight).sum(Kind::Double)
        };
        let leaf = x.copy().set_requires_grad(true);
        loss(&leaf).backward();
        let numeric: Vec<f64> = (0..22)
            .map(|i| {
                let moved = |by: f64| {
                    let moved = x.copy();
                    let _ = moved.view(-1).narrow(0, i, 1).g_add_scalar_(by);
                    loss(&moved).double_value(&[])
                };
                (moved(1e-6) - moved(-1e-6)) / 2e-6
            })
            .collect();
        for (a, b) in values(&leaf.grad()).iter().zip(numeric) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}

#[test]
fn the_cosine_of_a_zero_vector_is_zero_with_a_zero_gradient() {
    tch::set_num_threads(1);
    let x = Tensor::from_slice(&[3.0f32, 4.0, 0.0, 0.0]).reshape([2, 2]).set_requires_grad(true);
    let direction = Tensor::from_slice(&[1.0f32, 0.0]).reshape([2, 1]);
    let cosine = qco::cosine(&x.matmul(&direction), &qco::norm(&x));
    assert_eq!(values(&cosine), [f64::from(0.6f32), 0.0]);
    cosine.sum(Kind::Float).backward();
    let gradient = values(&x.grad());
    assert!((gradient[0] - 0.128).abs() < 1e-6 && (gradient[1] + 0.096).abs() < 1e-6, "{gradient:?}");
    assert_eq!(gradient[2..], [0.0, 0.0]);
}
