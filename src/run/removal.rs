//! Taking things out of the store, so that whoever is killed in between leaves no half run behind.

use super::{Folder, Lock};
use crate::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How the folder of a run is named while it is being removed.
const PREFIX: &str = ".removed-";

/// Removes a whole run. It is moved out of sight first: what a kill leaves is no run any more, but see [`remains`].
///
/// # Errors
/// A run that a living process works on.
pub fn remove_run(folder: &Folder, now: jiff::Timestamp) -> Result<()> {
    let lock = Lock::acquire(&folder.lock(), now)?;
    let path = folder.path();
    let name = path.file_name().expect("a run has a folder of its own").to_string_lossy();
    let grave = path.with_file_name(format!("{PREFIX}{name}-{}", std::process::id()));
    std::fs::rename(path, &grave).map_err(|e| Error::io("remove", path, &e))?;
    drop(lock);
    remove_all(&grave)?;
    if let Some(experiment) = path.parent() {
        // Only an empty one goes.
        let _ = std::fs::remove_dir(experiment);
    }
    Ok(())
}

/// Folders below the experiments of `runs` whose removal was cut off.
pub fn remains(runs: &Path) -> Vec<PathBuf> {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).map(|entries| entries.flatten().map(|e| e.path()).collect()).unwrap_or_default()
    };
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    let mut found: Vec<PathBuf> = inside(runs).iter().flat_map(|experiment| inside(experiment)).filter(named).collect();
    found.sort();
    found
}

/// Removes a file or a folder with all that is in it, if it is there.
pub fn remove_all(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, &error)),
        _ => Ok(()),
    }
}

/// Bytes of a file, or of all files below a folder; links count nothing, as does what vanishes meanwhile.
pub fn size_bytes(path: &Path) -> u64 {
    let Ok(data) = std::fs::symlink_metadata(path) else { return 0 };
    if data.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        return entries.map(|entry| size_bytes(&entry.path())).sum();
    }
    if data.is_file() { data.len() } else { 0 }
}
