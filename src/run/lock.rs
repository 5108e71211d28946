//! The lock of a run's or a sweep's folder: held by living processes that work in it, freed by the operating system when they die.
//!
//! It is two things. The lock of the operating system on the file `.lock` keeps this machine's processes apart, exactly and at once. A
//! lease beside it, see [`crate::file::lease`], keeps those of other machines apart where their locks don't reach here.

use crate::file::{self, lease, open_own, wait};
use crate::{Error, Result};
use lease::{Holder, Lease};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A held lock; dropping it frees it.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
    lease: Lease,
}

impl Drop for Lock {
    /// Frees it at once: merely closed, it would live on in a child that another thread is just forking.
    fn drop(&mut self) {
        // The lease first: whoever gets the lock next must not find it.
        self.lease.release();
        let _ = self.file.unlock();
    }
}

/// [`Lock::is_held`] takes the lock for an instant; whoever wants it tries again before believing that it is taken.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(15);

/// How long those that share a lock wait for one that has it alone, on another machine; here it is waited for without end.
const MOMENTS: u32 = 200;

impl Lock {
    /// Takes the lock of the file `path`, which is created if missing, for this process alone, or says who holds it. Waits some 0.1 s at
    /// most.
    ///
    /// # Errors
    /// `Kind::Environment`: another process has it, or shares it; a file system without locks; a folder that cannot be written.
    pub fn acquire(path: &Path, now: jiff::Timestamp) -> Result<Self> {
        Self::alone(path, now, TRIES)?.map_err(|holder| taken(path, holder))
    }

    /// The same, without waiting; `None` where another process holds or shares it.
    ///
    /// # Errors
    /// A file system without locks; a folder that cannot be written.
    pub fn if_free(path: &Path, now: jiff::Timestamp) -> Result<Option<Self>> {
        Ok(Self::alone(path, now, 1)?.ok())
    }

    /// The lock, or who holds it, as far as that is known.
    fn alone(path: &Path, now: jiff::Timestamp, tries: u32) -> Result<std::result::Result<Self, Option<Holder>>> {
        let mut file = open(path)?;
        // Its last holder may have removed the run, and the file with it: a lock on a removed file keeps no one out.
        loop {
            if !lock_alone(&file, path, tries)? {
                return Ok(Err(Self::holder(path)));
            }
            if is_at(&file, path) {
                break;
            }
            file = open(path)?;
        }
        let lease = match Lease::take(&beside(path), now).map_err(|e| Error::io("lock", path, &e))? {
            Ok(lease) => lease,
            Err(holder) => return Ok(Err(holder)),
        };
        let lock = Self { file, path: path.to_owned(), lease };
        // In this order, and those that share it in the other: of two that come at once at least one sees the other.
        for sharer in sharers(path) {
            match lease::living(&sharer) {
                Some(holder) => return Ok(Err(Some(holder))),
                None => file::remove(&sharer)?,
            }
        }
        Ok(Ok(lock))
    }

    /// Takes the lock together with others that share it, however long one has it alone.
    ///
    /// # Errors
    /// `Kind::Stopped` where the process is asked to stop meanwhile; a file system without locks; a folder that cannot be written.
    pub fn share(path: &Path, now: jiff::Timestamp) -> Result<Self> {
        let io = |e: std::io::Error| Error::io("lock", path, &e);
        let file = open(path)?;
        wait::lock(&file, path, wait::Share::Shared)?;
        let own = path.with_file_name(format!("{}-{}", lease::FILE, lease::nonce()));
        let lease = Lease::take(&own, now).map_err(io)?.map_err(|holder| taken(path, holder))?;
        let lock = Self { file, path: path.to_owned(), lease };
        for _ in 0..MOMENTS {
            if !lease::is_held(&beside(path)) {
                return Ok(lock);
            }
            std::thread::sleep(PAUSE);
        }
        Err(taken(path, lease::living(&beside(path))))
    }

    /// Refuses to go on where the lock is lost: a machine that was suspended, or cut off from its files, counts as dead after a minute, and
    /// another one may have taken over. To be asked before anything is written that counts.
    ///
    /// # Errors
    /// `Kind::Environment` naming who has it now; a lease that cannot be read.
    pub fn check(&self) -> Result<()> {
        if self.lease.is_own().map_err(|e| Error::io("read", &beside(&self.path), &e))? {
            return Ok(());
        }
        let who = Self::holder(&self.path).map_or("another process".to_owned(), |holder| holder.words());
        Err(Error::environment(
            format!("{} was taken over by {who}: this process was silent for too long", folder(&self.path).display()),
            "nothing more was written; repeat the command once the other one has ended",
        ))
    }

    /// The same lock where its folder was moved to.
    pub fn moved_to(&mut self, path: &Path) {
        self.path = path.to_owned();
        self.lease.moved_to(beside(path));
    }

