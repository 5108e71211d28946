//! On what the runs of a study were computed, from their env.json.

use std::collections::BTreeMap;

use crate::Result;
use crate::file;
use crate::run::{Environment, Git, env};
use crate::store::Store;
use crate::sweep::{Outcome, Study};

/// The environments of a study's runs, each once, with how many runs had it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Machines {
    /// Without checkout and data, which stand below; in the order in which the study names them.
    pub environments: Vec<(Environment, usize)>,
    /// `None`: not run from a checkout.
    pub revisions: Vec<(Option<Git>, usize)>,
    /// Content hashes of the data by category; more than one where it changed between runs.
    pub data: BTreeMap<String, Vec<String>>,
    /// Runs that were started and have no env.json.
    pub unknown: usize,
}

impl Machines {
    /// Reads env.json of every run that was started.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read(study: &Study, store: &Store) -> Result<Self> {
        let mut machines = Self::default();
        for cell in study.cells.iter().filter(|c| c.outcome != Outcome::Missing) {
            let Some(mut seen) = file::read_json::<Environment>(&store.folder(&cell.id).env_json(), env::FORMAT)? else {
                machines.unknown += 1;
                continue;
            };
            count(&mut machines.revisions, seen.git.take());
            let hash = std::mem::take(&mut seen.given.data_hash);
            let hashes = machines.data.entry(cell.category.clone()).or_default();
            if !hash.is_empty() && !hashes.contains(&hash) {
                hashes.push(hash);
            }
            count(&mut machines.environments, seen);
        }
        machines.data.retain(|_, hashes| !hashes.is_empty());
        Ok(machines)
    }

    /// What makes it doubtful that one program, and which, made all the runs.
    pub fn warning(&self) -> Option<&'static str> {
        let changed = self.revisions.iter().any(|(git, _)| git.as_ref().is_some_and(|g| g.dirty));
        match (self.revisions.len(), changed) {
            (0 | 1, false) => None,
            (0 | 1, true) => Some("Runs come from a checkout with changes that no revision holds:"),
            _ => Some("Runs come from several states of the program:"),
        }
    }
}

fn count<T: PartialEq>(all: &mut Vec<(T, usize)>, one: T) {
    match all.iter_mut().find(|(other, _)| *other == one) {
        Some((_, n)) => *n += 1,
        None => all.push((one, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_state_with_changes_is_no_several_states() {
        let of = |revisions: &[(&str, bool)]| {
            let git = |(revision, dirty): &(&str, bool)| (Some(Git { revision: revision.to_string(), dirty: *dirty }), 3);
            Machines { revisions: revisions.iter().map(git).collect(), ..Machines::default() }.warning()
        };
        assert_eq!([of(&[]), of(&[("a", false)])], [None, None]);
        assert!(of(&[("a", true)]).unwrap().contains("a checkout with changes"));
        assert!(of(&[("a", false), ("b", false)]).unwrap().contains("several states"));
    }
}
