//! Files of an earlier report that a newer one does not write any more.

use std::path::Path;

use crate::run::file;
use crate::{Error, Result};

/// Removes files of a folder that an earlier report left, by path and name.
///
/// # Errors
/// A folder that cannot be read and a file that cannot be removed.
pub fn remove_stale(folder: &Path, is_stale: &dyn Fn(&Path, &str) -> bool) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io("read the folder", folder, &e))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| is_stale(&path, name)) {
            file::remove(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_stale_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["panels-a.png", "panels-b.png", "notes.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let kept = dir.path().join("panels-b.png");
        remove_stale(dir.path(), &|path, name| name.starts_with("panels-") && path != kept).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["notes.txt", "panels-b.png"]);
        assert!(remove_stale(&dir.path().join("none"), &|_, _| true).unwrap_err().what.contains("none"));
    }
}
