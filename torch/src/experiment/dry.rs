//! `harness run --dry-run`: what would be done, measured on a few real steps, nothing written.

use std::sync::Arc;
use std::time::Instant;

use harness::Result;
use harness::data::Source;
use harness::error::Kind;
use harness::report;
use harness::run::{Repeat, Status};
use harness::ui::text;

use super::session::{Planned, Session};
use super::{calibrate, holdout};
use crate::boundary;
use crate::detector::{self, FitEstimate, Parts};
use crate::train::{Due, Sink, Step};
use harness::showln;

/// Steps that are timed at least, where there are as many: behind the first that is reported, which warms up.
const TIMED: u64 = 2;

/// Prints a line a run and the sums.
pub fn print(session: &Session, plan: &[Planned], repeat: Repeat) -> Result<()> {
    let (mut seconds, mut size) = (None, 0u64);
    for planned in plan {
        let status = session.store.folder(&planned.id).status();
        if status == Status::Finished && repeat == Repeat::Reuse {
            showln!("{}  {}: finished, would be reused", planned.id, planned.category.name);
            continue;
        }
        let (step_s, estimate) = boundary::guard("the trial steps", "a smaller train.batch", || probe(session, planned))?;
        let FitEstimate { steps, kept_bytes, .. } = estimate;
        // A file of NumPy has a header of 128 bytes.
        let maps = planned.category.test.len() as u64 * (estimate.map_cells * 4 + 128);
        let figures = report::run::expected_bytes(&Source::of(planned.category.test.clone(), session.cfg(), 0), session.cfg())?;
        let all = kept_bytes + maps + figures;
        let run_s = step_s.map(|step_s| step_s * steps as f64);
        let meanwhile = match estimate.epochs {
            0 => String::new(),
            _ => format!(" (and {} while it runs)", text::bytes(2 * kept_bytes)),
        };
        let verb = match (repeat, status) {
            (Repeat::Force, Status::Fresh) | (Repeat::Reuse, Status::Fresh | Status::Finished) => "would start",
            (Repeat::Force, _) => "would start over; existing files would be removed",
            (Repeat::Reuse, Status::Running) => "is being run by another process",
            (Repeat::Reuse, Status::Stopped | Status::Failed) => "would resume",
        };
        showln!("{}  {}: {verb}, {steps} steps, {}, {} kept{meanwhile}", planned.id, planned.category.name, about(run_s), text::bytes(all),);
        seconds = seconds.into_iter().chain(run_s).reduce(|a: f64, b| a + b);
        size += all;
    }
    showln!("in all {} on this machine as it is now, {} of disk", about(seconds), text::bytes(size));
    Ok(())
}

fn about(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "too few steps to estimate".into(), |s| format!("about {} of fitting", text::duration(s)))
}

/// Seconds a step, `None` where there are too few, and what fitting will take. What follows the last step (factors, a coreset)
/// is not timed.
fn probe(session: &Session, planned: &Planned) -> Result<(Option<f64>, FitEstimate)> {
    let (cfg, seed) = (session.cfg(), planned.id.seed);
    let mut detector = detector::build(&Parts { cfg, seed, device: session.device, weights: session.weights.as_ref() })?;
    let (train, _) = holdout::images(cfg, calibrate::fit(cfg, &planned.category.train, seed)?, seed)?;
    let estimate = detector.estimate(train.len());
    let source = Arc::new(Source::of(train, cfg, cfg.data.cache_mb));
    let mut stopwatch = Stopwatch::default();
    match detector.fit(source, None, &mut stopwatch) {
        Err(e) if e.kind != Kind::Stopped => Err(e),
        _ => Ok((stopwatch.step_s(), estimate)),
    }
}

/// Notes when the first step and the latest were reported, and stops once there are enough between them. A GPU's steps are
/// reported by tens.
#[derive(Default)]
struct Stopwatch {
    first: Option<(u64, Instant)>,
    latest: Option<(u64, Instant)>,
}

impl Stopwatch {
    /// Seconds a step; `None` where fewer than two were reported.
    fn step_s(&self) -> Option<f64> {
        let ((first, began), (latest, ended)) = self.first.zip(self.latest)?;
        (latest > first).then(|| (ended - began).as_secs_f64() / (latest - first) as f64)
    }
}

impl Sink for Stopwatch {
    fn step(&mut self, step: &Step) -> Result<()> {
        let now = (step.step, Instant::now());
        self.first.get_or_insert(now);
        self.latest = Some(now);
        Ok(())
    }

    fn due(&mut self) -> Due {
        let timed = self.first.zip(self.latest).map_or(0, |((first, _), (latest, _))| latest - first);
        if timed >= TIMED { Due::Stop } else { Due::Nothing }
    }
}
