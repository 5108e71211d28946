//! CutPaste: its network and its Gaussians against golden values of torchvision and scikit-learn (tests/oracle/cutpaste.py), the
//! patches against slow twins, and the whole detector on procedural images.

use std::sync::Arc;

use harness::config::{Config, Resize, Shrink, ShrinkBy};
use harness::data::{self, Epoch, Loader, Shape, Source, builtin};
use harness::testing::root;
use harness_torch::detector::cutpaste::density::{Moments, distances, fit};
use harness_torch::detector::cutpaste::network::Network;
use harness_torch::detector::cutpaste::patches::{kernel, spread, windows};
use harness_torch::detector::{CutPaste, Detector, Parts};
use harness_torch::nn::Mode;
use harness_torch::optim::Optimizer;
use harness_torch::train::{Fed, Job, Learner, Sink};
use harness_torch::{input, tensors};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{never, noise, one_thread, rows, values};

const LEDOIT_WOLF: Shrink = Shrink::By(ShrinkBy::LedoitWolf);

fn golden() -> Value {
    serde_json::from_str(&std::fs::read_to_string(root().join("tests/golden/cutpaste.json")).unwrap()).unwrap()
}

/// A matrix of the golden file, f64.
fn matrix(value: &Value) -> Tensor {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    Tensor::from_slice(&rows.concat()).view([rows.len() as i64, -1])
}

fn largest(x: &Tensor) -> f64 {
    x.abs().max().double_value(&[])
}

/// At 64 px, from scratch; further keys as words.
fn config(words: &[&str]) -> Config {
    let own = ["detector=cutpaste", "data.size=64", "data.repeat=1", "train.batch=3", "train.steps=2", "cutpaste.hidden=[16, 8]"];
    let words: Vec<String> = own.iter().chain(words).map(|word| (*word).to_owned()).collect();
    Config::default().with(&words).unwrap()
}

fn build(cfg: &Config) -> CutPaste {
    CutPaste::new(&Parts { cfg, seed: 3, device: Device::Cpu, weights: None }).unwrap()
}

struct Fixture {
    _dir: tempfile::TempDir,
    category: data::Category,
}

impl Fixture {
    fn new() -> Self {
        one_thread();
        let dir = tempfile::tempdir().unwrap();
        builtin::write_small(dir.path(), &["gear"], 6, 2, 1, 64).unwrap();
        let category = data::category(dir.path(), "gear").unwrap();
        Self { _dir: dir, category }
    }

    fn train(&self) -> Arc<Source> {
        Arc::new(Source::new(self.category.train.clone(), 64, Resize::Bilinear, 64))
    }

    fn fitted(&self, cfg: &Config) -> CutPaste {
        let mut made = build(cfg);
        made.fit(self.train(), None, &mut Silence).unwrap();
        made
    }

    fn image(&self, index: usize) -> Tensor {
        let test = Source::new(self.category.test.clone(), 64, Resize::Bilinear, 64);
        input::unit(&test.get(index).unwrap().data, 1, 64, Device::Cpu)
    }

    /// The first batch of an epoch as training gets it.
    fn batch(&self, cfg: &Config, learner: &CutPaste) -> Fed {
        let source = self.train();
        let epoch = Epoch { shape: Shape::new(source.len(), &cfg.data, &cfg.train), seed: 3, epoch: 0, first_batch: 0 };
        let mut loader = Loader::start(source.clone(), epoch, learner.views(), &cfg.data, &cfg.pseudo);
        let batch = loader.next().unwrap().unwrap();
        Job { cfg, seed: 3, device: Device::Cpu, learner, source }.feed(&batch)
    }
}

struct Silence;

impl Sink for Silence {}

#[test]
fn shrinking_is_scikit_learns() {
    one_thread();
    for case in golden()["ledoit_wolf"].as_array().unwrap() {
        let samples = matrix(&case["samples"]);
        let moments = Moments::of(&samples);
        let share = case["share"].as_f64().unwrap();
        assert!((moments.ledoit_wolf() - share).abs() < 1e-10, "{} against {share}", moments.ledoit_wolf());
        assert!(largest(&(moments.shrunk(LEDOIT_WOLF) - matrix(&case["covariance"]))) < 1e-10);
        if share < 1e-3 {
            continue; // Two samples are not shrunk: scikit-learn's inverse is then a pseudo-inverse.
        }
        let gaussian = fit(&samples.unsqueeze(1), LEDOIT_WOLF, &mut never()).unwrap();
        let found = values(&distances(&gaussian, &matrix(&case["queries"]).to_kind(Kind::Float).unsqueeze(0)));
        let expected: Vec<f64> = serde_json::from_value(case["distances"].clone()).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-3 * expected, "{found} against {expected}");
        }
    }
}

