//! `harness runs list | show | diff | table | rm | gc`: the run store.

mod diff;
mod gc;
mod list;
mod remove;
mod show;
mod table;

use std::path::PathBuf;

use crate::Result;
use crate::place::in_project;
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"), global = true)]
    results: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List all runs with their state, or those that meet a condition
    List(list::Args),
    /// Show one run: its result, its files
    Show(show::Args),
    /// Show in what two runs differ: configuration, environment, metrics
    Diff(diff::Args),
    /// Compare experiments: the mean of the finished runs of each of their configurations
    Table {
        /// Names of experiments, in the order of the rows; by default all
        experiments: Vec<String>,
    },
    /// Remove runs with all their files
    Rm(remove::Args),
    /// Show or remove leftovers, abandoned and outdated runs; never what a sweep cites
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
