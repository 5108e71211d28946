//! The end of a run: score maps of the test set on disk, metrics from them, figures, the summary.

use std::collections::BTreeMap;

use harness::data::Source;
use harness::eval::{self, Evaluation, MapKind, MapStore};
use harness::image::Map;
use harness::report;
use harness::run::{Attempt, Event, Lineage, Stop, Summary, TimeSpent, event, summary};
use harness::ui::{Mode, Progress};
use harness::{Error, Result};

use super::{Planned, Setting};
use crate::detector::{self, Count, Detector, Parts, mlff};
use crate::eval::{of_kind, score_all, to_map};
use crate::input::{self, Normalization};
use crate::model::Network;
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
    let root = attempt.folder().maps();
    let mut kinds = vec![];
    let go_on = || if stop.requested() { Err(Error::stopped("stopped while scoring")) } else { Ok(()) };
    score_all(detector, test, cfg.eval.batch, setting.device, &mut |index, maps| {
        go_on()?;
        kinds = maps.iter().map(|(kind, _)| *kind).collect();
        maps.iter().try_for_each(|(kind, map)| store(&root, *kind).write(category, &test.items()[index].key, map))
    })?;
    let protocol = eval::protocol(cfg, None)?;
    let read = |kind: MapKind, index: usize| -> Result<Map> {
        go_on()?;
        store(&root, kind).read(category, &test.items()[index].key)
    };
    let evaluations = kinds
        .iter()
        .map(|&kind| Ok((kind, eval::evaluate(test, &cfg.eval, &protocol, &|i| read(kind, i))?)))
        .collect::<Result<Vec<(MapKind, Evaluation)>>>()?;

    let split = summary::split(cfg.train.checkpoint);
    let headline = detector.headline();
    let mut metrics = BTreeMap::new();
    for (kind, evaluation) in &evaluations {
        for (name, value) in evaluation.scores.metrics() {
            metrics.insert(format!("{split}/{kind}/{name}"), value);
            if *kind == headline {
                metrics.insert(format!("{split}/{name}"), value);
            }
        }
    }
    attempt.event(&Event::Eval { epoch: detector.outlook(planned.category.train.len()).epochs, step: 0, metrics: metrics.clone() })?;
    report::run::write(attempt.folder(), test, &cfg.eval, &evaluations, headline, &read)?;

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
        detector: word(&cfg.detector),
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

/// Pixel AUROC of the headline map on the test set: for `train.checkpoint = "best_test"` alone.
pub fn on_test(network: &Network, normalization: &Normalization, setting: &Setting, test: &Source) -> Result<Option<f64>> {
    let cfg = setting.cfg();
    let headline = mlff::headline(cfg);
    let map_of = |index: usize| -> Result<Map> {
        let image = test.get(index)?;
        let maps = tch::no_grad(|| mlff::score(network, normalization, cfg, &input::unit(&image.data, 1, test.size(), setting.device)));
        Ok(to_map(&of_kind(&maps, headline).get(0)))
    };
    Ok(eval::evaluate(test, &cfg.eval, &eval::protocol(cfg, None)?, &map_of)?.scores.pixel_auroc)
}

fn store(root: &std::path::Path, kind: MapKind) -> MapStore {
    MapStore::at(&root.join(kind.to_string()))
}

/// The word for a value of an enumeration, as configurations have it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).expect("it is written as a word")
}

fn lineage(setting: &Setting, planned: &Planned) -> Result<Lineage> {
    let (cfg, weights) = (setting.cfg(), setting.weights.as_ref());
    let parts = Parts { cfg, seed: planned.id.seed, device: setting.device, weights };
    Ok(Lineage {
        name: word(&cfg.model.backbone.name),
        lineage: weights.map_or_else(|| "none".into(), |file| file.meta.lineage.clone()),
        stride_in: detector::stride_in(&parts)?.into(),
        weights_hash: weights.map(|file| file.content_hash().to_owned()),
    })
}
