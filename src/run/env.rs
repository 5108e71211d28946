//! env.json: on what a run was computed. No host name and no user name, so that it can be published.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The format of env.json.
pub const FORMAT: u32 = 1;

/// What only the caller knows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the compiler, if the build recorded it.
    pub rustc: Option<String>,
    /// Version of libtorch; none where no tensor library is linked.
    pub libtorch: Option<String>,
    /// `"cpu"`, or a GPU's name.
    pub device: String,
    /// What else results on a GPU depend on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
    /// Threads inside one operator.
    pub threads: usize,
    /// Content hash of the backbone's weights; none for random ones.
    pub weights_hash: Option<String>,
    /// Content hash of the data.
    pub data_hash: String,
    /// Content hash of the photographs that pseudo anomalies show; without this where none do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub textures_hash: Option<String>,
    /// [`kernels`] that were asked for; without this where none were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kernels: BTreeMap<String, String>,
}

/// The software between libtorch and a GPU, and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// Which one it is among those that the process sees, `cuda:N`.
    pub place: String,
    /// Version of the driver; none where nvidia-smi does not say.
    pub driver: Option<String>,
    /// cuDNN's own number for its version, such as 91002; none without cuDNN.
    pub cudnn: Option<i64>,
    /// Whether cuDNN measures which of its algorithms is the fastest.
    pub cudnn_benchmark: bool,
    /// Whether float32 convolutions may round their operands to TF32's 10 bits.
    pub tf32: bool,
}

/// A checkout's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// Hash of the commit.
    pub revision: String,
    /// Whether tracked files differ from it.
    pub dirty: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// As the system names it; empty where it does not say.
    pub model: String,
    /// Logical cores that this process may use.
    pub cores: usize,
    /// Those of [`FLAGS`] that the processor has: float sums depend on them.
    pub flags: Vec<String>,
}

/// Instruction sets that libraries choose their kernels by.
pub const FLAGS: [&str; 8] = ["avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16"];

/// Environment variables by which libraries choose their kernels on a processor, and so the last bits of their sums. What a GPU does
/// is [`Gpu`]'s to say.
const KERNELS: [&str; 10] = [
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_DEBUG_CPU_TYPE",
    "OPENBLAS_CORETYPE",
    "GLIBC_TUNABLES",
];

/// Those that are set, by name. They are part of a run's identity where there are any.
pub fn kernels() -> BTreeMap<String, String> {
    chosen(|name| std::env::var(name).ok())
}

fn chosen(set: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let value = |name: &str| Some((name.to_owned(), set(name)?.trim().to_owned())).filter(|(_, value)| !value.is_empty());
    // glibc's tunables choose kernels of its mathematics by `cpu` alone.
    KERNELS.iter().filter_map(|name| value(name)).filter(|(name, value)| name != "GLIBC_TUNABLES" || value.contains("cpu.")).collect()
}

/// env.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub format: u32,
    /// Version of this crate.
    pub harness: String,
    /// The checkout that the program was built from, if it was one.
    pub git: Option<Git>,
    /// The checkout from which the command was given, if it was one and `git` is there.
    #[serde(default)]
    pub checkout: Option<Git>,
    /// Operating system and architecture, `linux x86_64 (name of the distribution)`.
    pub os: String,
    pub cpu: Cpu,
    /// Main memory; none where the system does not say.
    pub ram_bytes: Option<u64>,
    #[serde(flatten)]
    pub given: Provenance,
}

impl Environment {
    /// Looks at the machine and at the checkout around `folder`; `program` is the one that the build recorded. Cost: two short
    /// runs of `git`.
    pub fn capture(folder: &Path, program: Option<Git>, given: Provenance) -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let name = field(&text("/etc/os-release"), "PRETTY_NAME", '=').map(|name| format!(" ({})", name.trim_matches('"')));
        Self {
            format: FORMAT,
            harness: env!("CARGO_PKG_VERSION").into(),
            git: program,
            checkout: Git::of(folder),
            os: format!("{} {}{}", std::env::consts::OS, std::env::consts::ARCH, name.unwrap_or_default()),
            cpu: Cpu::parse(&text("/proc/cpuinfo")),
            ram_bytes: Memory::here().map(|memory| memory.total_bytes),
            given,
        }
    }

    /// What differs from `other`, as `key: theirs -> ours`: reasons why a resumed run may not end bit for bit the same.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let plain = |e: &Self| serde_json::to_value(e).expect("an environment is plain data");
        let (ours, theirs) = (plain(self), plain(other));
        let keys = |value: &serde_json::Value| value.as_object().expect("an environment is a table").keys().cloned().collect::<Vec<_>>();
        let mut names = keys(&ours);
        names.extend(keys(&theirs).into_iter().filter(|key| ours.get(key).is_none()));
        let differing = names.into_iter().filter(|key| theirs[key.as_str()] != ours[key.as_str()]);
        differing.map(|key| format!("{key}: {} -> {}", theirs[key.as_str()], ours[key.as_str()])).collect()
    }
}

impl Git {
    /// From what `git describe --always --dirty --abbrev=40` prints, as a build records it.
    pub fn described(text: &str) -> Self {
        let (revision, dirty) = text.strip_suffix("-dirty").map_or((text, false), |revision| (revision, true));
        Self { revision: revision.into(), dirty }
    }

