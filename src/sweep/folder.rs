//! The folder of a sweep: its plan, the configurations that its runs are started from, and who holds it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::plan::{self, Plan};
use crate::file;
use crate::run::Lock;
use crate::{Error, Result};

/// The sweep file as it was read, beside the plan that was made of it.
pub const FILE: &str = "sweep.toml";

/// Where a sweep's files lie.
#[derive(Debug, Clone)]
pub struct SweepFolder {
    pub results: PathBuf,
    /// `<results>/<sweep>`.
    pub folder: PathBuf,
}

/// Two that begin at once may each see the other's lock for an instant.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

impl SweepFolder {
    pub fn new(results: &Path, name: &str) -> Self {
        Self { results: results.into(), folder: results.join(name) }
    }

    pub fn plan(&self) -> PathBuf {
        self.folder.join("plan.json")
    }

    /// The sweep file as it was read.
    pub fn file(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// A row's whole configuration, from which its runs are made.
    pub fn config(&self, row: usize) -> PathBuf {
        self.folder.join("rows").join(format!("{}.toml", row + 1))
    }

    /// Whether a living process carries out the plan in this folder.
    pub fn is_held(&self) -> bool {
        Lock::is_shared(&self.lock())
    }

    /// The plan of the last command.
    ///
    /// # Errors
    /// One that is damaged, newer than this program, or cannot be a plan, see [`Plan::check`].
    pub fn read(&self) -> Result<Option<Plan>> {
        let plan: Option<Plan> = file::read_json(&self.plan(), plan::FORMAT)?;
        plan.iter().try_for_each(|plan| plan.check(&self.plan()))?;
        Ok(plan)
    }

    /// Takes the folder for `plan`, and writes plan.json and one configuration a row (`configs`, as TOML by row) unless another process
    /// holds it with the same plan. Any number of processes may hold it with the same plan, none with another: runs read their
    /// configuration there when they start, and tables are written there.
    ///
    /// # Errors
    /// `Kind::Environment`: another process carries out another plan there; a folder that cannot be written.
    pub fn hold(&self, plan: &Plan, configs: &[(usize, String)]) -> Result<Lock> {
        let (path, rows) = (self.lock(), self.folder.join("rows"));
        std::fs::create_dir_all(&rows).map_err(|e| Error::io("create", &rows, &e))?;
        for _ in 0..TRIES {
            if let Some(_alone) = Lock::if_free(&path, crate::run::now())? {
                // No other process holds it: the folder becomes this plan's, and what killed ones left is nobody's.
                file::remove_leftovers(&self.folder)?;
                configs.iter().try_for_each(|(row, text)| file::replace(&self.config(*row), text.as_bytes()))?;
                file::write_json(&self.plan(), plan)?;
            }
            let lock = Lock::share(&path, crate::run::now())?;
            // While the lock is shared, no process can replace the plan.
            if self.read()?.is_some_and(|found| found.is_same(plan)) {
                return Ok(lock);
            }
            drop(lock);
            std::thread::sleep(PAUSE);
        }
        let holder = Lock::holder(&path).map_or("another process".to_owned(), |holder| holder.words());
        let command = self.read()?.map_or(String::new(), |found| format!(" (`{}`)", found.command));
        Err(Error::environment(
            format!("{} is in use by {holder} with another plan{command}", self.folder.display()),
            "give this sweep a folder of its own with --name, or wait until that one is done",
        ))
    }

    fn lock(&self) -> PathBuf {
        self.folder.join(".lock")
    }
}
