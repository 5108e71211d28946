//! `harness runs rm`: removes runs for good.

use std::io::{BufRead, IsTerminal};

use crate::cli::complete;
use crate::names::counted;
use crate::run::Status;
use crate::store::{Cited, Entry, Store, removal};
use crate::sweep::folder::SweepFolder;
use crate::ui::text;
use crate::{Error, Result, console, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, unique prefixes of hashes, or `latest`
    #[arg(value_name = "ID", required = true, add = complete::runs())]
    ids: Vec<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub fn run(store: &Store, args: &Args) -> Result<()> {
    let mut entries: Vec<Entry> = vec![];
    for id in &args.ids {
        let entry = store.find(id)?;
        if entries.iter().all(|e| e.id != entry.id) {
            entries.push(entry);
        }
    }
    if let Some(running) = entries.iter().find(|e| e.status == Status::Running) {
        return Err(Error::environment(format!("{} is running: nothing was removed", running.id), "stop it first, or omit it"));
    }
    let cited = Cited::read(store.results())?;
    let held = |sweep: &&String| SweepFolder::new(store.results(), sweep).is_held();
    if let Some((entry, sweep)) = entries.iter().find_map(|e| Some((e, cited.by(&e.id).iter().find(held)?))) {
        return Err(Error::environment(
            format!("{} belongs to the sweep {sweep}, which is running: nothing was removed", entry.id),
            "stop the sweep first, or omit the run",
        ));
    }
    entries.iter().try_for_each(|entry| entry.folder.check_own())?;
    let sizes: Vec<u64> = entries.iter().map(|e| removal::size_bytes(e.folder.path())).collect();
    for (entry, size) in entries.iter().zip(&sizes) {
        let sweeps = cited.by(&entry.id);
        let cited = if sweeps.is_empty() { String::new() } else { format!("  cited by {}", sweeps.join(", ")) };
        showln!("{}  {}  {}{cited}", entry.id, entry.status.name(), text::bytes(*size));
    }
    if !args.yes && !agreed(entries.len())? {
        showln!("nothing was removed");
        return Ok(());
    }
    for entry in &entries {
        removal::remove_run(&entry.folder, crate::run::now())?;
    }
    showln!("removed {}, {}", counted(entries.len(), "run", "runs"), text::bytes(sizes.iter().sum()));
    Ok(())
}

/// Asks on the terminal.
fn agreed(count: usize) -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Error::config("cannot ask for confirmation: stdin is not a terminal", "pass --yes"));
    }
    console::err(&format!("remove {} for good? [y/N] ", counted(count, "run", "runs")));
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(|e| Error::environment(format!("cannot read the answer: {e}"), "pass --yes"))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
