//! Files that are replaced whole: a reader, and whoever comes after a crash, sees the old content or the new, never a mix.

use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Replaces the content of `path` by `bytes`: written beside it, synced, renamed, the folder synced.
/// Safe against other processes that write the same path: one of them wins, whole.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_parts(path, &[bytes])
}

/// [`replace`] with the content in several pieces, which spares a copy of large ones.
pub fn replace_parts(path: &Path, parts: &[&[u8]]) -> Result<()> {
    let (temporary, mut file) = create_beside(path)?;
    let written = parts.iter().try_for_each(|part| file.write_all(part));
    let renamed = written.and_then(|()| file.sync_all()).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = renamed {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
        return Err(Error::io("write", path, &error));
    }
    sync_folder(parent(path))
}

/// Writes `value` as indented JSON with a newline at its end; see [`replace`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).expect("what is stored is plain data");
    text.push('\n');
    replace(path, text.as_bytes())
}

/// Reads a JSON file whose member `format` is at most `newest`; `None` if there is no such file.
pub fn read_json<T: DeserializeOwned>(path: &Path, newest: u32) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path, &error)),
    };
    let broken = |error: serde_json::Error| {
        Error::environment(format!("cannot understand {}: {error}", path.display()), "move the file away and repeat the command")
    };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(broken)?;
    check_format(path, value.get("format").and_then(serde_json::Value::as_u64), newest)?;
    serde_json::from_value(value).map(Some).map_err(broken)
}

/// Whether this program can read a file that says `format`; the error names `path`.
pub fn check_format(path: &Path, format: Option<u64>, newest: u32) -> Result<()> {
    match format {
        Some(format) if (1..=u64::from(newest)).contains(&format) => Ok(()),
        Some(format) => Err(Error::environment(
            format!("{} has format {format}, and this program reads formats up to {newest}", path.display()),
            "use the newer version of harness that wrote it",
        )),
        None => Err(Error::environment(format!("{} does not say which format it has", path.display()), "it was not written by harness")),
    }
}

/// Creates a folder and tries to write into it, so that a long computation does not fail at its first save.
///
/// # Errors
/// As the system gives it.
pub fn probe(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".writable-{}", std::process::id()));
    fs::create_dir_all(folder).and_then(|()| fs::write(&probe, b"")).and_then(|()| fs::remove_file(&probe))
}

/// Removes a file if it is there, and makes that last.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(parent(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("remove", path, &error)),
    }
}

/// Removes what [`replace`] left in `folder` when it was killed. Only for who holds the lock of that folder.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|e| Error::io("read", folder, &e))?,
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// A new file `.NAME.PID-COUNT.tmp` beside `path`. Names are unique among living processes of one machine; where
/// another machine or a dead process took one, the next is tried.
fn create_beside(path: &Path) -> Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().expect("a file to be replaced has a name").to_string_lossy();
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".{name}.{}-{count}.tmp", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("write", path, &error)),
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes a rename or removal in `folder` last through a power failure, where the system can.
fn sync_folder(folder: &Path) -> Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|f| f.sync_all()) {
        // Some network and overlay file systems know no sync of folders: nothing more can be done there.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced.map_err(|e| Error::io("write", folder, &e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        replace(&path, b"one").unwrap();
        replace_parts(&path, &[b"t", b"wo"]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn writers_at_the_same_time_leave_one_whole_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::thread::scope(|scope| {
            for n in 0..4u8 {
                let path = &path;
                scope.spawn(move || (0..8).for_each(|_| replace(path, &vec![n; 10_000]).unwrap()));
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes, vec![bytes[0]; 10_000]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_writer_left_is_removed_and_the_old_content_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace(&path, b"old").unwrap();
        // Killed between write and rename: the temporary file is there, the rename is not.
        let (temporary, mut file) = create_beside(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        remove_leftovers(dir.path()).unwrap();
        assert!(!temporary.exists() && path.exists());
    }

    #[test]
    fn a_newer_format_and_a_missing_one_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        assert_eq!(read_json::<serde_json::Value>(&path, 1).unwrap(), None);
        write_json(&path, &json!({ "format": 1, "x": 2 })).unwrap();
        assert_eq!(read_json::<serde_json::Value>(&path, 1).unwrap().unwrap()["x"], 2);
        write_json(&path, &json!({ "format": 7 })).unwrap();
        let error = read_json::<serde_json::Value>(&path, 1).unwrap_err();
        assert!(error.what.contains("a.json has format 7") && error.remedy.contains("newer"), "{error}");
        replace(&path, b"{}").unwrap();
        assert!(read_json::<serde_json::Value>(&path, 1).is_err());
        replace(&path, b"{").unwrap();
        assert!(read_json::<serde_json::Value>(&path, 1).unwrap_err().what.contains("line 1"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = replace(&dir.path().join("no/a"), b"").unwrap_err();
        assert!(error.what.contains("no/a"), "{error}");
        assert_eq!(error.exit_code(), 3);
    }
}
