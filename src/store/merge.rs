//! Bringing finished runs of another results folder in: one by one, each whole or not at all.
//!
//! A run arrives in a folder of another name, is synced, and then takes its name; what a kill leaves is no run
//! ([`super::removal::remains`] finds it). It comes in only if its configuration, data, weights and versions give the hash in its id, and
//! its summary is told by its other files. What is here already stays: equal results are one run, others are a conflict that people
//! decide.

use std::path::Path;

use super::removal::{ARRIVING, remove_all, remove_run};
use super::{Entry, Store, gc};
use crate::file::{self, Durable, is_link, is_temporary};
use crate::run::{Id, Lock, Status, Summary, summary_compared};
use crate::{Error, Result};

/// What becomes of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is here now; so many bytes of files.
    Brought(u64),
    /// It was here before, with the same result to the last bit.
    Here,
    /// It is here with another result: that stays.
    Conflict(String),
    /// It cannot be believed, or not be taken now.
    Refused(String),
}

/// The blake3 that a file of the other folder must have, where something says it.
pub type Expected<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// Brings the finished runs of `from` into `into`; `told` hears of each.
///
/// # Errors
/// A folder that cannot be read or written; what was brought before stays.
pub fn merge(into: &Store, from: &Store, expected: Expected, told: &mut dyn FnMut(&Id, &Fate)) -> Result<()> {
    let mut entries = from.list()?;
    entries.retain(|entry| entry.status == Status::Finished);
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    for entry in &entries {
        told(&entry.id, &one(into, entry, expected)?);
    }
    Ok(())
}

fn one(into: &Store, theirs: &Entry, expected: Expected) -> Result<Fate> {
    let summary = match believed(theirs) {
        Ok(summary) => summary,
        Err(why) => return Ok(Fate::Refused(why)),
    };
    let here = into.locate(&theirs.id);
    let ours = into.folder(&here);
    match ours.status() {
        Status::Running => return Ok(Fate::Refused(format!("{here} is running here: let it end, or stop it"))),
        Status::Finished => {
            return Ok(match ours.summary() {
                Ok(Some(own)) if own.comparable() == summary.comparable() => Fate::Here,
                Ok(Some(own)) => Fate::Conflict(difference(&own, &summary)),
                Ok(None) => Fate::Conflict("it is being made anew here".into()),
                Err(error) => Fate::Conflict(error.what),
            });
        }
        Status::Fresh | Status::Stopped | Status::Failed => {}
    }
    arrive(into, theirs, &here, expected)
}

/// The run's summary, if everything that can be compared agrees; else why not.
fn believed(entry: &Entry) -> Result<Summary, String> {
    entry.folder.check_own().map_err(|error| error.what)?;
    let summary = summary_compared(&entry.folder).map_err(|error| error.what)?.ok_or("it has no summary any more")?;
    let record = entry.record.as_ref().ok_or("its run.json is missing or cannot be read")?;
    if let Some(missing) = [entry.folder.config_toml(), entry.folder.env_json()].iter().find(|path| !path.is_file()) {
        return Err(format!("{} is missing: nothing says what its id was made of", missing.display()));
    }
    match gc::outdated(&entry.folder, &entry.id, record) {
        None => Ok(summary),
        Some(gc::Outdated::Schema | gc::Outdated::Configuration) => {
            Err("another version of harness made its id: it cannot be verified".into())
        }
        Some(gc::Outdated::Method) => {
            Err("its configuration, data and weights do not give its id: another version of its method made it, or it was changed".into())
        }
    }
}

/// The first metric that differs, or that it is something else.
fn difference(ours: &Summary, theirs: &Summary) -> String {
    let shown = |value: Option<&Option<f64>>| value.copied().flatten().map_or("nothing".to_owned(), |value| value.to_string());
    let names = ours.metrics.keys().chain(theirs.metrics.keys());
    match names.filter(|name| ours.metrics.get(*name) != theirs.metrics.get(*name)).min() {
        Some(name) => format!("{name} is {} here and {} there", shown(ours.metrics.get(name)), shown(theirs.metrics.get(name))),
        None => "its metrics are the same, but losses or counts are not".into(),
    }
}

fn arrive(into: &Store, theirs: &Entry, here: &Id, expected: Expected) -> Result<Fate> {
    let target = into.folder(here);
    target.check_own()?;
    let experiment = target.path().parent().expect("a run lies in its experiment");
    std::fs::create_dir_all(experiment).map_err(|e| Error::io("create", experiment, &e))?;
    let arriving = experiment.join(format!("{ARRIVING}{}-{}", here.name(), std::process::id()));
    remove_all(&arriving)?;
    std::fs::create_dir(&arriving).map_err(|e| Error::io("create", &arriving, &e))?;
    let now = crate::run::now();
    let mut lock = Lock::acquire(&arriving.join(".lock"), now)?;
    let copied = copy(theirs.folder.path(), &arriving, expected).and_then(|copied| match copied {
        Err(why) => Ok(Fate::Refused(why)),
        Ok(bytes) => {
            file::sync_all(&arriving)?;
            // What was begun here is less than what arrives.
            if target.path().exists() {
                remove_run(&target, now)?;
                std::fs::create_dir_all(experiment).map_err(|e| Error::io("create", experiment, &e))?;
            }
            std::fs::rename(&arriving, target.path()).map_err(|e| Error::io("create", target.path(), &e))?;
            lock.moved_to(&target.lock());
            file::sync_all(experiment).map(|()| Fate::Brought(bytes))
        }
    });
    drop(lock);
    if arriving.exists() {
        remove_all(&arriving)?;
        // Only an empty one goes.
        let _ = std::fs::remove_dir(experiment);
    }
    copied
}

/// Copies the files of a run; the bytes, or why it is not taken.
fn copy(from: &Path, to: &Path, expected: Expected) -> Result<Result<u64, String>> {
    let mut bytes = 0;
    let passing = |name: &str| {
        [".lock", ".lease"].contains(&name) || name == "checkpoints/last.ckpt" || is_temporary(name.rsplit('/').next().unwrap_or(name))
    };
    for (name, path) in file::tree(from)?.into_iter().filter(|(name, _)| !passing(name)) {
        if is_link(&path) || !path.is_file() {
            return Ok(Err(format!("{} is neither a file nor a folder", path.display())));
        }
        let content = file::content(&path).map_err(|e| Error::io("read", &path, &e))?;
        let hash = blake3::hash(&content).to_hex();
        if expected(&path).is_some_and(|expected| expected != hash.as_str()) {
            return Ok(Err(format!("{} is not what its manifest says: damaged or changed", path.display())));
        }
        let target = to.join(&name);
        let folder = target.parent().expect("a file lies in a folder");
        std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, &e))?;
        file::replace_with(&target, Durable::OnceSynced, |out| std::io::Write::write_all(out, &content))?;
        bytes += content.len() as u64;
    }
    Ok(Ok(bytes))
}
