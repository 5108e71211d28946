//! What every trained detector keeps: one list, one line each. Tiny sizes, a random backbone, procedural images.

use harness::Result;
use harness::config::{Config, Profile, Request};
use harness::data::{self, Shape, Source, builtin};
use harness::image::Rgb;
use harness::image::codec::write_png;
use harness_torch::detector::{self, Detector, Parts};
use harness_torch::tensors;
use harness_torch::train::{Due, Position, Sink, Snapshot, Step};
use tch::{Device, Kind};

use super::behaviour::{Fixture, build, unread};
use super::{noise, one_thread};

/// The tiniest configuration that exercises all parts of each, over its own paper profile.
const EACH: &[&[&str]] = &[
    &["detector=mlff", "model.stl.width=16", "model.fusion.mid=16"],
    &["detector=mlff", "model.stl.width=16", "model.fusion.mid=16", "model.backbone.freeze=all"],
    &[
        "detector=mlff",
        "model.stl.width=16",
        "model.fusion.mid=16",
        "model.stl.join=add",
        "model.qco.window=hat",
        "model.score.residual=true",
        "model.noise.share=0.7",
        "model.backbone_norms=fixed",
        "model.backbone_lr=0.1",
        "train.average=ema",
        "train.average_decay=0.5",
        "eval.map=mean_z",
    ],
    &["detector=rd", "rd.blocks=1", "train.average=tail", "train.average_tail=0.5"],
    &["detector=fcdd", "data.crop=69"],
    &["detector=fcdd", "data.crop=69", "fcdd.network=cnn", "fcdd.border=normalized", "fcdd.mask=pixel"],
    &["detector=supersimplenet", "supersimplenet.hidden=16", "supersimplenet.reduce=8", "supersimplenet.noise=relative"],
    &["detector=cutpaste", "cutpaste.hidden=[16, 8]"],
    &["detector=cutpaste", "cutpaste.hidden=[16, 8]", "cutpaste.network=finetuned"],
    &[
        "detector=cutpaste",
        "cutpaste.hidden=[16, 8]",
        "cutpaste.patch=32",
        "cutpaste.window=16",
        "cutpaste.stride=16",
        "cutpaste.aligned=true",
    ],
    &["detector=psvdd"],
    &["detector=us", "us.teacher=none", "us.width=0.05", "us.students=2", "us.dense=false"],
    &["detector=us", "us.teacher=none", "us.width=0.05", "us.descriptor=4", "us.fields=[33]"],
];

const SMALL: &[&str] = &[
    "data.size=64",
    "data.repeat=1",
    "data.workers=1",
    "train.batch=4",
    "train.epochs=2",
    "train.steps=0",
    "train.drop_last=false",
    "model.backbone.name=resnet18",
    "model.backbone.weights=none",
];

fn each() -> Vec<Config> {
    let config = |words: &&[&str]| {
        let overrides = SMALL.iter().chain(*words).map(|word| word.to_string()).collect();
        Request { overrides, profile: Some(Profile::Paper), ..Request::default() }.resolve().unwrap().config
    };
    EACH.iter().map(config).collect()
}

/// Listens to nothing, stops behind a step, and keeps the last checkpoint as a file would.
#[derive(Default)]
struct Recorder {
    stop_at: Option<u64>,
    steps: u64,
    kept: Option<Snapshot>,
}

impl Sink for Recorder {
    fn step(&mut self, step: &Step) -> Result<()> {
        assert!(step.values.iter().all(|value| value.value.is_finite()), "{:?}", step.values);
        self.steps = step.step;
        Ok(())
    }

    fn due(&mut self) -> Due {
        if self.stop_at == Some(self.steps) { Due::Stop } else { Due::Nothing }
    }

    fn checkpoint(&mut self, snapshot: &Snapshot) -> Result<()> {
        let Position { epoch, batch, step, .. } = snapshot.position;
        let position = Position::new(epoch, batch, step, &snapshot.position.sums());
        let bytes = tensors::to_bytes(&snapshot.tensors)?;
        let tensors = tensors::from_bytes(&bytes, std::path::Path::new("checkpoint"))?;
        self.kept = Some(Snapshot { position, updates: snapshot.updates, tensors, best: None });
        Ok(())
    }
}

fn fitted(fixture: &Fixture, cfg: &Config, seed: u64) -> Box<dyn Detector> {
    let mut made = build(cfg, seed);
    made.fit(fixture.train(), None, &mut Recorder::default()).unwrap();
    made
}

/// Everything that it learned, and every map and image score, to the bit.
fn learned(fixture: &Fixture, made: &dyn Detector) -> (Vec<u8>, Vec<Vec<u32>>) {
    (tensors::to_bytes(&made.state()).unwrap(), fixture.maps(made, 1))
}

#[test]
fn the_list_has_every_trained_detector() {
    let listed: Vec<_> = each().iter().map(|cfg| cfg.detector.name()).collect();
    for detector in harness::config::Detector::all().filter(|detector| detector.method().trained) {
        assert!(listed.contains(&detector.name()), "{detector} has no line in EACH");
    }
}

