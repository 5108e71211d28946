//! The numbers of a run with their steps: losses of each step, means of each epoch, metrics.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Result;
use crate::file::lines;
use crate::run::{Event, Folder, Summary, Timing, event};

/// One number of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// As we call it; the server may want it called otherwise.
    pub name: String,
    /// NaN for one that is not finite: events.jsonl keeps no more of it.
    pub value: f64,
    pub step: u64,
    /// In milliseconds since 1970. Not when it was measured, but the same at every export.
    pub at_ms: i64,
}

/// Those of the run in `folder`, which began at `began_ms`, in the order of its events; the metrics of `summary` last, at the last step.
/// A point's time is the run's start and a millisecond for each step.
///
/// # Errors
/// Events that cannot be read.
pub fn of(folder: &Folder, began_ms: i64, summary: Option<&Summary>) -> Result<Vec<Point>> {
    let (timings, _) = lines::read_sound::<Timing>(&folder.timing_jsonl())?;
    let speed = |timing: &Timing| if let Timing::Epoch { epoch, images_per_s, .. } = timing { Some((*epoch, *images_per_s)) } else { None };
    let speeds: BTreeMap<u64, f64> = timings.iter().filter_map(speed).collect();
    let (mut points, mut last) = (vec![], 0);
    for event in event::read(&folder.events_jsonl())? {
        let (step, mut values) = values(&event);
        last = last.max(step);
        if let Event::Epoch { epoch, .. } = &event {
            values.extend(speeds.get(epoch).map(|speed| ("epoch/images_per_s".to_owned(), *speed)));
        }
        points.extend(values.into_iter().map(|(name, value)| Point { name, value, step, at_ms: at(began_ms, step) }));
    }
    let metrics = summary.into_iter().flat_map(|summary| &summary.metrics);
    let metrics = metrics.filter_map(|(name, value)| Some((name.clone(), (*value)?)));
    points.extend(metrics.map(|(name, value)| Point { name, value, step: last, at_ms: at(began_ms, last) }));
    Ok(points)
}

fn at(began_ms: i64, step: u64) -> i64 {
    began_ms.saturating_add(i64::try_from(step).unwrap_or(i64::MAX))
}

/// The step and the numbers of an event.
fn values(event: &Event) -> (u64, Vec<(String, f64)>) {
    let named = |group: &'static str, numbers: &BTreeMap<String, f64>| -> Vec<(String, f64)> {
        numbers.iter().map(|(name, value)| (format!("{group}/{name}"), *value)).collect()
    };
    let norm = |name: &str, norm: &Option<f64>| norm.map(|norm| (name.to_owned(), norm)).into_iter().collect::<Vec<_>>();
    match event {
        Event::Start { .. } => (0, vec![]),
        Event::Step { step, losses, lr, grad_norm, stats, .. } => {
            let lr = vec![("optim/lr".to_owned(), *lr)];
            (*step, [named("loss", losses), named("stats", stats), lr, norm("optim/grad_norm", grad_norm)].concat())
        }
        Event::Epoch { step, losses, grad_norm, stats, .. } => {
            (*step, [named("epoch", losses), named("epoch", stats), norm("epoch/grad_norm", grad_norm)].concat())
        }
        // The evaluation of the whole run is told by its summary: until that is there, it is not over.
        event if event.concludes() => (0, vec![]),
        Event::Eval { step, metrics, .. } => (*step, metrics.iter().filter_map(|(name, value)| Some((name.clone(), (*value)?))).collect()),
    }
}