#[test]
fn moments_of_many_rows_are_those_of_their_definition() {
    one_thread();
    // More than are made f64 at a time.
    let samples = noise(&[17_000, 3], 1) + 4.0;
    let moments = Moments::of(&samples);
    let x = samples.to_kind(Kind::Double);
    let apart = &x - x.mean_dim([0i64].as_slice(), true, Kind::Double);
    let fourth = rows(&apart).iter().map(|row| row.iter().map(|v| v * v).sum::<f64>().powi(2)).sum::<f64>() / 17_000.0;
    assert!((moments.fourth / fourth - 1.0).abs() < 1e-10);
    assert!(largest(&(&moments.covariance - x.tr().cov(0, None::<&Tensor>, None::<&Tensor>))) < 1e-10);
}

#[test]
fn each_position_has_its_gaussian_or_all_have_one() {
    one_thread();
    let (features, x) = (noise(&[9, 4, 3], 1), noise(&[2, 4, 3], 2));
    let each = fit(&features, Shrink::Eps(0.01), &mut never()).unwrap();
    let one = fit(&features.view([36, 1, 3]), Shrink::Eps(0.01), &mut never()).unwrap();
    for (gaussians, samples) in
        [(&each, (0..4).map(|p| features.select(1, p)).collect::<Vec<_>>()), (&one, (0..4).map(|_| features.view([36, 3])).collect())]
    {
        let found = distances(gaussians, &x);
        for (p, samples) in samples.iter().enumerate() {
            let samples = samples.to_kind(Kind::Double);
            let mean = samples.mean_dim([0i64].as_slice(), false, Kind::Double);
            let covariance = samples.tr().cov(0, None::<&Tensor>, None::<&Tensor>) + Tensor::eye(3, (Kind::Double, Device::Cpu)) * 0.01;
            for b in 0..2 {
                let apart = x.get(b).get(p as i64).to_kind(Kind::Double) - &mean;
                let slow = apart.dot(&covariance.inverse().mv(&apart)).double_value(&[]);
                assert!((found.double_value(&[b, p as i64]) - slow).abs() < 1e-4 * slow);
            }
        }
    }
}

#[test]
fn where_nothing_varies_the_distance_is_a_number() {
    one_thread();
    for shrink in [LEDOIT_WOLF, Shrink::Eps(1e-4)] {
        for samples in [1, 5] {
            let gaussian = fit(&Tensor::full([samples, 1, 4], 0.5, (Kind::Float, Device::Cpu)), shrink, &mut never()).unwrap();
            let found = values(&distances(&gaussian, &Tensor::from_slice(&[0.5f32, 0.5, 0.5, 0.5, 0.6, 0.5, 0.5, 0.5]).view([2, 1, 4])));
            assert!(found[0] == 0.0 && found[1] > 0.0 && found[1].is_finite(), "{found:?}");
        }
    }
}

#[test]
fn patches_are_cut_row_by_row() {
    one_thread();
    let x = noise(&[3, 20, 20], 1);
    let cut = windows(&x, 8, 4);
    assert_eq!(cut.size(), [16, 3, 8, 8]);
    for (place, (i, j)) in (0..4).flat_map(|i| (0..4).map(move |j| (i, j))).enumerate() {
        assert!(cut.get(place as i64).equal(&x.narrow(1, 4 * i, 8).narrow(2, 4 * j, 8)));
    }
}

#[test]
fn a_patchs_score_is_spread_by_a_gaussian_over_its_own_pixels() {
    one_thread();
    let (window, stride, sigma) = (8, 4, 2.5);
    let scores = noise(&[2, 4, 4], 1);
    let map = spread(&scores, &kernel(window, stride, sigma, Device::Cpu), stride);
    assert_eq!(map.size(), [2, 20, 20]);
    let bell = |i: i64, j: i64| (-((i as f64 - 3.5).powi(2) + (j as f64 - 3.5).powi(2)) / (2.0 * sigma * sigma)).exp();
    let whole: f64 = (0..8).flat_map(|i| (0..8).map(move |j| bell(i, j))).sum();
    for (b, y, x) in (0..2).flat_map(|b| (0..20).flat_map(move |y| (0..20).map(move |x| (b, y, x)))) {
        let mut slow = 0.0;
        for (i, j) in (0..4).flat_map(|i| (0..4).map(move |j| (i, j))) {
            let (u, v) = (y - stride * i, x - stride * j);
            if (0..window).contains(&u) && (0..window).contains(&v) {
                slow += scores.double_value(&[b, i, j]) * bell(u, v) / whole * 16.0;
            }
        }
        assert!((map.double_value(&[b, y, x]) - slow).abs() < 1e-5);
    }
}

