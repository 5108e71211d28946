//! The lock of a run's folder: held by the living process that works in it, freed by the operating system when that dies.

use crate::file::{open_own, wait};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// A held lock; dropping it frees it.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Frees it at once: merely closed, it would live on in a child that another thread is just forking.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// What the holder writes into the file, for the message that others get. It means nothing once the lock is free.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    #[serde(default)]
    host: Option<String>,
    since: String,
}

/// [`Lock::is_held`] takes the lock for an instant; whoever wants it tries again before believing that it is taken.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(15);

impl Lock {
    /// Takes the lock of the file `path`, which is created if missing, or says who holds it. Waits some 0.1 s at most.
    pub fn acquire(path: &Path, now: jiff::Timestamp) -> Result<Self> {
        let mut lock = Self::take(path)?;
        // Its last holder may have removed the run, and the file with it: a lock on a removed file keeps no one out.
        while !is_at(&lock.file, path) {
            lock = Self::take(path)?;
        }
        let holder = Holder { pid: std::process::id(), host: wait::host(), since: format!("{now:.0}") };
        let text = serde_json::to_string(&holder).expect("a holder is plain data") + "\n";
        let file = &mut lock.file;
        let written = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).and_then(|_| file.write_all(text.as_bytes()));
        written.map_err(|e| Error::io("lock", path, &e))?;
        Ok(lock)
    }

    fn take(path: &Path) -> Result<Self> {
        let io = |e: &std::io::Error| Error::io("lock", path, e);
        let file = open_own(path, OpenOptions::new().read(true).write(true).create(true).truncate(false)).map_err(|e| io(&e))?;
        for remaining in (0..TRIES).rev() {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if remaining > 0 => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(taken(path)),
                Err(TryLockError::Error(error)) => {
                    return Err(Error::environment(
                        format!("cannot lock {}: {error}", path.display()),
                        "its file system may not support locks: choose another folder with `--results`",
                    ));
                }
            }
        }
        Ok(Self { file })
    }

    /// Whether a living process holds the lock of `path`. No lock file, or one that cannot be asked: no.
    pub fn is_held(path: &Path) -> bool {
        // Shared, so that two who look do not see each other.
        let open = open_own(path, OpenOptions::new().read(true));
        open.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Whether any living process holds the lock of `path`, though it shares it. For an instant it is this process's alone.
    pub fn is_shared(path: &Path) -> bool {
        let open = open_own(path, OpenOptions::new().read(true));
        open.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }
}

/// Whether `path` still names this very file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |data: std::fs::Metadata| (data.dev(), data.ino());
    file.metadata().is_ok_and(|own| std::fs::symlink_metadata(path).is_ok_and(|found| place(own) == place(found)))
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

fn taken(path: &Path) -> Error {
    let folder = path.parent().unwrap_or(path).display();
    let holder = crate::file::content(path).ok().and_then(|bytes| serde_json::from_slice::<Holder>(&bytes).ok());
    let who = holder.map_or("another process".to_owned(), |h| {
        let host = h.host.map_or(String::new(), |host| format!(" on {host}"));
        format!("process {}{host} since {}", h.pid, h.since)
    });
    Error::environment(format!("{folder} is being run by {who}"), "wait for it, or stop it and repeat the command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_names_its_holder_and_is_free_once_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        assert!(!Lock::is_held(&path));
        let now: jiff::Timestamp = "2025-03-01T12:00:00.5Z".parse().unwrap();
        let lock = Lock::acquire(&path, now).unwrap();
        assert!(Lock::is_held(&path));
        let error = Lock::acquire(&path, now).unwrap_err();
        let host = wait::host().map_or(String::new(), |host| format!(" on {host}"));
        let who = format!("is being run by process {}{host} since 2025-03-01T12:00:00Z", std::process::id());
        assert!(error.what.contains(&who), "{error}");
        drop(lock);
        assert!(!Lock::is_held(&path));
        Lock::acquire(&path, now).unwrap();
    }

    #[test]
    fn the_lock_of_a_removed_run_is_not_taken_for_the_new_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let now = jiff::Timestamp::UNIX_EPOCH;
        let old = Lock::acquire(&path, now).unwrap();
        // Removed and made again while another waits for the old file.
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || Lock::acquire(&path, now).map(|lock| is_at(&lock.file, &path))
        });
        std::thread::sleep(PAUSE);
        std::fs::rename(&path, dir.path().join("grave")).unwrap();
        drop(old);
        assert!(waiting.join().unwrap().unwrap());
    }

    #[test]
    fn looking_at_a_lock_does_not_keep_others_from_taking_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    Lock::is_held(&path);
                    std::thread::sleep(Duration::from_micros(200));
                }
            });
            let taken: Vec<bool> = (0..50).map(|_| Lock::acquire(&path, jiff::Timestamp::UNIX_EPOCH).is_ok()).collect();
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(taken.iter().all(|t| *t));
        });
    }
}
