//! Quantization, encoding and counting, each against nested loops.

use harness::config::{Levels, Offset, OffsetMean, Qco, Window};
use harness_torch::detector::mlff::model::ptfem::co_occurrence;
use harness_torch::detector::mlff::model::qco::{self, encode};
use proptest::prelude::*;
use tch::{Kind, Tensor};

use crate::{distance, is_finite, one_thread, values, wave};

/// Of one group, one value at a time, in f64.
struct Twin {
    levels: Vec<f64>,
    /// [K][N]
    encoding: Vec<Vec<f64>>,
    shares: Vec<f64>,
    /// Half-width of a full window: a step.
    width: f64,
    /// Least distance of a value to the border of a window, in steps: f32 cannot tell on which side a nearer one lies.
    margin: f64,
}

fn twin(group: &[f32], count: usize, choice: &Qco) -> Twin {
    let group: Vec<f64> = group.iter().map(|&v| f64::from(v)).collect();
    let (least, greatest) = group.iter().fold((f64::MAX, f64::MIN), |(a, b), &v| (a.min(v), b.max(v)));
    let step = (greatest - least) / count as f64;
    let width = step.max(1e-6);
    let first = if choice.levels == Levels::Midpoint { 0.5 } else { 1.0 };
    let levels: Vec<f64> = (0..count).map(|n| least + (n as f64 + first) * step).collect();
    let mut margin = f64::MAX;
    let mut encoding = Vec::new();
    for &value in &group {
        let mut row = Vec::new();
        for (n, &level) in levels.iter().enumerate() {
            let offset = level - value;
            let fires = match (choice.window, choice.levels) {
                (Window::Full | Window::Hat, _) => offset.abs() < width,
                (Window::Half, Levels::Midpoint) => n == (((value - least) / width).floor() as usize).min(count - 1),
                (Window::Half, Levels::Endpoint) => -width / 2.0 <= offset && offset < width / 2.0,
            };
            let border = if choice.window == Window::Half { width / 2.0 } else { width };
            // The extremes lie on borders by definition: of bins exactly, of full windows around upper ends up to rounding.
            if value != least && value != greatest {
                margin = margin.min((offset.abs() - border).abs() / width);
            }
            let unit = if choice.window == Window::Hat { width } else { 1.0 };
            row.push(if fires { 1.0 - offset.abs() / unit } else { 0.0 });
        }
        encoding.push(row);
    }
    let counts: Vec<f64> = (0..count).map(|n| encoding.iter().map(|row| row[n]).sum()).collect();
    let total: f64 = counts.iter().sum();
    let shares = counts.iter().map(|c| c / (total + 1e-6)).collect();
    Twin { levels, encoding, shares, width, margin }
}

