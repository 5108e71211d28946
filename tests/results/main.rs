//! What a results folder is to other programs, other machines and other people: flat tables, labels, archives, merging, slimming, shells.

#[path = "../support/mod.rs"]
mod support;

mod archives;
mod labels;
mod merging;
mod shell;
mod slimming;
mod tables;

use std::path::Path;

use support::harness;

/// Standard output of a command that ends well.
fn well(dir: &Path, args: &[&str]) -> String {
    let (code, out, error) = harness(dir, args);
    assert_eq!(code, 0, "{args:?}: {out}{error}");
    out
}

/// Standard error of a command that ends with `code`.
fn badly(dir: &Path, args: &[&str], code: i32) -> String {
    let (found, out, error) = harness(dir, args);
    assert_eq!(found, code, "{args:?}: {out}{error}");
    error
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target) } else { assert!(std::fs::copy(entry.path(), target).is_ok()) }
    }
}
