//! `harness export mlflow`: runs and sweeps on an MLflow server.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::complete;
use crate::mlflow::{self, Access, Attach, Counts, Exporter, Options, Params, Round, Subject};
use crate::names::counted;
use crate::names::in_line;
use crate::place::in_project;
use crate::run::Stop;
use crate::store::Store;
use crate::ui::{Mode, Output, Progress, StepInfo, Verbosity, text};
use crate::{Error, Result, console, sayln, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Sweeps by name; runs by id, a unique prefix of the hash, or `latest`
    #[arg(required = true, value_name = "RUN|SWEEP", add = complete::runs_and_sweeps())]
    names: Vec<String>,
    /// The server's address; without it MLFLOW_TRACKING_URI. Credentials are MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or
    /// MLFLOW_TRACKING_TOKEN
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// The experiment there; without it a sweep's name, or that of a run's experiment file
    #[arg(long, value_name = "NAME")]
    experiment: Option<String>,
    /// Which files are sent
    #[arg(long, value_enum, value_name = "WHICH", default_value = "small")]
    artifacts: Attach,
    /// Every configuration key as a parameter, not only those that are not as in base.toml or differ among the runs
    #[arg(long)]
    all_params: bool,
    /// Send what is new every 30 s, until all runs have ended or Ctrl-C ends it; waits for a server that is not there
    #[arg(long)]
    watch: bool,
    /// What was sent, as JSON
    #[arg(long)]
    json: bool,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    results: PathBuf,
    /// Where figures of sweeps are, below their names
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("plots"))]
    plots: PathBuf,
}

/// Sends runs and sweeps.
///
/// # Errors
/// A name that means nothing; a server that does not answer, unless it is waited for, or refuses something.
pub fn run(args: &Args, verbosity: Verbosity) -> Result<()> {
    let store = Store::new(&args.results);
    let subjects = Error::all(args.names.iter().map(|name| Subject::find(&store, name)))?;
    let access = Access::of(args.to.as_deref(), &|name| std::env::var(name).ok())?;
    let options = Options {
        plots: args.plots.clone(),
        experiment: args.experiment.clone(),
        attach: args.artifacts,
        params: if args.all_params { Params::All } else { Params::Differing },
    };
    let mut exporter = Exporter::new(access, &store, &subjects, options)?;
    let waiting = if args.watch { follow(&mut exporter, verbosity)? } else { once(&mut exporter, verbosity)?.waiting };
    let url = exporter.url().to_owned();
    if args.json {
        console::json(&object(&exporter.counts, &url, waiting));
    } else {
        describe(&exporter.counts, &url, waiting);
    }
    Ok(())
}

/// One round.
fn once(exporter: &mut Exporter, verbosity: Verbosity) -> Result<Round> {
    let mut progress: Option<Progress> = None;
    let mut told = |done: usize, total: usize| {
        let progress = progress.get_or_insert_with(|| Progress::new(Mode::detect(verbosity, Output::People), "export", total as u64));
        progress.step(&StepInfo { epoch: 0, epochs: 0, step: done as u64, losses: &[], images: 0 });
    };
    let sent = exporter.round(&mut told);
    progress.into_iter().for_each(Progress::finish);
    sent.map_err(|fault| fault.error(exporter.url()))
}

/// Rounds until all has ended.
fn follow(exporter: &mut Exporter, verbosity: Verbosity) -> Result<usize> {
    let say = |text: &str| {
        if verbosity != Verbosity::Quiet {
            sayln!("{text}");
        }
    };
    say(&format!("sending to {}; Ctrl-C ends it", exporter.url()));
    mlflow::watch(exporter, mlflow::PAUSE, &Stop::install()?, &mut |text| say(text))
}

/// The page of an experiment's runs; without its end version 3 begins with a page for language models, which is empty.
fn page(url: &str, id: &str) -> String {
    format!("{url}/#/experiments/{id}/runs?workflowType=machine_learning")
}

fn object(counts: &Counts, url: &str, waiting: usize) -> serde_json::Value {
    let experiment = |(name, id): (&String, &String)| json!({ "name": name, "id": id, "page": page(url, id) });
    json!({
        "server": url, "experiments": counts.experiments.iter().map(experiment).collect::<Vec<_>>(), "sweeps": counts.sweeps(),
        "runs": counts.runs(), "unchanged": counts.unchanged(), "not_begun": waiting, "points": counts.points, "params": counts.params,
        "files": counts.files, "bytes": counts.bytes, "artifacts_elsewhere": counts.elsewhere,
    })
}

fn describe(counts: &Counts, url: &str, waiting: usize) {
    if let Some(place) = &counts.elsewhere {
        let place = in_line(place);
        sayln!("warning: this server keeps artifacts at {place} and takes none by HTTP: no file was sent; start it with --serve-artifacts");
    }
    if waiting > 0 {
        sayln!("{} not begun: nothing is there to send", counted(waiting, "run has", "runs have"));
    }
    let (sweeps, runs) = (counts.sweeps(), counts.runs());
    let sweeps = if sweeps > 0 { format!("{}, ", counted(sweeps, "sweep", "sweeps")) } else { String::new() };
    let unchanged = match counts.unchanged() {
        0 => String::new(),
        all if all == runs + counts.sweeps() => "; all was there already".to_owned(),
        some => format!("; {some} of them were there already"),
    };
    showln!(
        "{sweeps}{}: sent {}, {}, {} ({}){unchanged}",
        counted(runs, "run", "runs"),
        counted(counts.points, "number", "numbers"),
        counted(counts.params, "parameter", "parameters"),
        counted(counts.files, "file", "files"),
        text::bytes(counts.bytes),
    );
    counts.experiments.iter().for_each(|(name, id)| showln!("{}: {}", in_line(name), page(url, id)));
}
