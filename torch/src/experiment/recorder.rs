//! Training as it lands on disk and on the screen: the sink that the loop talks to.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::data::{Shape, Source};
use harness::names::counted;
use harness::run::{Attempt, Event, Position as Saved, Timing};
use harness::ui::{Progress, StepInfo};
use harness::{Error, Result};
use serde_json::json;
use tch::Tensor;

use super::holdout::Holdout;
use super::quality::{Quality, Score};
use super::task::Task;
use crate::detector::FitEstimate;
use crate::tensors;
use crate::train::{Best, Due, Epoch, Position, Quantity, Sink, Snapshot, Step, Value};

/// Prefix of the best weights so far inside a checkpoint.
const BEST: &str = "best/";

/// Measures on the test set: only for `train.checkpoint = "best_test"`.
pub type OnTest<'a> = dyn Fn(&Score) -> Result<Quality> + 'a;

/// By what the best epoch is chosen.
pub enum Rule<'a> {
    Last,
    Pseudo(Holdout),
    /// Leaky, and named so wherever it shows.
    Test(Box<OnTest<'a>>),
}

pub struct Recorder<'a> {
    task: &'a Task<'a>,
    attempt: &'a mut Attempt,
    progress: Progress,
    /// Epochs as they are shown: none where the detector looks once.
    epochs: u64,
    rule: Rule<'a>,
    clock: Clock,
}

/// What only the wall clock knows.
struct Clock {
    saved: Instant,
    epoch: Instant,
}

impl<'a> Recorder<'a> {
    pub fn new(task: &'a Task<'a>, attempt: &'a mut Attempt, progress: Progress, epochs: u64, rule: Rule<'a>) -> Self {
        let clock = Clock { saved: Instant::now(), epoch: Instant::now() };
        Self { task, attempt, progress, epochs, rule, clock }
    }

    /// Says what begins, or in which epoch (from 1) it is taken up.
    pub fn announce(&mut self, source: &Source, estimate: FitEstimate, resumes: Option<usize>) {
        let (cfg, id) = (self.task.session.cfg(), &self.task.planned.id);
        for note in self.attempt.notes() {
            self.progress.message(&format!("note: {note}"));
        }
        self.progress.message(&match resumes {
            Some(epoch) => format!("{id} resumes in epoch {epoch} of {}", estimate.epochs),
            None => {
                format!("{id} starts: {}, {}", counted(source.len(), "image", "images"), counted(estimate.steps as usize, "step", "steps"))
            }
        });
        let shape = Shape::new(source.len(), &cfg.data, &cfg.train);
        if estimate.epochs > 0 && shape.is_short() {
            let (batch, items) = (cfg.train.batch, shape.items());
            self.progress.message(&format!(
                "train.batch is {batch}, an epoch has only {}: one smaller batch each",
                counted(items, "image", "images")
            ));
        }
    }

    /// Ends the progress.
    pub fn finish(self) {
        self.progress.finish();
    }
}

