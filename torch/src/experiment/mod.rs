//! `harness run`: from what was typed to finished runs on disk, one for each category and seed.

mod calibrate;
mod dry;
mod holdout;
mod quality;
mod recorder;
mod result;
mod run;
mod session;
mod task;

pub use session::{Planned, Session};

use harness::calibration::Calibration;
use harness::cli::{self, run::Args};
use harness::error::Kind;
use harness::run::{Stop, Summary};
use harness::ui::{Mode, Output, Progress, Verbosity};
use harness::{Error, Result, console, report, show, showln};
use std::collections::BTreeSet;
use task::Task;

/// Carries out `harness run`.
///
/// # Errors
/// Configuration, data and environment before anything starts. A run that fails does not keep the others from running:
/// its error is shown at once, and the whole ends with the exit code of the first of them. One that is asked to stop ends it.
pub fn run(args: &Args, verbosity: Verbosity) -> Result<()> {
    carry_out(args, verbosity).map(drop)
}

/// [`run`], and what was finished.
///
/// # Errors
/// Those of [`run`].
pub fn carry_out(args: &Args, verbosity: Verbosity) -> Result<Vec<Summary>> {
    let session = Session::prepare(args)?;
    let output = if args.json { Output::Json } else { Output::People };
    let mode = Mode::detect(verbosity, output);
    session.announcement().iter().for_each(|line| Progress::new(mode, "run", 0).message(line));
    let plan = session.plan()?;
    let mut said = BTreeSet::new();
    for warning in plan.iter().flat_map(|planned| &planned.warnings).filter(|warning| said.insert(warning.as_str())) {
        Progress::new(mode, "run", 0).message(&format!("warning: {warning}"));
    }
    if args.dry_run {
        return dry::print(&session, &plan, args.repeat(), output).map(|()| vec![]);
    }
    session.store.ensure_writable()?;
    let stop = Stop::install()?;
    if args.leash {
        leash(stop.clone());
    }
    let (mut done, mut failed, mut stopped): (Vec<Summary>, Vec<Error>, _) = (vec![], vec![], None);
    for planned in &plan {
        match run::run(&Task { session: &session, planned, mode, stop: &stop }, args) {
            Ok(summary) => done.push(summary),
            Err(e) if e.kind == Kind::Stopped => {
                stopped = Some(e);
                break;
            }
            Err(e) => {
                cli::complain(&format!("run {} failed: {e}", planned.id), output);
                failed.push(Error { what: planned.id.to_string(), ..e });
            }
        }
    }
    if args.json {
        console::raw(&(serde_json::to_string_pretty(&done).expect("summaries are plain data") + "\n"));
    } else if !done.is_empty() {
        show!("{}", report::runs::table(&done));
        for planned in plan.iter().filter(|p| done.iter().any(|summary| summary.id == p.id.to_string())) {
            let folder = session.store.folder(&planned.id);
            showln!("{}", folder.path().display());
            if let Some(calibration) = Calibration::read(&folder.calibration_json(), &planned.id.to_string())? {
                calibration.tell(session.cfg().calibrate.rate, None).iter().for_each(|line| showln!("  {line}"));
            }
        }
    }
    match (stopped, failed.first()) {
        (Some(stopped), _) => Err(stopped),
        (None, None) => Ok(done),
        (None, Some(first)) => Err(Error {
            kind: first.kind,
            what: format!(
                "{} of {} runs failed: {}",
                failed.len(),
                plan.len(),
                failed.iter().map(|e| e.what.as_str()).collect::<Vec<_>>().join(", ")
            ),
            remedy: "repeat the command once the cause is fixed: finished runs are kept".into(),
        }),
    }
}

/// Asks to stop once standard input ends.
fn leash(stop: Stop) {
    std::thread::spawn(move || {
        // Nothing is ever written to it: only its end says something, and an error is an end too.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        stop.request();
    });
}
