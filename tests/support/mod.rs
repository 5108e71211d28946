//! `harness` as people type it.

use std::path::Path;
use std::process::Command;

// Not every test needs a store.
#[allow(dead_code)]
pub mod runs;

/// Exit code, standard output and standard error of a command in `dir`; a panic fails the test.
pub fn harness(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_harness")).args(args).current_dir(dir).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let error = text(&output.stderr);
    assert!(!error.contains("panicked"), "{error}");
    (output.status.code().unwrap(), text(&output.stdout), error)
}
