//! The converted ImageNet network against golden features of the published one (tests/oracle/resnet_features.py).

use harness::config::{BackboneName, Freeze};
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

#[test]
fn the_backbone_computes_the_published_features_free_and_frozen() {
    one_thread();
    let Some(golden) = harness::testing::golden() else { return };
    let (file, size) = (&golden.file, golden.size as i64);
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
        for entry in &golden.images {
            let name = entry["name"].as_str().unwrap();
            let picture = Tensor::from_slice(&golden.picture(name)).reshape([1, 3, size, size]);
            let stages = tch::no_grad(|| network.stages(&picture, Mode::Eval));
            for (key, map) in [("c1", &stages.c1), ("c2", &stages.c2), ("c3", &stages.c3)] {
                let error = error(map, &entry["maps"][key]);
                assert!(error < golden.tolerance, "{freeze:?} {name} {key}: {error:e}");
            }
        }
    }
}
