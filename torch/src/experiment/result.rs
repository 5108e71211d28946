//! The end of a run: score maps of the test set on disk, metrics from them, figures, the summary.

use std::collections::BTreeMap;

use harness::calibration::Normal;
use harness::data::Source;
use harness::eval::{self, Evaluation, MapName, Output, OutputStore};
use harness::metric::{Protocol, Scores};
use harness::run::{Attempt, Event, Lineage, Summary, TimeSpent, event, summary};
use harness::ui::Progress;
use harness::{Result, file, report};
use serde_json::json;

use super::quality::{Quality, Score};
use super::session::{Planned, Session};
use super::task::Task;
use crate::detector::{self, Count, Detector, Parts};
use crate::eval::{ImageScored, score_all};
use crate::input;
use crate::tensors;

/// What a fitted detector is judged by.
pub struct Fitted {
    pub test: Source,
    /// Scores of normal images that it has not seen.
    pub normal: Option<Normal>,
}

/// Scores the test set, writes maps and figures, and gives the summary and the bytes of the weights to keep.
///
/// # Errors
/// `Kind::Stopped` once a stop is requested: what was trained is in the last checkpoint, scoring begins again.
pub fn conclude(task: &Task, attempt: &mut Attempt, detector: &dyn Detector, fitted: &Fitted) -> Result<(Summary, Vec<u8>)> {
    let (cfg, planned) = (task.session.cfg(), task.planned);
    let test = &fitted.test;
    let train_s = attempt.wall_s();
    let mut progress = Progress::new(task.mode, "score", test.len() as u64);
    if !test.is_empty() {
        progress.message(&format!("scoring {} test images", test.len()));
    }
    let stored = OutputStore::of(&attempt.folder().maps(), &planned.category.name, &cfg.detector.outputs(cfg));
    store_outputs(task, detector, test, &stored)?;
    if test.is_empty() {
        let samples = Source::of(eval::samples(&planned.category.train), cfg, 0).checked(&planned.contents);
        store_outputs(task, detector, &samples, &stored)?;
    }
    let protocol = eval::protocol(cfg, None)?;
    // Without a test image there is nothing that could be evaluated.
    let evaluations = if test.is_empty() { vec![] } else { evaluate(task, test, &protocol, &stored)? };
    let metrics = metrics(summary::split(cfg.train.checkpoint), &evaluations);
    let epoch = detector.estimate(planned.category.train.len()).epochs;
    let Trained { steps, losses, grad_norm } = trained(attempt)?;
    if !test.is_empty() {
        attempt.event(&Event::Eval { epoch, step: steps, metrics: metrics.clone() })?;
        file::replace(&attempt.folder().scores_csv(), &eval::table(&evaluations, fitted.normal.as_ref()))?;
    }
    report::run::write(attempt.folder(), test, &cfg.eval, &evaluations, &|name, i| stored.map(name, &test.items()[i].key))?;

    let summary = Summary {
        format: summary::FORMAT,
        id: planned.id.to_string(),
        category: planned.category.name.clone(),
        seed: planned.id.seed,
        detector: cfg.detector.name().into(),
        headline: eval::names(&cfg.detector.outputs(cfg))[0].into(),
        metrics,
        protocol: json!({ "text": protocol.describe(), "checkpoint": cfg.train.checkpoint, "settings": protocol }),
        backbone: lineage(task)?,
        data_hash: planned.contents.hash.clone(),
        losses,
        grad_norm,
        counts: counts(planned, evaluations.first().map(|(_, evaluation)| &evaluation.scores), detector.count()),
        timing: TimeSpent {
            wall_s: attempt.wall_s(),
            parts_s: BTreeMap::from([("train".to_owned(), train_s), ("eval".to_owned(), attempt.wall_s() - train_s)]),
            attempts: attempt.number(),
        },
    };
    progress.finish();
    Ok((summary, tensors::to_bytes(&detector.state())?))
}

/// Scores every test image and stores what the detector gives.
fn store_outputs(task: &Task, detector: &dyn Detector, test: &Source, stored: &OutputStore) -> Result<()> {
    score_all(detector, test, task.session.cfg().eval.batch, task.session.device, &mut |index, scored| {
        task.check_stop("scoring")?;
        stored.take(&test.items()[index].key, &scored.maps, scored.own)
    })
}

