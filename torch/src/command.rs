//! The command line of `harness-torch`: that of `harness`, every verb in this one program.
//!
//! A program with detectors of its own calls [`crate::detector::bring`] and then [`main`].

use std::process::ExitCode;

use crate::{LIBTORCH_VERSION, bench, device, distil, experiment, predict};
use harness::cli::{self, Verb};
use harness::error::Error;
use harness::launcher;
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
