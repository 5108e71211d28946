//! ledger.jsonl of a sweep: what was started and how it ended, a line each, appended and never changed. Tables do not
//! depend on it; it tells people what happened and remembers failures that came too early for a run's own folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::{lines, open_own, wait};
use crate::run::Id;
use crate::store::Store;
use crate::{Error, Result};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// UTC, RFC 3339 with milliseconds.
    pub at: String,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A process begins to carry the plan out.
    Begin { pid: u32, command: String },
    /// A run's process was started, on its device.
    Start { id: Id, pid: u32, device: String },
    /// Workers were given to Slurm: the ids of their array and of the job that makes the tables.
    Submit { job: String, report: Option<String>, workers: usize, command: String },
    /// It ended.
    End {
        id: Id,
        how: How,
        wall_s: f64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// How a run's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Finished,
    /// Asked to stop; resumable.
    Stopped,
    /// Ended by a signal, such as one for want of memory; resumable.
    Killed,
    Failed,
}

/// The ledger of one sweep's folder. Any number of processes may append.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
}

impl Ledger {
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join("ledger.jsonl") }
    }

    /// Appends one line, synced.
    pub fn append(&self, what: What) -> Result<()> {
        // The file itself is the lock: a torn line of a process that died is cut off before the next one stands.
        let io = |e: &std::io::Error| Error::io("append to", &self.path, e);
        let lock = open_own(&self.path, std::fs::OpenOptions::new().create(true).append(true)).map_err(|e| io(&e))?;
        wait::lock(&lock, &self.path, wait::Share::Alone)?;
        let mut writer = lines::Writer::open(&self.path)?;
        writer.append(&Entry { at: format!("{:.3}", jiff::Timestamp::now()), what })?;
        writer.sync().map(drop)
    }

    /// All lines that can be understood: one that was damaged costs its news alone.
    pub fn read(&self) -> Result<Vec<Entry>> {
        Ok(lines::read_sound(&self.path)?.0)
    }

    /// What to say of lines that cannot be understood, where there are any.
    pub fn damage(&self) -> Result<Option<String>> {
        let broken = lines::read_sound::<Entry>(&self.path)?.1;
        let listed = broken.iter().take(5).map(usize::to_string).collect::<Vec<_>>().join(", ");
        let more = if broken.len() > 5 { " and more" } else { "" };
        let said = format!("{}: skipped what cannot be read (line {listed}{more}); no table depends on it", self.path.display());
        Ok((!broken.is_empty()).then_some(said))
    }

    /// The runs whose last attempt failed: a failure is undone by a good end, not by another try. One whose run's folder is gone is
    /// forgotten: who removed it wants it made again.
    pub fn failed(&self, store: &Store) -> Result<BTreeSet<Id>> {
        let mut failed = BTreeSet::new();
        for entry in self.read()? {
            match entry.what {
                What::End { id, how: How::Failed, .. } => failed.insert(id),
                What::End { id, .. } => failed.remove(&id),
                What::Begin { .. } | What::Start { .. } | What::Submit { .. } => false,
            };
        }
        failed.retain(|id| store.folder(id).path().is_dir());
        Ok(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_attempt_decides_whether_a_run_failed_and_a_torn_line_counts_as_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(dir.path());
        let store = Store::new(&dir.path().join("results"));
        let failed = || ledger.failed(&store).unwrap().into_iter().collect::<Vec<_>>();
        assert!(failed().is_empty());
        let end = |seed, how| What::End { id: id(seed), how, wall_s: 1.0, error: None };
        for what in [end(0, How::Failed), end(1, How::Failed), end(0, How::Finished)] {
            ledger.append(what).unwrap();
        }
        assert!(failed().is_empty(), "nothing is there of any");
        store.claim(&id(1)).unwrap();
        assert_eq!(failed(), [id(1)]);
        let mut torn = std::fs::read(&ledger.path).unwrap();
        torn.extend_from_slice(b"{\"at\":\"20");
        std::fs::write(&ledger.path, torn).unwrap();
        ledger.append(end(1, How::Stopped)).unwrap();
        assert_eq!((failed().len(), ledger.read().unwrap().len()), (0, 4));
    }

    fn id(seed: u64) -> Id {
        Id::new("full", "0123456789", seed).unwrap()
    }

    #[test]
    fn a_ledger_of_an_earlier_version_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(dir.path());
        let old = concat!(
            r#"{"at":"2026-01-01T00:00:00.000Z","event":"begin","pid":7,"command":"harness sweep x.toml"}"#,
            "\n",
            r#"{"at":"2026-01-01T00:00:01.000Z","event":"start","id":"full/0123456789-s0","pid":8,"device":"cpu"}"#,
            "\n",
            r#"{"at":"2026-01-01T00:00:02.000Z","event":"end","id":"full/0123456789-s0","how":"finished","wall_s":1.0}"#,
            "\n"
        );
        std::fs::write(&ledger.path, old).unwrap();
        assert_eq!(ledger.read().unwrap().len(), 3);
        assert!(ledger.failed(&Store::new(dir.path())).unwrap().is_empty());
    }

    #[test]
    fn two_that_append_at_once_leave_every_line_whole() {
        const EACH: u64 = 40;
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let ledger = Ledger::of(dir.path());
                scope.spawn(move || {
                    for n in 0..EACH {
                        // Lines of many lengths, the longest greater than a page.
                        let error = Some("x".repeat((n as usize * 211) % 5000));
                        ledger.append(What::End { id: id(writer * EACH + n), how: How::Failed, wall_s: 0.0, error }).unwrap();
                    }
                });
            }
        });
        let entries = Ledger::of(dir.path()).read().unwrap();
        let mut seeds: Vec<u64> = entries
            .iter()
            .map(|entry| match &entry.what {
                What::End { id, error: Some(error), .. } => {
                    assert_eq!(error.len(), ((id.seed % EACH) as usize * 211) % 5000);
                    id.seed
                }
                other => panic!("{other:?}"),
            })
            .collect();
        seeds.sort_unstable();
        assert_eq!(seeds, (0..4 * EACH).collect::<Vec<_>>());
    }
}
