//! TEM and PTFEM: the numpy oracle's values, locality, constant inputs.

use harness::config::{AttentionScale, Levels, Model, Offset, OffsetMean, Window};
use harness_torch::detector::mlff::model::ptfem::Ptfem;
use harness_torch::detector::mlff::model::tem::Tem;
use harness_torch::nn::{Mode, Params};
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::{builder, distance, fill, is_finite, one_thread, tiny, wave};

fn build(model: &Model) -> (Tem, Ptfem, Params) {
    let mut builder = builder();
    let parts = (Tem::new(&mut builder, model).unwrap(), Ptfem::new(&mut builder, model).unwrap());
    (parts.0, parts.1, builder.finish())
}

/// The sizes of tests/oracle/model_stl.py.
fn oracle_model(case: &str) -> (Model, Mode) {
    let mut model = tiny().model;
    model.stl.width = 6;
    (model.tem.mid, model.tem.channels, model.tem.hidden, model.tem.out, model.tem.levels) = (5, 4, 3, 5, 6);
    let ptfem = &mut model.ptfem;
    (ptfem.input, ptfem.hidden, ptfem.mid, ptfem.out, ptfem.levels, ptfem.scales) = (5, 4, 3, 4, 4, vec![1, 2, 4]);
    let mut mode = Mode::Train;
    match case {
        "default_train" => {}
        "default_eval" => mode = Mode::Eval,
        "endpoint_half" => (model.qco.levels, model.qco.window) = (Levels::Endpoint, Window::Half),
        "binning" => model.qco.window = Window::Half,
        "scaled" => (model.tem.normalize_assign, model.tem.attention_scale) = (true, AttentionScale::InvSqrt),
        "offset_mean" => model.ptfem.offset = Offset::Mean(OffsetMean::Mean),
        "offset_up" => model.ptfem.offset = Offset::One([-1, 2]),
        other => panic!("unknown case {other}"),
    }
    (model, mode)
}

/// Largest difference of a map's mean, deviation and samples to the golden ones, in deviations.
fn error(x: &Tensor, golden: &Value) -> f64 {
    assert_eq!(serde_json::json!(x.size()), golden["shape"]);
    let number = |v: &Value| v.as_f64().unwrap();
    let x = x.to_kind(Kind::Double);
    let unit = number(&golden["deviation"]);
    assert!(unit > 0.0, "a map of zeros tells nothing");
    let mut worst = (x.mean(None::<Kind>).double_value(&[]) - number(&golden["mean"])).abs();
    worst = worst.max((x.std(false).double_value(&[]) - unit).abs());
    for sample in golden["samples"].as_array().unwrap() {
        let place = [0, 1, 2, 3].map(|i| sample[i].as_i64().unwrap());
        worst = worst.max((x.double_value(&place) - number(&sample[4])).abs());
    }
    worst / unit
}

