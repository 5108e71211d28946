//! `harness-torch`: what `harness` executes for verbs that need tensors. It understands the same command line.

use std::process::ExitCode;

use clap::Parser;
use harness::cli::{self, Cli, Verb};
use harness::error::Error;
use harness::ui::Output;
use harness_torch::{LIBTORCH_VERSION, bench, device, experiment, predict};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--libtorch") {
        println!("libtorch {LIBTORCH_VERSION}, {} threads", tch::get_num_threads());
        return ExitCode::SUCCESS;
    }
    if std::env::args().nth(1).as_deref() == Some("--device-kind") {
        let requested = std::env::args().nth(2).unwrap_or_else(|| "auto".into());
        return cli::exit_code(device::resolve(&requested).map(|found| println!("{}", device::kind(found))), Output::People);
    }
    let cli = Cli::parse();
    // A run goes on without who reads its progress; it ends with the reader of its result.
    if !matches!(&cli.verb, Verb::Run(args) if !args.dry_run) {
        cli::end_with_the_reader();
    }
    let result = match &cli.verb {
        Verb::Run(args) => experiment::run(args, cli.verbosity()),
        Verb::Predict(args) => predict::run(args),
        Verb::Bench(args) => bench::run(args),
        Verb::Sweep(args) => cli::sweep::run(args, cli.verbosity()),
        _ => Err(Error::config("harness-torch carries out `run`, `predict`, `bench` and `sweep` only", "use `harness`")),
    };
    cli::exit_code(result, cli.output())
}
