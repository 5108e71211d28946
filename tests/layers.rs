//! The architecture as a test: which module may use which (ARCHITECTURE.md), and what `harness` is linked to.

use std::collections::BTreeSet;
use std::path::Path;

/// Lowest first. A module uses those of earlier lines, and its own line where two are named together.
const SRC: &[&[&str]] = &[
    &["error", "file", "num", "seed"],
    &["config"],
    &["image", "pseudo", "metric", "data", "run", "weights"],
    &["store"],
    &["eval"],
    &["export"],
    &["ui", "launcher"],
    &["sweep"],
    &["report"],
    &["cli"],
];

/// The same of `torch/src`.
const TORCH_SRC: &[&[&str]] = &[
    &["device", "boundary", "tensors"],
    &["nn", "optim"],
    &["input"],
    &["train"],
    &["detector"],
    &["eval"],
    &["experiment"],
    &["predict", "bench"],
];

/// What the file `path`, or each file below it, uses of its crate.
fn uses(path: &Path, found: &mut BTreeSet<String>) {
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| uses(&entry.unwrap().path(), found));
    } else if path.extension().is_some_and(|e| e == "rs") {
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + 7..];
            let names = match rest.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap_or("").split(',').map(|n| n.trim().to_owned()).collect(),
                None => vec![rest.to_owned()],
            };
            for name in names {
                found.insert(name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
    }
}

#[test]
fn modules_use_only_what_stands_below_them() {
    for (src, layers) in [("src", SRC), ("torch/src", TORCH_SRC)] {
        let level = |name: &str| layers.iter().position(|layer| layer.contains(&name));
        for entry in std::fs::read_dir(harness::testing::root().join(src)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().and_then(|n| n.to_str()).unwrap();
            // `testing` is there for all; the other two are roots.
            if ["lib", "main", "testing"].contains(&name) {
                continue;
            }
            let mine = level(name).unwrap_or_else(|| panic!("{src}/{name} stands in no layer: name it here and in ARCHITECTURE.md"));
            let mut used = BTreeSet::new();
            uses(&path, &mut used);
            for other in used.iter().filter(|u| *u != name) {
                if let Some(theirs) = level(other) {
                    assert!(theirs <= mine, "{src}/{name} (layer {mine}) uses crate::{other} (layer {theirs})");
                }
            }
        }
    }
}

#[test]
fn harness_itself_needs_no_libtorch() {
    let Ok(output) = std::process::Command::new("readelf").arg("-d").arg(env!("CARGO_BIN_EXE_harness")).output() else {
        return harness::testing::skip("readelf is not installed");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("NEEDED"), "readelf understood the binary");
    assert!(!text.contains("torch") && !text.contains("libc10"), "{text}");
}
