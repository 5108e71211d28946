//! What this machine has: processor, memory, disk, the cache, whether results can be written.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use super::finding::Finding;
use crate::allowance;
use crate::data::hash::cache_folder;
use crate::file::mount::Mount;
use crate::run::{Cpu, env};
use crate::store::{Store, removal};
use crate::ui::text;

/// Free space below which a warning is due: a sweep of the CPU profile takes some gigabytes.
const LITTLE_BYTES: u64 = 2 << 30;

/// Measured, as far as the system says it.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    pub os: String,
    pub cpu: Cpu,
    pub memory_bytes: Option<u64>,
    pub memory_available_bytes: Option<u64>,
    /// What bounds the cores and the memory that may be used below what there is: a scheduler's variable, `cgroup`.
    pub cores_bound_by: Option<String>,
    pub memory_allowed_bytes: Option<u64>,
    pub memory_bound_by: Option<String>,
    /// The file system of the results, and how far its locks reach.
    pub results_mount: Option<String>,
    pub results: PathBuf,
    /// Free space where results go, for this user.
    pub results_free_bytes: Option<u64>,
    /// Why results cannot be written there; none where they can.
    pub results_fault: Option<String>,
    pub cache: Option<PathBuf>,
    pub cache_bytes: Option<u64>,
}

impl Machine {
    /// Looks. Nothing that was not there before is left behind, but for an empty file in a kill.
    pub fn here(results: &Path) -> Self {
        let memory = env::Memory::here();
        let cache = cache_folder();
        let bound = memory.and_then(|memory| allowance::memory_bound(memory.total_bytes));
        Self {
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cpu: Cpu::here(),
            memory_bytes: memory.map(|memory| memory.total_bytes),
            memory_available_bytes: memory.and_then(|memory| memory.available_bytes),
            cores_bound_by: allowance::core_bound().by,
            memory_allowed_bytes: bound.as_ref().map(|bound| bound.amount),
            memory_bound_by: bound.and_then(|bound| bound.by),
            results_mount: Mount::of(standing(results)).map(|mount| mount.words()),
            results: results.to_owned(),
            results_free_bytes: free(standing(results)),
            results_fault: fault(results),
            cache_bytes: cache.as_deref().map(removal::size_bytes),
            cache,
        }
    }

    /// The same, line by line.
    pub fn findings(&self) -> Vec<Finding> {
        let flags = if self.cpu.flags.is_empty() { "none that matter".to_owned() } else { self.cpu.flags.join(" ") };
        let bytes = |size: Option<u64>| size.map_or_else(|| "?".to_owned(), text::bytes);
        let results = self.results.display();
        let disk = match self.results_free_bytes {
            None => Err(format!("{results}: the system does not say how much is free")),
            Some(free) if free < LITTLE_BYTES => Err(format!("{results}: {} free", text::bytes(free))),
            Some(free) => Ok(format!("{results}: {} free", text::bytes(free))),
        };
        let written = match &self.results_fault {
            None => Ok(format!("{results} can be written")),
            Some(fault) => Err(format!("{results}: {fault}")),
        };
        let cache = self.cache.as_ref().map(|folder| format!("{}: {}", folder.display(), bytes(self.cache_bytes)));
        let by = |by: &Option<String>| by.as_ref().map_or(String::new(), |by| format!(" allowed by {by}"));
        let allowed = match self.memory_allowed_bytes {
            Some(allowed) => format!("; {}{}", text::bytes(allowed), by(&self.memory_bound_by)),
            None => String::new(),
        };
        let memory = format!("{}, {} available{allowed}", bytes(self.memory_bytes), bytes(self.memory_available_bytes));
        let cores = format!("{} cores{}", self.cpu.cores, by(&self.cores_bound_by));
        let mount = self.results_mount.clone().ok_or_else(|| "the system does not say".to_owned());
        vec![
            Finding::useful("processor", Ok(format!("{}, {cores}: {flags}", self.cpu.model)), ""),
            Finding::useful("memory", Ok(memory), ""),
            Finding::useful("file system", mount, "look at how the folder is mounted before several machines share it"),
            Finding::useful("disk", disk, "`harness runs gc` and `harness runs slim` say what can go; or another folder: --results"),
            Finding::needed("results", written, "check the permissions, or choose another folder with --results"),
            Finding::useful("cache of hashes", cache.ok_or_else(|| "there is no home folder".into()), "set XDG_CACHE_HOME"),
        ]
    }
}

/// The nearest folder above that is there, or the path itself.
fn standing(path: &Path) -> &Path {
    let there = path.ancestors().find(|folder| folder.is_dir());
    there.unwrap_or(Path::new("."))
}

/// Why nothing can be written to a results folder. One that is not there yet is not made for the question's sake.
fn fault(results: &Path) -> Option<String> {
    if results.exists() {
        return Store::new(results).ensure_writable().err().map(|error| error.what);
    }
    crate::file::probe(standing(results)).err().map(|error| error.to_string())
}

/// Free bytes of the file system that holds `folder`, as POSIX's `df -Pk` prints them: KiB in the fourth column.
fn free(folder: &Path) -> Option<u64> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok().filter(|output| output.status.success())?;
    available(&String::from_utf8_lossy(&output.stdout))
}

fn available(df: &str) -> Option<u64> {
    let kib: u64 = df.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_space_is_the_fourth_column() {
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 264212084 53194692 42091196 56% /\n";
        assert_eq!(available(df), Some(42_091_196 * 1024));
        assert_eq!(available("df: x: No such file"), None);
    }

    #[test]
    fn a_results_folder_that_cannot_be_made_keeps_a_machine_from_training_and_a_missing_one_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let absent = dir.path().join("a/results");
        let machine = Machine::here(&absent);
        assert!(machine.findings().iter().all(|finding| !finding.blocks()) && !absent.exists() && machine.results_fault.is_none());
        // A file where a folder should be fails for every user, root included.
        std::fs::write(dir.path().join("a"), "").unwrap();
        assert!(Machine::here(&dir.path().join("a")).findings().iter().any(Finding::blocks));
    }
}
