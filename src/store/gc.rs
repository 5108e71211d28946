//! What can go from a store: found by looking, decided as a pure value, done item by item.
//!
//! Goes: what half-finished writes and removals left; checkpoints that nothing will resume; runs that stopped or failed and
//! were not touched for a while; finished runs of an earlier version of their method.
//! Stays, whatever its state: a run that a sweep's plan cites, one whose sweep has no plan here, one that is running, and a finished
//! one with a tag or a note, or one of an earlier schema or with keys of another version: its result stands, although no command
//! finds it by its id.

use super::{Cited, Entry, Store, removal};
use crate::run::{Environment, Folder, Id, Inputs, Lock, Record, SCHEMA_VERSION, Status, checkpoint, env, identity_under};
use crate::{Result, config, file};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A run, or what is left of one, as it was found.
#[derive(Debug, Clone)]
pub struct Found {
    pub id: Id,
    pub folder: Folder,
    pub status: Status,
    /// When a file of it was last written; none where no file tells.
    pub touched: Option<jiff::Timestamp>,
    pub size_bytes: u64,
    /// A sweep's plan names it.
    pub cited: bool,
    /// A sweep made it whose plan is not here: it may have been moved.
    pub unseen: bool,
    /// It has a tag or a note.
    pub labelled: bool,
    /// Why no command would find it again.
    pub outdated: Option<Outdated>,
    /// Files in it that nothing reads, with their size.
    pub leftovers: Vec<(PathBuf, u64)>,
}

/// Why a run cannot be found again by what it computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outdated {
    /// Its id was made by another schema.
    Schema,
    /// config.toml sets a key that this version does not have.
    Configuration,
    /// The same configuration has another hash now: a version of the method was raised.
    Method,
}

/// All that was looked at.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    pub runs: Vec<Found>,
    /// What belongs to no run, with its size: see [`removal::remains`].
    pub remains: Vec<(PathBuf, u64)>,
    /// Runs in folders that are links, or hold some in place of their own.
    pub linked: usize,
}

/// One thing to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub what: What,
    pub why: Why,
    pub size_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A whole run, which has this status.
    Run { id: Id, folder: Folder, status: Status },
    /// A file of a run.
    File { path: PathBuf, of: Folder },
    /// A file or folder that belongs to no run.
    Remains { path: PathBuf },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// An unused file.
    Leftover,
    /// Stopped, failed or never begun, and not touched for so many days.
    Abandoned { status: Status, days: i64 },
    /// An earlier version of its method made it.
    Outdated,
}

/// What to remove, and what stays although it looks removable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub items: Vec<Item>,
    /// Runs that stay because a plan cites them.
    pub cited: usize,
    /// Runs that stay because the plan of the sweep that made them is not here.
    pub unseen: usize,
    /// Runs that were not looked at, because they are links.
    pub linked: usize,
    /// Runs that stay because of a tag or a note.
    pub labelled: usize,
    /// Finished runs that no command finds by their id, although their results stand: of another schema, or with other keys.
    pub foreign: usize,
}

impl Inventory {
    /// Looks at a whole store.
    ///
    /// # Errors
    /// A store or a sweep's plan that cannot be read.
    pub fn of(store: &Store) -> Result<Self> {
        let cited = Cited::read(store.results())?;
        let (own, linked): (Vec<_>, Vec<_>) = store.list()?.into_iter().partition(|entry| entry.folder.check_own().is_ok());
        let runs = own.into_iter().map(|entry| found(entry, &cited)).collect();
        let remains = removal::remains(&store.runs()).into_iter().chain(removal::of_sweeps(store.results()));
        let remains = remains.map(|path| (path.clone(), removal::size_bytes(&path))).collect();
        Ok(Self { runs, remains, linked: linked.len() })
    }
}

impl Found {
    /// Whether it is finished and its id is not one that this version makes, for a reason that does not touch its result.
    fn is_foreign(&self) -> bool {
        self.status == Status::Finished && matches!(self.outdated, Some(Outdated::Schema | Outdated::Configuration))
    }
}

impl Plan {
    /// Decides. Whole runs go only if no file of them was written for `days` days before `now`.
    pub fn of(inventory: &Inventory, days: u32, now: jiff::Timestamp) -> Self {
        let mut plan = Self { linked: inventory.linked, ..Self::default() };
        for run in &inventory.runs {
            plan.foreign += usize::from(run.is_foreign());
            match removable(run, days, now) {
                Some(_) if run.cited => plan.cited += 1,
                Some(_) if run.unseen => plan.unseen += 1,
                Some(_) if run.labelled && run.status == Status::Finished => plan.labelled += 1,
                Some(why) => {
                    let what = What::Run { id: run.id.clone(), folder: run.folder.clone(), status: run.status };
                    plan.items.push(Item { what, why, size_bytes: run.size_bytes });
                    continue;
                }
                None => {}
            }
            if run.status != Status::Running {
                let files = run.leftovers.iter().map(|(path, size_bytes)| Item {
                    what: What::File { path: path.clone(), of: run.folder.clone() },
                    why: Why::Leftover,
                    size_bytes: *size_bytes,
                });
                plan.items.extend(files);
            }
        }
        let remains = inventory.remains.iter().map(|(path, size_bytes)| Item {
            what: What::Remains { path: path.clone() },
            why: Why::Leftover,
            size_bytes: *size_bytes,
        });
        plan.items.extend(remains);
        plan
    }

