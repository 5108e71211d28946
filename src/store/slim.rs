//! Taking from finished runs what their numbers do not need: shown first as a plan, then done item by item.
//!
//! What says what a run is and what it found always stays, so that a slimmed run is reused, cited and compared as before.

use std::path::PathBuf;

use super::{Entry, removal};
use crate::Result;
use crate::run::{Folder, Id, Lock, Status};

/// A part of a run that may stay or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Score maps and own image scores: what metrics are computed from again, and pictures drawn.
    Maps,
    /// What was learned: needed to score new images and to export.
    Weights,
    /// Pictures, and TensorBoard's file: both are made again from maps and events.
    Figures,
}

impl Part {
    pub const ALL: [Self; 3] = [Self::Maps, Self::Weights, Self::Figures];

    /// Where it lies in a run.
    fn paths(self, folder: &Folder) -> Vec<PathBuf> {
        match self {
            Self::Maps => vec![folder.maps()],
            Self::Weights => vec![folder.weights()],
            Self::Figures => vec![folder.figures(), folder.tb()],
        }
    }

    /// What a run without it can no longer do.
    pub fn consequence(self) -> &'static str {
        match self {
            Self::Maps => "cannot be scored again, nor its figures drawn",
            Self::Weights => "cannot score new images, nor be exported",
            Self::Figures => "`harness runs draw` makes them again",
        }
    }
}

/// One part of one run, which can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub id: Id,
    pub folder: Folder,
    pub part: Part,
    pub size_bytes: u64,
}

/// What can go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub items: Vec<Item>,
    /// Runs that were not looked at: not finished.
    pub unfinished: usize,
    /// Runs that were not looked at: links.
    pub linked: usize,
    /// Runs whose figures stay, because their maps are gone and nothing could draw them again.
    pub undrawable: usize,
}

impl Plan {
    /// Everything but the parts `keep`.
    pub fn of(entries: &[Entry], keep: &[Part]) -> Self {
        let mut plan = Self::default();
        let goes: Vec<Part> = Part::ALL.into_iter().filter(|part| !keep.contains(part)).collect();
        for entry in entries {
            if entry.status != Status::Finished {
                plan.unfinished += 1;
                continue;
            }
            if entry.folder.check_own().is_err() {
                plan.linked += 1;
                continue;
            }
            for &part in &goes {
                let size_bytes = part.paths(&entry.folder).iter().map(|path| removal::size_bytes(path)).sum();
                if size_bytes == 0 {
                    continue;
                }
                // Whoever gives up the maps gives up the figures knowingly.
                if part == Part::Figures && keep.contains(&Part::Maps) && !entry.folder.maps().is_dir() {
                    plan.undrawable += 1;
                    continue;
                }
                plan.items.push(Item { id: entry.id.clone(), folder: entry.folder.clone(), part, size_bytes });
            }
        }
        plan
    }

    pub fn size_bytes(&self) -> u64 {
        self.items.iter().map(|item| item.size_bytes).sum()
    }
}

impl Item {
    /// Removes it; false where the run is no longer finished, and stays as it is.
    ///
    /// # Errors
    /// A run that somebody works on by now, and files that cannot be removed.
    pub fn carry_out(&self, now: jiff::Timestamp) -> Result<bool> {
        self.folder.check_own()?;
        let _lock = Lock::acquire(&self.folder.lock(), now)?;
        if !self.folder.summary_json().exists() {
            return Ok(false);
        }
        self.part.paths(&self.folder).iter().try_for_each(|path| removal::remove_part(&self.folder, path))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn made(store: &Store, seed: u64) -> Folder {
        let id = Id::new("full", "0123456789", seed).unwrap();
        let folder = store.folder(&id);
        for file in ["maps/S/gear/test/good/0.npy", "checkpoints/weights.safetensors", "figures/roc.svg", "tb/x", "run.json"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "1234").unwrap();
        }
        crate::file::write_json(&folder.summary_json(), &crate::testing::summary(&id, "gear")).unwrap();
        folder
    }

    #[test]
    fn what_is_not_kept_goes_and_the_numbers_always_stay() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path());
        let run = made(&store, 0);
        let plan = |keep: &[Part]| Plan::of(&store.list().unwrap(), keep);
        assert!(plan(&Part::ALL).items.is_empty());
        let usual = plan(&[Part::Maps, Part::Weights]);
        assert_eq!((usual.items.len(), usual.size_bytes(), usual.items[0].part), (1, 8, Part::Figures));
        let all = plan(&[]);
        assert_eq!((all.items.len(), all.size_bytes()), (3, 16));
        for item in &all.items {
            assert!(item.carry_out(crate::run::now()).unwrap());
        }
        assert!(run.summary().unwrap().is_some() && run.run_json().exists());
        assert!(!run.maps().exists() && !run.weights().exists() && !run.figures().exists() && !run.tb().exists());
        assert!(plan(&[]).items.is_empty());
    }

    #[test]
    fn figures_that_nothing_can_draw_again_stay_and_so_do_runs_that_are_not_finished() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path());
        let run = made(&store, 0);
        std::fs::remove_dir_all(run.maps()).unwrap();
        std::fs::remove_file(made(&store, 1).summary_json()).unwrap();
        let plan = Plan::of(&store.list().unwrap(), &[Part::Maps]);
        assert_eq!((plan.undrawable, plan.unfinished), (1, 1));
        assert_eq!(plan.items.iter().map(|item| item.part).collect::<Vec<_>>(), [Part::Weights]);
        let lock = Lock::acquire(&run.lock(), crate::run::now()).unwrap();
        assert!(plan.items[0].carry_out(crate::run::now()).is_err() && run.weights().exists(), "somebody holds it");
        drop(lock);
    }
}
