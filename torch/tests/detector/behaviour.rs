//! Both detectors on procedural images with a random backbone.

use std::sync::Arc;

use harness::Result;
use harness::config::{BackboneName, Config, Detector as Which, Resize};
use harness::data::{self, Category, Source, builtin};
use harness::eval::MapKind;
use harness_torch::detector::mlff::model::Network;
use harness_torch::detector::{self, Detector, Parts};
use harness_torch::eval::score_all;
use harness_torch::input::{self, Normalization};
use harness_torch::tensors;
use harness_torch::train::{Due, Epoch, Sink, Snapshot, Step};
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
    fn quality(&mut self, _: u64, _: u64, _: &Network, _: &Normalization) -> Result<Option<f64>> {
        panic!("a detector that looks once is not selected")
    }
}

struct Bench {
    _dir: tempfile::TempDir,
    category: Category,
}

impl Bench {
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

    fn fitted(&self, cfg: &Config, seed: u64) -> Box<dyn Detector> {
        let mut made = build(cfg, seed);
        let mut counter = Counter { steps: 0, stop_at: u64::MAX };
        made.fit(self.train(), None, &mut counter).unwrap();
        assert_eq!(counter.steps, made.outlook(self.category.train.len()).steps);
        made
    }

    /// Every map of every test image.
    fn maps(&self, detector: &dyn Detector, batch: usize) -> Vec<(MapKind, Vec<u32>)> {
        let test = Source::new(self.category.test.clone(), 64, Resize::Bilinear, 64);
        let mut all = vec![];
        score_all(detector, &test, batch, Device::Cpu, &mut |_, maps| {
            all.extend(maps.into_iter().map(|(kind, map)| (kind, map.data.iter().map(|v| v.to_bits()).collect())));
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

fn build(cfg: &Config, seed: u64) -> Box<dyn Detector> {
    detector::build(&Parts { cfg, seed, device: Device::Cpu, weights: None }).unwrap()
}

const BOTH: [Which; 2] = [Which::PADIM, Which::NEAREST];

#[test]
fn the_same_seed_gives_the_same_maps_whatever_the_loader_and_another_seed_others() {
    let bench = Bench::new();
    for which in BOTH {
        let cfg = config(which);
        let here = bench.maps(bench.fitted(&cfg, 1).as_ref(), 1);
        let mut other = cfg.clone();
        (other.data.workers, other.data.cache_mb, other.pseudo.ratio) = (5, 0, 1.0);
        assert!(here == bench.maps(bench.fitted(&other, 1).as_ref(), 1), "{which:?}");
        assert!(here != bench.maps(bench.fitted(&cfg, 2).as_ref(), 1), "{which:?}");
    }
}

#[test]
fn a_stored_detector_scores_to_the_bit_and_weighs_what_was_said() {
    let bench = Bench::new();
    for which in BOTH {
        for normalize in ["imagenet", "lcn"] {
            let cfg = config(which).with(&[format!("data.normalize={normalize}")]).unwrap();
            let fitted = bench.fitted(&cfg, 3);
            let bytes = tensors::to_bytes(&fitted.state()).unwrap();
            let stored = tensors::from_bytes(&bytes, std::path::Path::new("x")).unwrap();
            let mut again = build(&cfg, 3);
            again.restore(&|name| tensors::find(&stored, name)).unwrap();
            assert!(bench.maps(fitted.as_ref(), 1) == bench.maps(again.as_ref(), 1), "{which:?} {normalize}");
            let said = fitted.outlook(bench.category.train.len()).kept_bytes;
            assert!((said..said + 2000).contains(&(bytes.len() as u64)), "{which:?}: {said} against {}", bytes.len());
            assert!(build(&cfg, 3).restore(&|_| None).unwrap_err().remedy.contains("--force"));
        }
    }
}

#[test]
fn companions_of_a_batch_do_not_show() {
    let bench = Bench::new();
    let test = Source::new(bench.category.test.clone(), 64, Resize::Bilinear, 64);
    for which in BOTH {
        let fitted = bench.fitted(&config(which), 3);
        assert!(bench.maps(fitted.as_ref(), 1) == bench.maps(fitted.as_ref(), 4));
        let images: Vec<Tensor> = (0..4).map(|i| input::unit(&test.get(i).unwrap().data, 1, 64, Device::Cpu)).collect();
        for (together, position) in fitted.score(&Tensor::cat(&images, 0)).into_iter().zip(0..) {
            for (i, image) in images.iter().enumerate() {
                let alone = &fitted.score(image)[position];
                assert_eq!(alone.0, together.0);
                // Convolutions depend on the batch's size in the last bits.
                assert!(alone.1.get(0).allclose(&together.1.get(i as i64), 1e-3, 1e-4, false), "{which:?} {i}");
            }
        }
    }
}

#[test]
fn defects_score_above_normal_images() {
    let bench = Bench::new();
    for which in BOTH {
        let fitted = bench.fitted(&config(which), 3);
        let score = |image: &[u8]| {
            let maps = fitted.score(&input::unit(image, 1, 64, Device::Cpu));
            maps.iter().map(|(_, map)| map.max().double_value(&[])).collect::<Vec<_>>()
        };
        let test = Source::new(bench.category.test.clone(), 64, Resize::Bilinear, 64);
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
fn the_maps_are_what_the_outlook_says() {
    let bench = Bench::new();
    let image = Tensor::zeros([1, 3, 64, 64], (tch::Kind::Float, Device::Cpu));
    for (cfg, side, kinds) in [
        (config(Which::PADIM), 16, vec![MapKind::A]),
        (config(Which::NEAREST), 8, vec![MapKind::A, MapKind::S]),
        (config(Which::NEAREST).with(&["nearest.neighbours=0".into(), "nearest.stages=[1,3]".into()]).unwrap(), 16, vec![MapKind::A]),
        (config(Which::NEAREST).with(&["nearest.dims=0".into(), "nearest.project=0".into()]).unwrap(), 8, vec![MapKind::A, MapKind::S]),
    ] {
        let fitted = bench.fitted(&cfg, 3);
        let maps = fitted.score(&image);
        assert_eq!(maps.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), kinds);
        assert!(maps.iter().all(|(_, map)| map.size() == [1, side, side]));
        assert_eq!(maps.iter().map(|(_, map)| map.numel() as u64).sum::<u64>(), fitted.outlook(6).map_cells);
        assert_eq!(fitted.headline(), MapKind::A);
        if let [(_, a), (_, s)] = maps.as_slice() {
            let weights: Vec<f64> = values(&(s / a.clamp_min(1e-9)));
            assert!(weights.iter().all(|w| (0.0..=1.0).contains(w)));
        }
    }
}

#[test]
fn what_was_remembered_is_normal() {
    // With every patch kept, a training image is at no distance from itself.
    let bench = Bench::new();
    let mut cfg = config(Which::NEAREST);
    cfg.nearest.fraction = 1.0;
    let fitted = bench.fitted(&cfg, 3);
    let image = input::unit(&bench.train().get(2).unwrap().data, 1, 64, Device::Cpu);
    assert_eq!(fitted.score(&image)[0].1.max().double_value(&[]), 0.0);
}

#[test]
fn a_fit_that_is_asked_to_stop_stops() {
    let bench = Bench::new();
    for which in BOTH {
        for stop_at in [4, bench.category.train.len() as u64] {
            let e = build(&config(which), 1).fit(bench.train(), None, &mut Counter { steps: 0, stop_at }).unwrap_err();
            assert_eq!(e.exit_code(), 75);
        }
    }
}