#[test]
fn published_networks_have_the_published_sizes() {
    one_thread();
    // ResNet-18 without its classifier, and a head 512-512-128-3.
    let network = build(&config(&["cutpaste.hidden=[512, 128]"]));
    let head = 512 * 512 + 2 * 512 + 512 * 128 + 2 * 128 + 128 * 3 + 3;
    assert_eq!((network.count().parameters, network.count().trained), (11_176_512 + head, 11_176_512 + head));
    assert_eq!(network.network().width(), 512);

    let tuned = build(&config(&["cutpaste.network=finetuned", "model.backbone.name=resnet50", "cutpaste.hidden=[512, 128]"]));
    let head = 1024 * 512 + 2 * 512 + 512 * 128 + 2 * 128 + 128 * 3 + 3;
    // Convolutions of stage 3: the shortcut, the first block and the other five.
    let stage3 = 512 * 1024 + (512 * 256 + 9 * 256 * 256 + 256 * 1024) + 5 * (1024 * 256 + 9 * 256 * 256 + 256 * 1024);
    assert_eq!((tuned.count().parameters, tuned.count().trained), (8_543_296 + head, stage3 + head));
    assert_eq!(tuned.network().width(), 1024);
}

/// Puts sines into all parameters: `parameter` of the oracle.
fn fill(network: &Network) {
    let _guard = tch::no_grad_guard();
    for param in network.params().iter() {
        let (name, shape) = (param.name.as_str(), param.tensor.size());
        let phase = 0.11 * (name.bytes().map(u64::from).sum::<u64>() % 97) as f64;
        let index = Tensor::arange(param.tensor.numel() as i64, (Kind::Double, Device::Cpu)) + 1.0;
        let wave = (&index * &index * 0.37 + phase).sin().reshape(&shape);
        let value = match name {
            _ if name.ends_with("running_var") => wave * 0.4 + 1.0,
            _ if name.ends_with("running_mean") => wave * 0.2,
            _ if shape.len() > 1 => wave * (2.0 / shape[1..].iter().product::<i64>() as f64).sqrt(),
            _ if name.ends_with("weight") => wave * 0.3 + 1.0,
            _ => wave * 0.1,
        };
        param.tensor.shallow_clone().copy_(&value);
    }
}

#[test]
fn the_network_computes_what_torchvisions_resnet_and_a_head_of_torchs_layers_compute() {
    one_thread();
    let golden = &golden()["network"];
    let cfg = config(&[&format!("cutpaste.hidden={}", golden["hidden"])]);
    let detector = build(&cfg);
    let network = detector.network();
    fill(network);
    let shape: Vec<i64> = serde_json::from_value(golden["images"].clone()).unwrap();
    let index = Tensor::arange(shape[1..].iter().product::<i64>(), (Kind::Double, Device::Cpu)) + 1.0;
    let pace = |b: i64| 0.05 * (1.0 + b as f64).powi(2);
    let images = (0..shape[0]).map(|b| (&index * pace(b)).sin().to_kind(Kind::Float)).collect::<Vec<_>>();
    let images = Tensor::stack(&images, 0).reshape(&shape);
    let features = network.features(&images, Mode::Eval);
    let expected = matrix(&golden["features"]);
    let unit = expected.std(false).double_value(&[]);
    let error = largest(&(features.narrow(0, 0, 2) - &expected)) / unit;
    assert!(error < 1e-5 && unit > 0.1, "{error:e} of {unit}");

    // In training, as the learner does it; the images are normalised ones already.
    let kinds = (0..6u8).map(|i| i % 3).collect();
    let fed = Fed { images: images.shallow_clone(), mask: Tensor::new(), views: 3, kinds, items: vec![0, 1] };
    let terms = detector.loss(&fed, &mut harness::seed::stream(0, "test", 0, 0)).unwrap();
    let loss = golden["loss"].as_f64().unwrap();
    assert!((terms.total.double_value(&[]) - loss).abs() < 1e-5, "{:?} against {loss}", terms.total);
    let expected = matrix(&golden["logits"]);
    let right = rows(&expected).iter().zip(0..).filter(|(row, i)| row[i % 3] == row.iter().copied().fold(f64::MIN, f64::max)).count();
    let accuracy = terms.values().iter().find(|value| value.name == "accuracy").unwrap().value;
    assert!((accuracy - right as f64 / 6.0).abs() < 1e-12);
    fill(network);
    let logits = network.logits(&network.features(&images, Mode::Train), Mode::Train);
    assert!(largest(&(logits - expected)) < 1e-4);
}

