//! What is done to the files of a folder: tried, synced, removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::replace::{create_beside, sync_folder};
use super::{is_link, is_temporary};
use crate::{Error, Result};

/// Creates a folder and tries to write into it, so that a long computation does not fail at its first save.
///
/// # Errors
/// As the system gives it.
pub fn probe(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let (probe, _) = create_beside(&folder.join("writable"))?;
    absent(fs::remove_file(&probe))
}

/// Removes a file if it is there, and makes that last.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path.parent().unwrap_or(Path::new(""))).map_err(|e| Error::io("remove", path, &e)),
        removed => absent(removed).map_err(|e| Error::io("remove", path, &e)),
    }
}

/// Removes the files of a folder that `is_stale` picks by path and name: what an earlier command left there. From a folder that is a
/// link nothing is removed: what it points to may be somebody else's.
///
/// # Errors
/// A folder that cannot be read and a file that cannot be removed.
pub fn remove_stale(folder: &Path, is_stale: &dyn Fn(&Path, &str) -> bool) -> Result<()> {
    if is_link(folder) {
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(|e| Error::io("read the folder", folder, &e))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| is_stale(&path, name)) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Temporary files anywhere below a folder, sorted: what writers left that were killed, of this version and of earlier ones.
/// Folders that are missing or cannot be read count as empty, and so do links.
pub fn leftovers(folder: &Path) -> Vec<PathBuf> {
    if is_link(folder) {
        return vec![];
    }
    let (mut files, mut folders) = (vec![], vec![]);
    let _ = walk(folder, &mut files, &mut folders);
    files.retain(|path| path.file_name().is_some_and(|name| is_temporary(&name.to_string_lossy())));
    files.sort();
    files
}

/// Removes the [`leftovers`] of a folder. Only for whoever holds its lock: a living writer's files look the same.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    leftovers(folder).iter().try_for_each(|path| remove(path))
}

/// Makes everything below a folder survive a power failure, what was written with [`super::Durable::OnceSynced`] above all.
/// A missing folder is empty. One call for many files costs less than a sync of each as it is written, because the disk's waits
/// overlap: for 120 maps of 64 KiB on ext4 some 0.1 s instead of 0.4 to 0.9 s.
///
/// # Errors
/// A file or folder that cannot be read or synced.
pub fn sync_all(folder: &Path) -> Result<()> {
    let (mut files, mut folders) = (vec![], vec![]);
    walk(folder, &mut files, &mut folders).map_err(|e| Error::io("read the folder", folder, &e))?;
    // Elsewhere than on Unix only a file that is open for writing can be synced.
    let sync = |path: &PathBuf| OpenOptions::new().read(true).write(!cfg!(unix)).open(path).and_then(|file: File| file.sync_all());
    files.par_iter().try_for_each(|path| absent(sync(path)).map_err(|e| Error::io("write", path, &e)))?;
    folders.iter().try_for_each(|path| sync_folder(path).map_err(|e| Error::io("write", path, &e)))
}

/// Everything below a folder that is no folder, by its path below with `/` between names, sorted; links are named and not followed.
///
/// # Errors
/// A folder that cannot be read, and a name that is not text.
pub fn tree(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let (mut found, mut open) = (vec![], vec![String::new()]);
    while let Some(below) = open.pop() {
        let path = folder.join(&below);
        let io = |e: &io::Error| Error::io("read the folder", &path, e);
        for entry in fs::read_dir(&path).map_err(|e| io(&e))? {
            let entry = entry.map_err(|e| io(&e))?;
            let name = entry.file_name().into_string().map_err(|name| {
                Error::environment(format!("{}: the name of {} is not text", path.display(), name.display()), "rename it")
            })?;
            let below = if below.is_empty() { name } else { format!("{below}/{name}") };
            if entry.file_type().map_err(|e| io(&e))?.is_dir() { open.push(below) } else { found.push((below, entry.path())) }
        }
    }
    found.sort();
    Ok(found)
}

/// All files and folders below `folder`, itself included; links are not followed.
fn walk(folder: &Path, files: &mut Vec<PathBuf>, folders: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    folders.push(folder.to_owned());
    for entry in entries {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => walk(&entry.path(), files, folders)?,
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

/// A file that is gone already is as good as removed.
pub(super) fn absent(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::replace;

    #[test]
    fn a_folder_is_made_and_tried_and_left_empty() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        probe(&folder).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(probe(&dir.path().join("file")).is_err());
    }

    #[test]
    fn what_killed_writers_left_is_found_in_every_folder_below_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("maps/S");
        fs::create_dir_all(&deep).unwrap();
        let left = [dir.path().join(".summary.json.9-0.tmp"), deep.join(".yy.npy.9-0.tmp"), deep.join("zz.npy.9.tmp")];
        let kept = [dir.path().join("summary.json"), dir.path().join("notes.tmp"), deep.join("zz.npy")];
        left.iter().chain(&kept).for_each(|path| fs::write(path, "x").unwrap());
        assert_eq!(leftovers(dir.path()), left);
        remove_leftovers(dir.path()).unwrap();
        assert!(left.iter().all(|path| !path.exists()) && kept.iter().all(|path| path.exists()));
        assert!(leftovers(&dir.path().join("none")).is_empty());
    }

    #[test]
    fn stale_files_go_by_their_name() {
        let dir = tempfile::tempdir().unwrap();
        ["a.csv", "a.md", "b.csv"].iter().for_each(|name| replace(&dir.path().join(name), b"").unwrap());
        remove_stale(dir.path(), &|path, name| name.ends_with(".csv") && !path.ends_with("b.csv")).unwrap();
        assert!(!dir.path().join("a.csv").exists() && dir.path().join("a.md").exists() && dir.path().join("b.csv").exists());
        assert!(remove_stale(&dir.path().join("none"), &|_, _| true).is_err());
    }

    #[test]
    fn a_folder_is_synced_with_all_that_is_in_it_and_a_missing_one_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/c"), "x").unwrap();
        sync_all(dir.path()).unwrap();
        sync_all(&dir.path().join("none")).unwrap();
        assert!(sync_all(&dir.path().join("a/b/c")).is_err(), "a file is not a folder");
    }
}