    /// Who holds the lock of `path`, alone or with others, as far as leases tell.
    pub fn holder(path: &Path) -> Option<Holder> {
        std::iter::once(beside(path)).chain(sharers(path)).find_map(|path| lease::living(&path))
    }

    /// Whether a living process holds the lock of `path` alone. No lock file: no.
    pub fn is_held(path: &Path) -> bool {
        // Shared, so that two who look do not see each other.
        asked(path, File::try_lock_shared) || lease::is_held(&beside(path))
    }

    /// Whether any living process holds the lock of `path`, though it shares it. For an instant it is this process's alone.
    pub fn is_shared(path: &Path) -> bool {
        asked(path, File::try_lock) || lease::is_held(&beside(path)) || sharers(path).iter().any(|path| lease::is_held(path))
    }
}

/// The lease beside a lock.
fn beside(path: &Path) -> PathBuf {
    path.with_file_name(lease::FILE)
}

/// The leases of those that share a lock, dead ones too.
fn sharers(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder(path)).into_iter().flatten().flatten();
    let is_lease = |name: &str| name.strip_prefix(lease::FILE).is_some_and(|rest| rest.starts_with('-'));
    entries.filter(|entry| is_lease(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect()
}

/// Tries to lock a file; whether it is locked now.
fn lock_alone(file: &File, path: &Path, tries: u32) -> Result<bool> {
    for remaining in (0..tries).rev() {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if remaining > 0 => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(wait::unsupported(path, &error)),
        }
    }
    Ok(false)
}

fn open(path: &Path) -> Result<File> {
    open_own(path, OpenOptions::new().read(true).write(true).create(true).truncate(false)).map_err(|e| Error::io("lock", path, &e))
}

/// Whether the operating system says that another process holds the lock.
fn asked(path: &Path, lock: fn(&File) -> std::result::Result<(), TryLockError>) -> bool {
    open_own(path, OpenOptions::new().read(true)).is_ok_and(|file| matches!(lock(&file), Err(TryLockError::WouldBlock)))
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
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

fn taken(path: &Path, holder: Option<Holder>) -> Error {
    let who = holder.map_or("another process".to_owned(), |holder| holder.words());
    Error::environment(
        format!("{} is being run by {who}", folder(path).display()),
        "wait for it, or stop it and repeat the command; what a machine held that is gone is free after a minute",
    )
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
        let host = lease::host().map_or(String::new(), |host| format!(" on {host}"));
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

    #[test]
    fn those_that_share_a_lock_keep_out_one_that_wants_it_alone_and_are_kept_out_by_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let now = jiff::Timestamp::UNIX_EPOCH;
        let both = [Lock::share(&path, now).unwrap(), Lock::share(&path, now).unwrap()];
        assert!(Lock::is_shared(&path) && !Lock::is_held(&path));
        assert!(Lock::acquire(&path, now).unwrap_err().what.contains("is being run by process"));
        drop(both);
        assert!(!Lock::is_shared(&path) && sharers(&path).is_empty());
        drop(Lock::acquire(&path, now).unwrap());
    }

    /// What another machine's process leaves that has the lock there: its lease, and no lock of the operating system here.
    fn elsewhere(lease: &Path) {
        let dir = tempfile::tempdir().unwrap();
        let own = Lease::take(&dir.path().join("x"), jiff::Timestamp::UNIX_EPOCH).unwrap().unwrap();
        let text = std::fs::read_to_string(dir.path().join("x")).unwrap();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        std::fs::write(lease, text.replace(boot.trim(), "another machine")).unwrap();
        drop(own);
    }

    #[test]
    fn a_lock_that_reaches_one_machine_only_is_not_believed_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (path, now) = (dir.path().join(".lock"), jiff::Timestamp::UNIX_EPOCH);
        elsewhere(&beside(&path));
        assert!(Lock::is_held(&path) && Lock::is_shared(&path));
        let error = Lock::acquire(&path, now).unwrap_err();
        assert!(error.exit_code() == 3 && error.what.contains("is being run by process") && error.remedy.contains("a minute"), "{error}");
        std::fs::remove_file(beside(&path)).unwrap();
        elsewhere(&dir.path().join(".lease-0"));
        assert!(!Lock::is_held(&path) && Lock::is_shared(&path));
        assert!(Lock::acquire(&path, now).is_err() && !beside(&path).exists());
        drop(Lock::share(&path, now).unwrap());
    }

    #[test]
    fn a_holder_that_another_machine_took_for_dead_writes_nothing_more() {
        let dir = tempfile::tempdir().unwrap();
        let (path, now) = (dir.path().join(".lock"), jiff::Timestamp::UNIX_EPOCH);
        let lock = Lock::acquire(&path, now).unwrap();
        lock.check().unwrap();
        elsewhere(&beside(&path));
        let error = lock.check().unwrap_err();
        assert!(error.exit_code() == 3 && error.what.contains("was taken over by process"), "{error}");
        drop(lock);
        assert!(Lock::is_held(&path), "the other's lease stays");
    }
}
