//! Waiting for a lock that others hold for moments: with a word once it takes longer, and an end when the process is asked to stop.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::lease;
use crate::{Error, Result, sayln};

/// How a lock is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// By this process alone.
    Alone,
    /// Together with others that share it.
    Shared,
}

/// How often a lock is tried, and after how long people are told.
const PAUSE: Duration = Duration::from_millis(20);
/// Holders that are well hold it for less than this; until then it is tried each millisecond.
const SOON: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(1);

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Ends every wait of this process once `requested` is set.
pub fn end_waits_with(requested: Arc<AtomicBool>) {
    // A second listener is the first one's equal: both are set by the same signals.
    let _ = STOP.set(requested);
}

/// Takes the lock of `file`, which lies at `path`, however long others hold it; who they are is said after a second.
///
/// # Errors
/// `Kind::Stopped` where the process is asked to stop meanwhile; a file system without locks.
pub fn lock(file: &File, path: &Path, share: Share) -> Result<()> {
    let began = Instant::now();
    let mut said = false;
    loop {
        let tried = if share == Share::Alone { file.try_lock() } else { file.try_lock_shared() };
        match tried {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => {
                return Err(unsupported(path, &error));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if STOP.get().is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Err(Error::stopped(format!("stopped while waiting for {}, which {} holds", path.display(), holder(path))));
        }
        if !said && began.elapsed() >= PATIENCE {
            said = true;
            sayln!("waiting for {}, which {} holds; Ctrl-C ends the wait", path.display(), holder(path));
        }
        std::thread::sleep(if began.elapsed() < SOON { Duration::from_millis(1) } else { PAUSE });
    }
}

/// The error where a file system has no locks.
pub fn unsupported(path: &Path, error: &std::io::Error) -> Error {
    Error::environment(
        format!("cannot lock {}: {error}", path.display()),
        "its file system seems to be without locks (Lustre needs the mount option flock): choose another folder with `--results`",
    )
}

/// Who holds the lock of a file, as far as this machine's kernel or the file tells: `process 12 (harness) on HOST`.
pub fn holder(path: &Path) -> String {
    let Some(pid) = inode(path).and_then(|inode| locked_by(&std::fs::read_to_string("/proc/locks").ok()?, inode)) else {
        return noted(path).unwrap_or_else(|| "another process, perhaps of another machine".into());
    };
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).map_or(String::new(), |name| format!(" ({})", name.trim()));
    format!("process {pid}{name}{}", lease::host().map_or(String::new(), |host| format!(" on {host}")))
}

/// Who holds the lease beside a lock: on a network's file system the kernel knows only those of its own machine.
fn noted(path: &Path) -> Option<String> {
    lease::living(&path.with_file_name(lease::FILE)).map(|holder| holder.words())
}

#[cfg(unix)]
fn inode(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|data| data.ino())
}

#[cfg(not(unix))]
fn inode(_: &Path) -> Option<u64> {
    None
}

/// The process that holds a lock on an inode, of the lines of /proc/locks: `1: FLOCK  ADVISORY  WRITE 1234 fd:01:393217 0 EOF`.
/// Lines of those that wait have an arrow.
fn locked_by(locks: &str, inode: u64) -> Option<u32> {
    let of = |line: &str| {
        let [_, "FLOCK", _, _, pid, place, ..] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
        let found: u64 = place.rsplit(':').next()?.parse().ok()?;
        pid.parse().ok().filter(|&pid: &u32| pid > 0 && found == inode)
    };
    locks.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_in_the_kernels_list() {
        let locks = "1: FLOCK  ADVISORY  WRITE 77 fd:01:393217 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 78 fd:01:393217 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 79 fd:01:5 0 EOF\n3: FLOCK  ADVISORY  READ  80 fd:01:6 0 EOF\n";
        assert_eq!([393_217, 5, 6, 7].map(|inode| locked_by(locks, inode)), [Some(77), None, Some(80), None]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_lock_that_is_held_is_waited_for_until_it_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".claim");
        let (held, wanted) = (File::create(&path).unwrap(), File::open(&path).unwrap());
        held.lock().unwrap();
        assert!(holder(&path).starts_with(&format!("process {}", std::process::id())), "{}", holder(&path));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| lock(&wanted, &path, Share::Alone));
            std::thread::sleep(3 * PAUSE);
            assert!(!waiting.is_finished());
            held.unlock().unwrap();
            waiting.join().unwrap().unwrap();
        });
    }
}
