//! Self-calibration.

use harness::config::{SelfCalibration as Config, Upsample};
use harness_torch::model::Mode;
use harness_torch::model::Params;
use harness_torch::model::param::Builder;
use harness_torch::model::self_calibration::SelfCalibration;
use tch::{Kind, Tensor};

use crate::setup::{distance, module, set, stir, tiny, values, wave};

fn config() -> Config {
    Config { reduce: 0, ..tiny().model.sc }
}

fn build(config: &Config) -> (SelfCalibration, Params) {
    let (calibration, params) = module(|builder, _| SelfCalibration::new(builder, config, 3), &tiny().model);
    stir(&params);
    (calibration, params)
}

/// Conv-BN with running statistics, as its equations say.
fn unit(params: &Params, name: &str, x: &Tensor) -> Tensor {
    let get = |part: &str| params.get(&format!("sc.{name}.{part}")).unwrap().detach();
    let pad = get("conv.weight").size()[2] / 2;
    let y = x.conv2d(&get("conv.weight"), None::<&Tensor>, [1, 1], [pad, pad], [1, 1], 1);
    let channel = |part: &str| get(part).view([1, -1, 1, 1]);
    (y - channel("bn.running_mean")) / (channel("bn.running_var") + 1e-5).sqrt() * channel("bn.weight") + channel("bn.bias")
}

#[test]
fn the_output_keeps_the_maps_size_also_where_the_rate_does_not_divide_it() {
    let cases = [
        (4, 8, Upsample::Nearest, 1, 0),
        (4, 6, Upsample::Nearest, 3, 2),
        (3, 7, Upsample::Bilinear, 1, 2),
        (4, 2, Upsample::Nearest, 1, 0),
    ];
    for (r, side, upsample, k4, reduce) in cases {
        let (calibration, _) = build(&Config { r, upsample, k4, reduce, ..config() });
        let y = calibration.forward(&wave(&[2, 3, side, side], 0.6), Mode::Eval);
        assert_eq!(y.size(), [2, 6, side, side]);
    }
}

#[test]
fn without_its_small_scale_it_is_gated_by_its_own_input() {
    let (calibration, params) = build(&config());
    for name in ["sc.k2.conv.weight", "sc.k2.bn.bias", "sc.k2.bn.running_mean"] {
        set(&params, name, |t| t.zeros_like());
    }
    let x = wave(&[2, 3, 8, 8], 0.6);
    let slow = unit(&params, "k4", &(unit(&params, "k3", &x) * x.sigmoid()));
    assert!(distance(&calibration.forward(&x, Mode::Eval), &slow) < 1e-5);
}

/// Means of 4 x 4 blocks of `x` [.., side, side], smaller at the border: [.., cells, cells].
fn block_means(x: &Tensor, side: usize, cells: usize) -> Tensor {
    let v = values(x);
    let inside = |from: usize| from * 4..(from * 4 + 4).min(side);
    let means: Vec<f64> = (0..6 * cells * cells)
        .map(|i| (i / (cells * cells), i / cells % cells, i % cells))
        .map(|(plane, y, x)| {
            let sum: f64 = inside(y).flat_map(|r| inside(x).map(move |c| (r, c))).map(|(r, c)| v[(plane * side + r) * side + c]).sum();
            sum / (inside(y).len() * inside(x).len()) as f64
        })
        .collect();
    Tensor::from_slice(&means).to_kind(Kind::Float).reshape([2, 3, cells as i64, cells as i64])
}

#[test]
fn the_small_scale_is_the_map_of_block_means() {
    for side in [8i64, 6] {
        let (calibration, params) = build(&config());
        let x = wave(&[2, 3, side, side], 0.6);
        let small = unit(&params, "k2", &block_means(&x, side as usize, 2));
        // Nearest: cell i of the map takes cell floor(i * cells / side).
        let nearest = Tensor::from_slice(&(0..side).map(|i| i * 2 / side).collect::<Vec<_>>());
        let small = small.index_select(2, &nearest).index_select(3, &nearest);
        let slow = unit(&params, "k4", &(unit(&params, "k3", &x) * (&x + small).sigmoid()));
        assert!(distance(&calibration.forward(&x, Mode::Eval), &slow) < 1e-5, "{side}");
    }
}

#[test]
fn a_norm_has_epsilon_1e_minus_5_and_momentum_a_tenth() {
    let (bn, _) = module(|builder: &mut Builder, _| builder.bn("n", 1), &tiny().model);
    let x = Tensor::from_slice(&[1.0f32, 3.0]).reshape([2, 1, 1, 1]);
    let y = values(&bn.forward(&x, Mode::Train));
    assert!((y[1] - 1.0 / (1.0f64 + 1e-5).sqrt()).abs() < 1e-6 && (y[0] + y[1]).abs() < 1e-6);
    assert!((values(&bn.mean)[0] - 0.2).abs() < 1e-6, "a tenth of the batch's mean");
    assert!((values(&bn.var)[0] - 1.1).abs() < 1e-6, "nine tenths of one and a tenth of the unbiased variance");
}
