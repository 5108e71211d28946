//! The end of a run: score maps of the test set on disk, metrics from them, figures, the summary.

use std::collections::BTreeMap;

use harness::data::Source;
use harness::eval::{self, Evaluation, MapName, Output, OutputStore};
use harness::report;
use harness::run::{Attempt, Event, Lineage, Stop, Summary, TimeSpent, event, summary};
use harness::ui::{Mode, Progress};
use harness::{Error, Result};

use super::recorder::{Quality, Score};
use super::{Planned, Setting};
use crate::detector::{self, Count, Detector, Parts};
use crate::eval::{ImageScored, score_all};
use crate::input;
use crate::tensors;

/// Scores the test set, writes maps and figures, and gives the summary and the bytes of the weights to keep.
///
/// # Errors
/// `Kind::Stopped` once `stop` is requested: what was trained is in the last checkpoint, scoring begins again.
pub fn conclude(
    setting: &Setting,
    planned: &Planned,
    attempt: &mut Attempt,
    detector: &dyn Detector,
    test: &Source,
    mode: Mode,
    stop: &Stop,
) -> Result<(Summary, Vec<u8>)> {
    let cfg = setting.cfg();
    let category = &planned.category.name;
    let train_s = attempt.wall_s();
    let mut progress = Progress::new(mode, "score", test.len() as u64);
    progress.message(&format!("scoring {} test images", test.len()));
    let outputs = cfg.detector.outputs(cfg);
    let stored = OutputStore::of(&attempt.folder().maps(), category, &outputs);
    let check_stop = || if stop.requested() { Err(Error::stopped("stopped while scoring")) } else { Ok(()) };
    score_all(detector, test, cfg.eval.batch, setting.device, &mut |index, scored| {
        check_stop()?;
        let key = &test.items()[index].key;
        outputs.maps.iter().zip(&scored.maps).try_for_each(|(name, map)| stored.write(name, key, map))?;
        scored.own.map_or(Ok(()), |score| stored.write_score(key, score))
    })?;
    let protocol = eval::protocol(cfg, None)?;
    let read = |name: MapName, index: usize| -> Result<Output> {
        check_stop()?;
        stored.read(name, &test.items()[index].key)
    };
    let evaluations = eval::names(&outputs)
        .into_iter()
        .map(|name| Ok((name, eval::evaluate(test, &cfg.eval, &protocol, &|i| read(name, i))?)))
        .collect::<Result<Vec<(MapName, Evaluation)>>>()?;

    let split = summary::split(cfg.train.checkpoint);
    let (headline, _) = evaluations[0];
    let mut metrics = BTreeMap::new();
    for (map, evaluation) in &evaluations {
        for (name, value) in evaluation.scores.metrics() {
            metrics.insert(format!("{split}/{map}/{name}"), value);
            if *map == headline {
                metrics.insert(format!("{split}/{name}"), value);
            }
        }
    }
    attempt.event(&Event::Eval { epoch: detector.estimate(planned.category.train.len()).epochs, step: 0, metrics: metrics.clone() })?;
    report::run::write(attempt.folder(), test, &cfg.eval, &evaluations, &|name, i| stored.map(name, &test.items()[i].key))?;

    let (losses, grad_norm) = last_epoch(attempt)?;
    let Count { parameters, trained } = detector.count();
    let scores = &evaluations[0].1.scores;
    let counts = BTreeMap::from([
        ("train_images".to_owned(), planned.category.train.len() as u64),
        ("test_images".to_owned(), scores.images as u64),
        ("test_anomalous".to_owned(), scores.anomalous_images as u64),
        ("regions".to_owned(), scores.regions as u64),
        ("parameters".to_owned(), parameters),
        ("trained_parameters".to_owned(), trained),
    ]);
    let summary = Summary {
        format: summary::FORMAT,
        id: planned.id.to_string(),
        category: category.clone(),
        seed: planned.id.seed,
        detector: cfg.detector.name().into(),
        headline: headline.to_string(),
        metrics,
        protocol: serde_json::json!({
            "text": protocol.describe(),
            "checkpoint": cfg.train.checkpoint,
            "settings": protocol,
        }),
        backbone: lineage(setting, planned)?,
        data_hash: planned.data_hash.clone(),
        losses,
        grad_norm,
        counts,
        timing: TimeSpent {
            wall_s: attempt.wall_s(),
            parts_s: BTreeMap::from([("train".to_owned(), train_s), ("eval".to_owned(), attempt.wall_s() - train_s)]),
            attempts: attempt.number(),
        },
    };
    progress.finish();
    Ok((summary, tensors::to_bytes(&detector.state())?))
}

/// Means and gradient norm of the last epoch, as events.jsonl has them: the epoch may belong to an earlier attempt.
fn last_epoch(attempt: &Attempt) -> Result<(BTreeMap<String, f64>, Option<f64>)> {
    let events = event::read(&attempt.folder().events_jsonl())?;
    let last = events.into_iter().rev().find_map(|event| match event {
        Event::Epoch { losses, stats, grad_norm, .. } => Some((losses.into_iter().chain(stats).collect(), grad_norm)),
        _ => None,
    });
    Ok(last.unwrap_or_default())
}

/// Pixel AUROC of the headline map on the test set, or image AUROC of a detector without a map: for
/// `train.checkpoint = "best_test"` alone.
pub fn on_test(score: &Score, setting: &Setting, test: &Source) -> Result<Quality> {
    let cfg = setting.cfg();
    let output_of = |index: usize| -> Result<Output> {
        let image = test.get(index)?;
        Ok(ImageScored::of(&score(&input::unit(&image.data, 1, test.size(), setting.device)), 0).headline())
    };
    let scores = eval::evaluate(test, &cfg.eval, &eval::protocol(cfg, None)?, &output_of)?.scores;
    let maps = !cfg.detector.outputs(cfg).maps.is_empty();
    Ok(if maps { ("pixel_auroc", scores.pixel_auroc) } else { ("image_auroc", scores.image_auroc) })
}

/// The word for a value of an enumeration, as configurations have it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).expect("it is written as a word")
}

/// Where the backbone came from; empty for a detector that has none.
fn lineage(setting: &Setting, planned: &Planned) -> Result<Lineage> {
    let (cfg, weights) = (setting.cfg(), setting.weights.as_ref());
    if !cfg.detector.reads("model.backbone.name") {
        return Ok(Lineage::default());
    }
    let parts = Parts { cfg, seed: planned.id.seed, device: setting.device, weights };
    Ok(Lineage {
        name: word(&cfg.model.backbone.name),
        lineage: weights.map_or_else(|| "none".into(), |file| file.meta.lineage.clone()),
        stride_in: detector::stride_in(&parts)?.into(),
        weights_hash: weights.map(|file| file.content_hash().to_owned()),
    })
}
