//! What tests may lean on and may lack: real data, Python packages, ImageNet weights. A test that lacks something says so
//! through [`skip`]; `just ci` lists those lines at its end, and `HARNESS_REQUIRE=all` turns each into a failure.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Notes that a test is skipped and why: on stderr and in the file that `HARNESS_SKIP_LOG` names.
/// Panics where `HARNESS_REQUIRE=all`. Use: `let Some(x) = … else { return skip("…") };`
pub fn skip(why: &str) {
    let name = std::thread::current().name().unwrap_or("?").to_owned();
    let line = format!("skipped {name}: {why}");
    assert!(std::env::var("HARNESS_REQUIRE").as_deref() != Ok("all"), "HARNESS_REQUIRE=all, but {line}");
    eprintln!("{line}");
    if let Some(path) = std::env::var_os("HARNESS_SKIP_LOG") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let _ = file.and_then(|mut f| writeln!(f, "{line}"));
    }
}

/// The root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A path below the folder `shared` beside the checkout, if it is there: real data for runs, never part of the project.
pub fn shared(below: &str) -> Option<PathBuf> {
    let path = root().parent()?.join("shared").join(below);
    path.exists().then_some(path)
}

/// A file below `weights/`, if it was fetched (`just weights`).
pub fn weights(name: &str) -> Option<PathBuf> {
    let path = root().join("weights").join(name);
    path.exists().then_some(path)
}

/// A Python that can import all of `packages`: `HARNESS_PYTHON`, or `python3`.
pub fn python(packages: &[&str]) -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("HARNESS_PYTHON").unwrap_or_else(|| "python3".into()));
    let script: String = packages.iter().map(|p| format!("import {p}\n")).collect();
    let works = std::process::Command::new(&python).args(["-c", &script]).stderr(std::process::Stdio::null()).status();
    works.is_ok_and(|s| s.success()).then_some(python)
}
