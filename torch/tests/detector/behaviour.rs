//! The detectors that look once on procedural images with a random backbone.

use std::sync::Arc;

use harness::Result;
use harness::config::{self, BackboneName, Config, Detector as Which, Resize, reference};
use harness::data::{self, Category, Source, builtin};
use harness_torch::detector::{self, Detector, Parts};
use harness_torch::eval::{ImageScored, score_all};
use harness_torch::input;
use harness_torch::tensors;
use harness_torch::train::{Due, Epoch, Scored, Sink, Snapshot, Step};
use tch::{Device, Tensor};

use super::{one_thread, values};

/// Counts steps; asks to stop at one of them.
struct Counter {
    steps: u64,
    stop_at: u64,
}

impl Sink for Counter {
    fn step(&mut self, step: &Step) -> Result<()> {
        self.steps += 1;
        assert_eq!((step.step, step.values.len()), (self.steps, 0));
        Ok(())
    }
    fn epoch(&mut self, _: &Epoch) -> Result<()> {
        panic!("a detector that looks once has no epochs")
    }
    fn due(&mut self) -> Due {
        if self.steps >= self.stop_at { Due::Stop } else { Due::Checkpoint }
    }
    fn checkpoint(&mut self, _: &Snapshot) -> Result<()> {
        panic!("a detector that looks once makes no checkpoints")
    }
    fn quality(&mut self, _: u64, _: u64, _: &dyn Fn(&Tensor) -> Scored) -> Result<Option<f64>> {
        panic!("a detector that looks once is not selected")
    }
}

pub struct Fixture {
    _dir: tempfile::TempDir,
    category: Category,
}

impl Fixture {
    pub fn new() -> Self {
        one_thread();
        let dir = tempfile::tempdir().unwrap();
        builtin::write_small(dir.path(), &["gear"], 6, 2, 1, 64).unwrap();
        let category = data::category(dir.path(), "gear").unwrap();
        Self { _dir: dir, category }
    }

    pub fn train(&self) -> Arc<Source> {
        Arc::new(Source::new(self.category.train.clone(), 64, Resize::Bilinear, 64))
    }

    fn fitted(&self, cfg: &Config, seed: u64) -> Box<dyn Detector> {
        let mut made = build(cfg, seed);
        let mut counter = Counter { steps: 0, stop_at: u64::MAX };
        made.fit(self.train(), None, &mut counter).unwrap();
        assert_eq!(counter.steps, made.estimate(self.category.train.len()).steps);
        made
    }

    /// Every map and own image score of every test image.
    pub fn maps(&self, detector: &dyn Detector, batch: usize) -> Vec<Vec<u32>> {
        let test = Source::new(self.category.test.clone(), 64, Resize::Bilinear, 64);
        let mut all = vec![];
        score_all(detector, &test, batch, Device::Cpu, &mut |_, scored| {
            all.extend(scored.maps.into_iter().map(|map| map.data.iter().map(|v| v.to_bits()).collect()));
            all.extend(scored.own.map(|score| vec![score.to_bits()]));
            Ok(())
        })
        .unwrap();
        all
    }
}

fn config(which: Which) -> Config {
    let mut cfg = Config { detector: which, ..Config::default() };
    (cfg.data.size, cfg.padim.channels, cfg.nearest.fraction) = (64, 40, 0.2);
    (cfg.model.backbone.name, cfg.model.backbone.weights) = (BackboneName::Resnet18, "none".into());
    (cfg.nearest.dims, cfg.nearest.project) = (64, 16);
    cfg
}

/// The same on the other kind of backbone.
fn lite(which: Which) -> Config {
    config(which).with(&["model.backbone.name=efficientnet_lite0".into()]).unwrap()
}

pub fn build(cfg: &Config, seed: u64) -> Box<dyn Detector> {
    detector::build(&Parts { cfg, seed, device: Device::Cpu, weights: None }).unwrap()
}

