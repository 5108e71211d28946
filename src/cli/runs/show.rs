//! `harness runs show`: one run.

use serde_json::json;

use crate::cli::complete;
use crate::file;
use crate::names::in_line;
use crate::report;
use crate::run::{Environment, Progress, Status, env};
use crate::store::query::Facts;
use crate::store::{Entry, Store};
use crate::ui::text;
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
        "record": entry.record,
        "config": Facts::read(entry).config,
        "environment": file::read_json::<Environment>(&folder.env_json(), env::FORMAT)?,
        "summary": folder.summary()?,
        "progress": progress(entry),
    });
    console::raw(&(serde_json::to_string_pretty(&shown).expect("a run is plain data") + "\n"));
    Ok(())
}

/// How far a run is that is not finished; nothing where that cannot be told.
fn progress(entry: &Entry) -> Option<Progress> {
    let cfg = entry.folder.config().ok().filter(|_| entry.status != Status::Finished)?;
    Progress::of(&entry.folder, &cfg.train).ok().flatten()
}

fn describe(progress: &Progress, status: Status) {
    let Progress { epochs_done, epochs, steps_done, steps, losses, images_per_s, left_s } = progress;
    let of = |all: &Option<u64>| all.map_or_else(String::new, |all| format!(" of {all}"));
    let losses: Vec<String> = losses.iter().map(|(name, value)| format!("{name} {}", text::number(*value))).collect();
    showln!("  {epochs_done}{} epochs done, step {steps_done}{} · {}", of(epochs), of(steps), in_line(&losses.join(", ")));
    let pace = images_per_s.map(|pace| format!("{} images/s", text::number(pace)));
    let when = if status == Status::Running { "left" } else { "left once it goes on" };
    let left = left_s.map(|left| format!("{} of training {when}", text::duration(left)));
    let told: Vec<String> = pace.into_iter().chain(left).collect();
    if !told.is_empty() {
        showln!("  {}", told.join(" · "));
    }
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
    progress(entry).iter().for_each(|progress| describe(progress, entry.status));
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
