//! Finding and starting `harness-torch`, the half that needs libtorch.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::{Error, Result};

/// The program that carries out verbs which need tensors, where it is not the usual one.
static OURSELVES: OnceLock<PathBuf> = OnceLock::new();

/// From now on this very program is started where one is needed that has libtorch: it has it.
pub fn start_ourselves() {
    if let Ok(program) = std::env::current_exe() {
        // Whoever said so first said the same.
        let _ = OURSELVES.set(program);
    }
}

/// This program where it has libtorch itself, else the binary beside it, or the one on the PATH.
pub fn binary() -> PathBuf {
    if let Some(program) = OURSELVES.get() {
        return program.clone();
    }
    let name = format!("harness-torch{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(&name))).filter(|p| p.is_file());
    beside.unwrap_or_else(|| name.into())
}

/// glibc's allocator otherwise returns every freed feature map and every decoded image to the system, and each page of the next
/// one is a fault. Kept, and in huge pages, they make a training step on a CPU up to 1.4 times as fast (docs/performance.md).
const KEEP_MEMORY: &str = "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=8589934592:glibc.malloc.hugetlb=1";

/// A command that starts it, with an allocator that suits tensors unless `GLIBC_TUNABLES` says otherwise.
pub fn command() -> Command {
    let mut command = Command::new(binary());
    if std::env::var_os("GLIBC_TUNABLES").is_none() {
        command.env("GLIBC_TUNABLES", KEEP_MEMORY);
    }
    command
}

/// Replaces this process by `harness-torch` with the same arguments, so that signals and the exit code are its own.
///
/// # Errors
/// Only where it cannot be started.
pub fn exec() -> Result<()> {
    let mut command = command();
    command.args(std::env::args_os().skip(1));
    #[cfg(unix)]
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    #[cfg(not(unix))]
    let error = match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    };
    Err(spawn_error(&error))
}

/// What `harness-torch` says of its libtorch: `libtorch 2.11.0, 2 threads`; or why it does not.
pub fn libtorch() -> std::result::Result<String, String> {
    match Command::new(binary()).arg("--libtorch").stdin(Stdio::null()).output() {
        Ok(out) if out.status.success() => Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned()),
        Ok(out) => Err(String::from_utf8_lossy(&out.stderr).lines().next().unwrap_or("it does not start").to_owned()),
        Err(error) => Err(format!("{}: {error}", binary().display())),
    }
}

/// `cpu` or `cuda`: what `run.device` means on this machine. Only `"auto"` needs libtorch to be asked.
///
/// # Errors
/// Where it cannot be asked.
pub fn device_kind(requested: &str) -> Result<String> {
    if requested == "auto" { probe(requested) } else { Ok(requested.split(':').next().unwrap_or(requested).to_owned()) }
}

/// Asks libtorch for a device; its kind, `cpu` or `cuda`.
///
/// # Errors
/// Where it is not there or libtorch cannot be asked.
pub fn probe(requested: &str) -> Result<String> {
    let output = command().args(["--device-kind", requested]).stdin(Stdio::null()).output().map_err(|e| spawn_error(&e))?;
    let kind = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match kind.as_str() {
        "cpu" | "cuda" if output.status.success() => Ok(kind),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            match said.trim().trim_start_matches("harness: ") {
                // Such as one that the system ended for want of memory.
                "" => Err(silent(output.status)),
                why => {
                    let (what, remedy) = why.split_once("\n  help: ").unwrap_or((why, "see `harness doctor`"));
                    Err(Error::environment(what, remedy))
                }
            }
        }
    }
}

/// The error of a `harness-torch` that ended without a word.
fn silent(status: std::process::ExitStatus) -> Error {
    Error::environment(
        format!("{} ended without a word ({status})", binary().display()),
        "find what ended it: the system's log names processes that were stopped for want of memory; then repeat the command",
    )
}

/// The error of a `harness-torch` that cannot be started.
pub fn spawn_error(error: &std::io::Error) -> Error {
    Error::environment(
        format!("cannot start {}: {error}", binary().display()),
        "build it with `just build` (needs libtorch: `just setup`), or put it on the PATH with `just install`",
    )
}
