//! FCDD: its networks, upsampling and loss against torch (tests/oracle/fcdd.py), and how it is trained.

use std::path::Path;

use harness::config::{BackboneName, Config, Detector as Which, FcddBorder, FcddMask, FcddNetwork};
use harness::seed::stream;
use harness::testing::root;
use harness::weights::network::{Extent, tensors};
use harness::weights::{self, File, Meta, Precision};
use harness_torch::detector::fcdd::{Fcdd, Network, Reception, Upsampling, loss};
use harness_torch::detector::{Detector, Parts};
use harness_torch::nn::{Mode, Values, Weights};
use harness_torch::optim::Optimizer;
use harness_torch::train::{Fed, Learner};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{noise, one_thread, values};

const VGG: Reception = Reception { taps: 62, shift: 3, as_much_as: 62 };
const CNN: Reception = Reception { taps: 59, shift: 0, as_much_as: 59 };
const RESIDUAL: Reception = Reception { taps: 61, shift: 0, as_much_as: 62 };

fn golden() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("tests/golden/fcdd.json")).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn wave(shape: &[i64], speed: f64, shift: f64) -> Tensor {
    let at = Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu));
    (at * speed + shift).sin().reshape(shape).to_kind(Kind::Float)
}

/// The oracle's numbers in (-1, 1), as good as random.
fn scattered(shape: &[i64], shift: f64) -> Tensor {
    let at = Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu));
    ((at * 12.9898 + shift).sin() * 43758.5453).frac().reshape(shape).to_kind(Kind::Float)
}

fn config(network: FcddNetwork, name: BackboneName) -> Config {
    let mut cfg = Config { detector: Which::FCDD, ..Config::default() };
    (cfg.data.size, cfg.fcdd.network, cfg.model.backbone.name) = (32, network, name);
    cfg
}

/// The oracle's value of the parameter that is called so here.
fn filled(name: &str, shape: &[i64]) -> Tensor {
    let name = name.trim_start_matches("backbone.");
    let values = scattered(shape, name.bytes().map(f64::from).sum());
    match shape.len() {
        4 => values * (3.0 / shape[1..].iter().product::<i64>() as f64).sqrt(),
        _ if name.ends_with("running_var") => values * 0.5 + 1.0,
        _ if name.contains("weight") => values * 0.1 + 1.0,
        _ => values * 0.1,
    }
}

