//! ledger.jsonl of a sweep: what was started and how it ended, a line each, appended and never changed. Tables do not
//! depend on it; it tells people what happened and remembers failures that came too early for a run's own folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::lines;
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
        let lock = std::fs::OpenOptions::new().create(true).append(true).open(&self.path).map_err(|e| io(&e))?;
        lock.lock().map_err(|e| io(&e))?;
        let mut writer = lines::Writer::open(&self.path)?;
        writer.append(&Entry { at: format!("{:.3}", jiff::Timestamp::now()), what })?;
        writer.sync().map(drop)
    }

    /// All lines.
    pub fn read(&self) -> Result<Vec<Entry>> {
        lines::read(&self.path)
    }

    /// Runs whose last known attempt failed and whose folders are still there: who removed one wants it made again.
    pub fn failed(&self, store: &Store) -> Result<Vec<Id>> {
        let mut failed: Vec<Id> = vec![];
        for entry in self.read()? {
            if let What::End { id, how, .. } = entry.what {
                failed.retain(|other| *other != id);
                if how == How::Failed {
                    failed.push(id);
                }
            }
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
        let failed = || ledger.failed(&store).unwrap();
        assert!(failed().is_empty());
        let id = |seed: u64| Id::new("full", "0123456789", seed).unwrap();
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
}
