//! Self-calibration against its equation with pooling and upsampling in loops.

use harness::config::SelfCalibration as Config;
use harness_torch::detector::mlff::model::self_calibration::SelfCalibration;
use harness_torch::nn::{Mode, Params};
use tch::{Device, Kind, Tensor};

use crate::{builder, distance, fill, one_thread, tiny, wave};

fn build(config: &Config) -> (SelfCalibration, Params) {
    let mut builder = builder();
    let module = SelfCalibration::new(&mut builder, config, 6).unwrap();
    let params = builder.finish();
    fill(&params);
    (module, params)
}

fn config(r: i64, k4: i64) -> Config {
    Config { r, k4, out: 5, reduce: 0, ..tiny().model.sc }
}

/// A named convolution and its norm in eval mode.
fn unit(params: &Params, name: &str, x: &Tensor) -> Tensor {
    let get = |part: &str| params.get(&format!("sc.{name}.{part}")).unwrap().detach();
    let weight = get("conv.weight");
    let pad = weight.size()[2] / 2;
    let y = x.conv2d(&weight, None::<&Tensor>, [1, 1], [pad, pad], [1, 1], 1);
    let column = |part: &str| get(&format!("bn.{part}")).view([1, -1, 1, 1]);
    (y - column("running_mean")) / (column("running_var") + 1e-5).sqrt() * column("weight") + column("bias")
}

/// Means over r x r blocks, the last ones cut off by the border.
fn pool(x: &Tensor, r: i64) -> Tensor {
    let (_, _, h, w) = x.size4().unwrap();
    let block = |y: i64, x0: i64| {
        let part = x.narrow(2, y, r.min(h - y)).narrow(3, x0, r.min(w - x0));
        part.mean_dim([2i64, 3].as_slice(), true, None::<Kind>)
    };
    let rows = (0..h).step_by(r as usize).map(|y| Tensor::cat(&(0..w).step_by(r as usize).map(|x| block(y, x)).collect::<Vec<_>>(), 3));
    Tensor::cat(&rows.collect::<Vec<_>>(), 2)
}

fn nearest(x: &Tensor, h: i64, w: i64) -> Tensor {
    let (_, _, own_h, own_w) = x.size4().unwrap();
    let index = |own: i64, to: i64| Tensor::from_slice(&(0..to).map(|i| i * own / to).collect::<Vec<_>>());
    x.index_select(2, &index(own_h, h)).index_select(3, &index(own_w, w))
}

#[test]
fn it_is_its_equation_also_where_the_rate_does_not_divide_the_map() {
    one_thread();
    for (r, h, w, k4) in [(2, 4, 4, 1), (2, 5, 7, 1), (3, 8, 4, 3), (4, 5, 6, 1), (4, 3, 3, 1), (1, 4, 5, 3)] {
        let (module, params) = build(&config(r, k4));
        let x = wave(&[2, 6, h, w], 0.7);
        let got = module.forward(&x, Mode::Eval);
        assert_eq!(got.size(), [2, 5, h, w]);
        let small = nearest(&unit(&params, "k2", &pool(&x, r)), h, w);
        let expected = unit(&params, "k4", &(unit(&params, "k3", &x) * (&x + small).sigmoid()));
        assert!(distance(&got, &expected) < 1e-5 * expected.abs().max().double_value(&[]).max(1.0), "r = {r}, {h} x {w}");
        assert_eq!(module.forward(&x, Mode::Train).size(), [2, 5, h, w]);
    }
}

#[test]
fn without_a_small_scale_path_the_map_calibrates_itself() {
    one_thread();
    let _guard = tch::no_grad_guard();
    let (module, params) = build(&config(2, 1));
    for name in ["sc.k2.conv.weight", "sc.k2.bn.bias", "sc.k2.bn.running_mean"] {
        let _ = params.get(name).unwrap().shallow_clone().zero_();
    }
    let x = wave(&[2, 6, 5, 5], 0.7);
    let expected = unit(&params, "k4", &(unit(&params, "k3", &x) * x.sigmoid()));
    assert!(distance(&module.forward(&x, Mode::Eval), &expected) < 1e-5);
}

#[test]
fn a_reduction_and_bilinear_upsampling_keep_the_size() {
    one_thread();
    let config = Config { reduce: 4, upsample: harness::config::Upsample::Bilinear, ..config(4, 3) };
    let (module, params) = build(&config);
    assert_eq!(params.get("sc.k2.conv.weight").map(Tensor::size), Some(vec![4, 4, 3, 3]));
    let x = Tensor::ones([2, 6, 7, 5], (Kind::Float, Device::Cpu));
    assert_eq!(module.forward(&x, Mode::Eval).size(), [2, 5, 7, 5]);
}