    /// The state of the checkout around `folder`; `None` without one, or without `git`.
    pub fn of(folder: &Path) -> Option<Self> {
        let ask = |arguments: &[&str]| {
            let output = Command::new("git").current_dir(folder).args(arguments).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let revision = ask(&["rev-parse", "HEAD"])?;
        let changes = ask(&["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"])?;
        Some(Self { revision, dirty: !changes.is_empty() })
    }
}

impl Cpu {
    /// This machine's.
    pub fn here() -> Self {
        Self::parse(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
    }

    /// Whether bf16 products are instructions of this processor; elsewhere they are emulated, slower than float32.
    pub fn has_native_bf16(&self) -> bool {
        self.flags.iter().any(|f| matches!(f.as_str(), "avx512_bf16" | "amx_bf16" | "bf16"))
    }

    /// From the text of /proc/cpuinfo (x86 or ARM); empty where there is none.
    pub fn parse(cpuinfo: &str) -> Self {
        let has = field(cpuinfo, "flags", ':').or(field(cpuinfo, "Features", ':')).unwrap_or_default();
        let has: Vec<&str> = has.split_whitespace().collect();
        Self {
            model: field(cpuinfo, "model name", ':').unwrap_or_default().to_owned(),
            cores: crate::allowance::cores(),
            flags: FLAGS.iter().filter(|flag| has.contains(*flag)).map(|flag| flag.to_string()).collect(),
        }
    }
}

/// The value of the first line `key <separator> value`.
fn field<'a>(text: &'a str, key: &str, separator: char) -> Option<&'a str> {
    text.lines().filter_map(|line| line.split_once(separator)).find(|(k, _)| k.trim() == key).map(|(_, value)| value.trim())
}

/// Main memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    pub total_bytes: u64,
    /// What a program could take now; none where the system does not say.
    pub available_bytes: Option<u64>,
}

impl Memory {
    /// This machine's; none where the system does not say.
    pub fn here() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/meminfo").ok()?)
    }

    /// From the text of /proc/meminfo.
    fn parse(meminfo: &str) -> Option<Self> {
        let of = |key: &str| {
            let kib: u64 = field(meminfo, key, ':')?.strip_suffix("kB")?.trim().parse().ok()?;
            Some(kib * 1024)
        };
        Some(Self { total_bytes: of("MemTotal")?, available_bytes: of("MemAvailable") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_read_from_what_the_system_says_of_it() {
        let cpu =
            Cpu::parse("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags\t\t: fpu avx2 avx512f avx512_bf16\n\nmodel name\t: Other\n");
        assert_eq!((cpu.model.as_str(), cpu.flags), ("Some CPU @ 2 GHz", vec!["avx2".into(), "avx512f".into(), "avx512_bf16".into()]));
        assert_eq!(Cpu::parse("Features : fp asimd\n").flags, ["asimd"]);
        assert!(Cpu::parse("").model.is_empty());
        let memory = Memory::parse("MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:   500 kB\n").unwrap();
        assert_eq!((memory.total_bytes, memory.available_bytes), (1_024_000, Some(512_000)));
        assert_eq!(Memory::parse(""), None);
    }

    #[test]
    fn a_capture_reads_back_and_names_what_changed() {
        let dir = tempfile::tempdir().unwrap();
        let given = Provenance { device: "cpu".into(), threads: 2, data_hash: "d".into(), ..Provenance::default() };
        let program = Git::described("0123abcd-dirty");
        assert_eq!(program, Git { revision: "0123abcd".into(), dirty: true });
        let here = Environment::capture(dir.path(), Some(program.clone()), given);
        assert_eq!((&here.git, &here.checkout), (&Some(program), &None));
        let text = serde_json::to_string(&here).unwrap();
        assert_eq!(serde_json::from_str::<Environment>(&text).unwrap(), here);
        let mut there = here.clone();
        assert!(here.differences(&there).is_empty());
        there.given.threads = 4;
        assert_eq!(here.differences(&there), ["threads: 4 -> 2"]);
    }

    #[test]
    fn kernels_that_were_asked_for_are_recorded_and_a_resume_across_them_is_noted() {
        let set = |name: &str| match name {
            "MKL_CBWR" => Some("COMPATIBLE".to_owned()),
            "ATEN_CPU_CAPABILITY" => Some(" ".to_owned()),
            "GLIBC_TUNABLES" => Some("glibc.malloc.check=3".to_owned()),
            _ => None,
        };
        let asked = chosen(set);
        assert_eq!(asked, BTreeMap::from([("MKL_CBWR".to_owned(), "COMPATIBLE".to_owned())]));
        let dir = tempfile::tempdir().unwrap();
        let plain = Environment::capture(dir.path(), None, Provenance::default());
        assert!(!serde_json::to_string(&plain).unwrap().contains("kernels"), "what is not set leaves env.json as it was");
        let other = Environment { given: Provenance { kernels: asked, ..Provenance::default() }, ..plain.clone() };
        assert_eq!(other.differences(&plain), [r#"kernels: null -> {"MKL_CBWR":"COMPATIBLE"}"#]);
        assert_eq!(plain.differences(&other), [r#"kernels: {"MKL_CBWR":"COMPATIBLE"} -> null"#]);
    }

    #[test]
    fn a_checkout_tells_its_revision_and_whether_it_was_changed() {
        let dir = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
            Command::new("git").current_dir(dir.path()).args(identity).args(args).output().is_ok_and(|o| o.status.success())
        };
        if !git(&["init", "-q"]) {
            return crate::testing::skip("git is not there");
        }
        std::fs::write(dir.path().join("a"), "1").unwrap();
        assert!(git(&["add", "a"]) && git(&["commit", "-q", "-m", "a"]));
        let clean = Git::of(dir.path()).unwrap();
        assert_eq!((clean.revision.len(), clean.dirty), (40, false));
        std::fs::write(dir.path().join("a"), "2").unwrap();
        assert!(Git::of(dir.path()).unwrap().dirty);
    }
}
