//! The paths of one run, and its status as a pure function of the files that exist.

use super::{Id, Labels, Lock, Outcome, Record, Summary, belong, labels, record, summary};
use crate::config::{self, Config};
use crate::file::{is_link, read_json, write_json};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// The folder of one run. Nothing is created by naming it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Never started.
    Fresh,
    /// A living process holds its lock.
    Running,
    /// Ended before it was finished, on request or killed: the same command resumes from the last checkpoint.
    Stopped,
    /// Its last attempt ended with an error.
    Failed,
    /// summary.json is there.
    Finished,
}

/// What [`Status::of`] looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// summary.json is there.
    pub summary: bool,
    /// run.json or a checkpoint is there.
    pub begun: bool,
    /// run.json says that the last attempt failed.
    pub failed: bool,
    /// The lock is held by a living process.
    pub locked: bool,
}

impl Status {
    /// The status that follows from what was seen. The summary decides first, because it is written last; then the lock,
    /// because run.json still tells of the attempt before while a new one is starting.
    pub fn of(seen: Evidence) -> Self {
        match seen {
            Evidence { summary: true, .. } => Self::Finished,
            Evidence { locked: true, .. } => Self::Running,
            Evidence { begun: false, .. } => Self::Fresh,
            Evidence { failed: true, .. } => Self::Failed,
            _ => Self::Stopped,
        }
    }

    /// One word for tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Finished => "finished",
        }
    }
}

