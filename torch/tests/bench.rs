//! `harness bench` as a process, on a network small enough for seconds.

use std::process::{Command, Output};

use harness::data::builtin;
use serde_json::Value;

const SMALL: &[&str] = &[
    "data.categories=gear",
    "data.size=64",
    "model.backbone.name=resnet18",
    "model.backbone.weights=none",
    "model.stl.width=16",
    "model.ptfem.scales=[1,2,4]",
    "model.sc.reduce=16",
    "model.sc.r=2",
    "train.batch=4",
    "padim.channels=20",
    "--device",
    "cpu",
];

fn bench(extra: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    builtin::write_small(&dir.path().join("data"), &["gear"], 6, 2, 1, 64).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness-torch"));
    command.arg("bench").args(SMALL).arg(format!("data.root={}", dir.path().join("data").display())).args(extra);
    command.current_dir(dir.path()).output().unwrap()
}

fn figures(extra: &[&str]) -> Value {
    let output = bench(&[extra, &["--json", "--seconds=0.01"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn every_part_is_measured_and_its_rate_lies_among_its_samples() {
    let figures = figures(&[]);
    assert_eq!((&figures["format"], &figures["batch"], &figures["size"]), (&1.into(), &4.into(), &64.into()));
    for part in ["step", "data", "data_cached"] {
        let samples: Vec<f64> = figures[part]["samples"].as_array().unwrap().iter().map(number).collect();
        let rate = number(&figures[part]["images_per_s"]);
        assert!(samples.len() >= 3 && samples.iter().all(|&s| s > 0.0), "{part}: {samples:?}");
        assert!(samples.iter().any(|&s| s <= rate * 1.000_001) && samples.iter().any(|&s| s >= rate * 0.999_999), "{part}");
    }
    let [p50, p95, p99] = ["p50_ms", "p95_ms", "p99_ms"].map(|key| number(&figures["inference"][key]));
    assert!(0.0 < p50 && p50 <= p95 && p95 <= p99);
    // libtorch alone takes more than 32 MiB.
    assert!(number(&figures["peak_bytes"]) > 32.0 * 1024.0 * 1024.0);
}

#[test]
fn only_what_was_asked_for_is_measured() {
    let figures = figures(&["--only", "data"]);
    assert!(figures.get("data").is_some() && figures.get("step").is_none() && figures.get("inference").is_none());
}

#[test]
fn a_detector_that_looks_once_is_measured_where_it_can_be() {
    let figures = figures(&["detector=padim"]);
    assert!(number(&figures["inference"]["p50_ms"]) > 0.0 && figures.get("step").is_none());
    let refused = bench(&["detector=padim", "--only", "step"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--only inference"));
}

#[test]
fn a_time_that_is_none_is_refused() {
    for seconds in ["0", "-1", "nan"] {
        let refused = bench(&["--only", "data", &format!("--seconds={seconds}")]);
        assert_eq!(refused.status.code(), Some(2), "{seconds}");
    }
}
