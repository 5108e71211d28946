//! The one way in which this program writes a whole file: beside it, synced, then renamed over it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// When a written file is safe from a power failure. Whole it is always: the rename comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// When the call returns: the file is synced before the rename, its folder after it.
    Now,
    /// Once [`super::sync_all`] was called for a folder above it. For many small files of which none counts before the last is
    /// there, such as the score maps of a run.
    OnceSynced,
}

/// Replaces the content of `path` by `bytes`, at once durable; see [`replace_with`].
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_with(path, Durable::Now, |out| out.write_all(bytes))
}

/// Replaces the content of `path` by what `fill` writes. A reader sees the old content or the new, whatever happens; of
/// processes and threads that write the same path at once, one wins, whole.
///
/// # Errors
/// A file that cannot be written, by its path; what was there before is then still there.
pub fn replace_with(path: &Path, durable: Durable, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
    let written = create_beside(path).and_then(|(temporary, file)| {
        let renamed = write(file, durable, fill).and_then(|()| fs::rename(&temporary, path));
        if renamed.is_err() {
            // The first error is the one to report.
            let _ = fs::remove_file(&temporary);
        }
        renamed
    });
    let synced = written.and_then(|()| if durable == Durable::Now { sync_folder(parent(path)) } else { Ok(()) });
    synced.map_err(|e| Error::io("write", path, &e))
}

fn write(file: File, durable: Durable, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    fill(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    if durable == Durable::Now { file.sync_all() } else { Ok(()) }
}

/// Whether a file of this name is a temporary one: `.NAME.PID-COUNT.tmp`. Earlier versions wrote `NAME.PID.tmp` beside maps
/// and pictures and `.NAME.PID.part` beside weights, and left `.writable-PID` where they were killed while trying a folder.
pub fn is_temporary(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let hidden = name.strip_prefix('.');
    if let Some(rest) = hidden.and_then(|rest| rest.strip_prefix("writable-")) {
        return number(rest);
    }
    let Some((rest, ending)) = name.rsplit_once('.') else { return false };
    let Some((_, writer)) = rest.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) else { return false };
    match (ending, writer.split_once('-')) {
        ("tmp", Some((pid, count))) => hidden.is_some() && number(pid) && number(count),
        ("tmp", None) => number(writer),
        ("part", None) => hidden.is_some() && number(writer),
        _ => false,
    }
}

/// A new file `.NAME.PID-COUNT.tmp` beside `path`. Names are unique among the calls of all living processes of one machine;
/// where another machine or a dead process took one, the next is tried.
pub(super) fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let Some(name) = path.file_name() else { return Err(io::Error::new(ErrorKind::InvalidInput, "the path names no file")) };
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".{}.{}-{count}.tmp", name.to_string_lossy(), std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Makes a rename or removal in `folder` last through a power failure, where the system can. An empty path is the current folder.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match File::open(folder).and_then(|f| f.sync_all()) {
        // Some network and overlay file systems cannot sync folders: nothing more can be done there.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        for durable in [Durable::Now, Durable::OnceSynced] {
            replace(&path, b"one").unwrap();
            replace_with(&path, durable, |out| out.write_all(b"t").and_then(|()| out.write_all(b"wo"))).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"two");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_content_and_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace(&path, b"old").unwrap();
        let error = replace_with(&path, Durable::Now, |out| {
            out.write_all(b"new")?;
            Err(io::Error::other("no more room"))
        });
        assert!(error.unwrap_err().what.contains("no more room"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
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
    fn a_reader_during_a_write_sees_the_old_content_or_the_new_and_never_a_part() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let contents = [vec![1u8; 300_000], vec![2u8; 200_000]];
        for durable in [Durable::Now, Durable::OnceSynced] {
            replace(&path, &contents[0]).unwrap();
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for round in 0..60 {
                        // In pieces, as a large file is written.
                        let fill = |out: &mut BufWriter<File>| contents[round % 2].chunks(50_000).try_for_each(|part| out.write_all(part));
                        replace_with(&path, durable, fill).unwrap();
                    }
                    done.store(true, Ordering::Relaxed);
                });
                while !done.load(Ordering::Relaxed) {
                    let seen = fs::read(&path).unwrap();
                    assert!(contents.contains(&seen), "{} bytes, the first {:?}", seen.len(), seen.first());
                }
            });
        }
    }

    #[test]
    fn temporary_files_of_this_version_and_of_earlier_ones_are_known_by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let (temporary, _) = create_beside(&dir.path().join("a.json")).unwrap();
        assert!(is_temporary(temporary.file_name().unwrap().to_str().unwrap()));
        for name in [".a.json.12-0.tmp", "a.npy.12.tmp", "a.12.tmp", ".resnet50.safetensors.12.part", ".writable-12"] {
            assert!(is_temporary(name), "{name}");
        }
        let others =
            ["a.json", "a.tmp", ".tmp", ".12.tmp", "a.b.tmp", "a.12-0.tmp", ".a.12-.tmp", "a.12.part", ".writable-", "writable-12", ""];
        for name in others {
            assert!(!is_temporary(name), "{name}");
        }
    }

    #[test]
    fn what_a_killed_writer_left_does_not_disturb_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        replace(&path, b"old").unwrap();
        // Killed between write and rename: the temporary file is there, the rename is not.
        let (temporary, mut file) = create_beside(&path).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        replace(&path, b"newer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newer");
        assert!(temporary.exists());
    }

    #[test]
    fn a_folder_that_is_not_there_and_a_path_without_a_name_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = replace(&dir.path().join("no/a"), b"").unwrap_err();
        assert!(error.what.contains("no/a"), "{error}");
        assert_eq!(error.exit_code(), 3);
        assert!(replace(Path::new(".."), b"").unwrap_err().what.contains("names no file"));
    }
}
