//! What was asked for, and which runs that is just now.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{Group, Member, has_begun, is_over};
use super::options::Options;
use super::sweep;
use crate::config::reference;
use crate::run::{Id, check_name};
use crate::store::query::Facts;
use crate::store::{Entry, Store};
use crate::sweep::folder::SweepFolder;
use crate::{Error, Result};

/// A sweep by its name, or a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    Sweep(String),
    Run(Id),
}

impl Subject {
    /// What `name` means: a sweep of that name, or else a run as [`Store::find`] finds it.
    ///
    /// # Errors
    /// One that means nothing, or several runs.
    pub fn find(store: &Store, name: &str) -> Result<Self> {
        Store::existing(store.results())?;
        if check_name("a sweep", name).is_ok() && SweepFolder::new(store.results(), name).plan().is_file() {
            return Ok(Self::Sweep(name.to_owned()));
        }
        let found = store.find(name).map_err(|e| {
            let what = format!("{}, and no sweep is", e.what);
            if e.what.starts_with("no run is named") { Error { what, ..e } } else { e }
        })?;
        Ok(Self::Run(found.id))
    }
}

/// The groups that subjects are made of: one for each sweep, and one for the runs of each experiment.
///
/// # Errors
/// A plan or a summary that cannot be read.
pub fn groups(subjects: &[Subject], store: &Store, options: &Options) -> Result<Vec<Group>> {
    let (mut groups, mut runs) = (vec![], BTreeMap::<String, Vec<Entry>>::new());
    for subject in subjects {
        match subject {
            Subject::Sweep(name) => groups.push(sweep::group(name, store, options)?),
            Subject::Run(id) => {
                let experiment = options.experiment.clone().unwrap_or_else(|| id.experiment.clone());
                runs.entry(experiment).or_default().push(store.entry(id.clone()));
            }
        }
    }
    groups.extend(runs.into_iter().map(|(experiment, entries)| alone(experiment, entries)));
    Ok(groups)
}

/// Runs by themselves.
fn alone(experiment: String, entries: Vec<Entry>) -> Group {
    let varied = if entries.len() > 1 { varied(&entries) } else { BTreeSet::new() };
    let is_over = entries.iter().all(|entry| is_over(entry.status));
    let (members, waiting): (Vec<_>, Vec<_>) = entries.into_iter().partition(has_begun);
    let members = members.into_iter().map(|entry| Member { entry, rows: vec![] }).collect();
    Group { experiment, parent: None, members, waiting: waiting.len(), is_over, varied }
}

/// Keys that have several values among runs.
fn varied(entries: &[Entry]) -> BTreeSet<String> {
    let configs: Vec<_> = entries.iter().map(|entry| Facts::read(entry).config).collect();
    let differs = |key: &&reference::Key| {
        let mut values = configs.iter().map(|config| reference::lookup(config, &key.path));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    reference::keys().iter().filter(|key| key.is_shared()).filter(differs).map(|key| key.path.clone()).collect()
}
