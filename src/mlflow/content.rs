//! What is to stand on the server, as one plain value: a run there with all that belongs to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::points::Point;
use crate::file;
use crate::run::Status;
use crate::{Error, Result};

/// The tag by which a run is found again.
pub const KEY: &str = "harness.key";

/// One run of MLflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Content {
    /// Tells it apart from all others of its experiment: the tag of that name.
    pub key: String,
    pub name: String,
    /// Milliseconds since 1970.
    pub began_ms: i64,
    pub ended_ms: Option<i64>,
    pub state: State,
    pub tags: BTreeMap<String, String>,
    /// Shown on its page, Markdown.
    pub note: Option<String>,
    pub params: BTreeMap<String, String>,
    pub points: Vec<Point>,
    pub data: Vec<Data>,
    pub files: Vec<Attached>,
}

/// How it stands, in MLflow's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    Running,
    Finished,
    Failed,
    /// Stopped or killed: it can be resumed.
    Killed,
}

/// Data that it was made with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Data {
    /// The category.
    pub name: String,
    /// The first digits of the content's hash; the server takes 36, and shows them beside the name.
    pub digest: String,
    /// The folder that holds the categories, as it was typed.
    pub root: String,
}

/// A file among its artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attached {
    /// Its path there.
    pub name: String,
    #[serde(skip)]
    pub path: PathBuf,
    pub size_bytes: u64,
    /// Nanoseconds since 1970: with its size they tell whether it changed.
    pub modified_ns: u64,
}

impl State {
    /// That of a run of ours.
    pub fn of(status: Status) -> Self {
        match status {
            Status::Fresh | Status::Running => Self::Running,
            Status::Finished => Self::Finished,
            Status::Failed => Self::Failed,
            Status::Stopped => Self::Killed,
        }
    }

    /// As the server takes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }
}

impl Data {
    /// As many digits as a run's id has.
    const DIGITS: usize = 10;

    pub fn new(category: &str, hash: &str, root: &str) -> Self {
        Self { name: category.into(), digest: hash.chars().take(Self::DIGITS).collect(), root: root.into() }
    }
}

impl Attached {
    /// The file at `path` as `name`; none where it is missing.
    ///
    /// # Errors
    /// One that cannot be looked at.
    pub fn of(name: &str, path: &Path) -> Result<Option<Self>> {
        let data = match path.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            data => data.map_err(|e| Error::io("read", path, &e))?,
        };
        let modified = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let attached = || Self { name: name.into(), path: path.into(), size_bytes: data.len(), modified_ns: modified.as_nanos() as u64 };
        Ok(data.is_file().then(attached))
    }

    /// Those below a folder, under `place` there; none without the folder. `wanted` is asked of each path below it.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn below(place: &str, folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Self>> {
        if !folder.is_dir() {
            return Ok(vec![]);
        }
        let all = file::tree(folder)?.into_iter().filter(|(name, _)| wanted(name) && !name.split('/').any(|part| part.starts_with('.')));
        let found: Vec<_> = all.map(|(name, path)| Self::of(&format!("{place}{name}"), &path)).collect::<Result<_>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What is in it.
    ///
    /// # Errors
    /// One that cannot be read.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        file::content(&self.path).map_err(|e| Error::io("read", &self.path, &e))
    }
}

/// A few digits that stand for a value.
pub fn digest(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).expect("it is plain data");
    blake3::hash(&text).to_hex()[..16].to_owned()
}
