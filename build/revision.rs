//! For the build scripts of both packages: which revision is built.

use std::path::Path;
use std::process::Command;

/// Emits `HARNESS_REVISION`: the commit, with `-dirty` where tracked files differ from it; nothing without git, and outside a checkout of
/// harness. `built`: what the package is made of, from its own folder.
pub fn record(built: &[&str]) {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    // A package unpacked below somebody else's checkout is none of it.
    let Some(revision) = git(&["ls-files", "--error-unmatch", "build.rs"])
        .and_then(|_| git(&["--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]))
    else {
        return;
    };
    println!("cargo:rustc-env=HARNESS_REVISION={revision}");
    // What is built says from which commit it was compiled, and that with changes: a commit alone compiles nothing again.
    for path in built.iter().filter(|path| Path::new(path).exists()) {
        println!("cargo:rerun-if-changed={path}");
    }
}
