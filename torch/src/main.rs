//! `harness-torch`: what `harness` executes for verbs that need tensors. It understands the same command line.

use std::process::ExitCode;

use clap::Parser;
use harness::cli::{self, Cli, Verb};
use harness::error::Error;
use harness_torch::{LIBTORCH_VERSION, bench, device, experiment, predict};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--libtorch") {
        println!("libtorch {LIBTORCH_VERSION}, {} threads", tch::get_num_threads());
        return ExitCode::SUCCESS;
    }
    if std::env::args().nth(1).as_deref() == Some("--device-kind") {
        return cli::exit_code(device::resolve("auto").map(|found| println!("{}", device::kind(found))));
    }
    let cli = Cli::parse();
    cli::exit_code(match &cli.verb {
        Verb::Run(args) => experiment::run(args, cli.verbosity()),
        Verb::Predict(args) => predict::run(args),
        Verb::Bench(args) => bench::run(args),
        Verb::Sweep(args) => cli::sweep::run(args, cli.verbosity()),
        _ => Err(Error::config("harness-torch carries out `run`, `predict`, `bench` and `sweep` only", "use `harness`")),
    })
}
