//! `harness runs list | show | diff | table | rm | gc`: the run store.

mod diff;
mod gc;
mod list;
mod remove;
mod show;
mod table;

use std::path::PathBuf;

use crate::Result;
use crate::run::Store;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    /// The run store
    #[arg(long, value_name = "DIR", default_value = "results", global = true)]
    results: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// All runs with their state, or those that meet a condition
    List(list::Args),
    /// One run: its result, its files
    Show(show::Args),
    /// In what two runs differ: configuration, environment, metrics
    Diff(diff::Args),
    /// Experiments side by side: the mean of the finished runs of each of their configurations
    Table {
        /// Names of experiments, in the order of the rows; all without any
        experiments: Vec<String>,
    },
    /// Remove runs with all their files
    Rm(remove::Args),
    /// What can go: leftovers, abandoned and outdated runs; never what a sweep cites
    Gc(gc::Args),
}

pub fn run(args: &Args) -> Result<()> {
    let store = Store::new(&args.results);
    match &args.verb {
        Verb::List(args) => list::run(&store, args),
        Verb::Show(args) => show::run(&store, args),
        Verb::Diff(args) => diff::run(&store, args),
        Verb::Table { experiments } => table::run(&store, experiments),
        Verb::Rm(args) => remove::run(&store, args),
        Verb::Gc(args) => gc::run(&store, args),
    }
}