#[test]
fn a_batch_is_three_views_of_each_image_and_of_a_patch_of_it() {
    let fixture = Fixture::new();
    for (words, side) in [(&[][..], 64), (&["cutpaste.patch=32", "cutpaste.window=16"][..], 32)] {
        let cfg = config(words);
        let fed = fixture.batch(&cfg, &build(&cfg));
        assert_eq!(fed.images.size(), [9, 3, side, side]);
        assert_eq!(fed.kinds, [0, 1, 2].repeat(3));
        for item in 0..3 {
            let difference = |view| (fed.images.get(3 * item) - fed.images.get(3 * item + view)).abs().amax([0i64].as_slice(), false);
            for view in [1, 2] {
                // What differs is what is marked.
                assert!(difference(view).gt(0.0).equal(&fed.mask.get(3 * item + view).get(0).gt(0.0)), "{item} {view}");
            }
        }
    }
}

const TUNED: [&str; 3] = ["cutpaste.network=finetuned", "model.backbone.name=resnet18", "cutpaste.backbone_lr=0.25"];

#[test]
fn fine_tuning_changes_the_third_stages_convolutions_and_the_head_each_at_its_rate() {
    let fixture = Fixture::new();
    let cfg = config(&TUNED);
    let detector = build(&cfg);
    let first: Vec<Tensor> = detector.network().params().iter().map(|p| p.tensor.copy()).collect();
    let trained = detector.trained();
    assert!(trained.iter().all(|t| t.lr == if t.name.starts_with("backbone.layer3.") { 0.25 } else { 1.0 }));
    let terms = detector.loss(&fixture.batch(&cfg, &detector), &mut harness::seed::stream(0, "test", 0, 0)).unwrap();
    let _ = Optimizer::new(&cfg.optim, detector.trained()).step(&terms.total, 0.1, 0.0);
    for (param, first) in detector.network().params().iter().zip(first) {
        let convolution = param.name.starts_with("backbone.layer3.") && param.tensor.dim() == 4;
        let changes = convolution || param.name.starts_with("head.");
        assert_eq!(!param.tensor.equal(&first), changes, "{}", param.name);
        let optimised = trained.iter().any(|t| t.name == param.name);
        assert_eq!(optimised, changes && !param.name.contains("running_"), "{}", param.name);
    }
}

#[test]
fn gradients_are_finite_on_constant_images() {
    one_thread();
    for words in [&[][..], &TUNED[..]] {
        let detector = build(&config(words));
        let images = detector.input(&Tensor::full([6, 3, 64, 64], 0.5, (Kind::Float, Device::Cpu)));
        let fed = Fed { images, mask: Tensor::new(), views: 3, kinds: vec![0, 0, 0, 0, 1, 2], items: vec![0, 1] };
        let terms = detector.loss(&fed, &mut harness::seed::stream(0, "test", 0, 0)).unwrap();
        let trained: Vec<Tensor> = detector.trained().iter().map(|t| t.tensor.shallow_clone()).collect();
        for gradient in Tensor::run_backward(&[&terms.total], &trained, false, false) {
            assert_eq!(gradient.isfinite().all().int64_value(&[]), 1);
        }
    }
}

const PATCHES: [&str; 3] = ["cutpaste.patch=32", "cutpaste.window=16", "cutpaste.stride=8"];

