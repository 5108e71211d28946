//! What the tests share: small configurations, waves for inputs, f64 copies of tensors.

use harness::config::{BackboneName, Config, Freeze, MemoryFormat, Model, Precision};
use harness_torch::model::param::Builder;
use harness_torch::model::{Network, Params};
use tch::{Device, Kind, Tensor};

/// ResNet-18 at 32 px: a low-level map and F of 8 x 8 cells, every width small.
pub fn tiny() -> Config {
    tch::set_num_threads(1); // test threads share the machine
    let mut cfg = Config::default();
    cfg.data.size = 32;
    cfg.train.batch = 2;
    let model = &mut cfg.model;
    model.backbone.name = BackboneName::Resnet18;
    model.backbone.weights = "none".into();
    model.backbone.freeze = Freeze::None;
    model.stl.width = 6;
    (model.tem.mid, model.tem.channels, model.tem.hidden, model.tem.out, model.tem.levels) = (5, 4, 3, 5, 6);
    (model.ptfem.input, model.ptfem.hidden, model.ptfem.mid, model.ptfem.out, model.ptfem.levels) = (5, 4, 3, 4, 4);
    model.ptfem.scales = vec![1, 2, 4];
    (model.sc.reduce, model.sc.out, model.fusion.mid, model.fusion.channels) = (8, 6, 7, 5);
    cfg
}

pub fn build(cfg: &Config) -> Network {
    Network::new(cfg, None, 7, Device::Cpu).expect("the configuration is sound")
}

/// A module alone, and its parameters.
pub fn module<T>(new: impl FnOnce(&mut Builder, &Model) -> harness::Result<T>, model: &Model) -> (T, Params) {
    tch::set_num_threads(1);
    let mut builder = Builder::new(7, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, None);
    let module = new(&mut builder, model).expect("builds");
    (module, builder.finish())
}

/// `sin(pace * k)` for k = 1, 2, … in f64.
pub fn wave64(shape: &[i64], pace: f64) -> Tensor {
    ((Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu)) + 1.0) * pace).sin().reshape(shape)
}

/// The same in f32.
pub fn wave(shape: &[i64], pace: f64) -> Tensor {
    wave64(shape, pace).to_kind(Kind::Float)
}

/// Row-major values.
pub fn values(t: &Tensor) -> Vec<f64> {
    Vec::try_from(t.detach().to_kind(Kind::Double).contiguous().view(-1)).expect("a tensor of numbers")
}

/// Largest absolute difference; both tensors have one shape.
pub fn distance(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

pub fn finite(t: &Tensor) -> bool {
    t.isfinite().all().int64_value(&[]) == 1
}

/// Overwrites a parameter with a function of its present value.
pub fn set(params: &Params, name: &str, value: impl FnOnce(&Tensor) -> Tensor) {
    let mut tensor = params.get(name).unwrap_or_else(|| panic!("there is no {name}")).shallow_clone();
    let value = value(&tensor.detach());
    tch::no_grad(|| tensor.copy_(&value));
}

/// Gives every norm statistics and an affine map of its own, so that a forgotten one shows.
pub fn stir(params: &Params) {
    for p in params.iter().filter(|p| p.tensor.dim() == 1) {
        let own = wave(&p.tensor.size(), 0.3 + p.name.len() as f64 * 0.01);
        match p.name.rsplit('.').next() {
            Some("running_var") => set(params, &p.name, |_| own * 0.4 + 1.0),
            Some("running_mean") => set(params, &p.name, |_| own * 0.2),
            Some("bias") => set(params, &p.name, |_| own * 0.1 + 0.3), // few units stay silent
            _ => set(params, &p.name, |_| own * 0.3 + 1.0),
        }
    }
}
