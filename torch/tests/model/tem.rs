//! Invariants of TEM.

use harness::config::{Levels, Window};
use harness_torch::model::Mode;
use harness_torch::model::tem::Tem;
use proptest::prelude::*;
use tch::{Kind, Tensor};

use crate::setup::{distance, finite, module, set, stir, tiny, values, wave};

fn tem() -> Tem {
    let (tem, params) = module(Tem::new, &tiny().model);
    stir(&params);
    tem
}

/// Rows Y [B, K, C] of a configuration as [`tiny`]'s.
fn rows() -> Tensor {
    wave(&[2, 40, 4], 0.77) + 0.3
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_statistic_ignores_the_order_of_pixels_and_the_encoding_follows_it(order in Just((0..40).collect::<Vec<i64>>()).prop_shuffle()) {
        let (tem, rows, order) = (tem(), rows(), Tensor::from_slice(&order));
        let (here, there) = (tem.describe(&rows, Mode::Eval), tem.describe(&rows.index_select(1, &order), Mode::Eval));
        prop_assert!(distance(&here.encoded.levels, &there.encoded.levels) < 1e-6);
        prop_assert!(distance(&here.shares, &there.shares) < 1e-5);
        prop_assert!(distance(&here.description, &there.description) < 1e-5);
        prop_assert!(distance(&here.encoded.encoding.index_select(1, &order), &there.encoded.encoding) < 1e-5);
        let enhanced = wave(&[2, 6, 5], 0.4);
        let (r, s) = (tem.assign(&here.encoded, &enhanced), tem.assign(&there.encoded, &enhanced));
        prop_assert!(distance(&r.index_select(1, &order), &s) < 1e-5);
    }

    #[test]
    fn the_encoding_ignores_the_scale_of_its_map(scale in 0.01f64..100.0) {
        let tem = tem();
        let (here, there) = (tem.describe(&rows(), Mode::Eval), tem.describe(&(rows() * scale), Mode::Eval));
        prop_assert!(distance(&here.encoded.levels, &there.encoded.levels) < 1e-6);
        prop_assert!(distance(&here.encoded.encoding, &there.encoded.encoding) < 1e-5);
    }
}

#[test]
fn assignment_is_a_sum_over_fired_levels_linear_in_what_they_carry() {
    for normalize in [false, true] {
        let mut model = tiny().model;
        model.tem.normalize_assign = normalize;
        let (tem, _) = module(Tem::new, &model);
        let encoded = tem.describe(&rows(), Mode::Eval).encoded;
        let (first, second) = (wave(&[2, 6, 5], 0.4), wave(&[2, 6, 5], 1.1));
        let assigned = tem.assign(&encoded, &first);
        let (e, d, r) = (values(&encoded.encoding), values(&first), values(&assigned));
        for (b, k, c) in (0..2 * 40 * 5).map(|i| (i / 200, i / 5 % 40, i % 5)) {
            let at = |n: usize| e[(b * 40 + k) * 6 + n];
            let sum: f64 = (0..6).map(|n| at(n) * d[(b * 6 + n) * 5 + c]).sum();
            let whole: f64 = (0..6).map(at).sum();
            let slow = if normalize { sum / (whole + 1e-6) } else { sum };
            assert!((r[(b * 40 + k) * 5 + c] - slow).abs() < 1e-5);
        }
        let both = tem.assign(&encoded, &(&first + &second * 2.0));
        assert!(distance(&both, &(assigned + tem.assign(&encoded, &second) * 2.0)) < 1e-5);
    }
}

#[test]
fn what_is_assigned_is_not_negative_and_zero_where_nothing_fires() {
    let mut model = tiny().model;
    model.qco.levels = Levels::Endpoint;
    model.qco.window = Window::Half; // the least pixel fires no level
    let (tem, params) = module(Tem::new, &model);
    stir(&params);
    let statistic = tem.describe(&rows(), Mode::Eval);
    let enhanced = tem.enhance(&statistic.description, Mode::Eval);
    let assigned = tem.assign(&statistic.encoded, &enhanced);
    assert!(assigned.min().double_value(&[]) >= 0.0 && assigned.max().double_value(&[]) > 0.0);
    let silent = statistic.encoded.encoding.sum_dim_intlist([2i64].as_slice(), true, None::<Kind>).eq(0.0); // [B, K, 1]
    assert!(silent.any().int64_value(&[]) == 1);
    assert_eq!((assigned * silent.to_kind(Kind::Float)).abs().max().double_value(&[]), 0.0);
}

#[test]
fn constant_and_empty_maps_give_finite_outputs_and_gradients() {
    for level in [0.0, 1.5] {
        let (tem, params) = module(Tem::new, &tiny().model);
        // Without the padding's influence at the border a constant map stays constant to the end.
        set(&params, "tem.enter.conv.weight", |w| {
            let centre = w.zeros_like();
            centre.narrow(2, 1, 1).narrow(3, 1, 1).copy_(&w.narrow(2, 1, 1).narrow(3, 1, 1));
            centre
        });
        let x = Tensor::full([2, 6, 8, 8], level, (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
        let y = tem.forward(&x, Mode::Train);
        assert!(finite(&y));
        y.square().sum(Kind::Float).backward();
        assert!(finite(&x.grad()));
        for p in params.trained_weights() {
            assert!(finite(&p.tensor.grad()), "{}", p.name);
        }
    }
}