#[test]
fn untrained_and_trained_it_scores_by_numbers_and_comes_back_to_the_bit() {
    let fixture = Fixture::new();
    let image = fixture.image(0);
    let none: &[&str] = &["train.steps=0", "train.epochs=0"];
    let aligned = [&PATCHES[..], &["cutpaste.aligned=true"]].concat();
    for (words, groups) in
        [(&[][..], 1), (none, 1), (&TUNED[..], 1), (&PATCHES[..], 1), (&aligned[..], 49), (&["cutpaste.shrink=0.001"][..], 1)]
    {
        let cfg = config(words);
        let fitted = fixture.fitted(&cfg);
        let scored = Detector::score(&fitted, &image);
        let own = scored.image.as_ref().unwrap();
        assert!(own.size() == [1] && own.double_value(&[0]).is_finite() && own.double_value(&[0]) > 0.0, "{words:?}: {own:?}");
        assert_eq!(scored.maps.len(), cfg.detector.outputs(&cfg).maps.len());
        assert!(scored.maps.iter().all(|map| map.size() == [1, 64, 64] && map.isfinite().all().int64_value(&[]) == 1));
        let numbers = scored.maps.iter().map(|map| map.numel() as u64).sum::<u64>() + 1;
        assert_eq!(fitted.estimate(6).map_cells, numbers);

        let bytes = tensors::to_bytes(&Detector::state(&fitted)).unwrap();
        let stored = tensors::from_bytes(&bytes, std::path::Path::new("x")).unwrap();
        assert_eq!(tensors::find(&stored, "cutpaste.mean").unwrap().size()[0], groups, "{words:?}");
        let mut again = build(&cfg);
        Detector::restore(&mut again, &|name| tensors::find(&stored, name)).unwrap();
        let twin = Detector::score(&again, &image);
        assert!(twin.image.unwrap().equal(own) && twin.maps.iter().zip(&scored.maps).all(|(a, b)| a.equal(b)), "{words:?}");
        assert!(Detector::restore(&mut build(&cfg), &|name| tensors::find(&stored, name).filter(|_| name != "cutpaste.factor")).is_err());
        if !words.contains(&PATCHES[0]) || groups > 1 {
            let said = fitted.estimate(6).kept_bytes;
            assert!((said..said + 20_000).contains(&(bytes.len() as u64)), "{words:?}: {said} against {}", bytes.len());
        }
    }
}

#[test]
fn a_patch_is_scored_as_if_it_stood_alone_and_the_image_by_its_worst() {
    let fixture = Fixture::new();
    let cfg = config(&PATCHES);
    let fitted = fixture.fitted(&cfg);
    let image = fixture.image(1);
    let state = Detector::state(&fitted);
    let mean = tensors::find(&state, "cutpaste.mean").unwrap().get(0).to_kind(Kind::Double);
    let packed = values(&tensors::find(&state, "cutpaste.factor").unwrap());
    let d = mean.size()[0];
    let lower = Tensor::zeros([d, d], (Kind::Double, Device::Cpu));
    let mut next = packed.iter();
    for i in 0..d {
        for j in 0..=i {
            let _ = lower.get(i).get(j).fill_(*next.next().unwrap());
        }
    }
    let x = fitted.input(&image).get(0);
    let mut scores = vec![];
    for (i, j) in (0..7).flat_map(|i| (0..7).map(move |j| (i, j))) {
        let patch = x.narrow(1, 8 * i, 16).narrow(2, 8 * j, 16).unsqueeze(0);
        let feature = tch::no_grad(|| fitted.network().features(&patch, Mode::Eval)).get(0).to_kind(Kind::Double);
        let apart = &feature / feature.norm() - &mean;
        let white = lower.linalg_solve_triangular(&apart.unsqueeze(1), false, true, false);
        scores.push(white.square().sum(Kind::Double).double_value(&[]));
    }
    let scored = Detector::score(&fitted, &image);
    let worst = scores.iter().copied().fold(0.0, f64::max);
    assert!((scored.image.unwrap().double_value(&[0]) / worst - 1.0).abs() < 1e-2, "{worst}");
    let slow =
        spread(&Tensor::from_slice(&scores).to_kind(Kind::Float).view([1, 7, 7]), &kernel(16, 8, cfg.cutpaste.sigma, Device::Cpu), 8);
    assert!(largest(&(&scored.maps[0] - &slow)) < 1e-2 * largest(&slow));
}

#[test]
fn the_category_decides_on_the_gaussians_of_patches() {
    one_thread();
    let dir = tempfile::tempdir().unwrap();
    builtin::write_small(dir.path(), &["gear"], 3, 1, 1, 64).unwrap();
    for (category, groups) in [("transistor", 49), ("screw", 1)] {
        let (from, to) = (dir.path().join("gear"), dir.path().join(category));
        std::fs::create_dir_all(&to).unwrap();
        std::fs::rename(from.join("train"), to.join("train")).unwrap();
        std::fs::rename(from.join("test"), to.join("test")).unwrap();
        let found = data::category(dir.path(), category).unwrap();
        let source = Arc::new(Source::new(found.train, 64, Resize::Bilinear, 64));
        let mut detector = build(&config(&[&PATCHES[..], &["train.steps=0", "train.epochs=0"]].concat()));
        detector.fit(source, None, &mut Silence).unwrap();
        let state = Detector::state(&detector);
        assert_eq!(tensors::find(&state, "cutpaste.mean").unwrap().size()[0], groups, "{category}");
        std::fs::rename(to.join("train"), from.join("train")).unwrap();
        std::fs::rename(to.join("test"), from.join("test")).unwrap();
    }
}
