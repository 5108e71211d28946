//! The network and its parts against slow twins, golden values and the invariants that they must keep.

mod bf16;
mod calibration;
mod fusion;
mod golden;
mod gradient;
mod network;
mod pyramid;
mod qco;
mod refusal;
mod texture;

use harness::config::{BackboneName, Config, MemoryFormat, Precision};
use harness_torch::nn::Params;
use harness_torch::nn::param::Builder;
use tch::{Device, Kind, Tensor};

/// Tests run side by side, each on one core. To be called first: the setting belongs to the calling thread.
pub fn one_thread() {
    tch::set_num_threads(1);
}

/// Sines of the flat index.
pub fn wave(shape: &[i64], pace: f64) -> Tensor {
    let index = Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu));
    (index * pace + 0.3).sin().to_kind(Kind::Float).reshape(shape)
}

/// Greatest absolute difference; NaN where there is one.
pub fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[])
}

pub fn is_finite(x: &Tensor) -> bool {
    x.isfinite().all().int64_value(&[]) == 1
}

/// Row-major values.
pub fn values(x: &Tensor) -> Vec<f64> {
    Vec::try_from(x.detach().to_kind(Kind::Double).contiguous().view(-1)).unwrap()
}

pub fn builder() -> Builder<'static> {
    Builder::new(3, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, None)
}

/// Puts sines into all parameters, batch norms' variances above 0: what `parameter` of tests/oracle/model_stl.py gives.
pub fn fill(params: &Params) {
    let _guard = tch::no_grad_guard();
    for param in params.iter() {
        let (name, shape) = (param.name.as_str(), param.tensor.size());
        let phase = 0.11 * (name.bytes().map(u64::from).sum::<u64>() % 97) as f64;
        let index = Tensor::arange(param.tensor.numel() as i64, (Kind::Double, Device::Cpu)) + 1.0;
        let wave = (index * 0.37 + phase).sin().reshape(shape);
        let value = match name {
            _ if name.ends_with("running_var") => wave * 0.4 + 1.0,
            _ if name.ends_with("running_mean") => wave * 0.2,
            _ if name.ends_with("bn.weight") => wave * 0.3 + 1.0,
            _ if name.ends_with("bn.bias") => wave * 0.1 + 0.2,
            _ => wave * 0.5,
        };
        param.tensor.shallow_clone().copy_(&value);
    }
}

/// The whole method on 64 px and narrow branches.
pub fn tiny() -> Config {
    let mut cfg = Config::default();
    cfg.data.size = 64;
    cfg.train.batch = 2;
    let model = &mut cfg.model;
    (model.backbone.name, model.backbone.weights) = (BackboneName::Resnet18, "none".into());
    model.stl.width = 16;
    (model.tem.levels, model.tem.mid, model.tem.channels, model.tem.hidden, model.tem.out) = (8, 16, 16, 8, 16);
    (model.ptfem.levels, model.ptfem.scales) = (4, vec![1, 2, 4]);
    (model.ptfem.input, model.ptfem.hidden, model.ptfem.mid, model.ptfem.out) = (16, 8, 16, 16);
    (model.sc.r, model.sc.out) = (2, 16);
    (model.fusion.mid, model.fusion.channels) = (16, 8);
    cfg
}
