//! The converted ImageNet network against golden features of the published one (tests/oracle/resnet_features.py).

use harness::config::{BackboneName, Freeze};
use harness::weights::File;
use harness_torch::model::{Mode, Network, Values, Weights};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::{one_thread, tiny};

/// Repeats `image` of tests/oracle/resnet_features.py, normalised as the weight file says: [1, 3, size, size].
fn image(name: &str, size: u64, file: &File) -> Tensor {
    let pixel = |x: u64, y: u64, c: u64| -> u64 {
        match name {
            "ramps" => [4 * x, 4 * y, 2 * (x + y)][c as usize],
            "checks" if (x / 8 + y / 8).is_multiple_of(2) => 230 - (c + 1) * x,
            "checks" => 20 + 30 * c,
            "noise" => {
                let h = (x * 374_761_393 + y * 668_265_263 + c * 2_246_822_519 + 12345) & 0xffff_ffff;
                let h = ((h ^ (h >> 13)) * 1_274_126_177) & 0xffff_ffff;
                (h >> 16) & 255
            }
            other => panic!("unknown image {other}"),
        }
    };
    let (mean, std) = (file.meta.input_mean, file.meta.input_std);
    let value = |c: u64, y: u64, x: u64| ((pixel(x, y, c) as f64 / 255.0 - mean[c as usize]) / std[c as usize]) as f32;
    let data: Vec<f32> = (0..3 * size * size).map(|i| value(i / (size * size), i / size % size, i % size)).collect();
    Tensor::from_slice(&data).reshape([1, 3, size as i64, size as i64])
}

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

#[test]
fn the_backbone_computes_the_published_features_free_and_frozen() {
    one_thread();
    let Some(path) = harness::testing::weights("resnet50.safetensors") else {
        return harness::testing::skip("weights/resnet50.safetensors is not there: `just weights` fetches it");
    };
    let file = File::open(&path).unwrap();
    if file.meta.lineage != "caffe" {
        return harness::testing::skip("weights/resnet50.safetensors is not the network that `just weights` fetches");
    }
    let values: usize = file.shapes().values().map(|shape| shape.iter().product::<usize>()).sum();
    if std::fs::metadata(&path).unwrap().len() < 4 * values as u64 {
        return harness::testing::skip("weights/resnet50.safetensors holds half floats, the golden values are for f32");
    }
    let golden = std::fs::read_to_string(harness::testing::root().join("tests/golden/resnet50_features.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    assert_eq!(golden["format"], "harness-golden-features/1");
    let (size, tolerance) = (golden["size"].as_u64().unwrap(), golden["tolerance"].as_f64().unwrap());
    let mut cfg = tiny();
    cfg.model.backbone.name = BackboneName::Resnet50;
    (cfg.model.stlnet, cfg.model.self_calibration) = (false, false);
    let first = |name: &str| {
        let Some(stored) = name.strip_prefix("backbone.") else { return Ok(None) };
        let tensor = file.get(stored)?;
        Ok(Some(Values { shape: tensor.shape.iter().map(|&d| d as i64).collect(), data: tensor.data }))
    };
    for freeze in [Freeze::None, Freeze::All] {
        cfg.model.backbone.freeze = freeze;
        let weights = Weights { source: &first, stride_in: Some(file.meta.stride_in) };
        let network = Network::new(&cfg, Some(&weights), 0, Device::Cpu).unwrap();
        for entry in golden["images"].as_array().unwrap() {
            let name = entry["name"].as_str().unwrap();
            let stages = tch::no_grad(|| network.stages(&image(name, size, &file), Mode::Eval));
            for (key, map) in [("c1", &stages.c1), ("c2", &stages.c2), ("c3", &stages.c3)] {
                let error = error(map, &entry["maps"][key]);
                assert!(error < tolerance, "{freeze:?} {name} {key}: {error:e}");
            }
        }
    }
}
