//! Numbers from elsewhere: the texture branch from numpy (tests/oracle/model_stl.py) and ImageNet features of the published
//! ResNet-50 (tests/oracle/resnet_features.py).

use harness::config::{Config, Freeze, Levels, Model, Offset, OffsetMean, Precision, Window};
use harness::weights::File;
use harness_torch::model::param::Builder;
use harness_torch::model::{Mode, Params, Values, ptfem::Ptfem, resnet, tem::Tem};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::setup::{module, set, tiny, values, wave64};

fn golden(name: &str) -> Value {
    let text = std::fs::read_to_string(harness::testing::root().join("tests/golden").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Largest difference to the golden values of one map, in deviations of that map; `x` [B, C, H, W] and `image` where the
/// samples name none.
fn error(x: &Tensor, golden: &Value) -> f64 {
    let x = x.to_kind(Kind::Double);
    let number = |v: &Value| v.as_f64().unwrap();
    let unit = number(&golden["deviation"]);
    let mut worst = (x.mean(Kind::Double).double_value(&[]) - number(&golden["mean"])).abs();
    worst = worst.max((x.std(false).double_value(&[]) - unit).abs());
    for sample in golden["samples"].as_array().unwrap() {
        let (value, place) = sample.as_array().unwrap().split_last().unwrap();
        let mut place: Vec<i64> = place.iter().map(|p| p.as_i64().unwrap()).collect();
        if place.len() == 3 {
            place.insert(0, 0);
        }
        worst = worst.max((x.double_value(&place) - number(value)).abs());
    }
    worst / unit
}

/// Gives every parameter the values of the script.
fn fill(params: &Params) {
    for p in params.iter() {
        let phase = 0.11 * (p.name.bytes().map(i64::from).sum::<i64>() % 97) as f64;
        let count = p.tensor.numel() as i64;
        let wave = ((Tensor::arange(count, (Kind::Double, Device::Cpu)) + 1.0) * 0.37 + phase).sin().reshape(p.tensor.size());
        let value = match p.name.rsplit_once('.').unwrap() {
            (_, "running_var") => wave * 0.4 + 1.0,
            (_, "running_mean") => wave * 0.2,
            (norm, "weight") if norm.ends_with("bn") => wave * 0.3 + 1.0,
            (norm, "bias") if norm.ends_with("bn") => wave * 0.1 + 0.3,
            _ => wave * 0.5,
        };
        set(params, &p.name, |_| value.to_kind(Kind::Float));
    }
}

fn case(name: &str) -> (Model, Mode) {
    let mut model = tiny().model;
    let mut mode = Mode::Train;
    match name {
        "default_train" => {}
        "default_eval" => mode = Mode::Eval,
        "endpoint_half" => (model.qco.levels, model.qco.window) = (Levels::Endpoint, Window::Half),
        "binning" => model.qco.window = Window::Half,
        "scaled" => {
            model.tem.normalize_assign = true;
            model.tem.attention_scale = harness::config::AttentionScale::InvSqrt;
        }
        "offset_mean" => model.ptfem.offset = Offset::Mean(OffsetMean::Mean),
        "offset_up" => model.ptfem.offset = Offset::One([-1, 2]),
        other => panic!("unknown case {other}"),
    }
    (model, mode)
}

#[test]
fn the_texture_branch_computes_what_numpy_computes() {
    let golden = golden("model_stl.json");
    assert_eq!(golden["format"], "harness-golden-stl/1");
    let cases = golden["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 7);
    for (name, want) in cases {
        let (model, mode) = case(name);
        let new = |builder: &mut Builder, model: &Model| Ok((Tem::new(builder, model)?, Ptfem::new(builder, model)?));
        let ((tem, ptfem), params) = module(new, &model);
        fill(&params);
        let x0 = (wave64(&[2, 6, 8, 8], 0.9) + 0.4).relu().to_kind(Kind::Float);
        let t1 = tem.forward(&x0, mode);
        let t2 = ptfem.forward(&t1, &x0, mode);
        for (key, map) in [("t1", &t1), ("t2", &t2)] {
            assert_eq!(serde_json::json!(map.size()), want[key]["shape"]);
            let error = error(map, &want[key]);
            assert!(error < 2e-4, "{name} {key}: {error:e}");
        }
    }
}

/// An image of tests/oracle/resnet_features.py, normalised as the file says: [1, 3, size, size].
fn image(name: &str, size: usize, file: &File) -> Tensor {
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
    let data: Vec<f32> = (0..3 * size * size)
        .map(|i| (i / (size * size), i / size % size, i % size))
        .map(|(c, y, x)| ((pixel(x as u64, y as u64, c as u64) as f64 / 255.0 - file.meta.input_mean[c]) / file.meta.input_std[c]) as f32)
        .collect();
    Tensor::from_slice(&data).reshape([1, 3, size as i64, size as i64])
}

#[test]
fn the_backbone_computes_the_published_imagenet_features_frozen_or_not() {
    let Some(path) = harness::testing::weights("resnet50.safetensors") else {
        return harness::testing::skip("weights/resnet50.safetensors is not there: `just weights` fetches it");
    };
    let file = File::open(&path).unwrap();
    if file.meta.lineage != "caffe" || std::fs::metadata(&path).unwrap().len() < 4 * 8_543_296 {
        return harness::testing::skip("weights/resnet50.safetensors is not the network that `just weights` fetches, in f32");
    }
    tch::set_num_threads(1);
    let source = |name: &str| {
        let stored = file.get(name.strip_prefix("backbone.").expect("only a backbone is built"))?;
        Ok(Some(Values { shape: stored.shape.iter().map(|&d| d as i64).collect(), data: stored.data }))
    };
    let golden = golden("resnet50_features.json");
    let (size, tolerance) = (golden["size"].as_u64().unwrap() as usize, golden["tolerance"].as_f64().unwrap());
    let build = |freeze, precision| {
        let format = Config::default().train.memory_format;
        let mut builder = Builder::new(0, Device::Cpu, precision, format, Some(&source));
        resnet::ResNet::new(&mut builder, Config::default().model.backbone.name, resnet::Stride::from_config(file.meta.stride_in), freeze)
            .unwrap()
    };
    for (freeze, precision, tolerance) in
        [(Freeze::None, Precision::Fp32, tolerance), (Freeze::All, Precision::Fp32, tolerance), (Freeze::All, Precision::Bf16, 0.2)]
    {
        let net = build(freeze, precision);
        for entry in golden["images"].as_array().unwrap() {
            let maps = tch::no_grad(|| net.forward(&image(entry["name"].as_str().unwrap(), size, &file), Mode::Eval));
            for (key, map) in [("c1", &maps.c1), ("c2", &maps.c2), ("c3", &maps.c3)] {
                let error = error(map, &entry["maps"][key]);
                assert!(error < tolerance, "{} {key} {freeze:?} {precision:?}: {error:e}", entry["name"]);
            }
        }
    }
    assert!(values(&build(Freeze::All, Precision::Fp32).forward(&image("ramps", size, &file), Mode::Train).c3).iter().all(|v| *v >= 0.0));
}
