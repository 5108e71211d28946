//! `harness runs show`: one run.

use serde_json::json;

use crate::cli::complete;
use crate::file;
use crate::names::in_line;
use crate::report;
use crate::run::{Environment, Status, env};
use crate::store::query::Facts;
use crate::store::{Entry, Store};
use crate::ui::{Standing, text};
use crate::{Error, Result, console, show, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its id, a unique prefix of its hash, or `latest`
    #[arg(value_name = "ID", add = complete::runs())]
    id: String,
    /// Everything that is known of it, as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(store: &Store, args: &Args) -> Result<()> {
    let entry = store.find(&args.id)?;
    if args.json { as_json(&entry) } else { for_people(&entry) }
}

fn as_json(entry: &Entry) -> Result<()> {
    let folder = &entry.folder;
    let path = std::path::absolute(folder.path()).map_err(|e| Error::io("find", folder.path(), &e))?;
    let shown = json!({
        "id": entry.id.to_string(),
        "state": entry.status.name(),
        "folder": path,
        "progress": standing(entry)?,
        "record": entry.record,
        "config": Facts::read(entry).config,
        "environment": file::read_json::<Environment>(&folder.env_json(), env::FORMAT)?,
        "summary": folder.summary()?,
    });
    console::raw(&(serde_json::to_string_pretty(&shown).expect("a run is plain data") + "\n"));
    Ok(())
}

/// How far a run is that is being computed.
fn standing(entry: &Entry) -> Result<Option<Standing>> {
    let now = jiff::Timestamp::now().as_microsecond() as f64 / 1e6;
    if entry.status == Status::Running { Standing::read(&entry.folder, now) } else { Ok(None) }
}

fn for_people(entry: &Entry) -> Result<()> {
    showln!("{}  {}", entry.id, entry.status.name());
    if let Some(record) = &entry.record {
        showln!("  {} · attempt {} · {}", in_line(&record.category), record.attempts, in_line(&record.argv.join(" ")));
        if !record.tags.is_empty() {
            showln!("  tags: {}", in_line(&record.tags.join(" ")));
        }
        record.sweep.iter().for_each(|sweep| showln!("  of the sweep {}", in_line(sweep)));
        record.note.iter().for_each(|note| showln!("  note: {}", in_line(note)));
        record.notes.iter().for_each(|note| showln!("  {note}"));
        record.error.iter().for_each(|error| showln!("  failed: {error}"));
    }
    standing(entry)?.iter().flat_map(Standing::lines).filter(|line| !line.is_empty()).for_each(|line| showln!("  {}", in_line(&line)));
    if let Some(summary) = entry.folder.summary()? {
        for (name, value) in &summary.metrics {
            showln!("  {name:<34} {}", value.map_or_else(|| "—".into(), |v| format!("{v:.6}")));
        }
        show!("{}", report::runs::table(std::slice::from_ref(&summary)));
        showln!("trained and scored in {}", text::duration(summary.timing.wall_s));
    }
    showln!("{}", entry.folder.path().display());
    Ok(())
}