    pub fn size_bytes(&self) -> u64 {
        self.items.iter().map(|item| item.size_bytes).sum()
    }
}

impl Item {
    /// Removes it; false where it is not any more what it was when it was looked at, and stays.
    ///
    /// # Errors
    /// A run that somebody works on by now, and files that cannot be removed.
    pub fn carry_out(&self, now: jiff::Timestamp) -> Result<bool> {
        match &self.what {
            What::Run { folder, status, .. } => {
                if folder.status() != *status {
                    return Ok(false);
                }
                removal::remove_run(folder, now)?;
            }
            What::File { path, of } => {
                of.check_own()?;
                let _lock = Lock::acquire(&of.lock(), now)?;
                // A run that was started over in the meantime needs its checkpoint.
                if *path == of.last_checkpoint() && !of.summary_json().exists() {
                    return Ok(false);
                }
                removal::remove_all(path)?;
            }
            What::Remains { path } => removal::remove_all(path)?,
        }
        Ok(true)
    }
}

/// Why a run could go, unless something keeps it.
fn removable(run: &Found, days: u32, now: jiff::Timestamp) -> Option<Why> {
    let age = (now.as_second() - run.touched?.as_second()) / 86400;
    if age < i64::from(days) {
        return None;
    }
    match run.status {
        Status::Running => None,
        Status::Fresh | Status::Stopped | Status::Failed => Some(Why::Abandoned { status: run.status, days: age }),
        Status::Finished => (run.outdated == Some(Outdated::Method)).then_some(Why::Outdated),
    }
}

fn found(entry: Entry, cited: &Cited) -> Found {
    let Entry { id, folder, status, record } = entry;
    Found {
        touched: newest(folder.path()).and_then(|at| jiff::Timestamp::try_from(at).ok()),
        size_bytes: removal::size_bytes(folder.path()),
        cited: !cited.by(&id).is_empty(),
        unseen: record.as_ref().and_then(|r| r.sweep.as_ref()).is_some_and(|sweep| !cited.knows(sweep)),
        // Labels that cannot be read may say that it is wanted.
        labelled: record.as_ref().is_some_and(|r| !r.tags.is_empty() || r.note.is_some())
            || folder.labels_json().exists() && folder.labels().is_err(),
        outdated: record.and_then(|record| outdated(&folder, &id, &record)),
        leftovers: leftovers(&folder, status).into_iter().map(|path| (path.clone(), removal::size_bytes(&path))).collect(),
        id,
        folder,
        status,
    }
}

/// The hash of the run's configuration as this version makes it, compared with its own. Where a file is missing that the hash
/// needs, nothing is claimed.
pub(super) fn outdated(folder: &Folder, id: &Id, record: &Record) -> Option<Outdated> {
    if record.schema != SCHEMA_VERSION {
        return Some(Outdated::Schema);
    }
    let text = std::fs::read_to_string(folder.config_toml()).ok()?;
    let Ok(cfg) = config::stored(&text) else { return Some(Outdated::Configuration) };
    let env = file::read_json::<Environment>(&folder.env_json(), env::FORMAT).ok().flatten()?.given;
    // Whatever is not a CPU stands there by its place or its name.
    let kind = if env.device == "cpu" { "cpu" } else { "cuda" };
    let inputs = Inputs {
        category: &record.category,
        data: &env.data_hash,
        weights: env.weights_hash.as_deref(),
        textures: env.textures_hash.as_deref(),
        device: kind,
    };
    let hash = identity_under(&cfg, &inputs, &env.kernels);
    (hash != id.hash10).then_some(Outdated::Method)
}

fn leftovers(folder: &Folder, status: Status) -> Vec<PathBuf> {
    let mut found = vec![checkpoint::damaged(folder)];
    if status == Status::Finished {
        found.push(folder.last_checkpoint());
    }
    found.retain(|path| path.exists());
    found.extend(file::leftovers(folder.path()));
    found.sort();
    found
}