fn largest(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn choices() -> [Qco; 6] {
    [
        Qco { levels: Levels::Midpoint, window: Window::Full },
        Qco { levels: Levels::Midpoint, window: Window::Half },
        Qco { levels: Levels::Endpoint, window: Window::Full },
        Qco { levels: Levels::Endpoint, window: Window::Half },
        Qco { levels: Levels::Midpoint, window: Window::Hat },
        Qco { levels: Levels::Endpoint, window: Window::Hat },
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn levels_codes_and_shares_are_those_of_nested_loops(
        data in prop::collection::vec(-1.0f32..1.0, 64), groups in 1usize..4, size in 2usize..20, count in 2usize..12,
    ) {
        one_thread();
        let data = &data[..groups * size];
        for choice in choices() {
            let encoded = encode(&Tensor::from_slice(data).reshape([groups as i64, size as i64]), count as i64, &choice);
            let shares = encoded.shares();
            for (g, group) in data.chunks(size).enumerate() {
                let twin = twin(group, count, &choice);
                prop_assert!(largest(&values(&encoded.levels.get(g as i64)), &twin.levels) < 1e-6);
                if choice == (Qco { levels: Levels::Endpoint, window: Window::Full }) {
                    // The extremes stand a whole step from an upper end, on its window's border, where rounding decides.
                    let edge = |v: f32| group.iter().all(|&o| v <= o) || group.iter().all(|&o| v >= o);
                    let codes = values(&encoded.encoding.get(g as i64));
                    for ((got, own), _) in codes.chunks(count).zip(&twin.encoding).zip(group).filter(|(_, v)| !edge(**v)) {
                        prop_assert!(twin.margin <= 1e-4 || largest(got, own) < 1e-5);
                    }
                } else if twin.margin > 1e-4 || choice.window == Window::Hat {
                    // In steps, what f32 rounds of a value weighs the more the narrower they are.
                    let rounding = if choice.window == Window::Hat { 1e-6 / twin.width } else { 1e-5 };
                    prop_assert!(largest(&values(&encoded.encoding.get(g as i64)), &twin.encoding.concat()) < rounding, "{choice:?}");
                    prop_assert!(largest(&values(&shares.get(g as i64)), &twin.shares) < rounding, "{choice:?}");
                }
            }
        }
    }

    #[test]
    fn shares_sum_to_one_and_levels_increase_strictly_inside_the_range(
        data in prop::collection::vec(-1.0f32..1.0, 2..60), count in 2i64..40, scale in 1e-3f32..1.0,
    ) {
        one_thread();
        let x = Tensor::from_slice(&data).unsqueeze(0) * f64::from(scale);
        let (least, greatest) = (x.min().double_value(&[]), x.max().double_value(&[]));
        prop_assume!(greatest - least >= 1e-4);
        for choice in choices() {
            let encoded = encode(&x, count, &choice);
            if choice != (Qco { levels: Levels::Endpoint, window: Window::Half }) {
                prop_assert!((encoded.shares().sum(Kind::Double).double_value(&[]) - 1.0).abs() < 1e-5);
            }
            let levels = values(&encoded.levels);
            prop_assert!(levels.windows(2).all(|pair| pair[0] < pair[1]));
            if choice.levels == Levels::Midpoint {
                prop_assert!(least < levels[0] && levels[levels.len() - 1] < greatest);
            }
        }
    }

    #[test]
    fn a_pixel_fires_one_or_two_adjacent_levels_and_one_bin(data in prop::collection::vec(-1.0f32..1.0, 2..60), count in 3usize..40) {
        one_thread();
        let x = Tensor::from_slice(&data).unsqueeze(0);
        for choice in choices() {
            prop_assume!(x.max().double_value(&[]) - x.min().double_value(&[]) >= 1e-4);
            let ties = twin(&data, count, &choice).margin < 1e-4;
            let fired = encode(&x, count as i64, &choice).encoding.gt(0.0).squeeze_dim(0);
            for (i, row) in values(&fired).chunks(count).enumerate() {
                let at: Vec<usize> = (0..count).filter(|&n| row[n] > 0.0).collect();
                match (choice.window, choice.levels) {
                    (Window::Half, Levels::Midpoint) => prop_assert_eq!(at.len(), 1),
                    (Window::Half, Levels::Endpoint) => prop_assert!(ties || at.len() <= 1),
                    (Window::Full | Window::Hat, Levels::Endpoint) => prop_assert!(ties || at.len() <= 2, "pixel {i}: {at:?}"),
                    (Window::Full | Window::Hat, Levels::Midpoint) => {
                        prop_assert!(ties || at.len() == 1 || (at.len() == 2 && at[1] == at[0] + 1), "pixel {i}: {at:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_order_of_pixels_changes_the_order_of_codes_only(
        (data, order) in prop::collection::vec(-1.0f32..1.0, 2..40).prop_flat_map(|v| {
            let order: Vec<i64> = (0..v.len() as i64).collect();
            (Just(v), Just(order).prop_shuffle())
        }),
    ) {
        one_thread();
        let (x, order) = (Tensor::from_slice(&data).unsqueeze(0), Tensor::from_slice(&order));
        for choice in choices() {
            let (a, b) = (encode(&x, 7, &choice), encode(&x.index_select(1, &order), 7, &choice));
            prop_assert!(a.levels.equal(&b.levels));
            prop_assert!(a.encoding.index_select(1, &order).equal(&b.encoding));
            prop_assert!(distance(&a.shares(), &b.shares()) < 1e-6);
        }
    }

    #[test]
    fn similarities_are_cosines_and_do_not_depend_on_the_scale(
        data in prop::collection::vec(-1.0f32..1.0, 60), scale in 1e-3f64..1e3,
    ) {
        one_thread();
        let similarity = |rows: &Tensor| {
            let mean = rows.mean_dim([1i64].as_slice(), false, None::<Kind>); // [1, C]
            qco::cosine(&rows.bmm(&qco::unit(&mean).unsqueeze(2)), &qco::norm(rows)).squeeze() // [K]
        };
        let x = Tensor::from_slice(&data).reshape([1, 15, 4]);
        let got = similarity(&x);
        prop_assert!(distance(&got, &similarity(&(&x * scale))) < 1e-4);
        let rows: Vec<Vec<f64>> = data.chunks(4).map(|r| r.iter().map(|&v| f64::from(v)).collect()).collect();
        let mean: Vec<f64> = (0..4).map(|c| rows.iter().map(|r| r[c]).sum::<f64>() / 15.0).collect();
        let length = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        prop_assume!(length(&mean) > 1e-2 && rows.iter().all(|r| length(r) > 1e-2));
        for (row, got) in rows.iter().zip(values(&got)) {
            let dot: f64 = row.iter().zip(&mean).map(|(a, b)| a * b).sum();
            prop_assert!((dot / length(row) / length(&mean) - got).abs() < 1e-4);
        }
    }

    #[test]
    fn co_occurrences_are_the_sum_over_all_pairs(
        data in prop::collection::vec(0.0f32..1.0, 2 * 20 * 3), h in 1usize..5, w in 1usize..5, dy in -3i64..4, dx in -3i64..4,
    ) {
        one_thread();
        let data: Vec<f32> = data.iter().map(|&v| if v < 0.5 { 0.0 } else { v }).take(2 * h * w * 3).collect();
        let x = Tensor::from_slice(&data).reshape([2, h as i64, w as i64, 3]);
        for (offset, moves) in [(Offset::One([dy, dx]), vec![(dy, dx)]), (Offset::Mean(OffsetMean::Mean), vec![(0, 1), (1, 0)])] {
            let mut sums = vec![0.0f64; 2 * 9];
            for (g, y, x0) in (0..2 * h * w).map(|i| (i / (h * w), i / w % h, i % w)) {
                for (dy, dx) in &moves {
                    let (y2, x2) = (y as i64 + dy, x0 as i64 + dx);
                    if !(0..h as i64).contains(&y2) || !(0..w as i64).contains(&x2) {
                        continue;
                    }
                    let code = |y: usize, x: usize, n: usize| f64::from(data[((g * h + y) * w + x) * 3 + n]);
                    for (u, v) in (0..9).map(|k| (k / 3, k % 3)) {
                        sums[g * 9 + 3 * u + v] += code(y, x0, u) * code(y2 as usize, x2 as usize, v) / moves.len() as f64;
                    }
                }
            }
            let got = co_occurrence(&x, offset);
            prop_assert!(largest(&values(&got), &sums) < 1e-5);
            // Half a turn swaps the two pixels of each pair.
            prop_assert!(distance(&co_occurrence(&x.flip([1, 2]), offset), &got.transpose(1, 2)) < 1e-5);
        }
    }
}

#[test]
fn a_constant_group_fires_every_level_and_has_finite_gradients() {
    one_thread();
    for (value, choice) in [0.0, 0.7, -1.0].into_iter().flat_map(|v| choices().map(|c| (v, c))) {
        let x = Tensor::full([2, 9], value, (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
        let encoded = encode(&x, 5, &choice);
        let shares = encoded.shares();
        if choice.window == Window::Full {
            assert!(distance(&encoded.encoding, &Tensor::ones_like(&encoded.encoding)) < 1e-6);
            assert!(distance(&shares, &(Tensor::ones_like(&shares) / 5.0)) < 1e-6);
        }
        let loss = (&shares * wave(&[2, 5], 0.7)).sum(Kind::Float) + (&encoded.encoding * wave(&[2, 9, 5], 0.9)).sum(Kind::Float);
        (loss + encoded.levels.sum(Kind::Float)).backward();
        assert!(is_finite(&encoded.encoding) && is_finite(&shares) && is_finite(&x.grad()), "{value} {choice:?}");
    }
}

#[test]
fn a_zero_pixel_has_similarity_zero_and_no_gradient() {
    one_thread();
    let x = wave(&[1, 6, 4], 0.7);
    let _ = x.narrow(1, 2, 1).zero_();
    let x = x.set_requires_grad(true);
    let direction = qco::unit(&wave(&[1, 4], 0.4)).unsqueeze(2);
    let m = qco::cosine(&x.bmm(&direction), &qco::norm(&x));
    assert_eq!(m.double_value(&[0, 2, 0]), 0.0);
    m.sum(Kind::Float).backward();
    assert!(is_finite(&x.grad()) && x.grad().narrow(1, 2, 1).abs().max().double_value(&[]) == 0.0);
}
