//! `harness run --dry-run`: what would be done, measured on a few real steps, nothing written.

use std::sync::Arc;
use std::time::Instant;

use harness::config::Config;
use harness::data::{Shape, Source};
use harness::run::Status;
use harness::ui::text;
use harness::{Error, Result};

use super::{Planned, Setting};
use crate::boundary;
use crate::detector::{self, Parts};
use crate::input::Normalization;
use crate::model::Network;
use crate::tensors;
use crate::train::{Due, Epoch, Sink, Snapshot, Step};

/// Steps that are timed, after one that warms up.
const TIMED: u64 = 2;

/// Prints a line a run and the sums.
pub fn report(setting: &Setting, plan: &[Planned]) -> Result<()> {
    let cfg = setting.cfg();
    let (mut seconds, mut size) = (0.0, 0u64);
    for planned in plan {
        let status = setting.store.folder(&planned.id).status();
        if status == Status::Finished {
            println!("{}  {}: finished, would be reused", planned.id, planned.category.name);
            continue;
        }
        let shape = Shape::new(planned.category.train.len(), &cfg.data, &cfg.train);
        let steps = shape.batches() * cfg.train.epochs;
        let (step_s, weights) = boundary::guard("the trial steps", "a smaller train.batch", || probe(setting, planned))?;
        let cells = (cfg.data.size / cfg.model.fusion.stride).pow(2);
        let maps = planned.category.test.len() * cells * 4 * 2;
        let run_s = step_s * steps as f64;
        let verb = if status == Status::Interrupted || status == Status::Failed { "would resume" } else { "would start" };
        println!(
            "{}  {}: {verb}, {steps} steps, about {} of training, {} kept (and {} while it runs)",
            planned.id,
            planned.category.name,
            text::duration(run_s),
            text::bytes((weights + maps) as u64),
            text::bytes(2 * weights as u64),
        );
        seconds += run_s;
        size += (weights + maps) as u64;
    }
    println!("in all about {} of training on this machine as it is now, {} of disk", text::duration(seconds), text::bytes(size));
    Ok(())
}

/// Seconds a step, and the bytes of the weights that a finished run keeps.
fn probe(setting: &Setting, planned: &Planned) -> Result<(f64, usize)> {
    let cfg = setting.cfg();
    let mut detector = detector::build(&Parts { cfg, seed: planned.id.seed, device: setting.device, weights: setting.weights.as_ref() })?;
    let bytes = tensors::to_bytes(&detector.state()).map_or(0, |b| b.len());
    let trial =
        Config { train: harness::config::Train { epochs: cfg.train.epochs.min(1 + TIMED as usize), ..cfg.train.clone() }, ..cfg.clone() };
    if trial.train.epochs == 0 {
        return Ok((0.0, bytes));
    }
    let source = Arc::new(Source::new(planned.category.train.clone(), cfg.data.size, cfg.data.resize, cfg.data.cache_mb));
    let mut stopwatch = Stopwatch { begin: None, end: None };
    match detector.fit(source, None, &mut stopwatch) {
        Err(e) if e.kind != harness::error::Kind::Stopped => return Err(e),
        _ => {}
    }
    let seconds = stopwatch.begin.zip(stopwatch.end).map(|(b, e)| (e - b).as_secs_f64() / TIMED as f64);
    Ok((seconds.ok_or_else(|| Error::run("the trial steps did not come to an end", ""))?, bytes))
}

/// Times the steps behind the first and stops.
struct Stopwatch {
    begin: Option<Instant>,
    end: Option<Instant>,
}

impl Sink for Stopwatch {
    fn step(&mut self, step: &Step) -> Result<()> {
        match step.step {
            1 => self.begin = Some(Instant::now()),
            n if n > TIMED => self.end = Some(Instant::now()),
            _ => {}
        }
        Ok(())
    }

    fn epoch(&mut self, _: &Epoch) -> Result<()> {
        Ok(())
    }

    fn due(&mut self) -> Due {
        if self.end.is_some() { Due::Stop } else { Due::Nothing }
    }

    fn checkpoint(&mut self, _: &Snapshot) -> Result<()> {
        Ok(())
    }

    fn quality(&mut self, _: u64, _: u64, _: &Network, _: &Normalization) -> Result<Option<f64>> {
        Ok(None)
    }
}
