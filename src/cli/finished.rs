//! A finished run and the data that it was made with, as verbs look at them again.

use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::data::{Contents, Dataset};
use crate::run::{Folder, Id, Summary, summary_compared};
use crate::store::{Store, config_with_weights};
use crate::{Error, Result};

pub struct Finished {
    pub id: Id,
    pub folder: Folder,
    pub summary: Summary,
    /// With data and weights where they are found now.
    pub cfg: Config,
}

impl Finished {
    /// The run that `name` means, below `results`.
    ///
    /// # Errors
    /// A run that is not there or not finished.
    pub fn find(results: &Path, name: &str) -> Result<Self> {
        let entry = Store::new(results).find(name)?;
        let summary = summary_compared(&entry.folder)?.ok_or_else(|| {
            Error::environment(format!("run {} is {}", entry.id, entry.status.name()), "finish it first: repeat its `harness run` command")
        })?;
        let cfg = config_with_weights(&entry.folder, &summary, None)?;
        Ok(Self { id: entry.id, folder: entry.folder, summary, cfg })
    }

    /// The data that it was made with, and what their files hold: below `root`, by the list `list`, or where the configuration says.
    ///
    /// # Errors
    /// Data that are not there, or not what they were.
    pub fn data(&self, root: Option<&Path>, list: Option<&Path>) -> Result<(Dataset, Arc<Contents>)> {
        let mut cfg = self.cfg.data.clone();
        cfg.list = list.map_or(cfg.list, |list| list.display().to_string());
        let dataset = root.map_or_else(|| Dataset::of(&cfg), |root| Dataset::at(root, &cfg))?;
        let category = dataset.category(&self.summary.category).map_err(|e| {
            let remedy = "if the data were moved, name the folder that holds the run's category: --data ROOT".to_owned();
            Error { remedy: if root.is_none() { remedy } else { e.remedy }, ..e }
        })?;
        let contents = Arc::new(Contents::of(&category)?);
        if contents.hash != self.summary.data_hash {
            return Err(Error::environment(
                format!("{} changed since run {} was made", category.folder().display(), self.id),
                "name the data it was made with (--data ROOT), or repeat the run",
            ));
        }
        Ok((dataset, contents))
    }
}
