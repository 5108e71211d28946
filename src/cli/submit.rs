//! `harness sweep --slurm`: gives a sweep to a cluster, says how to look at it, and leaves.

use std::path::{Path, PathBuf};

use crate::file;
use crate::sweep::conduct::Planned;
use crate::sweep::ledger::{Ledger, What};
use crate::sweep::request::{Request, reporting, shell, typed};
use crate::sweep::slurm::{Batch, Site, sbatch};
use crate::{Error, Result, show, showln};

/// Workers where nothing else is asked for.
const WORKERS: usize = 8;

/// Prints the worker's script.
///
/// # Errors
/// Options that the script sets itself; a sweep of which nothing is to be done.
pub fn script(sweep: &Planned, request: &Request, workers: Option<usize>, options: &[String]) -> Result<()> {
    let batch = batch(sweep, request, workers, options)?;
    show!("{}", batch.worker_script());
    Ok(())
}

/// Submits workers and the job of the tables.
///
/// # Errors
/// As [`script`]; a store that cannot be written, and what `sbatch` refuses.
pub fn submit(sweep: &Planned, request: &Request, workers: Option<usize>, options: &[String]) -> Result<()> {
    let batch = batch(sweep, request, workers, options)?;
    std::fs::create_dir_all(&batch.output).map_err(|e| Error::io("create", &batch.output, &e))?;
    sweep.write_plan()?;
    let (worker, report) = (batch.worker_script(), batch.report_script());
    for (name, text) in [("worker.sh", &worker), ("report.sh", &report)] {
        file::replace(&batch.output.join(name), text.as_bytes())?;
    }
    let job = sbatch(&worker, &[])?;
    // The workers are under way, whatever becomes of the tables.
    let report = sbatch(&report, &[format!("--dependency=afterany:{job}")]);
    let submitted = What::Submit { job: job.clone(), report: report.as_ref().ok().cloned(), workers: batch.workers, command: typed() };
    Ledger::of(&sweep.folder.folder).append(submitted)?;
    let look = reporting(&request.results, &sweep.plan.name);
    let jobs = match &report {
        Ok(report) => {
            showln!("{} workers are job {job}; job {report} makes the tables once they are done", batch.workers);
            format!("{job},{report}")
        }
        Err(error) => {
            showln!(
                "{} workers are job {job}; the job that would make the tables was refused ({}): `harness {}` makes them",
                batch.workers,
                error.what,
                shell(batch.report.iter().cloned())
            );
            job
        }
    };
    showln!("  look:   squeue --jobs {jobs}    {look}");
    showln!("  output: {}", batch.output.display());
    showln!("  stop:   scancel {}    (checkpoints are kept; the same command goes on)", jobs.replace(',', " "));
    Ok(())
}

fn batch(sweep: &Planned, request: &Request, workers: Option<usize>, options: &[String]) -> Result<Batch> {
    let to_do = sweep.to_do(request)?;
    if to_do == 0 {
        let tables = shell(request.tables(&sweep.plan.name));
        return Err(Error::config(
            "nothing is to be done: every run is finished, or failed before",
            format!("`harness {tables}` makes the tables; --retry tries runs again that failed"),
        ));
    }
    if workers == Some(0) {
        return Err(Error::config("--workers 0 runs nothing", "use at least 1"));
    }
    let most = Site::here().map_or(usize::MAX, |site| site.max_array.saturating_sub(1).max(1));
    let here = std::env::current_dir().map_err(|e| Error::io("find", Path::new("."), &e))?;
    let program: PathBuf = std::env::current_exe().map_err(|e| Error::io("find", Path::new("harness"), &e))?;
    let batch = Batch {
        name: sweep.plan.name.clone(),
        program: program.display().to_string(),
        worker: request.worker(),
        report: request.tables(&sweep.plan.name),
        workers: workers.unwrap_or(WORKERS).min(to_do).min(most),
        options: options.to_vec(),
        output: here.join(&sweep.folder.folder).join("slurm"),
        folder: here,
    };
    batch.check()?;
    Ok(batch)
}
