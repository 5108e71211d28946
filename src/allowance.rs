//! What this process may use of its machine: a scheduler, a container or an affinity may allow less than there is.

use std::path::{Path, PathBuf};

/// Cores that schedulers allow a job on its machine, by the variable that says so; of one scheduler the first that is set counts.
const CORES: [&[&str]; 4] = [&["SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE"], &["PBS_NCPUS", "NCPUS"], &["NSLOTS"], &["LSB_DJOB_NUMPROC"]];

/// Cores or memory, and who sets the bound: a variable, `cgroup`, or nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    pub amount: u64,
    pub by: Option<String>,
}

/// The cores that this process may use, at least 1: the least of what the machine has, what affinity and control groups leave (Linux),
/// and what Slurm, PBS, SGE or LSF allow the job.
pub fn cores() -> usize {
    core_bound().amount as usize
}

/// [`cores`], and who bounds them.
pub fn core_bound() -> Bound {
    let here = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    cores_of(here, &|name| std::env::var(name).ok())
}

fn cores_of(here: u64, set: &dyn Fn(&str) -> Option<String>) -> Bound {
    let number = |name: &&'static str| Some((set(name)?.trim().parse::<u64>().ok().filter(|&n| n > 0)?, *name));
    let allowed = CORES.iter().filter_map(|names| names.iter().find_map(number)).min();
    match allowed {
        Some((amount, by)) if amount < here => Bound { amount, by: Some(by.to_owned()) },
        _ => Bound { amount: here, by: None },
    }
}

/// The bytes of memory that this process may use where that is less than the machine's `total`.
pub fn memory_bound(total: u64) -> Option<Bound> {
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    memory_of(total, &own, Path::new("/sys/fs/cgroup"), &|name| std::env::var(name).ok())
}

fn memory_of(total: u64, own: &str, groups: &Path, set: &dyn Fn(&str) -> Option<String>) -> Option<Bound> {
    let mib = |name: &str| Some(set(name)?.trim().parse::<u64>().ok()?.checked_mul(1 << 20)?).filter(|&bytes| bytes > 0);
    let node = mib("SLURM_MEM_PER_NODE").map(|amount| (amount, "SLURM_MEM_PER_NODE"));
    let each = || Some((mib("SLURM_MEM_PER_CPU")?.checked_mul(set("SLURM_CPUS_ON_NODE")?.parse().ok()?)?, "SLURM_MEM_PER_CPU"));
    let files = groups_of(own, groups);
    let group =
        files.iter().filter_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok()).min().map(|amount| (amount, "cgroup"));
    let least = [node.or_else(each), group].into_iter().flatten().min()?;
    (least.0 < total).then(|| Bound { amount: least.0, by: Some(least.1.to_owned()) })
}

/// The files that may bound the memory of this process: of its control groups and of all above, version 2 and 1.
fn groups_of(own: &str, root: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            names if names.split(',').any(|name| name == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        files.extend(Path::new(path.trim_start_matches('/')).ancestors().map(|group| root.join(group).join(file)));
    }
    files
}

/// Bounds the threads that this program computes with beside libtorch's. To be called once, before anything is computed;
/// `RAYON_NUM_THREADS` counts more.
pub fn bound_threads() {
    if std::env::var_os("RAYON_NUM_THREADS").is_none() && core_bound().by.is_some() {
        // Begun already, it stays as it is.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(cores()).build_global();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(here: u64, set: &[(&str, &str)]) -> (u64, Option<String>) {
        let of = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
        let Bound { amount, by } = cores_of(here, &of);
        (amount, by)
    }

    #[test]
    fn the_least_of_machine_and_scheduler_counts() {
        assert_eq!(bound(64, &[]), (64, None));
        assert_eq!(bound(64, &[("SLURM_CPUS_PER_TASK", "4"), ("SLURM_CPUS_ON_NODE", "16")]), (4, Some("SLURM_CPUS_PER_TASK".into())));
        assert_eq!(bound(64, &[("SLURM_CPUS_ON_NODE", "16")]), (16, Some("SLURM_CPUS_ON_NODE".into())));
        assert_eq!(bound(64, &[("NSLOTS", "8"), ("LSB_DJOB_NUMPROC", "2")]), (2, Some("LSB_DJOB_NUMPROC".into())));
        assert_eq!(bound(2, &[("PBS_NCPUS", "8")]), (2, None), "the machine has two");
        assert_eq!(bound(2, &[("NCPUS", "0"), ("NSLOTS", "many")]), (2, None));
    }

    #[test]
    fn memory_is_bounded_by_a_control_group_above_and_by_slurm() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("a/b/memory.max", "max\n");
        put("a/memory.max", "5000000000\n");
        put("memory/job/memory.limit_in_bytes", "4000000000\n");
        let none = |_: &str| None;
        let of = |own: &str, set: &dyn Fn(&str) -> Option<String>| memory_of(8_000_000_000, own, dir.path(), set);
        let by = |amount, by: &str| Some(Bound { amount, by: Some(by.into()) });
        assert_eq!(of("0::/a/b\n", &none), by(5_000_000_000, "cgroup"));
        assert_eq!(of("5:cpu,memory:/job\n3:pids:/a\n", &none), by(4_000_000_000, "cgroup"));
        assert_eq!(of("0::/\n", &none), None);
        let slurm = |name: &str| (name == "SLURM_MEM_PER_NODE").then(|| "2048".to_owned());
        assert_eq!(of("0::/a/b\n", &slurm), by(2 << 30, "SLURM_MEM_PER_NODE"));
        let slurm = |name: &str| {
            [("SLURM_MEM_PER_CPU", "1024"), ("SLURM_CPUS_ON_NODE", "3")].iter().find(|(k, _)| *k == name).map(|(_, v)| v.to_string())
        };
        assert_eq!(of("", &slurm), by(3 << 30, "SLURM_MEM_PER_CPU"));
    }
}