impl Folder {
    /// The folder of the run `id` below `runs` (usually `results/runs`).
    pub fn of(runs: &Path, id: &Id) -> Self {
        Self { path: runs.join(&id.experiment).join(id.name()) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a folder that is a link, below one, or holds links in place of its own folders: what they point to is not this run's,
    /// and nothing there may be written or removed.
    ///
    /// # Errors
    /// `Kind::Environment` naming the link.
    pub fn check_own(&self) -> Result<()> {
        let above = self.path.parent().map(Path::to_owned);
        let own = [self.path.clone(), self.checkpoints(), self.maps(), self.figures(), self.tb()];
        match above.into_iter().chain(own).find(|path| is_link(path)) {
            None => Ok(()),
            Some(link) => Err(Error::environment(
                format!("{} is a link: runs are written and removed in real folders only", link.display()),
                "put the folder itself there, or link all of the results folder",
            )),
        }
    }

    /// Status, attempts, git revision and command: [`Record`].
    pub fn run_json(&self) -> PathBuf {
        self.path.join("run.json")
    }

    /// The fully resolved configuration.
    pub fn config_toml(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// [`super::Environment`].
    pub fn env_json(&self) -> PathBuf {
        self.path.join("env.json")
    }

    /// [`super::Labels`]; there once the user has said something of the run.
    pub fn labels_json(&self) -> PathBuf {
        self.path.join("labels.json")
    }

    /// [`super::Event`]s.
    pub fn events_jsonl(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// Scores of normal images that the fit has not seen ([`crate::calibration::Calibration`]); there if the run was calibrated.
    pub fn calibration_json(&self) -> PathBuf {
        self.path.join("calibration.json")
    }

    /// How many fits of a calibration by folds are finished; gone once the run is.
    pub fn folds_json(&self) -> PathBuf {
        self.path.join("folds.json")
    }

    /// Every test image with its scores ([`crate::eval::table`]).
    pub fn scores_csv(&self) -> PathBuf {
        self.path.join("scores.csv")
    }

    /// [`super::Timing`]s.
    pub fn timing_jsonl(&self) -> PathBuf {
        self.path.join("timing.jsonl")
    }

    /// [`Summary`]; its presence means finished.
    pub fn summary_json(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// What was said to people, with times.
    pub fn log_txt(&self) -> PathBuf {
        self.path.join("log.txt")
    }

    /// The file that a living run holds locked. It is never removed.
    pub fn lock(&self) -> PathBuf {
        self.path.join(".lock")
    }

    pub fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    /// Where a run resumes from; gone once it is finished.
    pub fn last_checkpoint(&self) -> PathBuf {
        self.path.join("checkpoints/last.ckpt")
    }

    /// The trained weights of a finished run.
    pub fn weights(&self) -> PathBuf {
        self.path.join("checkpoints/weights.safetensors")
    }

    /// The same, for whoever reads them.
    ///
    /// # Errors
    /// `Kind::Environment` where they are gone.
    pub fn learned(&self) -> Result<PathBuf> {
        let path = self.weights();
        if path.exists() {
            return Ok(path);
        }
        Err(Error::environment(
            format!("the weights of run {} are gone: it scores no new image, and is not exported", self.path.display()),
            format!("copy its folder checkpoints/ back, or {}", crate::error::AGAIN),
        ))
    }

    /// Score maps.
    pub fn maps(&self) -> PathBuf {
        self.path.join("maps")
    }

    pub fn figures(&self) -> PathBuf {
        self.path.join("figures")
    }

    /// TensorBoard's event files.
    pub fn tb(&self) -> PathBuf {
        self.path.join("tb")
    }

    /// config.toml over today's defaults, see [`config::stored`].
    ///
    /// # Errors
    /// Where it is missing, damaged, or sets a key of its detector that this version does not have.
    pub fn config(&self) -> Result<Config> {
        let path = self.config_toml();
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
        config::stored(&text).map_err(|e| {
            Error::environment(
                format!("{}: {e}", path.display()),
                "use the version of harness that made the run (env.json), or repeat the run",
            )
        })
    }

    /// run.json, if the run was ever started, with the labels that the user gave it since.
    pub fn record(&self) -> Result<Option<Record>> {
        Ok(read_json(&self.run_json(), record::FORMAT)?.map(|record| labels::over(record, &self.labels_json())))
    }

    /// What the user says of the run: labels.json, or what run.json keeps from the command line.
    ///
    /// # Errors
    /// Files that are there and cannot be understood.
    pub fn labels(&self) -> Result<Labels> {
        if let Some(labels) = read_json(&self.labels_json(), labels::FORMAT)? {
            return Ok(labels);
        }
        let (tags, note) = self.record()?.map(|record| (record.tags, record.note)).unwrap_or_default();
        Ok(Labels { format: labels::FORMAT, tags, note })
    }

    /// Keeps labels beside the run, tags sorted and each once.
    ///
    /// # Errors
    /// A folder that is a link, or cannot be written.
    pub fn label(&self, labels: &Labels) -> Result<()> {
        self.check_own()?;
        let mut tags = labels.tags.clone();
        tags.sort();
        tags.dedup();
        write_json(&self.labels_json(), &Labels { tags, ..labels.clone() })
    }

    /// summary.json, if the run is finished.
    ///
    /// # Errors
    /// One that cannot be read, or that cannot be this run's, by its id or its seed.
    pub fn summary(&self) -> Result<Option<Summary>> {
        let summary = read_json(&self.summary_json(), summary::FORMAT)?;
        summary.iter().try_for_each(|summary| belong::check(&self.path, summary))?;
        Ok(summary)
    }

    /// How the run stands now; another process may change it at once. Unreadable files count as what their presence says.
    pub fn status(&self) -> Status {
        self.status_beside(self.record().ok().flatten().as_ref())
    }

    /// [`Folder::status`] for a caller that has read run.json already.
    pub fn status_beside(&self, record: Option<&Record>) -> Status {
        let summary = self.summary_json().exists();
        Status::of(Evidence {
            summary,
            begun: record.is_some() || self.run_json().exists() || self.last_checkpoint().exists(),
            failed: record.is_some_and(|r| r.status == Outcome::Failed),
            // A finished run needs no look at its lock, and looking disturbs who wants to take it.
            locked: !summary && Lock::is_held(&self.lock()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_from_what_is_there() {
        let see = |summary, locked, begun, failed| Status::of(Evidence { summary, begun, failed, locked });
        assert_eq!(see(false, false, false, false), Status::Fresh);
        assert_eq!(see(false, false, true, false), Status::Stopped);
        assert_eq!(see(false, false, true, true), Status::Failed);
        for (begun, failed) in [(false, false), (true, false), (true, true)] {
            assert_eq!(see(false, true, begun, failed), Status::Running);
            assert_eq!(see(true, false, begun, failed), Status::Finished);
            assert_eq!(see(true, true, begun, failed), Status::Finished);
        }
    }
}
