//! What a shell offers while a command is typed: keys, ids of runs, names of sweeps and of their rows.
//!
//! A shell asks this program itself (`harness completions SHELL` says how), so that what it offers is what is there now. Results are
//! looked for where commands look without `--results`.

use std::ffi::OsStr;
use std::path::Path;

use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use crate::config::reference;
use crate::place::in_project;
use crate::store::query::FIELDS;
use crate::store::{Cited, Entry, Store};

/// Ids of runs, and `latest`.
pub fn runs() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let entries = Store::new(&in_project("results")).list().unwrap_or_default();
        let latest = (!entries.is_empty()).then(|| CompletionCandidate::new("latest"));
        let run = |entry: &Entry| CompletionCandidate::new(entry.id.to_string()).help(Some(entry.status.name().into()));
        entries.iter().map(run).chain(latest).collect()
    })
}

/// Names of sweeps that have a plan.
pub fn sweeps() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let entries = std::fs::read_dir(in_project("results")).into_iter().flatten().flatten();
        let planned = entries.filter(|entry| entry.path().join("plan.json").is_file());
        planned.map(|entry| CompletionCandidate::new(entry.file_name())).collect()
    })
}

/// What runs and sweeps are called.
pub fn runs_and_sweeps() -> ArgValueCandidates {
    ArgValueCandidates::new(|| sweeps().candidates().into_iter().chain(runs().candidates()).collect())
}

/// Names of the rows of all sweeps.
pub fn rows() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let cited = Cited::read(&in_project("results")).unwrap_or_default();
        let mut names: Vec<&str> = cited.all_rows().map(|place| place.row.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().map(CompletionCandidate::new).collect()
    })
}

/// Configuration keys, to be read.
pub fn keys() -> ArgValueCandidates {
    ArgValueCandidates::new(|| reference::keys().iter().map(|key| described(&key.path, key)).collect())
}

/// Configuration keys and fields of runs: what can be a column, or be sorted by.
pub fn columns() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let fields = FIELDS.iter().map(|(name, _)| CompletionCandidate::new(*name));
        fields.chain(reference::keys().iter().map(|key| described(&key.path, key))).collect()
    })
}

/// Experiment files, and keys of overrides as `KEY=`.
pub fn words() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let typed = typed.to_string_lossy();
        let keys = reference::keys().iter().filter(|key| key.path.starts_with(&*typed));
        let mut found: Vec<_> = keys.map(|key| described(&format!("{}=", key.path), key)).collect();
        found.extend(files(&typed));
        found
    })
}

/// Experiment files and folders that begin so.
fn files(typed: &str) -> Vec<CompletionCandidate> {
    let (folder, begin) = typed.rsplit_once('/').map_or(("", typed), |(folder, begin)| (folder, begin));
    let at = if folder.is_empty() { Path::new(".") } else { Path::new(folder) };
    let entries = std::fs::read_dir(at).into_iter().flatten().flatten();
    let shown = entries.filter_map(|entry| {
        let (name, is_folder) = (entry.file_name().into_string().ok()?, entry.path().is_dir());
        let fits = name.starts_with(begin) && !name.starts_with('.') && (is_folder || name.ends_with(".toml"));
        let slash = if is_folder { "/" } else { "" };
        fits.then(|| if folder.is_empty() { format!("{name}{slash}") } else { format!("{folder}/{name}{slash}") })
    });
    let mut shown: Vec<String> = shown.collect();
    shown.sort();
    shown.into_iter().map(CompletionCandidate::new).collect()
}

/// A candidate with the first sentence of the key's documentation.
fn described(text: &str, key: &reference::Key) -> CompletionCandidate {
    let first = key.doc.split(['.', ';', ':']).next().unwrap_or_default().to_owned();
    CompletionCandidate::new(text.to_owned()).help(Some(first.into()))
}