#[test]
fn both_modules_compute_what_numpy_computes_from_their_equations() {
    one_thread();
    let golden = std::fs::read_to_string(harness::testing::root().join("tests/golden/model_stl.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    assert_eq!(golden["format"], "harness-golden-stl/1");
    let index = Tensor::arange(2 * 6 * 64, (Kind::Double, tch::Device::Cpu)) + 1.0;
    let x0 = ((index * 0.9).sin() + 0.4).relu().to_kind(Kind::Float).reshape([2, 6, 8, 8]);
    for (name, case) in golden["cases"].as_object().unwrap() {
        let (model, mode) = oracle_model(name);
        let (tem, ptfem, params) = build(&model);
        fill(&params);
        let t1 = tem.forward(&x0, mode);
        let t2 = ptfem.forward(&t1, &x0, mode);
        let (first, second) = (error(&t1, &case["t1"]), error(&t2, &case["t2"]));
        assert!(first < 1e-4 && second < 1e-4, "{name}: {first:e} {second:e}");
    }
}

#[test]
fn changing_one_region_changes_its_own_descriptions_only() {
    one_thread();
    let (_, ptfem, params) = build(&tiny().model);
    fill(&params);
    let before = wave(&[2, 16, 8, 8], 0.7);
    let after = before.copy();
    let _ = after.narrow(0, 1, 1).narrow(2, 2, 2).narrow(3, 4, 2).neg_(); // cell (1, 2) of the 4 x 4 of the second image
    let (a, b) = (ptfem.describe(&before, Mode::Eval), ptfem.describe(&after, Mode::Eval));
    for (scale, a, b) in [1, 2, 4].into_iter().zip(&a).zip(&b).map(|((s, a), b)| (s, a, b)) {
        assert_eq!(a.size(), [2, scale, scale, 16]);
        let own = [1, scale / 4, scale / 2]; // (1, 2) of 4, (0, 1) of 2, (0, 0) of 1
        for cell in (0..2 * scale * scale).map(|i| [i / (scale * scale), i / scale % scale, i % scale]) {
            let at = |x: &Tensor| x.get(cell[0]).get(cell[1]).get(cell[2]);
            let moved = distance(&at(a), &at(b));
            if cell == own {
                assert!(moved > 1e-3, "scale {scale} {cell:?}");
            } else {
                assert!(moved < 1e-5, "scale {scale} {cell:?}: {moved}");
            }
        }
    }
}

#[test]
fn the_statistic_does_not_depend_on_where_pixels_are() {
    one_thread();
    let (tem, _, params) = build(&tiny().model);
    fill(&params);
    let rows = wave(&[2, 50, 16], 0.73);
    let order = Tensor::from_slice(&(0..50).map(|i| i * 27 % 50).collect::<Vec<i64>>());
    for mode in [Mode::Train, Mode::Eval] {
        let (a, b) = (tem.describe(&rows, mode), tem.describe(&rows.index_select(1, &order), mode));
        assert!(distance(&a.encoded.levels, &b.encoded.levels) < 1e-6);
        assert!(distance(&a.shares, &b.shares) < 1e-5);
        assert!(distance(&a.encoded.encoding.index_select(1, &order), &b.encoded.encoding) < 1e-5);
        assert!(distance(&a.description, &b.description) < 1e-4);
    }
}

#[test]
fn a_pixel_gets_the_weighted_sum_of_its_levels() {
    one_thread();
    for normalize in [false, true] {
        let mut model = tiny().model;
        (model.tem.normalize_assign, model.qco.levels, model.qco.window) = (normalize, Levels::Endpoint, Window::Half);
        let (tem, _, _) = build(&model);
        let statistic = tem.describe(&wave(&[2, 30, 16], 0.73), Mode::Train);
        let codes = &statistic.encoded.encoding; // [2, 30, 8]
        let (d, e) = (wave(&[2, 8, 5], 0.3).abs(), wave(&[2, 8, 5], 1.1).abs());
        let got = tem.assign(&statistic.encoded, &d); // [2, 30, 5]
        let mut silent = 0;
        for (b, i) in (0..60).map(|k| (k / 30, k % 30)) {
            let code = |n: i64| codes.double_value(&[b, i, n]);
            let total: f64 = (0..8).map(code).sum();
            silent += usize::from(total == 0.0);
            for c in 0..5 {
                let sum: f64 = (0..8).map(|n| code(n) * d.double_value(&[b, n, c])).sum();
                let expected = if normalize { sum / (total + 1e-6) } else { sum };
                assert!((got.double_value(&[b, i, c]) - expected).abs() < 1e-5);
                assert!(got.double_value(&[b, i, c]) >= 0.0);
            }
        }
        assert!(silent > 0, "the least values fire no upper end");
        let sum = tem.assign(&statistic.encoded, &(&d + &e));
        assert!(distance(&sum, &(got + tem.assign(&statistic.encoded, &e))) < 1e-5);
    }
}

#[test]
fn constant_maps_give_finite_values_and_gradients() {
    one_thread();
    for (value, window) in [(0.0, Window::Full), (0.0, Window::Half), (1.0, Window::Full), (1.0, Window::Half)] {
        let mut model = tiny().model;
        model.qco.window = window;
        let (tem, ptfem, params) = build(&model);
        for mode in [Mode::Train, Mode::Eval] {
            let x = Tensor::full([2, 16, 8, 8], value, (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
            let t1 = tem.forward(&x, mode);
            let t2 = ptfem.forward(&t1, &x, mode);
            assert!(is_finite(&t1) && is_finite(&t2), "{value} {mode:?}");
            (t1.square().sum(Kind::Float) + t2.square().sum(Kind::Float)).backward();
            assert!(is_finite(&x.grad()), "{value} {mode:?}");
            for p in params.trained_weights() {
                assert!(p.tensor.grad().defined() && is_finite(&p.tensor.grad()), "{} {value} {mode:?}", p.name);
            }
        }
    }
}