#[test]
fn a_map_of_images_whose_margin_was_cut_off_is_that_of_their_middle_in_a_frame() {
    let fixture = Fixture::new();
    let mut cfg = config(Which::NEAREST);
    cfg.data.margin = 16;
    let detector = fixture.fitted(&cfg, 0);
    let test = Source::of(fixture.category.test.clone(), &cfg, 64);
    let mut images = 0;
    score_all(detector.as_ref(), &test, 1, Device::Cpu, &mut |index, scored| {
        let middle = input::unit(&test.get(index)?.data, 1, 64, Device::Cpu);
        let map = ImageScored::of(&detector.score(&middle), 0).maps.remove(0);
        let cells = map.width * 16 / 64;
        assert_eq!(scored.maps[0], map.framed([cells; 2]));
        assert_eq!(scored.maps[0].width, map.width * test.whole_size() / test.size());
        assert_eq!(
            harness::eval::size(&test, index, &config::Eval { resolution: config::Resolution::Input, ..cfg.eval.clone() })?,
            (96, 96)
        );
        images += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(images, test.len());
}

const BOTH: [Which; 2] = [Which::PADIM, Which::NEAREST];

/// Each key that nothing reads under a configuration, with another value that it may have.
pub fn unread(cfg: &Config) -> Vec<String> {
    let another = |key: &reference::Key| -> String {
        let options = key.spec.to_string();
        let candidates: Vec<String> = match &key.default {
            toml::Value::Boolean(value) => vec![(!value).to_string()],
            toml::Value::Integer(value) => [value + 2, value + 1, value / 2, 2 * value, value + 64].map(|n| n.to_string()).to_vec(),
            toml::Value::Float(value) => vec![format!("{:?}", value / 2.0), "0.25".into()],
            toml::Value::Array(values) => {
                let reversed: Vec<String> = values.iter().rev().map(ToString::to_string).collect();
                vec![format!("[{}]", reversed.join(", ")), format!("[{}]", values[0]), "[2, 1]".into(), "[0.25]".into()]
            }
            // Words, or what may stand in their place.
            _ => options.split('"').skip(1).step_by(2).map(|word| format!("{word:?}")).chain(["true".into(), "0.25".into()]).collect(),
        };
        let allowed = |text: &String| {
            let value = toml::from_str::<toml::Table>(&format!("v = {text}")).unwrap()["v"].clone();
            value != key.default && key.spec.check(&value).is_ok()
        };
        candidates.into_iter().find(allowed).unwrap_or_else(|| panic!("no other value for {}", key.path))
    };
    let keys = reference::keys().iter().filter(|key| !cfg.reads(&key.path) && key.path != "train.checkpoint");
    // What points to data or weights decides what a detector is given, whether or not it reads the key itself.
    let keys = keys.filter(|key| key.identity != reference::Identity::Content);
    // Pairs of numbers that would no longer be a range stay as they are.
    let keys = keys.filter(|key| !(key.path.starts_with("pseudo.") && key.default.is_array()) && key.path != "optim.nesterov");
    keys.map(|key| format!("{}={}", key.path, another(key))).collect()
}

#[test]
fn nothing_but_what_a_detector_reads_moves_its_maps() {
    let fixture = Fixture::new();
    for which in BOTH {
        let cfg = config(which);
        let here = fixture.maps(fixture.fitted(&cfg, 1).as_ref(), 1);
        let unread = unread(&cfg);
        assert!(unread.iter().any(|text| text.starts_with("optim.lr=")) && unread.len() > 60, "{unread:?}");
        let mut other = cfg.with(&unread).unwrap();
        (other.data.workers, other.data.cache_mb) = (5, 0);
        assert!(here == fixture.maps(fixture.fitted(&other, 1).as_ref(), 1), "{which:?}");
        assert!(here != fixture.maps(fixture.fitted(&cfg, 2).as_ref(), 1), "{which:?}");
    }
}

#[test]
fn a_stored_detector_scores_to_the_bit_and_weighs_what_was_said() {
    let fixture = Fixture::new();
    for which in BOTH {
        for normalize in ["imagenet", "lcn"] {
            let cfg = config(which).with(&[format!("data.normalize={normalize}")]).unwrap();
            let fitted = fixture.fitted(&cfg, 3);
            let bytes = tensors::to_bytes(&fitted.state()).unwrap();
            let stored = tensors::from_bytes(&bytes, std::path::Path::new("x")).unwrap();
            let mut again = build(&cfg, 3);
            again.restore(&|name| tensors::find(&stored, name)).unwrap();
            assert!(fixture.maps(fitted.as_ref(), 1) == fixture.maps(again.as_ref(), 1), "{which:?} {normalize}");
            let said = fitted.estimate(fixture.category.train.len()).kept_bytes;
            assert!((said..said + 2000).contains(&(bytes.len() as u64)), "{which:?}: {said} against {}", bytes.len());
            assert!(build(&cfg, 3).restore(&|_| None).unwrap_err().remedy.contains("--force"));
        }
    }
}

#[test]
fn companions_of_a_batch_do_not_show() {
    let fixture = Fixture::new();
    let test = Source::new(fixture.category.test.clone(), 64, Resize::Bilinear, 64);
    for which in BOTH {
        let fitted = fixture.fitted(&config(which), 3);
        assert!(fixture.maps(fitted.as_ref(), 1) == fixture.maps(fitted.as_ref(), 4));
        let images: Vec<Tensor> = (0..4).map(|i| input::unit(&test.get(i).unwrap().data, 1, 64, Device::Cpu)).collect();
        for (together, position) in fitted.score(&Tensor::cat(&images, 0)).maps.into_iter().zip(0..) {
            for (i, image) in images.iter().enumerate() {
                let alone = &fitted.score(image).maps[position];
                // Convolutions depend on the batch's size in the last bits.
                assert!(alone.get(0).allclose(&together.get(i as i64), 1e-3, 1e-4, false), "{which:?} {i}");
            }
        }
    }
}

#[test]
fn defects_score_above_normal_images() {
    let fixture = Fixture::new();
    for which in BOTH {
        let fitted = fixture.fitted(&config(which), 3);
        let score = |image: &[u8]| {
            let maps = fitted.score(&input::unit(image, 1, 64, Device::Cpu));
            maps.maps.iter().map(|map| map.max().double_value(&[])).collect::<Vec<_>>()
        };
        let test = Source::new(fixture.category.test.clone(), 64, Resize::Bilinear, 64);
        for i in (0..test.len()).filter(|&i| test.items()[i].is_good()) {
            let normal = test.get(i).unwrap();
            let mut broken = (*normal).clone();
            for (y, x) in (20..36).flat_map(|y| (20..36).map(move |x| (y, x))) {
                let value = if (x + y) % 4 < 2 { [255, 0, 255] } else { [0, 255, 0] };
                broken.data[3 * (y * 64 + x)..][..3].copy_from_slice(&value);
            }
            let (normal, broken) = (score(&normal.data), score(&broken.data));
            assert!(normal.iter().zip(&broken).all(|(n, b)| b > n), "{which:?}: {normal:?} {broken:?}");
        }
    }
}

#[test]
fn the_maps_are_those_of_the_configuration_and_of_the_estimate() {
    let fixture = Fixture::new();
    let image = Tensor::zeros([1, 3, 64, 64], (tch::Kind::Float, Device::Cpu));
    for (cfg, side, names) in [
        (config(Which::PADIM), 16, vec!["A"]),
        (config(Which::NEAREST), 8, vec!["A", "S"]),
        (config(Which::NEAREST).with(&["nearest.neighbours=0".into(), "nearest.stages=[1,3]".into()]).unwrap(), 16, vec!["A"]),
        (config(Which::NEAREST).with(&["nearest.dims=0".into(), "nearest.project=0".into()]).unwrap(), 8, vec!["A", "S"]),
        (lite(Which::PADIM), 16, vec!["A"]),
        (lite(Which::NEAREST), 8, vec!["A", "S"]),
        (lite(Which::NEAREST).with(&["nearest.dims=0".into()]).unwrap(), 8, vec!["A", "S"]),
    ] {
        let fitted = fixture.fitted(&cfg, 3);
        let Scored { maps, image } = fitted.score(&image);
        assert!(image.is_none());
        assert_eq!(cfg.detector.outputs(&cfg).maps, names);
        assert_eq!(maps.iter().map(Tensor::size).collect::<Vec<_>>(), vec![vec![1, side, side]; names.len()]);
        assert_eq!(maps.iter().map(|map| map.numel() as u64).sum::<u64>(), fitted.estimate(6).map_cells);
        if let [a, s] = maps.as_slice() {
            let weights: Vec<f64> = values(&(s / a.clamp_min(1e-9)));
            assert!(weights.iter().all(|w| (0.0..=1.0).contains(w)));
        }
    }
}

#[test]
fn what_was_remembered_is_normal() {
    // With every patch kept, a training image is at no distance from itself.
    let fixture = Fixture::new();
    let mut cfg = config(Which::NEAREST);
    cfg.nearest.fraction = 1.0;
    let fitted = fixture.fitted(&cfg, 3);
    let image = input::unit(&fixture.train().get(2).unwrap().data, 1, 64, Device::Cpu);
    assert_eq!(fitted.score(&image).maps[0].max().double_value(&[]), 0.0);
}

#[test]
fn a_fit_that_is_asked_to_stop_stops() {
    let fixture = Fixture::new();
    for which in BOTH {
        for stop_at in [4, fixture.category.train.len() as u64] {
            let e = build(&config(which), 1).fit(fixture.train(), None, &mut Counter { steps: 0, stop_at }).unwrap_err();
            assert_eq!(e.exit_code(), 75);
        }
    }
}