/// Evaluates each output from what is stored, the headline first.
fn evaluate(task: &Task, test: &Source, protocol: &Protocol, stored: &OutputStore) -> Result<Vec<(MapName, Evaluation)>> {
    let cfg = task.session.cfg();
    let one = |name: MapName| {
        let output_of = |index: usize| {
            task.check_stop("scoring")?;
            stored.read(name, &test.items()[index].key)
        };
        Ok((name, eval::evaluate(test, &cfg.eval, protocol, &output_of)?))
    };
    eval::names(&cfg.detector.outputs(cfg)).into_iter().map(one).collect()
}

/// `split/output/metric` of each output, and `split/metric` of the headline.
fn metrics(split: &str, evaluations: &[(MapName, Evaluation)]) -> BTreeMap<String, Option<f64>> {
    let mut metrics = BTreeMap::new();
    for (place, (output, evaluation)) in evaluations.iter().enumerate() {
        for (name, value) in evaluation.scores.metrics() {
            metrics.insert(format!("{split}/{output}/{name}"), value);
            if place == 0 {
                metrics.insert(format!("{split}/{name}"), value);
            }
        }
    }
    metrics
}

/// Images by split, regions, and the size of the network.
fn counts(planned: &Planned, scores: Option<&Scores>, Count { parameters, trained }: Count) -> BTreeMap<String, u64> {
    let of = |count: fn(&Scores) -> usize| scores.map_or(0, |scores| count(scores) as u64);
    BTreeMap::from([
        ("train_images".to_owned(), planned.category.train.len() as u64),
        ("test_images".to_owned(), of(|s| s.images)),
        ("test_anomalous".to_owned(), of(|s| s.anomalous_images)),
        ("regions".to_owned(), of(|s| s.regions)),
        ("parameters".to_owned(), parameters),
        ("trained_parameters".to_owned(), trained),
    ])
}

/// What a training came to.
#[derive(Default)]
struct Trained {
    /// Steps that were made; 0 where nothing was trained.
    steps: u64,
    /// Means of the last epoch.
    losses: BTreeMap<String, f64>,
    grad_norm: Option<f64>,
}

/// As events.jsonl has it: the last epoch may belong to an earlier attempt.
fn trained(attempt: &Attempt) -> Result<Trained> {
    let mut trained = Trained::default();
    for event in event::read(&attempt.folder().events_jsonl())? {
        match event {
            Event::Step { step, .. } => trained.steps = step,
            Event::Epoch { step, losses, stats, grad_norm, .. } => {
                let stats = stats.into_iter().filter(|(_, value)| value.is_finite());
                trained = Trained { steps: step, losses: losses.into_iter().chain(stats).collect(), grad_norm };
            }
            Event::Start { .. } | Event::Eval { .. } => {}
        }
    }
    Ok(trained)
}

/// Pixel AUROC of the headline map on the test set, or image AUROC of a detector without a map and of data without masks: for
/// `train.checkpoint = "best_test"` alone.
pub fn on_test(score: &Score, session: &Session, test: &Source) -> Result<Quality> {
    let cfg = session.cfg();
    let output_of = |index: usize| -> Result<Output> {
        let image = test.get(index)?;
        Ok(ImageScored::of(&score(&input::unit(&image.data, 1, test.size(), session.device)), 0).of_whole(test).headline())
    };
    let scores = eval::evaluate(test, &cfg.eval, &eval::protocol(cfg, None)?, &output_of)?.scores;
    let maps = !cfg.detector.outputs(cfg).maps.is_empty() && test.is_masked();
    Ok(if maps { ("pixel_auroc", scores.pixel_auroc) } else { ("image_auroc", scores.image_auroc) })
}

/// The word for a value of an enumeration, as configurations have it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).expect("it is written as a word")
}

/// Where the backbone or the teacher came from; empty for a detector that has none.
fn lineage(task: &Task) -> Result<Lineage> {
    let (cfg, weights) = (task.session.cfg(), task.session.weights.as_ref());
    if let Some(teacher) = cfg.teacher() {
        let weights_hash = task.session.weights_hash.clone();
        return Ok(Lineage { name: "teacher".into(), lineage: teacher, stride_in: String::new(), weights_hash });
    }
    if !cfg.has_backbone() {
        return Ok(Lineage::default());
    }
    let parts = Parts { cfg, seed: task.planned.id.seed, device: task.session.device, weights };
    Ok(Lineage {
        name: word(&cfg.model.backbone.name),
        lineage: weights.map_or_else(|| "none".into(), |file| file.meta.lineage.clone()),
        stride_in: detector::stride_in(&parts)?.into(),
        weights_hash: task.session.weights_hash.clone(),
    })
}
