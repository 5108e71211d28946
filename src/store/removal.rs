//! Taking things out of the store, so that a kill in between leaves no half of a run.

use crate::file::{is_link, is_own_folder, is_temporary, leftovers};
use crate::run::{Folder, Lock};
use crate::{Error, Result};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// How the folder of a run is named while it is being removed.
const PREFIX: &str = ".removed-";

/// How it is named while it is being brought in, under a lock in it, see [`super::merge`].
pub(super) const ARRIVING: &str = ".arriving-";

/// Removes a whole run. It is moved out of sight first: what a kill leaves is no longer a run, but see [`remains`].
///
/// # Errors
/// A run that a living process works on, and one whose folder is a link or lies below one.
pub fn remove_run(folder: &Folder, now: jiff::Timestamp) -> Result<()> {
    folder.check_own()?;
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

/// Removes a file or a folder of a run, whose lock the caller holds: moved out of sight first, so that a kill leaves no half of it in the
/// run.
///
/// # Errors
/// What cannot be moved or removed.
pub fn remove_part(folder: &Folder, path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let [run, part] = [folder.path(), path].map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    let grave = folder.path().with_file_name(format!("{PREFIX}{run}-{part}-{}", std::process::id()));
    std::fs::rename(path, &grave).map_err(|e| Error::io("remove", path, &e))?;
    remove_all(&grave)
}

/// What lies in `runs` and belongs to no run: folders below its experiments whose removal or arrival was cut off, and temporary files.
pub fn remains(runs: &Path) -> Vec<PathBuf> {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).map(|entries| entries.flatten().map(|e| e.path()).collect()).unwrap_or_default()
    };
    let named = |path: &Path, is: &dyn Fn(&str) -> bool| path.file_name().is_some_and(|name| is(&name.to_string_lossy()));
    // An experiment may be called as a temporary file is, but it is a folder.
    let (files, experiments): (Vec<PathBuf>, Vec<PathBuf>) = inside(runs).into_iter().partition(|path| !path.is_dir());
    let mut found: Vec<PathBuf> = files.into_iter().filter(|path| named(path, &is_temporary)).collect();
    let arriving = |path: &PathBuf| named(path, &|name| name.starts_with(ARRIVING)) && !Lock::is_held(&path.join(".lock"));
    let cut_off = |path: &PathBuf| named(path, &|name| name.starts_with(PREFIX)) || arriving(path);
    found.extend(experiments.iter().filter(|path| is_own_folder(path)).flat_map(|experiment| inside(experiment)).filter(cut_off));
    found.sort();
    found
}

/// Temporary files in the folders of sweeps that nobody carries out now.
pub fn of_sweeps(results: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(results).into_iter().flatten().flatten().map(|entry| entry.path());
    let sweep = |path: &PathBuf| is_own_folder(path) && path.join("plan.json").exists() && !Lock::is_shared(&path.join(".lock"));
    let mut found: Vec<PathBuf> = entries.filter(sweep).flat_map(|path| leftovers(&path)).collect();
    found.sort();
    found
}

/// Removes a file or a folder with all that is in it, if it is there; of a link the link alone.
pub fn remove_all(path: &Path) -> Result<()> {
    let removed = if path.is_dir() && !is_link(path) { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, &error)),
        _ => Ok(()),
    }
}

/// Bytes of a file, or of all files below a folder; links count as nothing, as does what vanishes meanwhile.
pub fn size_bytes(path: &Path) -> u64 {
    let Ok(data) = std::fs::symlink_metadata(path) else { return 0 };
    if data.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        return entries.map(|entry| size_bytes(&entry.path())).sum();
    }
    if data.is_file() { data.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_no_run_is_found_and_an_experiment_of_an_odd_name_is_none_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("night.12.tmp/0123456789-s0");
        let cut_off = dir.path().join("full/.removed-0123456789-s1-7");
        [&odd, &cut_off].iter().for_each(|path| std::fs::create_dir_all(path).unwrap());
        let probe = dir.path().join(".writable.7-0.tmp");
        [&probe, &dir.path().join(".claim")].iter().for_each(|path| std::fs::write(path, "").unwrap());
        assert_eq!(remains(dir.path()), [probe, cut_off]);
    }
}
