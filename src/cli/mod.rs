//! The command line: one file a verb. Verbs that need tensors are carried out by `harness-torch`.

pub mod archive;
pub mod bench;
pub mod bundle;
pub mod calibrate;
pub mod complete;
pub mod completions;
pub mod config;
pub mod data;
pub mod distil;
pub mod doctor;
pub mod export;
mod finished;
pub mod fit;
pub mod predict;
mod purpose;
pub mod rank;
pub mod report;
pub mod run;
pub mod runs;
pub mod score;
mod submit;
pub mod sweep;
mod typed;
pub mod version;
pub mod weights;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::Result;
use crate::allowance;
use crate::console;
use crate::error::exit;
use crate::launcher;
use crate::ui::{Output, Verbosity};

/// Reproducible research on image anomaly detection: seeded experiments, exact metrics, tables and figures.
#[derive(Debug, Parser)]
#[command(name = "harness", version, about, max_term_width = 100, arg_required_else_help = true, after_help = exit::HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Verb,
    /// Only errors and results
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// A line for each step, instead of a bar or a line now and then
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Train and evaluate one experiment: one run for each category and seed
    Run(run::Args),
    /// Run many experiments from one file, compare and draw them: ablations, grids; repeat the command to resume
    Sweep(sweep::Args),
    /// Tables, figures and page of a sweep, from what is finished
    Report(report::Args),
    /// From a folder of good images to a detector with a threshold, in one command
    Fit(fit::Args),
    /// Score new images with a finished run
    Predict(predict::Args),
    /// What a run's scores mean: thresholds with a false-alarm rate; a new calibration with other good images
    Calibrate(calibrate::Args),
    /// Images by score, the oddest first, as a contact sheet
    Rank(rank::Args),
    /// Compute the metrics of score maps: a run's, or from any other source
    Score(score::Args),
    /// Runs for other programs: an ONNX file that gives the same maps and scores; runs and sweeps on an MLflow server
    Export(export::Args),
    /// Write a finished run as one file, which `predict --model` scores with where there is no run store
    Bundle(bundle::Args),
    /// Write a sweep as one file for a publication: runs with their score maps, tables, figures, and a manifest of hashes
    Archive(archive::Args),
    /// Compare an archive, or the folder that it was unpacked to, with its manifest
    Verify(archive::Verify),
    /// Look at data: check a folder, draw contact sheets, show pseudo anomalies, write the built-in set
    Data(data::Args),
    /// Show, explain and check configurations
    Config(config::Args),
    /// Convert, inspect and distil weights
    Weights(weights::Args),
    /// List, show, label, compare, bring in, slim and remove runs
    Runs(runs::Args),
    /// Measure how fast this machine trains, loads data and scores with a configuration
    Bench(bench::Args),
    /// Show what this machine has, what is missing, and how to get it
    Doctor(doctor::Args),
    /// Print a script for a shell, which then completes verbs, keys, ids of runs, sweeps and rows
    Completions(completions::Args),
    /// Write manual pages
    #[command(hide = true)]
    Man(completions::Man),
}

impl Cli {
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, false) => Verbosity::Normal,
            (false, true) => Verbosity::Verbose,
        }
    }

    /// Whom standard error is for.
    pub fn output(&self) -> Output {
        let json = match &self.verb {
            Verb::Run(args) => args.json,
            Verb::Sweep(args) => args.json,
            _ => false,
        };
        if json { Output::Json } else { Output::People }
    }
}

/// What `harness` does: carries a verb out, or hands it to `harness-torch`.
pub fn main() -> ExitCode {
    completions::answer(<Cli as clap::CommandFactory>::command);
    allowance::bound_threads();
    let cli = parse();
    exit_code(carry_out(&cli, &|_| launcher::exec()), cli.output())
}

/// Carries out what was typed; `with_tensors` has what needs libtorch (run, fit, predict, rank, calibrate, bench, weights distil), checked as far as that
/// goes without it.
///
/// # Errors
/// The verb's own.
pub fn carry_out(cli: &Cli, with_tensors: &dyn Fn(&Verb) -> Result<()>) -> Result<()> {
    match &cli.verb {
        Verb::Run(args) => run::check(args).and_then(|()| with_tensors(&cli.verb)),
        Verb::Sweep(args) => sweep::run(args, cli.verbosity()),
        Verb::Report(args) => report::run(args),
        Verb::Fit(args) => args.as_run().and_then(|run| run::check(&run)).and_then(|()| with_tensors(&cli.verb)),
        Verb::Predict(_) | Verb::Rank(_) => with_tensors(&cli.verb),
        Verb::Calibrate(args) if args.images.is_some() => with_tensors(&cli.verb),
        Verb::Calibrate(args) => calibrate::show(args),
        Verb::Bench(args) => args.resolve().and_then(|_| with_tensors(&cli.verb)),
        Verb::Score(args) => score::run(args),
        Verb::Export(args) => export::run(args, cli.verbosity()),
        Verb::Bundle(args) => bundle::run(args),
        Verb::Archive(args) => archive::run(args),
        Verb::Verify(args) => archive::verify(args),
        Verb::Data(args) => data::run(args),
        Verb::Config(args) => config::run(args),
        Verb::Weights(args) => match args.distil() {
            Some(distil::Distil::Us(us)) => us.check().and_then(|()| with_tensors(&cli.verb)),
            None => weights::run(args),
        },
        Verb::Runs(args) => runs::run(args),
        Verb::Doctor(args) => doctor::run(args),
        Verb::Completions(args) => completions::run(args),
        Verb::Man(args) => completions::man(args, <Cli as clap::CommandFactory>::command()),
    }
}

/// What was typed; prints help or what is wrong and ends the program where there is nothing to carry out.
pub fn parse() -> Cli {
    let cli = Cli::try_parse().unwrap_or_else(|told| {
        if told.kind() == clap::error::ErrorKind::DisplayVersion {
            console::raw(&version::text());
            std::process::exit(0);
        }
        if !told.use_stderr() {
            console::end_unless(told.print());
            std::process::exit(0);
        }
        end_with_setting(&told);
        told.exit()
    });
    if cli.output() == Output::Json {
        console::tell_programs();
    }
    cli
}

/// Ends the program with the setting that an unknown option may mean, where there is one.
fn end_with_setting(told: &clap::Error) {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let Some(ContextValue::String(flag)) = told.get(ContextKind::InvalidArg).filter(|_| told.kind() == ErrorKind::UnknownArgument) else {
        return;
    };
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    if let Err(error) = typed::check_flag(flag, &words) {
        let output = if words.iter().any(|word| word == "--json") { Output::Json } else { Output::People };
        complain(&error.to_string(), output);
        std::process::exit(i32::from(error.exit_code()));
    }
}

/// Prints an error and turns the result into the process's exit code.
pub fn exit_code(result: Result<()>, output: Output) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            complain(&e.to_string(), output);
            ExitCode::from(e.exit_code())
        }
    }
}

/// Prints an error on standard error, as people or as programs read it.
pub fn complain(error: &str, output: Output) {
    match output {
        Output::People => console::err(&format!("harness: {error}\n")),
        Output::Json => console::raw_err(&format!("{}\n", serde_json::json!({ "type": "error", "text": error }))),
    }
}
