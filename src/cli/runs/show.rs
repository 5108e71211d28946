//! `harness runs show`: one run.

use serde_json::json;

use crate::file;
use crate::report;
use crate::run::{Environment, env};
use crate::store::query::Facts;
use crate::store::{Entry, Store};
use crate::ui::text;
use crate::{Error, Result};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its id, a unique prefix of its hash, or `latest`
    #[arg(value_name = "ID")]
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
        "record": entry.record,
        "config": Facts::read(entry).config,
        "environment": file::read_json::<Environment>(&folder.env_json(), env::FORMAT)?,
        "summary": folder.summary()?,
    });
    println!("{}", serde_json::to_string_pretty(&shown).expect("a run is plain data"));
    Ok(())
}

fn for_people(entry: &Entry) -> Result<()> {
    println!("{}  {}", entry.id, entry.status.name());
    if let Some(record) = &entry.record {
        println!("  {} · attempt {} · {}", record.category, record.attempts, record.argv.join(" "));
        if !record.tags.is_empty() {
            println!("  tags: {}", record.tags.join(" "));
        }
        record.sweep.iter().for_each(|sweep| println!("  of the sweep {sweep}"));
        record.note.iter().for_each(|note| println!("  note: {note}"));
        record.notes.iter().for_each(|note| println!("  {note}"));
        record.error.iter().for_each(|error| println!("  failed: {error}"));
    }
    if let Some(summary) = entry.folder.summary()? {
        for (name, value) in &summary.metrics {
            println!("  {name:<34} {}", value.map_or_else(|| "—".into(), |v| format!("{v:.6}")));
        }
        print!("{}", report::runs::table(std::slice::from_ref(&summary)));
        println!("trained and scored in {}", text::duration(summary.timing.wall_s));
    }
    println!("{}", entry.folder.path().display());
    Ok(())
}
