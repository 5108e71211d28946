//! A lease beside a lock: a file that its holder touches every few seconds, so that a lock is believed on file systems whose locks
//! reach no further than one machine (Lustre's `localflock`, NFS's `local_lock`, BeeGFS's default).
//!
//! A lease is taken by creating the file, which one alone can do on every shared file system. Whoever finds one asks whether its
//! holder lives: on the holder's own machine, and in its own namespace of processes, the kernel knows; from elsewhere a lease is
//! living as long as it was touched within [`LIFE`], by the clock of the file system itself, since clocks of machines differ.
//! Taking over a dead one cannot be made safe by files alone; so every holder asks [`Lease::is_own`] before it writes what counts.

use super::folder::absent;
use super::replace::create_beside;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

/// The name of the lease beside a lock; those that share one have one each, which begins so.
pub const FILE: &str = ".lease";

/// How often a holder touches its lease.
const BEAT: Duration = Duration::from_secs(5);

/// After how long without a touch a holder on another machine counts as dead.
pub const LIFE: Duration = Duration::from_secs(60);

/// How often the creation is tried again after a dead lease was removed, or somebody was quicker.
const TRIES: usize = 4;

/// Who holds a lease, as the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    #[serde(default)]
    pub host: Option<String>,
    /// Since when, UTC, RFC 3339.
    pub since: String,
    /// The machine, since it was started, and the namespace of its processes: within both a pid names one process.
    #[serde(default)]
    place: Option<String>,
    /// When the process began, as /proc has it: pids are given again.
    #[serde(default)]
    began: Option<u64>,
    /// Names this lease among all.
    nonce: String,
}

/// A held lease; dropping it removes it.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    nonce: String,
    /// Dropped, it ends the touching.
    _beat: Sender<()>,
}

impl Holder {
    fn this_process(since: String) -> Self {
        let pid = std::process::id();
        Self { pid, host: host(), since, place: place(), began: began(pid), nonce: nonce() }
    }

    /// `process 12 on HOST since …`.
    pub fn words(&self) -> String {
        let host = self.host.as_ref().map_or(String::new(), |host| format!(" on {host}"));
        format!("process {}{host} since {}", self.pid, self.since)
    }

    /// Whether it is of this machine and of this namespace of processes; then whether it lives is known.
    fn lives_here(&self) -> Option<bool> {
        (self.place.is_some() && self.place == place()).then(|| began(self.pid).is_some_and(|began| self.began.is_none_or(|b| b == began)))
    }
}

