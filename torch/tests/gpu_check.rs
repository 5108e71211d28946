//! The check for a machine with a GPU (scripts/gpu-check.sh): packed, unpacked in an empty folder, and rehearsed there on the CPU.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::config::Detector;
use harness::testing;

/// A Python with all that the check may lean on.
const PACKAGES: &[&str] = &["torch", "torchvision", "safetensors", "sklearn", "scipy", "PIL"];
const STEPS: &[&str] = &["1-forward", "2-training", "3-pace", "4-kernels", "5-resume", "6-paper"];

#[test]
fn what_a_card_did_is_cut_into_steps_and_counted() {
    let Some(python) = testing::python(&[]) else { return testing::skip("there is no python3") };
    let output = Command::new(python).arg(testing::root().join("benches/card/test_activities.py")).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
#[ignore = "slow: minutes; `just test-slow` runs it"]
fn the_bundle_rehearses_in_an_empty_folder_and_goes_on_when_asked() {
    let Some(python) = testing::python(PACKAGES) else {
        return testing::skip(&format!("no Python imports {}: name one by HARNESS_PYTHON", PACKAGES.join(", ")));
    };
    let version = Command::new(&python).args(["-c", "import torch; print(torch.__version__)"]).output().unwrap();
    if !version.stdout.starts_with(b"2.11.0") {
        return testing::skip("Python's torch is not 2.11.0, which the binaries are linked to");
    }
    if testing::weights("resnet50.safetensors").is_none() {
        return testing::skip("weights/resnet50.safetensors is not there: `just weights` fetches it");
    }
    let Some(folder) = unpacked() else { return testing::skip("`harness` is not built beside `harness-torch`: `just build`") };
    let check = |words: &[&str]| {
        let mut command = Command::new(folder.path().join("gpu-bundle/gpu-check.sh"));
        command.arg("--rehearse").args(words).env("PYTHON", &python).current_dir("/").output().unwrap()
    };

    let output = check(&[]);
    assert!(output.status.success(), "{}", said(&output));
    let results = folder.path().join("gpu-bundle/results-rehearsal");
    let table = std::fs::read_to_string(results.join("table.md")).unwrap();
    for step in STEPS {
        assert!(!lines(&results, step).is_empty(), "{step} has no line:\n{table}");
    }
    for detector in Detector::all() {
        assert!(table.contains(&format!("| {}: GPU − CPU, float32 |", detector.name())), "{} is missing:\n{table}", detector.name());
    }
    assert!(table.contains("1 calls") && table.contains("aupro@0.3"), "{table}");

    let output = check(&["--continue"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(std::fs::read_to_string(results.join("table.md")).unwrap().contains("2 calls"), "{}", said(&output));
}

/// The bundle as it arrives: out of its archive, in an otherwise empty folder; none where a binary is missing.
fn unpacked() -> Option<tempfile::TempDir> {
    let built = Path::new(env!("CARGO_BIN_EXE_harness-torch")).parent().unwrap();
    if !built.join("harness").is_file() {
        return None;
    }
    let (made, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut command = Command::new(testing::root().join("scripts/gpu-bundle.sh"));
    let output = command.arg(made.path().join("gpu-bundle")).env("CARGO_TARGET_DIR", built.parent().unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let archive: PathBuf = made.path().join("gpu-bundle.tar.gz");
    let tar = Command::new("tar").arg("-C").arg(folder.path()).arg("-xzf").arg(archive).status().unwrap();
    assert!(tar.success());
    Some(folder)
}

/// What a step found.
fn lines(results: &Path, step: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read(results.join(format!("{step}.json"))).unwrap_or_else(|e| panic!("{step}: {e}"));
    let kept: serde_json::Value = serde_json::from_slice(&text).unwrap();
    kept["lines"].as_array().unwrap().clone()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