fn largest(a: &Tensor, b: &[f64]) -> f64 {
    values(a).iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn the_networks_are_those_of_torch_and_as_large_as_published() {
    one_thread();
    let golden = golden();
    let images = scattered(&[2, 3, 32, 32], 0.0) * 0.5 + 0.5;
    for (key, network, count) in [("vgg", FcddNetwork::Backbone, 4_504_320 + 513), ("cnn", FcddNetwork::Cnn, 247_569)] {
        let network = Network::new(&config(network, BackboneName::Vgg11Bn), None, 0, Device::Cpu).unwrap();
        for param in network.params().iter() {
            let mut tensor = param.tensor.shallow_clone();
            tch::no_grad(|| tensor.copy_(&filled(&param.name, &tensor.size())));
        }
        assert_eq!((network.params().weight_count(), golden[key]["parameters"].as_u64()), (count, Some(count as u64)));
        for (mode, name) in [(Mode::Eval, "eval"), (Mode::Train, "train")] {
            let u = tch::no_grad(|| network.forward(&images, mode));
            assert_eq!((u.size(), u.kind()), (vec![2, 1, 4, 4], Kind::Float));
            let error = largest(&u, &numbers(&golden[key][name]));
            assert!(error < 1e-5, "{key} {name}: {error:e}");
        }
    }
}

#[test]
fn of_a_pretrained_backbone_the_last_part_is_trained() {
    // A file's values do not matter here.
    let source = |name: &str| -> harness::Result<Option<Values>> {
        let Some(stored) = name.strip_prefix("backbone.") else { return Ok(None) };
        let known = [BackboneName::Vgg11Bn, BackboneName::Resnet50].map(|name| tensors(name, Extent::Stages));
        let shape: Vec<i64> = known.iter().find_map(|t| t.get(stored)).unwrap().iter().map(|&d| d as i64).collect();
        Ok(Some(Values { data: vec![0.5; shape.iter().product::<i64>() as usize], shape }))
    };
    let weights = Weights { source: &source, stride_in: None };
    // ResNet-50: stem and stage 1 are held, 225,344 weights; stage 2 has 1,219,584.
    for (name, all, trained) in [(BackboneName::Vgg11Bn, 4_504_833, 3_542_529), (BackboneName::Resnet50, 1_445_441, 1_220_097)] {
        let network = Network::new(&config(FcddNetwork::Backbone, name), Some(&weights), 0, Device::Cpu).unwrap();
        let of = |network: &Network| network.params().trained_weights().map(|p| p.tensor.numel()).sum::<usize>();
        assert_eq!((network.params().weight_count(), of(&network)), (all, trained), "{name:?}");
        // What batch norms average is part of the state, held or not.
        assert!(network.params().iter().all(|p| p.trained || !p.name.contains("running_")));
        let scratch = Network::new(&config(FcddNetwork::Backbone, name), None, 0, Device::Cpu).unwrap();
        assert_eq!(of(&scratch), all);
    }
}

/// The transposed convolution of the authors' code, from its definition, cell by cell.
fn slow_upsampling(cells: &[Vec<f64>], taps: &[f64], first: i64, size: i64) -> Vec<f64> {
    let at = |i: i64| usize::try_from(i).ok().and_then(|i| taps.get(i)).copied().unwrap_or(0.0);
    let pixel = |y: i64, x: i64| -> f64 {
        let row = |(i, row): (i64, &Vec<f64>)| (0..).zip(row).map(|(j, h)| h * at(y + first - 8 * i) * at(x + first - 8 * j)).sum::<f64>();
        (0..).zip(cells).map(row).sum()
    };
    (0..size * size).map(|p| pixel(p / size, p % size)).collect()
}

#[test]
fn the_upsampling_is_the_authors_transposed_convolution() {
    one_thread();
    let golden = golden();
    let cells = wave(&[2, 28, 28], 0.7, 0.3).square();
    for (key, reception) in [("vgg", VGG), ("cnn", CNN)] {
        let up = Upsampling::new(reception, 224, FcddBorder::Published, Device::Cpu);
        let map = up.forward(&cells);
        assert_eq!(map.size(), [2, 224, 224]);
        for sample in golden[key]["samples"].as_array().unwrap() {
            let [y, x, want] = numbers(sample)[..] else { panic!("three numbers") };
            let found = map.double_value(&[1, y as i64, x as i64]);
            assert!((found - want).abs() < 1e-5, "{key} ({y}, {x}): {found} {want}");
        }
        let ones = up.forward(&Tensor::ones([1, 28, 28], (Kind::Float, Device::Cpu)));
        for (place, name) in [([0, 112, 112], "middle"), ([0, 0, 0], "corner")] {
            assert!((ones.double_value(&place) - golden[key][name].as_f64().unwrap()).abs() < 1e-5, "{key} {name}");
        }
        let impulse = Tensor::zeros([1, 28, 28], (Kind::Float, Device::Cpu));
        let _ = impulse.get(0).get(10).get(14).fill_(1.0);
        let peak = up.forward(&impulse).argmax(None, false).int64_value(&[]);
        assert_eq!(serde_json::json!([peak / 224, peak % 224]), golden[key]["peak"]);
    }
    // As published: 3.72 times a constant in the middle, 0.99 times in a corner; half a pixel up and left.
    assert_eq!(golden["vgg"]["peak"], serde_json::json!([83, 115]));
}

#[test]
fn at_another_size_the_gaussian_scales_and_its_sum_stays() {
    one_thread();
    let size = 64;
    let std = 12.0 * size as f64 / 224.0;
    for (reception, sum) in [(VGG, 15.374), (RESIDUAL, 15.374), (CNN, 29.658)] {
        let (taps, reach) = (reception.taps, (reception.taps - 1) / 2);
        // Even: the middle twice.
        let distance = |i: i64| if i <= reach { i - reach } else { i - reach - (1 - taps % 2) };
        let heights: Vec<f64> = (0..taps).map(|i| (-0.5 * (distance(i) as f64 / std).powi(2)).exp()).collect();
        let scale = sum / heights.iter().sum::<f64>();
        let kernel: Vec<f64> = heights.iter().map(|h| scale * h).collect();
        let cells = noise(&[1, size / 8, size / 8], 3).abs();
        let slow = slow_upsampling(&super::rows(&cells.get(0)), &kernel, reach - reception.shift, size);
        let fast = Upsampling::new(reception, size as usize, FcddBorder::Published, Device::Cpu).forward(&cells);
        let error = largest(&fast, &slow);
        assert!(error < 3e-4 * sum, "{reception:?}: {error:e}");
    }
}

#[test]
fn a_normalised_border_keeps_a_constant_map_constant_at_the_middles_gain() {
    one_thread();
    for (reception, gain) in [(VGG, 236.4 / 64.0), (RESIDUAL, 236.4 / 64.0), (CNN, 879.6 / 64.0)] {
        for size in [64, 224] {
            let up = Upsampling::new(reception, size, FcddBorder::Normalized, Device::Cpu);
            let map = up.forward(&Tensor::ones([1, size as i64 / 8, size as i64 / 8], (Kind::Float, Device::Cpu)));
            let (low, high) = (map.min().double_value(&[]), map.max().double_value(&[]));
            assert!(high - low < 1e-4 * gain && (low - gain).abs() < 1e-3 * gain, "{reception:?} {size}: {low} to {high}, {gain}");
        }
    }
}

#[test]
fn the_loss_is_that_of_its_definition() {
    one_thread();
    let golden = golden();
    let map = Upsampling::new(VGG, 224, FcddBorder::Published, Device::Cpu).forward(&wave(&[2, 28, 28], 0.7, 0.3).square());
    let none = map.zeros_like();
    let some = map.zeros_like();
    let _ = some.get(1).narrow(0, 40, 50).narrow(1, 100, 30).fill_(1.0);
    for (labels, name) in [(&none, "normal"), (&none.ones_like(), "image"), (&some, "pixel")] {
        let [normal, missed] = loss::terms(&map, labels);
        assert!(largest(&(&normal + &missed), &numbers(&golden["loss"][name])) < 1e-5, "{name}");
        let total = loss::total(&map, labels).total.double_value(&[]);
        assert!((total - numbers(&golden["loss"][name]).iter().sum::<f64>() / 2.0).abs() < 1e-5, "{name}");
    }
    // An output of zeros: nothing to lose where all is normal, -ln(1e-31) where an anomaly is not seen at all.
    let zero = loss::pseudo_huber(&none);
    let [normal, missed] = loss::terms(&zero, &some);
    assert_eq!(values(&(normal + &missed))[0], 0.0);
    assert!((values(&missed)[1] - 71.38).abs() < 0.01);
}

#[test]
fn the_norm_of_a_number_does_not_cancel() {
    let u = Tensor::from_slice(&[0.0f32, 1e-6, -0.5, 3.0, -2e4]);
    for (h, u) in values(&loss::pseudo_huber(&u)).into_iter().zip(values(&u)) {
        let exact = if u.abs() < 1e-3 { u * u / 2.0 } else { (u * u + 1.0).sqrt() - 1.0 };
        assert!((h - exact).abs() <= 1e-6 * exact, "{u}: {h} {exact}");
    }
}

/// A step's batch: images of one colour or of noise, of which the second has an anomaly in its corner.
fn fed(detector: &Fcdd, constant: bool) -> Fed {
    let images =
        if constant { Tensor::full([2, 3, 32, 32], 0.5, (Kind::Float, Device::Cpu)) } else { noise(&[2, 3, 32, 32], 5) * 0.1 + 0.5 };
    let mask = Tensor::zeros([2, 1, 32, 32], (Kind::Float, Device::Cpu));
    let _ = mask.get(1).narrow(1, 0, 8).narrow(2, 0, 8).fill_(1.0);
    Fed { images: detector.input(&images.clamp(0.0, 1.0)), mask, views: 1, kinds: vec![0, 3], items: vec![0, 1] }
}

fn built(cfg: &Config, weights: Option<&File>) -> Fcdd {
    Fcdd::new(&Parts { cfg, seed: 1, device: Device::Cpu, weights }).unwrap()
}

fn total(detector: &Fcdd, fed: &Fed) -> Tensor {
    detector.loss(fed, &mut stream(0, "test", 0, 0)).unwrap().total
}

#[test]
fn gradients_are_finite_on_images_of_one_colour() {
    one_thread();
    for (network, name) in [(FcddNetwork::Cnn, BackboneName::Resnet18), (FcddNetwork::Backbone, BackboneName::Resnet18)] {
        for mask in [FcddMask::Image, FcddMask::Pixel] {
            let mut cfg = config(network, name);
            cfg.fcdd.mask = mask;
            let detector = built(&cfg, None);
            let fed = fed(&detector, true);
            total(&detector, &fed).backward();
            for one in detector.trained() {
                let norm = one.tensor.grad().norm().double_value(&[]);
                assert!(norm.is_finite(), "{network:?} {mask:?} {}: {norm}", one.name);
            }
        }
    }
}

#[test]
fn what_was_pasted_counts_as_anomalous_as_a_whole_or_where_it_changed_something() {
    one_thread();
    let mut cfg = config(FcddNetwork::Cnn, BackboneName::Resnet18);
    let loss = |cfg: &Config, change: fn(&mut Fed)| {
        let detector = built(cfg, None);
        let mut fed = fed(&detector, false);
        change(&mut fed);
        total(&detector, &fed).double_value(&[])
    };
    let nothing: fn(&mut Fed) = |_| ();
    let no_mask: fn(&mut Fed) = |fed| fed.mask = fed.mask.zeros_like();
    let no_kind: fn(&mut Fed) = |fed| fed.kinds = vec![0, 0];
    // "image" goes by what was done to the image, "pixel" by the mask alone.
    assert_eq!(loss(&cfg, nothing), loss(&cfg, no_mask));
    assert_ne!(loss(&cfg, nothing), loss(&cfg, no_kind));
    let whole = loss(&cfg, nothing);
    cfg.fcdd.mask = FcddMask::Pixel;
    assert_eq!(loss(&cfg, nothing), loss(&cfg, no_kind));
    assert_ne!(loss(&cfg, nothing), loss(&cfg, no_mask));
    assert_ne!(whole, loss(&cfg, nothing));
}

#[test]
fn a_held_norms_averages_move_while_held_weights_do_not() {
    one_thread();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vgg11_bn.safetensors");
    let random = tensors(BackboneName::Vgg11Bn, Extent::Stages).into_iter().map(|(name, shape)| {
        let sizes: Vec<i64> = shape.iter().map(|&d| d as i64).collect();
        let data = values(&filled(&name, &sizes)).into_iter().map(|v| v as f32).collect();
        (name, weights::Tensor { shape, data })
    });
    weights::write(&path, &Meta::published(BackboneName::Vgg11Bn, "a test"), &random.collect(), Precision::F32).unwrap();
    let file = File::open(Path::new(&path)).unwrap();
    let cfg = config(FcddNetwork::Backbone, BackboneName::Vgg11Bn);
    let detector = built(&cfg, Some(&file));
    let before: Vec<(String, Tensor)> = Learner::state(&detector).into_iter().map(|(name, t)| (name, t.copy())).collect();
    let mut optimizer = Optimizer::new(&cfg.optim, detector.trained());
    let fed = fed(&detector, false);
    let _ = optimizer.step(&total(&detector, &fed), 0.1, 0.0);
    let (mut averages, mut weights) = (0, 0);
    for ((name, before), (_, after)) in before.iter().zip(Learner::state(&detector)) {
        assert!(!before.equal(&after), "{name} is part of the state and did not move");
        if name.contains("running_") { averages += 1 } else { weights += 1 }
    }
    // Six norms; two convolutions with their norms, and the head.
    assert_eq!((averages, weights), (12, 10));
    let held = file.get("features.11.weight").unwrap();
    let now = detector.network().params().get("backbone.features.11.weight").unwrap();
    assert_eq!(values(now), held.data.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
}

#[test]
fn an_images_own_score_is_the_mean_of_its_cells_before_they_are_upsampled() {
    one_thread();
    let detector = built(&config(FcddNetwork::Cnn, BackboneName::Resnet18), None);
    let images = noise(&[3, 3, 32, 32], 7).abs().clamp(0.0, 1.0);
    let scored = Detector::score(&detector, &images);
    let cells = tch::no_grad(|| loss::pseudo_huber(&detector.network().forward(&detector.input(&images), Mode::Eval)));
    let means = cells.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Double);
    assert!(largest(scored.image.as_ref().unwrap(), &values(&means)) < 1e-6);
    assert_eq!(scored.maps[0].size(), [3, 32, 32]);
    let cells: u64 = scored.maps[0].get(0).numel() as u64 + 1;
    assert_eq!(detector.estimate(9).map_cells, cells);
}