impl Lease {
    /// Takes the lease of this path for this process, or says who has it.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn take(path: &Path, now: jiff::Timestamp) -> io::Result<Result<Self, Option<Holder>>> {
        let holder = Holder::this_process(format!("{now:.0}"));
        let text = serde_json::to_string(&holder).expect("a holder is plain data") + "\n";
        for _ in 0..TRIES {
            if let Some(file) = create(path, text.as_bytes())? {
                return Ok(Ok(Self { path: path.to_owned(), nonce: holder.nonce, _beat: beat(file) }));
            }
            let found = read(path);
            if is_living(path, found.as_ref()) {
                return Ok(Err(found));
            }
            bury(path, found.as_ref())?;
        }
        Ok(Err(read(path)))
    }

    /// The same lease where its file was moved to with its folder.
    pub fn moved_to(&mut self, path: PathBuf) {
        self.path = path;
    }

    /// Whether it is still this process's: false once another one took it for dead, as that of a machine that was suspended.
    ///
    /// # Errors
    /// A file that is there and cannot be read: nobody knows.
    pub fn is_own(&self) -> io::Result<bool> {
        match super::content(&self.path) {
            Ok(bytes) => Ok(serde_json::from_slice::<Holder>(&bytes).is_ok_and(|holder| holder.nonce == self.nonce)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives it up, as dropping it does.
    pub fn release(&mut self) {
        if self.is_own().unwrap_or(false) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.release();
    }
}

/// Who holds the lease of this path, if anyone who lives.
pub fn living(path: &Path) -> Option<Holder> {
    let found = read(path);
    if is_living(path, found.as_ref()) { found } else { None }
}

/// Whether anyone who lives holds the lease of this path: a file whose content is not there yet counts by its age.
pub fn is_held(path: &Path) -> bool {
    is_living(path, read(path).as_ref())
}

/// This machine's name, where it has one.
pub fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// A new file of this content, on disk before it has its name; `None` where there is one already, and where another machine's holder cleared
/// the file without a name away, as it does with what dead processes leave: whoever holds it then has a lease to be found.
fn create(path: &Path, text: &[u8]) -> io::Result<Option<File>> {
    let (temporary, mut file) = create_beside(path)?;
    let made = file.write_all(text).and_then(|()| file.sync_all()).and_then(|()| match std::fs::hard_link(&temporary, path) {
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => Ok(None),
        // A file system without hard links: a kill between name and content leaves an empty one, which counts by its age.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
            match super::open_own(path, OpenOptions::new().write(true).create_new(true)) {
                Ok(mut file) => file.write_all(text).map(|()| Some(file)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
                Err(error) => Err(error),
            }
        }
        linked => linked.map(|()| Some(file)),
    });
    let _ = std::fs::remove_file(&temporary);
    made
}

fn read(path: &Path) -> Option<Holder> {
    serde_json::from_slice(&super::content(path).ok()?).ok()
}

fn is_living(path: &Path, holder: Option<&Holder>) -> bool {
    holder.and_then(Holder::lives_here).unwrap_or_else(|| age(path).is_some_and(|age| age < LIFE))
}

/// How long ago a file was touched, by the clock of its file system; `None` where there is none.
fn age(path: &Path) -> Option<Duration> {
    // Opened, so that a network's file system asks its server instead of what it remembers.
    let touched = super::open_regular(path).and_then(|file| file.metadata()).and_then(|data| data.modified()).ok()?;
    // A folder that cannot be written is looked at by this machine's clock.
    let now = clock(path).unwrap_or_else(|_| std::time::SystemTime::now());
    Some(now.duration_since(touched).unwrap_or_default())
}

/// What time the file system has: that of a file which is touched there now.
fn clock(beside: &Path) -> io::Result<std::time::SystemTime> {
    let (path, file) = create_beside(beside)?;
    let time = touch(&file).and_then(|()| file.metadata()?.modified());
    // Whoever holds the lock may have cleared it away already.
    let _ = std::fs::remove_file(&path);
    time
}

/// A name that nobody else gives.
pub fn nonce() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // The standard library's keys come from the system's randomness; each is another one.
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// Removes a dead lease; a living one that was put in its place meanwhile is put back. Another machine's holder may clear the grave away.
fn bury(path: &Path, dead: Option<&Holder>) -> io::Result<()> {
    let grave = create_beside(path)?.0;
    let remove = || absent(std::fs::remove_file(&grave));
    match std::fs::rename(path, &grave) {
        Err(error) if error.kind() == ErrorKind::NotFound => return remove(),
        moved => moved?,
    }
    if read(&grave).as_ref() != dead {
        // Whoever created one meanwhile holds it; the one that is put back finds out before it writes.
        let _ = std::fs::hard_link(&grave, path);
    }
    remove()
}

/// Touches the file now and then until the sender is dropped.
fn beat(file: File) -> Sender<()> {
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || {
        while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
            // A server that is away for a moment is tried again; one that stays away is found out by `is_own`.
            let _ = touch(&file);
        }
    });
    sender
}

/// Sets a file's time to what its file system has for now: on a network it is the server's clock.
#[cfg(unix)]
fn touch(file: &File) -> io::Result<()> {
    use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(futimens(file, &Timestamps { last_access: now, last_modification: now })?)
}

#[cfg(not(unix))]
fn touch(file: &File) -> io::Result<()> {
    file.set_modified(std::time::SystemTime::now())
}

