//! What bf16 does to the network of the CPU profile: maps and gradients beside float32's, on pretrained features of built-in images.

use harness::config::{Config, Precision, Request, Window};
use harness::data::{builtin, category};
use harness::image::codec;
use harness::weights::{File, IMAGENET_MEAN, IMAGENET_STD};
use harness::{Result, testing};
use harness_torch::detector::mlff::loss;
use harness_torch::detector::mlff::model::Network;
use harness_torch::nn::{Mode, Values, Weights};
use tch::{Device, Kind, Tensor};

use crate::{one_thread, wave};

/// Four normal images, normalised.
fn images(name: &str, size: usize) -> Tensor {
    let dir = tempfile::tempdir().unwrap();
    builtin::write_small(dir.path(), &[name], 4, 1, 1, size).unwrap();
    let found = category(dir.path(), name).unwrap();
    let side = size as i64;
    let pixels = |path| Tensor::from_slice(&codec::decode(path).unwrap().data).view([1, side, side, 3]).permute([0, 3, 1, 2]);
    let x = Tensor::cat(&found.train.iter().map(|item| pixels(&item.path)).collect::<Vec<_>>(), 0).to_kind(Kind::Float) / 255.0;
    let channels = |values: &[f64; 3]| Tensor::from_slice(&values.map(|v| v as f32)).view([1, 3, 1, 1]);
    (x - channels(&IMAGENET_MEAN)) / channels(&IMAGENET_STD)
}

/// Map F, and the gradient of a made-up loss by parameter.
fn made(cfg: &Config, file: &File, x: &Tensor, precision: Precision) -> (Tensor, Vec<(String, Tensor)>) {
    let mut cfg = cfg.clone();
    cfg.train.precision = precision;
    let first = |name: &str| -> Result<Option<Values>> {
        let Some(stored) = name.strip_prefix("backbone.") else { return Ok(None) };
        let tensor = file.get(stored)?;
        Ok(Some(Values { shape: tensor.shape.iter().map(|&d| d as i64).collect(), data: tensor.data }))
    };
    let weights = Weights { source: &first, stride_in: Some(file.meta.stride_in) };
    let network = Network::new(&cfg, Some(&weights), 7, Device::Cpu).unwrap();
    let (trained, out) = (network.trained(), network.forward(x, Mode::Train));
    let scores = out.scores.unwrap();
    let total = loss::distance(&out.features).mean(Kind::Float) + (&scores * wave(&scores.size(), 0.05)).mean(Kind::Float);
    let leaves: Vec<&Tensor> = trained.iter().map(|p| &p.tensor).collect();
    let gradients = Tensor::run_backward(&[total], &leaves, false, false);
    (out.features.detach(), trained.iter().map(|p| p.name.clone()).zip(gradients).collect())
}

/// How far the second lies from the first, as a share of its length.
fn apart<'a>(pairs: impl Iterator<Item = (&'a Tensor, &'a Tensor)>) -> f64 {
    let square = |x: &Tensor| x.square().sum(Kind::Double).double_value(&[]);
    let (difference, whole) = pairs.fold((0.0, 0.0), |(difference, whole), (a, b)| (difference + square(&(b - a)), whole + square(a)));
    (difference / whole).sqrt()
}

/// The texture branch sorts similarities into levels that are finer than what bf16 leaves of them: which levels a pixel fires, and on which side
/// of a level it stands, is another in bf16, and so is the slope that its gradient passes through. A continuous window keeps the value
/// across the border of a level, and not the slope. Everything else rounds as bf16 rounds.
///
/// `cargo test --release --workspace --test model bf16 -- --nocapture` prints what docs/method.md says of it.
#[test]
fn bf16_changes_the_texture_branchs_gradients_and_nothing_else_much() {
    one_thread();
    let Some(path) = testing::weights("resnet50.safetensors") else {
        return testing::skip("weights/resnet50.safetensors is not there: `just weights` fetches it");
    };
    let file = File::open(&path).unwrap();
    let experiment = testing::root().join("experiments/full.toml");
    let profile = Request { file: Some(experiment), ..Request::default() }.resolve().unwrap().config;
    for name in ["gear", "fabric"] {
        let x = images(name, profile.data.size);
        for (stlnet, window) in [(false, Window::Full), (true, Window::Full), (true, Window::Hat)] {
            let mut cfg = profile.clone();
            (cfg.model.stlnet, cfg.model.qco.window) = (stlnet, window);
            let (exact, rough) = (made(&cfg, &file, &x, Precision::Fp32), made(&cfg, &file, &x, Precision::Bf16));
            let of = |part: &str| {
                let pairs = exact.1.iter().zip(&rough.1).filter(|((name, _), _)| name.starts_with(part));
                apart(pairs.map(|((_, a), (_, b))| (a, b)))
            };
            let (maps, whole, head) = (apart([(&exact.0, &rough.0)].into_iter()), of(""), of("head"));
            println!("{name}, STLNet {stlnet}, {window:?}: F {maps:.3}, all gradients {whole:.3}, the head's {head:.3}");
            if stlnet {
                println!("    of the texture branch: TEM {:.3}, PTFEM {:.3}, their common map {:.3}", of("tem"), of("ptfem"), of("low"));
            }
            assert!(maps > 0.0 && maps < if stlnet { 0.25 } else { 0.05 }, "{name} {stlnet} {window:?}: {maps}");
            assert!(whole.is_finite() && head < if stlnet { 0.3 } else { 0.05 }, "{name} {stlnet} {window:?}: {head}");
            assert!(stlnet || whole < 0.05, "{name}: {whole}");
        }
    }
}
