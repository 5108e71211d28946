//! `harness runs list | show | diff | table | tag | note | draw | merge | slim | rm | gc`: the run store.

mod diff;
mod draw;
mod flat;
mod freed;
mod gc;
mod label;
mod list;
mod merge;
mod remove;
mod show;
mod slim;
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
    Table(table::Args),
    /// Give a run tags, take them away, or show them; they change nothing about it
    Tag(label::Tag),
    /// Give a run a remark, take it away, or show it
    Note(label::Note),
    /// Draw the figures of runs again
    Draw(draw::Args),
    /// Bring the finished runs of another results folder in, each verified by the hashes that its id and its files have
    Merge(merge::Args),
    /// Show or remove what finished runs can do without; they stay cited, reused and, with their maps, scored again
    Slim(slim::Args),
    /// Remove runs with all their files
    Rm(remove::Args),
    /// Show or remove leftovers, abandoned and outdated runs; never what a sweep cites
    Gc(gc::Args),
}

pub fn run(args: &Args) -> Result<()> {
    // The one verb that writes results where there may be none yet.
    if let Verb::Merge(given) = &args.verb {
        return merge::run(&args.results, given);
    }
    let store = Store::existing(&args.results)?;
    match &args.verb {
        Verb::List(args) => list::run(&store, args),
        Verb::Show(args) => show::run(&store, args),
        Verb::Diff(args) => diff::run(&store, args),
        Verb::Table(args) => table::run(&store, args),
        Verb::Tag(args) => label::tag(&store, args),
        Verb::Note(args) => label::note(&store, args),
        Verb::Draw(given) => draw::run(&args.results, given),
        Verb::Slim(args) => slim::run(&store, args),
        Verb::Merge(_) => unreachable!("it was carried out above"),
        Verb::Rm(args) => remove::run(&store, args),
        Verb::Gc(args) => gc::run(&store, args),
    }
}
