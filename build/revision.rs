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
    // Each commit and checkout writes these; what is built says whether it differs from the commit.
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    let written = ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref()).filter_map(|name| git(&["rev-parse", "--git-path", name]));
    // A path that is not there would run this each time.
    for path in written.chain(built.iter().map(|path| (*path).to_owned())).filter(|path| Path::new(path).exists()) {
        println!("cargo:rerun-if-changed={path}");
    }
}
