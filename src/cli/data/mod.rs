//! `harness data …`: looking at data before trusting it.

pub mod builtin;
pub mod check;
pub mod import;
pub mod pseudo;
pub mod show;

use crate::Result;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Counts, sizes and everything that would spoil a result; exit code 3 if something would
    Check(check::Args),
    /// Write a list (data.list) of a data set in another layout: VisA, BTAD, MVTec AD 2, …
    Import(import::Args),
    /// Contact sheet of a folder with its masks outlined
    Show(show::Args),
    /// Gallery of pseudo anomalies as an experiment would draw them, with their ratio, area and contrast
    Pseudo(pseudo::Args),
    /// Write the built-in procedural set, or say where it is
    Builtin(builtin::Args),
}

pub fn run(args: &Args) -> Result<()> {
    match &args.verb {
        Verb::Check(args) => check::run(args),
        Verb::Import(args) => import::run(args),
        Verb::Show(args) => show::run(args),
        Verb::Pseudo(args) => pseudo::run(args),
        Verb::Builtin(args) => builtin::run(args),
    }
}