/// The last time at which anything below a folder was written.
fn newest(path: &Path) -> Option<SystemTime> {
    let data = std::fs::symlink_metadata(path).ok()?;
    let own = data.modified().ok();
    if !data.is_dir() {
        return own;
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| newest(&entry.path())).chain(own).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86400;

    fn run(name: &str, status: Status, age_days: i64) -> Found {
        let id = Id::new("full", name, 0).unwrap();
        let folder = Folder::of(Path::new("runs"), &id);
        let touched = jiff::Timestamp::from_second(100 * DAY - age_days * DAY).ok();
        Found {
            id,
            folder,
            status,
            touched,
            size_bytes: 1000,
            cited: false,
            unseen: false,
            labelled: false,
            outdated: None,
            leftovers: vec![],
        }
    }

    fn now() -> jiff::Timestamp {
        jiff::Timestamp::from_second(100 * DAY).unwrap()
    }

    fn plan(runs: &[Found]) -> Plan {
        Plan::of(&Inventory { runs: runs.to_vec(), remains: vec![], linked: 0 }, 7, now())
    }

    #[test]
    fn abandoned_and_outdated_runs_go_after_their_time() {
        let outdated = |age| Found { outdated: Some(Outdated::Method), ..run("0000000001", Status::Finished, age) };
        for (found, why) in [
            (run("0000000000", Status::Failed, 7), Some(Why::Abandoned { status: Status::Failed, days: 7 })),
            (run("0000000000", Status::Failed, 6), None),
            (run("0000000000", Status::Stopped, 9), Some(Why::Abandoned { status: Status::Stopped, days: 9 })),
            (run("0000000000", Status::Fresh, 8), Some(Why::Abandoned { status: Status::Fresh, days: 8 })),
            (run("0000000000", Status::Finished, 99), None),
            (run("0000000000", Status::Running, 99), None),
            (outdated(8), Some(Why::Outdated)),
            (outdated(3), None),
            (Found { touched: None, ..run("0000000000", Status::Failed, 99) }, None),
        ] {
            assert_eq!(plan(std::slice::from_ref(&found)).items.first().map(|item| item.why), why, "{found:?}");
        }
    }

    #[test]
    fn what_is_cited_or_labelled_stays_and_is_counted() {
        let outdated = Found { outdated: Some(Outdated::Method), ..run("0000000000", Status::Finished, 50) };
        let runs = [
            Found { cited: true, ..outdated.clone() },
            Found { cited: true, ..run("0000000001", Status::Failed, 50) },
            Found { unseen: true, ..run("0000000003", Status::Failed, 50) },
            Found { labelled: true, ..outdated.clone() },
            Found { labelled: true, ..run("0000000002", Status::Failed, 50) },
        ];
        let plan = plan(&runs);
        assert_eq!((plan.cited, plan.labelled, plan.items.len(), plan.size_bytes()), (2, 1, 1, 1000));
        assert_eq!(plan.unseen, 1);
        let What::Run { id, .. } = &plan.items[0].what else { panic!() };
        assert_eq!(id.hash10, "0000000002", "a failed run's tag does not keep it");
    }

    #[test]
    fn a_finished_run_of_another_schema_or_with_other_keys_is_never_garbage() {
        let of = |why, status| Found { outdated: Some(why), ..run("0000000000", status, 99) };
        for why in [Outdated::Schema, Outdated::Configuration] {
            let plan = plan(&[of(why, Status::Finished), of(why, Status::Failed)]);
            assert_eq!((plan.foreign, plan.items.len()), (1, 1), "the failed one goes for what it is");
        }
        assert_eq!(plan(&[of(Outdated::Method, Status::Finished)]).foreign, 0);
    }

    #[test]
    fn leftovers_go_at_once_but_not_from_under_a_running_run() {
        let with = |status| Found { leftovers: vec![("x/.a.1-0.tmp".into(), 5)], ..run("0000000000", status, 0) };
        let plan = plan(&[with(Status::Finished), with(Status::Stopped), with(Status::Running)]);
        assert_eq!((plan.items.len(), plan.size_bytes()), (2, 10));
        let whole = Found { leftovers: vec![("x/.a.1-0.tmp".into(), 5)], ..run("0000000000", Status::Failed, 30) };
        let all = super::Plan::of(&Inventory { runs: vec![whole], remains: vec![("runs/x/.removed-y-1".into(), 3)], linked: 0 }, 7, now());
        assert_eq!(all.size_bytes(), 1003, "a run that goes takes its files along");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_that_is_cited_running_or_recent_ever_goes(
            status in 0usize..5, cited: bool, labelled: bool, outdated: bool, age in 0i64..20, days in 0u32..20,
        ) {
            let status = [Status::Fresh, Status::Running, Status::Stopped, Status::Failed, Status::Finished][status];
            let found = Found { cited, labelled, outdated: outdated.then_some(Outdated::Method), ..run("0000000000", status, age) };
            let plan = Plan::of(&Inventory { runs: vec![found], remains: vec![], linked: 0 }, days, now());
            let may = !cited && status != Status::Running && age >= i64::from(days)
                && (status != Status::Finished || outdated && !labelled);
            prop_assert_eq!(plan.items.len(), usize::from(may));
        }
    }
}
