//! `harness sweep`: many runs from one file, carried out, compared and drawn.

use std::path::PathBuf;

use super::complete;
use super::purpose;
use super::submit;
use crate::config::Profile;
use crate::names::counted;
use crate::place::in_project;
use crate::report::study::{Extent, Form, Format, Incomplete, Report, View};
use crate::sweep::conduct::Planned;
use crate::sweep::decide::Failed;
use crate::sweep::execute::Tally;
use crate::sweep::pilot;
use crate::sweep::request::{Request, reporting, shell};
use crate::sweep::share::{Others, Share};
use crate::sweep::{Outcome, Study};
use crate::ui::{Mode, Output, Verbosity};
use crate::{Error, Result, console, sayln, show, showln};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A sweep file (TOML)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Overrides for every run
    #[arg(value_name = "KEY=VALUE", add = complete::words())]
    pub overrides: Vec<String>,
    /// Defaults below the files: cpu (small) or paper; by default what the file names, else cpu
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// Folder of the sweep below the results; by default the file's name, with profile and data where they are not the usual ones
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    pub results: PathBuf,
    /// Where figures go, below the sweep's name
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("plots"))]
    pub plots: PathBuf,
    /// Say what would start, resume, be reused or given up, and how long it may take, and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Runs at once; by default the machine's cores divided by run.threads, or one for each device
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Devices to share among the runs, such as cuda:0,cuda:1
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub devices: Vec<String>,
    /// Only these rows: a number from 1, a name, its beginning, or a pattern such as '*lr=0.1*'; may be given several times
    #[arg(long, value_name = "ROW", add = complete::rows())]
    pub only: Vec<String>,
    /// Retry runs that failed in an earlier command
    #[arg(long)]
    pub retry: bool,
    /// Retry a run that fails now at once, up to this many times
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub retries: u32,
    /// Stop everything at the first failure
    #[arg(long, conflicts_with = "max_failures")]
    pub fail_fast: bool,
    /// Stop everything after this many failures
    #[arg(long, value_name = "N")]
    pub max_failures: Option<usize>,
    /// The K-th of N that carry out this sweep: begins with another run than the others, and goes on to what they leave
    #[arg(long, value_name = "K/N")]
    pub worker: Option<Share>,
    /// End once nothing is free, instead of waiting for runs that others are at; `harness report` then makes the tables
    #[arg(long)]
    pub no_wait: bool,
    /// With --slurm: how many workers, by default one for each run to do, up to 8
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Give the sweep to Slurm and leave: an array of workers, and a job for the tables. Everything after it goes to sbatch
    #[arg(long, value_name = "SBATCH OPTION", num_args = 0.., allow_hyphen_values = true, conflicts_with_all = ["dry_run", "devices", "worker", "slurm_script"])]
    pub slurm: Option<Vec<String>>,
    /// Print the worker's script instead, for a site that needs changes to it
    #[arg(long, value_name = "SBATCH OPTION", num_args = 0.., allow_hyphen_values = true, conflicts_with_all = ["dry_run", "devices", "worker"])]
    pub slurm_script: Option<Vec<String>>,
    /// Progress as JSON lines on stderr, the tables' numbers as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

impl Args {
    fn request(&self) -> Request {
        Request {
            file: self.file.clone(),
            overrides: self.overrides.clone(),
            profile: self.profile,
            name: self.name.clone(),
            results: self.results.clone(),
            plots: self.plots.clone(),
            jobs: self.jobs,
            devices: self.devices.clone(),
            only: self.only.clone(),
            failed: if self.retry { Failed::Retry } else { Failed::Leave },
            retries: self.retries,
            max_failures: if self.fail_fast { 1 } else { self.max_failures.unwrap_or(usize::MAX) },
            share: self.worker.unwrap_or(Share::WHOLE),
            others: if self.no_wait { Others::Leave } else { Others::Await },
        }
    }
}

