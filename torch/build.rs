//! Emits the run path of libtorch, so that whatever links it runs with nothing exported, the compiler's version, and the revision
//! that is built.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    record_revision();
    match std::env::var("DEP_TCH_LIBTORCH_LIB") {
        Ok(lib) => {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
            println!("cargo:rustc-env=HARNESS_LIBTORCH_LIB={lib}");
        }
        Err(_) => println!("cargo:warning=torch-sys does not say where libtorch lies: harness-torch needs LD_LIBRARY_PATH to run"),
    }
    let version = std::env::var_os("RUSTC").and_then(|rustc| Command::new(rustc).arg("--version").output().ok());
    if let Some(version) = version.and_then(|output| String::from_utf8(output.stdout).ok()) {
        println!("cargo:rustc-env=HARNESS_RUSTC={}", version.trim().trim_start_matches("rustc "));
    }
}

/// `HARNESS_REVISION`: the commit, with `-dirty` where tracked files differ from it; nothing outside a checkout of harness.
fn record_revision() {
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
    let built = ["src", "../src", "../experiments", "../Cargo.toml", "../Cargo.lock"].map(str::to_owned);
    // A path that is not there would run this each time.
    for path in written.chain(built).filter(|path| Path::new(path).exists()) {
        println!("cargo:rerun-if-changed={path}");
    }
}
