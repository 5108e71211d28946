//! On what a folder lies, and how far its locks reach: read from /proc/self/mountinfo (proc(5)).

use std::path::Path;

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `ext4`, `nfs4`, `lustre`.
    pub kind: String,
    pub at: String,
    options: Vec<String>,
}

/// Which processes a lock of the operating system keeps apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The file system is this machine's alone.
    Machine,
    /// Those of every machine that mounts it.
    Everywhere,
    /// Those of one machine, though others mount it too.
    OneOfMany,
    /// None: locks are refused.
    Nobody,
    /// Nothing here tells.
    Unknown,
}

impl Mount {
    /// That which holds `folder`; none where the system does not say.
    pub fn of(folder: &Path) -> Option<Self> {
        let folder = std::fs::canonicalize(folder).ok()?;
        Self::find(&std::fs::read_to_string("/proc/self/mountinfo").ok()?, &folder)
    }

    fn find(mountinfo: &str, folder: &Path) -> Option<Self> {
        let holding = mountinfo.lines().filter_map(Self::parse).filter(|mount| folder.starts_with(&mount.at));
        // Of two at one place the later one hides the earlier.
        holding.enumerate().max_by_key(|(i, mount)| (mount.at.len(), *i)).map(|(_, mount)| mount)
    }

    /// A line such as `36 35 98:0 / /mnt rw,noatime shared:1 - ext3 /dev/root rw,errors=continue`.
    fn parse(line: &str) -> Option<Self> {
        let (first, last) = line.split_once(" - ")?;
        let at = first.split(' ').nth(4)?;
        let mut last = last.split(' ');
        let (kind, _source, options) = (last.next()?, last.next()?, last.next().unwrap_or_default());
        let options = first.split(' ').nth(5)?.split(',').chain(options.split(',')).map(str::to_owned).collect();
        Some(Self { kind: kind.into(), at: unescaped(at), options })
    }

    /// How far locks reach.
    pub fn reach(&self) -> Reach {
        let has = |option: &str| self.options.iter().any(|given| given == option);
        match self.kind.as_str() {
            "nfs" | "nfs4" if ["nolock", "local_lock=flock", "local_lock=all"].into_iter().any(has) => Reach::OneOfMany,
            "nfs" | "nfs4" => Reach::Everywhere,
            "lustre" if has("localflock") => Reach::OneOfMany,
            "lustre" if has("flock") => Reach::Everywhere,
            "lustre" if has("noflock") => Reach::Nobody,
            "gpfs" | "ceph" | "ocfs2" | "gfs2" => Reach::Everywhere,
            // Global locks are a setting of BeeGFS's client that is off by default and not among the options.
            "beegfs" => Reach::OneOfMany,
            "ext2" | "ext3" | "ext4" | "xfs" | "btrfs" | "zfs" | "tmpfs" | "overlay" | "f2fs" | "ramfs" => Reach::Machine,
            _ => Reach::Unknown,
        }
    }

    /// For people: `nfs4 at /home: locks reach every machine`.
    pub fn words(&self) -> String {
        let reach = match self.reach() {
            Reach::Machine => "of this machine alone",
            Reach::Everywhere => "locks reach every machine that mounts it",
            Reach::OneOfMany => "locks hold on one machine only; leases keep runs of others apart",
            Reach::Nobody => "without locks: remount it with the option flock, or choose another folder",
            Reach::Unknown => "how far its locks reach is not known; leases keep runs of other machines apart",
        };
        format!("{} at {}: {reach}", self.kind, self.at)
    }
}

/// Blanks and backslashes stand as `\040` there.
fn unescaped(path: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .into_iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(path.to_owned(), |path, (from, to)| path.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
        30 22 0:40 / /home rw,relatime shared:7 master:1 - nfs4 server:/home rw,vers=4.2,local_lock=none,addr=10.0.0.1\n\
        31 22 0:41 / /scratch rw - lustre 10.0.0.2@tcp:/fs rw,localflock\n\
        32 22 0:42 / /scratch/my\\040data rw - lustre 10.0.0.2@tcp:/fs rw,flock\n\
        33 22 0:43 / /old rw - nfs server:/old rw,local_lock=all\n\
        34 22 0:44 / /odd rw - fuse.sshfs me@there:/ rw\n";

    #[test]
    fn a_folder_is_on_the_deepest_mount_above_it() {
        let at = |folder: &str| Mount::find(MOUNTS, Path::new(folder)).map(|mount| (mount.at.clone(), mount.reach()));
        let some = |at: &str, reach| Some((at.to_owned(), reach));
        assert_eq!(at("/home/me/results"), some("/home", Reach::Everywhere));
        assert_eq!(at("/homes"), some("/", Reach::Machine));
        assert_eq!(at("/scratch/x"), some("/scratch", Reach::OneOfMany));
        assert_eq!(at("/scratch/my data/x"), some("/scratch/my data", Reach::Everywhere));
        assert_eq!(at("/old"), some("/old", Reach::OneOfMany));
        assert_eq!(at("/odd"), some("/odd", Reach::Unknown));
        assert_eq!(Mount::find("", Path::new("/")), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_says_on_what_a_folder_lies() {
        let dir = tempfile::tempdir().unwrap();
        let mount = Mount::of(dir.path()).unwrap();
        assert!(!mount.kind.is_empty() && mount.words().starts_with(&mount.kind));
    }
}
