//! What happened in a run, in two files of JSON lines.
//!
//! `events.jsonl` holds [`Event`]s: only what the computation itself determines, so that a run that was interrupted and
//! resumed has the same bytes as one that was not. `timing.jsonl` holds [`Timing`]s: everything of clocks and attempts;
//! a resume never truncates it, so the work that was lost stays visible there (an epoch can stand in it twice).
//!
//! A number that is not finite is written as null and read as NaN.

use crate::Result;
use crate::file::{check_format, lines};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The format of events.jsonl, which its first line names.
pub const FORMAT: u32 = 1;

/// The splits that a run's metrics stand under: [`super::summary::split`] says which.
pub const SPLITS: [&str; 2] = ["test", "best_on_test"];

/// How a line begins of a kind of event that earlier versions knew, for remarks: nothing ever read it.
const NOTE: &[u8] = br#"{"event":"note","#;

/// One line of events.jsonl. Epochs and steps count from 0; `step` counts over the whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first line of the file.
    Start { format: u32, id: String },
    /// One optimisation step.
    Step {
        epoch: u64,
        step: u64,
        /// The loss and its parts by name.
        #[serde(deserialize_with = "nan_for_null")]
        losses: BTreeMap<String, f64>,
        /// Learning rate of this step.
        lr: f64,
        /// Norm of the whole gradient before clipping.
        grad_norm: Option<f64>,
        /// Further figures worth a curve, such as mean scores of normal and anomalous pixels.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "nan_for_null")]
        stats: BTreeMap<String, f64>,
    },
    /// The end of an epoch: means over its steps. `step` is the number of steps done so far.
    Epoch {
        epoch: u64,
        step: u64,
        #[serde(deserialize_with = "nan_for_null")]
        losses: BTreeMap<String, f64>,
        grad_norm: Option<f64>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "nan_for_null")]
        stats: BTreeMap<String, f64>,
    },
    /// Metrics after `step` steps, keyed `split/metric`; `None` where a metric has no value.
    Eval { epoch: u64, step: u64, metrics: BTreeMap<String, Option<f64>> },
}

impl Event {
    /// Its numbers by the names that other programs know them by: `loss/…`, `stats/…` and `optim/…` of a step, `epoch/…` of an epoch,
    /// metrics by their own. Metrics without a value are left out.
    pub fn numbers(&self) -> Vec<(String, f64)> {
        let under = |group: &str, numbers: &BTreeMap<String, f64>| -> Vec<(String, f64)> {
            numbers.iter().map(|(name, value)| (format!("{group}/{name}"), *value)).collect()
        };
        let norm = |name: &str, norm: &Option<f64>| norm.map(|norm| (name.to_owned(), norm)).into_iter().collect::<Vec<_>>();
        match self {
            Self::Start { .. } => vec![],
            Self::Step { losses, lr, grad_norm, stats, .. } => {
                let lr = vec![("optim/lr".to_owned(), *lr)];
                [under("loss", losses), under("stats", stats), lr, norm("optim/grad_norm", grad_norm)].concat()
            }
            Self::Epoch { losses, grad_norm, stats, .. } => {
                [under("epoch", losses), under("epoch", stats), norm("epoch/grad_norm", grad_norm)].concat()
            }
            Self::Eval { metrics, .. } => metrics.iter().filter_map(|(name, value)| Some((name.clone(), (*value)?))).collect(),
        }
    }

    /// The steps that were made when it happened; 0 at the start, and of the last evaluation in runs of earlier versions.
    pub fn step(&self) -> u64 {
        match self {
            Self::Start { .. } => 0,
            Self::Step { step, .. } | Self::Epoch { step, .. } | Self::Eval { step, .. } => *step,
        }
    }

    /// Whether this is the evaluation at a run's end, and none by which an epoch was chosen. Earlier versions gave it the step 0.
    pub fn concludes(&self) -> bool {
        let is_of_tests = |name: &String| SPLITS.iter().any(|split| name.strip_prefix(split).is_some_and(|rest| rest.starts_with('/')));
        matches!(self, Self::Eval { step, metrics, .. } if *step == 0 || metrics.keys().any(is_of_tests))
    }
}

/// One line of timing.jsonl.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "timing", rename_all = "snake_case")]
pub enum Timing {
    /// The run was started (attempt 1) or taken up again after `step` steps. `at` is UTC, RFC 3339.
    Attempt { attempt: u32, at: String, step: u64 },
    /// An epoch (or what was left of it) took `wall_s` for `images` images.
    Epoch { attempt: u32, epoch: u64, images: u64, wall_s: f64, images_per_s: f64 },
    /// Writing a checkpoint took `wall_s`.
    Checkpoint { attempt: u32, step: u64, wall_s: f64, size_bytes: u64 },
    /// The attempt came to an end; a killed one has no such line.
    End { attempt: u32, at: String, status: super::Outcome, wall_s: f64 },
}