/// Carries out `harness sweep`.
///
/// # Errors
/// Sweep file, data and environment before anything starts; exit code 1 where runs failed, 75 where it was stopped.
pub fn run(args: &Args, verbosity: Verbosity) -> Result<()> {
    purpose::check_sweep(&args.file)?;
    let request = args.request();
    let sweep = Planned::new(&request)?;
    if let Some(options) = &args.slurm_script {
        return submit::script(&sweep, &request, args.workers, options);
    }
    if !args.dry_run {
        sweep.check_store()?;
    }
    if let Some(options) = &args.slurm {
        return submit::submit(&sweep, &request, args.workers, options);
    }
    let mut progress = sweep.announce(Mode::detect(verbosity, if args.json { Output::Json } else { Output::People }))?;
    if args.dry_run {
        let would = sweep.dry_run(&request, &mut progress);
        progress.close();
        let would = would?;
        let power = pilot::power(&sweep.plan, &sweep.store())?;
        if args.json {
            let mut all = would.json();
            all["power"] = serde_json::to_value(&power).expect("numbers are plain data");
            console::raw(&(serde_json::to_string_pretty(&all).expect("a plan is plain data") + "\n"));
        } else {
            showln!("{}", would.text());
            pilot::lines(&sweep.plan, &power).iter().for_each(|line| showln!("{line}"));
        }
        return Ok(());
    }

    let (plan, store, view) = (&sweep.plan, sweep.store(), View::default());
    let report = |seeds: usize| Report {
        plan,
        store: &store,
        seeds: &plan.seeds[..seeds],
        folder: &sweep.folder.folder,
        plots: &sweep.plots,
        data: None,
        view: &view,
        incomplete: Incomplete::Refuse,
    };
    // The last round is written below, with figures and findings.
    let writes = sweep.is_whole() && request.others == Others::Await;
    let mut round = |complete: usize| match writes && complete < plan.seeds.len() {
        true => report(complete).write(Extent::Tables).map(|_| sweep.folder.folder.join("table.md")).map(Some),
        false => Ok(None),
    };
    let (tally, _held) = sweep.carry_out(&request, progress, &mut round)?;
    let look = reporting(&request.results, &plan.name);
    if request.others == Others::Leave {
        // Of many workers each would write the same tables, some of them too early.
        conclude(&tally, &look)?;
        sayln!(
            "nothing is free any more: {} finished here, {} before or elsewhere, {} being run by others; `harness {}` makes the tables",
            tally.finished,
            tally.reused,
            tally.elsewhere,
            shell(request.tables(&plan.name))
        );
        return Ok(());
    }
    let written = match report(plan.seeds.len()).write_unless_lost(Extent::All) {
        Ok(written) => written,
        // What became of the runs comes first: it says how the others are made.
        Err(error) => return conclude(&tally, &look).and(Err(error)),
    };
    if args.json {
        console::raw(&(serde_json::to_string_pretty(&written.comparison).expect("numbers are plain data") + "\n"));
    } else {
        show!("{}", written.print(Form::Full, Format::Terminal));
    }
    conclude(&tally, &look)?;
    complete(&written.study, &|row| sweep.runs_row(row))
}

/// Runs that were there and are not any more leave holes in the table: the sweep is not done.
fn complete(study: &Study, is_asked: &dyn Fn(usize) -> bool) -> Result<()> {
    let gone = study.cells.iter().filter(|cell| is_asked(cell.row) && cell.outcome == Outcome::Missing);
    let gone: Vec<String> = gone.map(|cell| cell.id.to_string()).collect();
    if gone.is_empty() {
        return Ok(());
    }
    Err(Error::run(
        format!("{} of {} runs are gone, removed by another process: {}", gone.len(), study.cells.len(), gone.join(", ")),
        "repeat the command, which makes them again",
    ))
}

/// What became of the runs, as an error where not all is well; `look` is the command that shows what is finished.
fn conclude(tally: &Tally, look: &str) -> Result<()> {
    if !tally.failed.is_empty() {
        let names: Vec<String> = tally.failed.iter().map(|(id, _)| id.to_string()).collect();
        return Err(Error::run(
            format!("{} failed: {}", counted(names.len(), "run", "runs"), names.join(", ")),
            "fix the cause and repeat the command with --retry: finished runs are kept",
        ));
    }
    if !tally.stopped.is_empty() {
        let stopped = Error::stopped(format!("{} stopped before the end", counted(tally.stopped.len(), "run was", "runs were")));
        return Err(Error { remedy: format!("{}; `{look}` shows what is finished", stopped.remedy), ..stopped });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::study::example;

    #[test]
    fn a_run_that_is_gone_at_the_end_is_an_error_and_one_that_was_not_asked_for_is_none() {
        let mut study = example::ladder();
        complete(&study, &|_| true).unwrap();
        example::outcome(&mut study, 2, "terrazzo", 1, Outcome::Missing);
        let error = complete(&study, &|_| true).unwrap_err();
        assert!(error.exit_code() == 1 && error.what.starts_with("1 of 18 runs are gone"), "{error}");
        complete(&study, &|row| row != 2).unwrap();
        example::outcome(&mut study, 2, "terrazzo", 1, Outcome::Failed { error: "diverged".into() });
        complete(&study, &|_| true).unwrap();
    }
}
