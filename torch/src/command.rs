//! The command line of `harness-torch`: that of `harness`, every verb in this one program.
//!
//! A program with detectors of its own calls [`crate::detector::bring`] and then [`main`].

use std::path::Path;
use std::process::ExitCode;

use crate::{LIBTORCH_VERSION, bench, calibrate, device, distil, experiment, fit, predict, rank};
use harness::Result;
use harness::cli::{self, Verb};
use harness::error::Error;
use harness::launcher;
use harness::run::checkpoint::{self, Loaded};
use harness::run::{Folder, Id, Position};
use harness::showln;
use harness::ui::Output;

/// Carries out what was typed, or what `harness` asks of libtorch.
pub fn main() -> ExitCode {
    if let Some(answer) = answer() {
        return cli::exit_code(answer, Output::People);
    }
    launcher::start_ourselves();
    harness::allowance::bound_threads();
    let cli = cli::parse();
    let unknown = || Err(Error::run("harness-torch does not carry this verb out", "this is a fault of the program: please report it"));
    let with_tensors = |verb: &Verb| match verb {
        Verb::Run(args) => experiment::run(args, cli.verbosity()),
        Verb::Fit(args) => fit::run(args, cli.verbosity()),
        Verb::Predict(args) => predict::run(args),
        Verb::Calibrate(args) => calibrate::run(args),
        Verb::Rank(args) => rank::run(args),
        Verb::Bench(args) => bench::run(args),
        Verb::Weights(args) => args.distil().map_or_else(unknown, |distil| distil::run(distil, cli.verbosity())),
        _ => unknown(),
    };
    cli::exit_code(cli::carry_out(&cli, &with_tensors), cli.output())
}

/// What `harness` and scripts ask of libtorch, where that was typed in place of a verb.
fn answer() -> Option<Result<()>> {
    // Words of the command line may be anything but text.
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let (first, rest) = words.split_first()?;
    match first.as_str() {
        "--libtorch" => {
            showln!("libtorch {LIBTORCH_VERSION}, {} threads", tch::get_num_threads());
            Some(Ok(()))
        }
        "--device-kind" => {
            let requested = rest.first().map_or("auto", String::as_str);
            Some(device::resolve(requested).map(|found| showln!("{}", device::kind(found))))
        }
        "--lend-checkpoint" => Some(lend(rest)),
        _ => None,
    }
}

/// Puts a run's last checkpoint into the folder of another run, which may go on from it: `RUNS ID RUNS ID`. A shorter run of the same
/// settings tells the metrics of a long one that is not finished (scripts/gpu-check.sh).
fn lend(words: &[String]) -> Result<()> {
    let [from_runs, from, to_runs, to] = words else {
        return Err(Error::config("--lend-checkpoint takes four words", "RUNS ID RUNS ID"));
    };
    let id =
        |text: &str| Id::parse(text).ok_or_else(|| Error::config(format!("{text:?} is not a run id"), "ids read EXPERIMENT/HASH-sSEED"));
    let (from, to) = (id(from)?, id(to)?);
    match checkpoint::load(&Folder::of(Path::new(from_runs), &from))? {
        Loaded::Whole(position, tensors) => {
            checkpoint::save(&Folder::of(Path::new(to_runs), &to), &Position { run: to.name(), ..position }, &tensors).map(drop)
        }
        Loaded::None | Loaded::Damaged { .. } => {
            Err(Error::environment(format!("{from} has no checkpoint"), "stop it after its first one"))
        }
    }
}
