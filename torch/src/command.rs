//! The command line of `harness-torch`: that of `harness`, every verb in this one program.
//!
//! A program with detectors of its own calls [`crate::detector::bring`] and then [`main`].

use std::path::Path;
use std::process::ExitCode;

use crate::{LIBTORCH_VERSION, bench, device, distil, experiment, predict};
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
    if std::env::args().nth(1).as_deref() == Some("--libtorch") {
        showln!("libtorch {LIBTORCH_VERSION}, {} threads", tch::get_num_threads());
        return ExitCode::SUCCESS;
    }
    if std::env::args().nth(1).as_deref() == Some("--device-kind") {
        let requested = std::env::args().nth(2).unwrap_or_else(|| "auto".into());
        return cli::exit_code(device::resolve(&requested).map(|found| showln!("{}", device::kind(found))), Output::People);
    }
    if std::env::args().nth(1).as_deref() == Some("--lend-checkpoint") {
        return cli::exit_code(lend(&std::env::args().skip(2).collect::<Vec<_>>()), Output::People);
    }
    launcher::start_ourselves();
    let cli = cli::parse();
    let unknown = || Err(Error::run("harness-torch does not carry this verb out", "this is a fault of the program: please report it"));
    let with_tensors = |verb: &Verb| match verb {
        Verb::Run(args) => experiment::run(args, cli.verbosity()),
        Verb::Predict(args) => predict::run(args),
        Verb::Bench(args) => bench::run(args),
        Verb::Weights(args) => args.distil().map_or_else(unknown, |distil| distil::run(distil, cli.verbosity())),
        _ => unknown(),
    };
    cli::exit_code(cli::carry_out(&cli, &with_tensors), cli.output())
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
