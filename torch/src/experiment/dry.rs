//! `harness run --dry-run`: what would be done, measured on a few real steps, nothing written.

use std::sync::Arc;
use std::time::Instant;

use harness::data::Source;
use harness::run::{Repeat, Status};
use harness::ui::text;
use harness::{Error, Result};

use super::{Planned, Setting};
use crate::boundary;
use crate::detector::{self, Outlook, Parts};
use crate::input::Normalization;
use crate::model::Network;
use crate::train::{Due, Epoch, Sink, Snapshot, Step};

/// Steps that are timed, after one that warms up.
const TIMED: u64 = 2;

/// Prints a line a run and the sums.
pub fn report(setting: &Setting, plan: &[Planned], repeat: Repeat) -> Result<()> {
    let (mut seconds, mut size) = (0.0, 0u64);
    for planned in plan {
        let status = setting.store.folder(&planned.id).status();
        if status == Status::Finished && repeat == Repeat::Reuse {
            println!("{}  {}: finished, would be reused", planned.id, planned.category.name);
            continue;
        }
        let (step_s, outlook) = boundary::guard("the trial steps", "a smaller train.batch", || probe(setting, planned))?;
        let Outlook { steps, kept_bytes, .. } = outlook;
        let maps = planned.category.test.len() as u64 * outlook.map_cells * 4;
        let run_s = step_s * steps as f64;
        let meanwhile = match outlook.epochs {
            0 => String::new(),
            _ => format!(" (and {} while it runs)", text::bytes(2 * kept_bytes)),
        };
        let verb = match (repeat, status) {
            (Repeat::Force, Status::Fresh) | (Repeat::Reuse, Status::Fresh | Status::Finished) => "would start",
            (Repeat::Force, _) => "would start anew, what is there removed",
            (Repeat::Reuse, Status::Running) => "is being run by another process",
            (Repeat::Reuse, Status::Interrupted | Status::Failed) => "would resume",
        };
        println!(
            "{}  {}: {verb}, {steps} steps, about {} of fitting, {} kept{meanwhile}",
            planned.id,
            planned.category.name,
            text::duration(run_s),
            text::bytes(kept_bytes + maps),
        );
        seconds += run_s;
        size += kept_bytes + maps;
    }
    println!("in all about {} of fitting on this machine as it is now, {} of disk", text::duration(seconds), text::bytes(size));
    Ok(())
}

/// Seconds a step, and what fitting will take. What follows the last step (factors, a coreset) is not timed.
fn probe(setting: &Setting, planned: &Planned) -> Result<(f64, Outlook)> {
    let cfg = setting.cfg();
    let mut detector = detector::build(&Parts { cfg, seed: planned.id.seed, device: setting.device, weights: setting.weights.as_ref() })?;
    let outlook = detector.outlook(planned.category.train.len());
    if outlook.steps == 0 {
        return Ok((0.0, outlook));
    }
    let source = Arc::new(Source::new(planned.category.train.clone(), cfg.data.size, cfg.data.resize, cfg.data.cache_mb));
    let mut stopwatch = Stopwatch { begin: None, end: None };
    match detector.fit(source, None, &mut stopwatch) {
        Err(e) if e.kind != harness::error::Kind::Stopped => return Err(e),
        _ => {}
    }
    let seconds = stopwatch.begin.zip(stopwatch.end).map(|(b, e)| (e - b).as_secs_f64() / TIMED as f64);
    Ok((seconds.ok_or_else(|| Error::run("the trial steps did not come to an end", ""))?, outlook))
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
