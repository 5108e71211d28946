//! `harness run --dry-run`: what would be done, measured on a few real steps, nothing written.

use std::sync::Arc;
use std::time::Instant;

use harness::Result;
use harness::data::Source;
use harness::error::Kind;
use harness::report;
use harness::run::{Repeat, Status};
use harness::ui::{Output, text};
use harness::{console, showln};
use serde_json::json;

use super::session::{Planned, Session};
use super::{calibrate, holdout};
use crate::boundary;
use crate::detector::{self, FitEstimate, Parts};
use crate::train::{Due, Sink, Step};

/// Steps that are timed at least, where there are as many: behind the first that is reported, which warms up.
const TIMED: u64 = 2;

/// What one run would take.
struct Estimate {
    /// Seconds of fitting; none where there are too few steps to tell.
    fit_s: Option<f64>,
    /// Steps, or looks at an image.
    steps: u64,
    kept_bytes: u64,
    /// While it runs, beyond that.
    meanwhile_bytes: u64,
}

/// Prints a line a run and the sums; for programs an array with an object a run.
pub fn print(session: &Session, plan: &[Planned], repeat: Repeat, output: Output) -> Result<()> {
    let (mut seconds, mut size, mut found) = (None, 0u64, vec![]);
    for planned in plan {
        let status = session.store.folder(&planned.id).status();
        if status == Status::Finished && repeat == Repeat::Reuse {
            if output == Output::People {
                showln!("{}  {}: finished, would be reused", planned.id, planned.category.name);
            }
            continue;
        }
        let estimate = boundary::guard("the trial steps", "a smaller train.batch", || estimate(session, planned))?;
        let Estimate { fit_s, steps, kept_bytes, .. } = estimate;
        match output {
            Output::People => show(planned, &estimate, repeat, status),
            Output::Json => found.push(json!({
                "id": planned.id, "category": planned.category.name, "steps": steps, "fit_s": fit_s, "kept_bytes": kept_bytes,
            })),
        }
        seconds = seconds.into_iter().chain(fit_s).reduce(|a: f64, b| a + b);
        size += kept_bytes;
    }
    match output {
        Output::People => showln!("in all {} on this machine as it is now, {} of disk", about(seconds), text::bytes(size)),
        Output::Json => console::raw(&(serde_json::to_string_pretty(&found).expect("estimates are plain data") + "\n")),
    }
    Ok(())
}

/// One run in a line.
fn show(planned: &Planned, estimate: &Estimate, repeat: Repeat, status: Status) {
    let Estimate { fit_s, steps, kept_bytes, meanwhile_bytes } = *estimate;
    let meanwhile = match meanwhile_bytes {
        0 => String::new(),
        bytes => format!(" (and {} while it runs)", text::bytes(bytes)),
    };
    let verb = match (repeat, status) {
        (Repeat::Force, Status::Fresh) | (Repeat::Reuse, Status::Fresh | Status::Finished) => "would start",
        (Repeat::Force, _) => "would start over; existing files would be removed",
        (Repeat::Reuse, Status::Running) => "is being run by another process",
        (Repeat::Reuse, Status::Stopped | Status::Failed) => "would resume",
    };
    let (fit, kept) = (about(fit_s), text::bytes(kept_bytes));
    showln!("{}  {}: {verb}, {steps} steps, {fit}, {kept} kept{meanwhile}", planned.id, planned.category.name);
}

/// What a run would take, by a few of its steps.
fn estimate(session: &Session, planned: &Planned) -> Result<Estimate> {
    let (step_s, FitEstimate { steps, epochs, kept_bytes, map_cells, .. }) = probe(session, planned)?;
    // A file of NumPy has a header of 128 bytes.
    let maps = planned.category.test.len() as u64 * (map_cells * 4 + 128);
    let figures = report::run::expected_bytes(&Source::of(planned.category.test.clone(), session.cfg(), 0), session.cfg())?;
    Ok(Estimate {
        fit_s: step_s.map(|step_s| step_s * steps as f64),
        steps,
        kept_bytes: kept_bytes + maps + figures,
        meanwhile_bytes: if epochs == 0 { 0 } else { 2 * kept_bytes },
    })
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
    let source = Arc::new(Source::of(train, cfg, cfg.data.cache_mb).beside(session.textures.clone()));
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
