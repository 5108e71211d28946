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
        // The evaluation of the whole run is told by its summary: until that is there, it is not over.
        if event.concludes() {
            continue;
        }
        let (step, mut values) = (event.step(), event.numbers());
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