/// This machine since it was started, and this process's namespace of processes.
fn place() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// When a process began, in ticks since the machine was started; `None` where there is none, or only what is left of one.
fn began(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything; the state is field 3, the start field 22.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18)?.parse().ok()).flatten()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const NOW: jiff::Timestamp = jiff::Timestamp::UNIX_EPOCH;

    fn taken(path: &Path) -> Result<Lease, Option<Holder>> {
        Lease::take(path, NOW).unwrap()
    }

    /// A lease of another machine that was touched so long ago.
    fn foreign(path: &Path, ago: Duration) -> Holder {
        let holder = Holder { place: Some("another".into()), host: Some("n7".into()), ..Holder::this_process("then".into()) };
        std::fs::write(path, serde_json::to_string(&holder).unwrap()).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(std::time::SystemTime::now() - ago).unwrap();
        holder
    }

    #[test]
    fn one_alone_takes_it_and_dropping_it_frees_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lease");
        let lease = taken(&path).unwrap();
        assert!(lease.is_own().unwrap() && is_held(&path));
        assert_eq!(taken(&path).unwrap_err().unwrap().pid, std::process::id());
        drop(lease);
        assert!(!is_held(&path) && !path.exists());
        drop(taken(&path).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left lying");
    }

    #[test]
    fn the_lease_of_a_process_that_died_on_this_machine_is_free_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lease");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let of = |pid: u32, began: Option<u64>| Holder { pid, began, ..Holder::this_process("then".into()) };
        let write = |holder: &Holder| std::fs::write(&path, serde_json::to_string(holder).unwrap()).unwrap();
        child.wait().unwrap();
        write(&of(child.id(), Some(1)));
        assert!(!is_held(&path));
        // The pid was given to another process since: this one, which began later.
        write(&of(std::process::id(), Some(1)));
        assert!(!is_held(&path));
        write(&of(std::process::id(), began(std::process::id())));
        assert!(is_held(&path));
    }

    #[test]
    fn a_lease_of_another_machine_lives_as_long_as_it_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lease");
        let holder = foreign(&path, LIFE / 2);
        assert_eq!(living(&path), Some(holder.clone()));
        assert_eq!(taken(&path).unwrap_err(), Some(holder));
        foreign(&path, 2 * LIFE);
        assert_eq!(living(&path), None);
        assert!(taken(&path).unwrap().is_own().unwrap());
    }

    #[test]
    fn a_holder_that_was_taken_for_dead_knows_it_and_removes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lease");
        let lease = taken(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(!lease.is_own().unwrap());
        let holder = foreign(&path, Duration::ZERO);
        assert!(!lease.is_own().unwrap());
        drop(lease);
        assert_eq!(living(&path), Some(holder));
    }

    /// Machines whose locks do not reach one another: one that holds a folder clears away what looks like a dead writer's file.
    #[test]
    fn what_another_machine_clears_away_meanwhile_is_no_error() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lease");
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    for entry in std::fs::read_dir(dir.path()).unwrap().flatten() {
                        if super::super::is_temporary(&entry.file_name().to_string_lossy()) {
                            let _ = std::fs::remove_file(entry.path());
                        }
                    }
                }
            });
            let taken = (0..600).map(|round| {
                // In turn over a dead one, and where there is none.
                if round % 2 == 0 {
                    foreign(&path, 2 * LIFE);
                } else {
                    let _ = std::fs::remove_file(&path);
                }
                Lease::take(&path, NOW).map(|lease| lease.is_ok())
            });
            let taken: io::Result<Vec<bool>> = taken.collect();
            // Before anything is asserted: the other thread ends by it alone.
            ended.store(true, Ordering::Relaxed);
            assert!(taken.unwrap().contains(&true));
        });
    }

    #[test]
    fn a_dead_lease_that_is_replaced_meanwhile_is_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lease");
        let dead = foreign(&path, 2 * LIFE);
        let new = foreign(&path, Duration::ZERO);
        bury(&path, Some(&dead)).unwrap();
        assert_eq!(living(&path), Some(new.clone()));
        bury(&path, Some(&new)).unwrap();
        assert!(!path.exists() && std::fs::read_dir(dir.path()).unwrap().count() == 0);
    }

    #[test]
    fn of_many_that_want_a_dead_lease_one_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lease");
        for _ in 0..20 {
            foreign(&path, 2 * LIFE);
            let leases: Vec<Lease> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..8).map(|_| scope.spawn(|| taken(&path).ok())).collect();
                all.into_iter().filter_map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(leases.iter().filter(|lease| lease.is_own().unwrap()).count(), 1);
        }
    }

    #[test]
    fn a_touched_file_has_the_clock_of_its_file_system() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lease");
        foreign(&path, 10 * LIFE);
        assert!(age(&path).unwrap() >= 10 * LIFE - BEAT);
        touch(&File::options().write(true).open(&path).unwrap()).unwrap();
        assert!(age(&path).unwrap() < BEAT);
        assert_eq!(age(&dir.path().join("none")), None);
    }
}