/// The writer of events.jsonl; [`lines::Writer::flush`] tells the length that a checkpoint stores.
pub type Writer = lines::Writer<Event>;

/// The events of a run without a torn last line; none if the file is missing.
pub fn read(path: &Path) -> Result<Vec<Event>> {
    // The format first: a newer file may hold lines that only look damaged.
    if let Some(first) = first_line(path)? {
        check_format(path, first.get("format").and_then(serde_json::Value::as_u64), FORMAT)?;
    }
    lines::read_where(path, &|line| !line.starts_with(NOTE))
}

pub use crate::file::lines::truncate;

fn first_line(path: &Path) -> Result<Option<serde_json::Value>> {
    use std::io::BufRead;
    let Ok(file) = crate::file::open_regular(path) else { return Ok(None) };
    let mut first = Vec::new();
    std::io::BufReader::new(file).read_until(b'\n', &mut first).map_err(|e| crate::Error::io("read", path, &e))?;
    Ok(serde_json::from_slice(&first).ok())
}

/// Reads numbers by name with NaN where null stands.
pub(super) fn nan_for_null<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<BTreeMap<String, f64>, D::Error> {
    let numbers = BTreeMap::<String, Option<f64>>::deserialize(from)?;
    Ok(numbers.into_iter().map(|(name, number)| (name, number.unwrap_or(f64::NAN))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(loss: f64) -> Event {
        let losses = BTreeMap::from([("total".to_owned(), loss)]);
        Event::Step { epoch: 0, step: 3, losses, lr: 1e-3, grad_norm: Some(0.1 + 0.2), stats: BTreeMap::new() }
    }

    #[test]
    fn events_read_back_to_the_last_bit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let metrics = BTreeMap::from([("test/image_auroc".to_owned(), None), ("test/aupro@0.3".to_owned(), Some(2.0 / 3.0))]);
        let events = vec![
            Event::Start { format: FORMAT, id: "x/0123456789-s0".into() },
            step(1.0 / 3.0),
            Event::Eval { epoch: 0, step: 4, metrics },
        ];
        let mut writer = Writer::open(&path).unwrap();
        events.iter().for_each(|e| writer.append(e).unwrap());
        writer.flush().unwrap();
        assert_eq!(read(&path).unwrap(), events);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text.lines().nth(1).unwrap(),
            r#"{"event":"step","epoch":0,"step":3,"losses":{"total":0.3333333333333333},"lr":0.001,"grad_norm":0.30000000000000004}"#
        );
    }

    #[test]
    fn the_evaluation_at_a_runs_end_is_told_from_one_that_chose_an_epoch() {
        let eval = |step, name: &str| Event::Eval { epoch: 1, step, metrics: BTreeMap::from([(name.to_owned(), Some(0.5))]) };
        assert!(eval(12, "test/image_auroc").concludes() && eval(12, "best_on_test/S/image_auroc").concludes());
        assert!(eval(0, "test/image_auroc").concludes(), "as earlier versions wrote it");
        assert!(!eval(12, "pseudo_val/pixel_ap").concludes() && !eval(12, "selected_on_test/pixel_auroc").concludes());
        assert!(!step(0.5).concludes());
    }

    #[test]
    fn a_note_of_an_earlier_version_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let lines = [r#"{"event":"start","format":1,"id":"x"}"#, r#"{"event":"note","step":3,"text":"no defective images"}"#];
        let step = serde_json::to_string(&step(0.5)).unwrap();
        std::fs::write(&path, format!("{}\n{}\n{step}\n", lines[0], lines[1])).unwrap();
        let read = read(&path).unwrap();
        assert!(matches!(read.as_slice(), [Event::Start { .. }, Event::Step { .. }]), "{read:?}");
        std::fs::write(&path, format!("{}\n{{\"event\":\"nothing\"}}\n", lines[0])).unwrap();
        assert!(super::read(&path).unwrap_err().what.contains("line 2"), "an event that no version wrote is damage");
    }

    #[test]
    fn a_loss_that_diverged_is_read_as_nan() {
        let text = serde_json::to_string(&step(f64::INFINITY)).unwrap();
        let Event::Step { losses, .. } = serde_json::from_str(&text).unwrap() else { panic!() };
        assert!(losses["total"].is_nan());
    }

    #[test]
    fn events_of_a_newer_format_are_refused_by_their_first_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        std::fs::write(&path, "{\"event\":\"start\",\"format\":9,\"id\":\"x\"}\n{\"event\":\"dream\"}\n").unwrap();
        assert!(read(&path).unwrap_err().what.contains("has format 9"));
    }
}
