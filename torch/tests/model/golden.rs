//! The ImageNet networks against golden features of the published ones (tests/oracle/resnet_features.py, efficientnet_lite0.py).

use harness::Result;
use harness::config::{BackboneName, Freeze};
use harness::weights::network;
use harness_torch::detector::mlff::model::Network;
use harness_torch::nn::{Mode, Values, Weights};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::{one_thread, tiny};

/// Largest difference to the golden values of one map, in deviations of that map.
fn error(x: &Tensor, golden: &Value) -> f64 {
    let x = x.squeeze_dim(0).to_kind(Kind::Double);
    assert_eq!(serde_json::json!(x.size()), golden["shape"]);
    let number = |v: &Value| v.as_f64().unwrap();
    let unit = number(&golden["deviation"]);
    let mean = (x.mean(None::<Kind>).double_value(&[]) - number(&golden["mean"])).abs();
    let mut worst = mean.max((x.std(false).double_value(&[]) - unit).abs());
    for sample in golden["samples"].as_array().unwrap() {
        let place = [0, 1, 2].map(|i| sample[i].as_i64().unwrap());
        worst = worst.max((x.double_value(&place) - number(&sample[3])).abs());
    }
    worst / unit
}

/// Compares the backbone's maps with those of the golden `images`, free and frozen.
fn compare(name: BackboneName, images: &[Value], tolerance: f64, weights: &Weights, picture: &dyn Fn(&str) -> Tensor) {
    let mut cfg = tiny();
    cfg.model.backbone.name = name;
    (cfg.model.stlnet, cfg.model.self_calibration) = (false, false);
    for freeze in [Freeze::None, Freeze::All] {
        cfg.model.backbone.freeze = freeze;
        let network = Network::new(&cfg, Some(weights), 0, Device::Cpu).unwrap();
        for entry in images {
            let name = entry["name"].as_str().unwrap();
            let stages = tch::no_grad(|| network.stages(&picture(name), Mode::Eval));
            for (key, map) in [("c1", &stages.c1), ("c2", &stages.c2), ("c3", &stages.c3)] {
                let error = error(map, &entry["maps"][key]);
                assert!(error < tolerance, "{freeze:?} {name} {key}: {error:e}");
            }
        }
    }
}

/// What a file gives, or a formula.
fn first_values(stored: &dyn Fn(&str) -> Result<Values>) -> impl Fn(&str) -> Result<Option<Values>> {
    move |name| name.strip_prefix("backbone.").map(stored).transpose()
}

#[test]
fn the_backbones_compute_the_published_features_free_and_frozen() {
    one_thread();
    let all = [
        (BackboneName::Resnet50, "resnet50", "caffe", "just weights"),
        (BackboneName::EfficientnetLite0, "efficientnet_lite0", "tensorflow", "just weights-lite"),
    ];
    for (name, key, lineage, recipe) in all {
        let Some(golden) = harness::testing::golden(key, lineage, recipe) else { continue };
        let (file, size) = (&golden.file, golden.size as i64);
        let stored = |name: &str| {
            let tensor = file.get(name)?;
            Ok(Values { shape: tensor.shape.iter().map(|&d| d as i64).collect(), data: tensor.data })
        };
        let first = first_values(&stored);
        let weights = Weights { source: &first, stride_in: Some(file.meta.stride_in) };
        let picture = |name: &str| Tensor::from_slice(&golden.picture(name)).reshape([1, 3, size, size]);
        compare(name, &golden.images, golden.tolerance, &weights, &picture);
    }
}

/// `drawn` of tests/oracle/efficientnet_lite0.py.
fn drawn(name: &str, shape: &[usize]) -> Vec<f32> {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, byte| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let unit = |i: u64| {
        let z = hash.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 / (1 << 24) as f64
    };
    let fan_in = shape[1..].iter().product::<usize>() as f64;
    let value = |u: f64| match name {
        _ if shape.len() == 4 && name != "input" => (2.0 * u - 1.0) * (3.0 / fan_in).sqrt(),
        _ if name.ends_with("running_var") || name.ends_with(".weight") => u + 0.5,
        _ => 2.0 * u - 1.0,
    };
    (1..=shape.iter().product::<usize>() as u64).map(|i| value(unit(i)) as f32).collect()
}

#[test]
fn efficientnet_lite0_with_drawn_weights_computes_what_the_slow_form_does() {
    one_thread();
    let text = std::fs::read_to_string(harness::testing::root().join("tests/golden/efficientnet_lite0_random.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let shapes = network::tensors(BackboneName::EfficientnetLite0, network::Extent::Stages);
    let stored = |name: &str| {
        let shape = &shapes[name];
        Ok(Values { shape: shape.iter().map(|&d| d as i64).collect(), data: drawn(name, shape) })
    };
    let first = first_values(&stored);
    let weights = Weights { source: &first, stride_in: None };
    let input = Tensor::from_slice(&drawn("input", &[1, 3, 64, 64])).reshape([1, 3, 64, 64]);
    let tolerance = golden["tolerance"].as_f64().unwrap();
    let images = golden["images"].as_array().unwrap();
    compare(BackboneName::EfficientnetLite0, images, tolerance, &weights, &|_| input.shallow_clone());
}