impl Sink for Recorder<'_> {
    fn step(&mut self, step: &Step) -> Result<()> {
        self.progress.step(&StepInfo {
            epoch: step.epoch as u64,
            epochs: self.epochs,
            step: step.step,
            losses: &shown(step.values),
            images: step.images as u64,
        });
        let (losses, stats, grad_norm) = sorted(step.values);
        self.attempt.event(&Event::Step { epoch: step.epoch as u64, step: step.step, losses, lr: step.lr, grad_norm, stats })
    }

    fn epoch(&mut self, epoch: &Epoch) -> Result<()> {
        let (losses, stats, grad_norm) = sorted(epoch.means);
        self.attempt.event(&Event::Epoch { epoch: epoch.epoch as u64, step: epoch.step, losses, grad_norm, stats })?;
        let (wall_s, images) = (self.clock.epoch.elapsed().as_secs_f64(), epoch.images as u64);
        let attempt = self.attempt.number();
        self.attempt.timing(&Timing::Epoch { attempt, epoch: epoch.epoch as u64, images, wall_s, images_per_s: images as f64 / wall_s })?;
        self.clock.epoch = Instant::now();
        Ok(())
    }

    fn due(&mut self) -> Due {
        if self.task.stop.requested() {
            Due::Stop
        } else if self.clock.saved.elapsed() >= Duration::from_secs_f64(self.task.session.cfg().train.checkpoint_every_s.min(1e9)) {
            Due::Checkpoint
        } else {
            Due::Nothing
        }
    }

    fn checkpoint(&mut self, snapshot: &Snapshot) -> Result<()> {
        let (at, bytes) = pack(snapshot)?;
        self.attempt.checkpoint(at, &bytes)?;
        self.clock.saved = Instant::now();
        Ok(())
    }

    fn note(&mut self, text: &str) -> Result<()> {
        self.progress.message(&format!("warning: {text}"));
        self.attempt.note(text)
    }

    fn quality(&mut self, epoch: u64, step: u64, score: &Score) -> Result<Option<f64>> {
        let (split, (name, quality)) = match &self.rule {
            Rule::Last => return Ok(None),
            Rule::Pseudo(holdout) => ("pseudo_val", holdout.quality(score, self.task.session.cfg(), self.task.session.device)?),
            Rule::Test(measure) => ("selected_on_test", measure(score)?),
        };
        self.attempt.event(&Event::Eval { epoch, step, metrics: BTreeMap::from([(format!("{split}/{name}"), quality)]) })?;
        Ok(quality)
    }
}

/// The losses and the gradient norm, as progress shows them.
fn shown(values: &[Value]) -> Vec<(&'static str, f64)> {
    values.iter().filter(|value| value.quantity != Quantity::Statistic).map(|value| (value.name, value.value)).collect()
}

/// Losses, statistics and the gradient norm of a step's or an epoch's values.
pub fn sorted(values: &[Value]) -> (BTreeMap<String, f64>, BTreeMap<String, f64>, Option<f64>) {
    let (mut losses, mut stats, mut grad_norm) = (BTreeMap::new(), BTreeMap::new(), None);
    for &Value { name, quantity, value } in values {
        match quantity {
            Quantity::GradientNorm => grad_norm = Some(value),
            Quantity::Statistic => drop(stats.insert(name.to_owned(), value)),
            Quantity::Loss => drop(losses.insert(name.to_owned(), value)),
        }
    }
    (losses, stats, grad_norm)
}

/// A snapshot as the store keeps it.
fn pack(snapshot: &Snapshot) -> Result<(Saved, Vec<u8>)> {
    let Snapshot { position, updates, tensors: named, best } = snapshot;
    let mut all: Vec<(String, Tensor)> = named.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect();
    if let Some(best) = best {
        all.extend(best.tensors.iter().map(|(n, t)| (format!("{BEST}{n}"), t.shallow_clone())));
    }
    let state = json!({ "sums": position.sums(), "updates": updates, "best_quality": best.as_ref().map(|b| b.quality) });
    let at = Saved { epoch: position.epoch as u64, step: position.step, batch: position.batch as u64, state, ..Saved::default() };
    Ok((at, tensors::to_bytes(&all)?))
}

/// What [`pack`] made, read back; `path` is named in errors.
pub fn unpack(at: &Saved, bytes: &[u8], path: &Path) -> Result<Snapshot> {
    let odd = || Error::environment(format!("{}: the checkpoint's state cannot be read", path.display()), harness::error::AGAIN);
    // null where a step's statistic had no value: JSON has no word for a number that is not finite.
    let sums: Vec<Option<f64>> = serde_json::from_value(at.state["sums"].clone()).map_err(|_| odd())?;
    let sums: Vec<f64> = sums.into_iter().map(|sum| sum.unwrap_or(f64::NAN)).collect();
    let updates = at.state["updates"].as_i64().ok_or_else(odd)?;
    let (best, named): (Vec<_>, Vec<_>) = tensors::from_bytes(bytes, path)?.into_iter().partition(|(name, _)| name.starts_with(BEST));
    let best = at.state["best_quality"]
        .as_f64()
        .map(|quality| Best { quality, tensors: best.into_iter().map(|(name, t)| (name[BEST.len()..].to_owned(), t)).collect() });
    Ok(Snapshot { position: Position::new(at.epoch as usize, at.batch as usize, at.step, &sums), updates, tensors: named, best })
}