#[test]
fn stopped_behind_any_step_and_resumed_it_learns_the_same_to_the_bit() {
    let fixture = Fixture::new();
    for cfg in each() {
        let whole = learned(&fixture, fitted(&fixture, &cfg, 1).as_ref());
        for stop_at in [1, 2, 3] {
            let mut first = Recorder { stop_at: Some(stop_at), ..Recorder::default() };
            let stopped = build(&cfg, 1).fit(fixture.train(), None, &mut first).unwrap_err();
            assert_eq!((stopped.exit_code(), first.steps), (75, stop_at), "{}", cfg.detector);
            let mut resumed = build(&cfg, 1);
            resumed.fit(fixture.train(), first.kept, &mut Recorder::default()).unwrap();
            assert!(learned(&fixture, resumed.as_ref()) == whole, "{} after step {stop_at}", cfg.detector);
        }
    }
}

#[test]
fn neither_workers_nor_cache_nor_what_it_does_not_read_move_it_but_the_seed_does() {
    let fixture = Fixture::new();
    for cfg in each() {
        let here = learned(&fixture, fitted(&fixture, &cfg, 1).as_ref());
        let mut other = cfg.with(&unread(&cfg)).unwrap();
        (other.data.workers, other.data.cache_mb) = (3, 0);
        assert!(here == learned(&fixture, fitted(&fixture, &other, 1).as_ref()), "{}", cfg.detector);
        assert!(here.1 != learned(&fixture, fitted(&fixture, &cfg, 2).as_ref()).1, "{}", cfg.detector);
    }
}

#[test]
fn without_a_step_it_scores_and_with_steps_otherwise() {
    let fixture = Fixture::new();
    for cfg in each() {
        let untrained = cfg.with(&["train.epochs=0".into()]).unwrap();
        let scores = |cfg: &Config| fixture.maps(fitted(&fixture, cfg, 1).as_ref(), 1);
        let (before, after) = (scores(&untrained), scores(&cfg));
        assert!(before.iter().flatten().all(|&bits| f32::from_bits(bits).is_finite()), "{}", cfg.detector);
        assert!(before != after, "{}", cfg.detector);
    }
}

#[test]
fn what_is_stored_scores_to_the_bit_and_weighs_what_was_said() {
    let fixture = Fixture::new();
    for cfg in each() {
        let made = fitted(&fixture, &cfg, 3);
        let bytes = tensors::to_bytes(&made.state()).unwrap();
        let stored = tensors::from_bytes(&bytes, std::path::Path::new("weights")).unwrap();
        let mut again = build(&cfg, 3);
        again.restore(&|name| tensors::find(&stored, name)).unwrap();
        assert!(fixture.maps(made.as_ref(), 1) == fixture.maps(again.as_ref(), 1), "{}", cfg.detector);
        let (said, weighs) = (made.estimate(fixture.train().len()).kept_bytes, bytes.len() as u64);
        assert!(weighs.abs_diff(said) <= weighs / 10 + 20_000, "{}: {said} against {weighs}", cfg.detector);
        assert!(build(&cfg, 3).restore(&|_| None).is_err(), "{}", cfg.detector);
    }
}

#[test]
fn companions_of_a_batch_do_not_show_in_scores() {
    let fixture = Fixture::new();
    for cfg in each() {
        let made = fitted(&fixture, &cfg, 3);
        let images = noise(&[4, 3, 64, 64], 5).abs().clamp(0.0, 1.0);
        let together = made.score(&images);
        for i in 0..4 {
            let alone = made.score(&images.narrow(0, i, 1));
            let pairs = together.maps.iter().zip(&alone.maps).chain(together.image.iter().zip(&alone.image));
            for (all, one) in pairs {
                // Convolutions depend on the batch's size in the last bits.
                assert!(one.get(0).allclose(&all.get(i), 1e-3, 1e-4, false), "{} image {i}", cfg.detector);
            }
        }
    }
}

#[test]
fn losses_and_gradients_of_constant_images_are_finite() {
    one_thread();
    let dir = tempfile::tempdir().unwrap();
    builtin::write_small(dir.path(), &["gear"], 6, 1, 1, 64).unwrap();
    let category = data::category(dir.path(), "gear").unwrap();
    for item in &category.train {
        write_png(&item.path, &Rgb::filled(64, 64, [128; 3])).unwrap();
    }
    for cfg in each() {
        let source = Source::new(category.train.clone(), cfg.data.size, cfg.data.resize, 16);
        let mut made = detector::build(&Parts { cfg: &cfg, seed: 1, device: Device::Cpu, weights: None }).unwrap();
        // The recorder checks each loss and the gradient's norm.
        let mut recorder = Recorder::default();
        made.fit(std::sync::Arc::new(source), None, &mut recorder).unwrap();
        let steps = Shape::new(6, &cfg.data, &cfg.train).batches() * cfg.train.epochs;
        assert_eq!(recorder.steps, steps as u64, "{}", cfg.detector);
        for (name, tensor) in made.state() {
            assert!(tensor.to_kind(Kind::Double).isfinite().all().int64_value(&[]) == 1, "{}: {name}", cfg.detector);
        }
    }
}
