//! Sweeps as processes: together, failing, interrupted. What kills and faults do to them is in tests/survive.

mod fixture;
mod nodes;
mod slurm;

use std::process::{Command, Output};

use fixture::{Fixture, SWEEP, finished, said, signal, wait_for};
use harness::run::Status;
use harness::store::Store;
use harness::sweep::ledger::{Entry, Ledger, What};

/// The same with a row in it whose two runs fail.
const FAILING: &str = r#"
title = "a small sweep with a row that fails"
seeds = [0, 1]
categories = ["gear"]
set = { data.size = 64, model.backbone.name = "resnet18", model.backbone.weights = "none", model.stl.width = 16, model.tem.levels = 8, model.ptfem.scales = [1, 2, 4], model.sc.reduce = 16, model.sc.r = 2, train.batch = 6, train.epochs = 2, train.checkpoint_every_s = 0.001, run.threads = 1, run.device = "cpu", model.self_calibration = false, model.stlnet = false, loss.score.enabled = false, loss.consistency.enabled = false }

[[ablate]]
name = "baseline"

[[ablate]]
name = "diverges"
set = { loss.alpha = 1e300 } # no gradient in float32

[[ablate]]
name = "+ score"
set = { loss.score.enabled = true }

[[ablate]]
name = "+ texture"
set = { model.stlnet = true }
"#;

#[test]
fn a_sweep_that_is_interrupted_stops_its_runs_and_goes_on_when_repeated() {
    let fixture = Fixture::new(SWEEP);
    let sweep = fixture.command("small.toml", "results", &["--json"]).spawn().unwrap();
    let store = Store::new(&fixture.path("results"));
    let has = |status| store.list().unwrap().iter().any(|e| e.status == status);
    wait_for("a run that works", || has(Status::Running));
    assert!(signal("INT", sweep.id()));
    let output = sweep.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    assert!(said(&output).contains("repeat the same command to resume"), "{}", said(&output));
    assert!(!has(Status::Running) && !has(Status::Failed));
    json_lines(&output);
    fixture.finished("results");
    assert_eq!(finished(&fixture.ledger("results")).len(), 6);
}

/// Standard error, each line of it an object.
fn json_lines(output: &Output) -> Vec<serde_json::Value> {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let parse = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    text.lines().map(parse).inspect(|line| assert!(line["type"].is_string() && line["text"].is_string(), "{line}")).collect()
}

#[test]
fn programs_get_json_lines_and_nothing_else() {
    let fixture = Fixture::new(FAILING);
    let words = ["--json", "--only", "baseline", "--only", "1", "--only", "diverges", "--jobs", "1"];
    let output = fixture.sweep("results", &words);
    assert_eq!(output.status.code(), Some(1));
    let lines = json_lines(&output);
    assert!(lines[0]["text"].as_str().unwrap().starts_with("profile cpu · "), "{}", lines[0]);
    let count = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((count("start"), count("end"), count("failure"), count("error")), (4, 4, 2, 1));
    assert!(count("step") > 0);
    let done: Vec<u64> = lines.iter().filter_map(|line| line["done"].as_u64()).collect();
    assert_eq!((done.last(), done.is_sorted()), (Some(&4), true), "failed runs are done as well");
    let failure = lines.iter().find(|line| line["type"] == "failure").unwrap();
    assert!(!failure["error"].as_str().unwrap().contains("profile"), "{failure}");
    assert!(serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap().is_object());

    let dry = fixture.sweep("results", &["--json", "--dry-run", "--jobs", "300"]);
    let notes = json_lines(&dry);
    assert!(
        notes[0]["text"].as_str().unwrap().starts_with("profile") && notes.iter().any(|n| n["text"].as_str().unwrap().contains("300 jobs"))
    );
    let plan: serde_json::Value = serde_json::from_slice(&dry.stdout).unwrap();
    assert_eq!((plan["runs"].as_array().unwrap().len(), plan["todo"].as_u64()), (8, Some(4)));
    let quiet = fixture.sweep("results", &["-q", "--dry-run", "--jobs", "300"]);
    assert!(quiet.stderr.is_empty(), "{}", said(&quiet));
}

#[test]
fn two_sweeps_at_once_never_run_the_same_run_twice() {
    let fixture = Fixture::new(SWEEP);
    // The second one has another base and so another experiment, but the same runs.
    std::fs::write(fixture.path("other.toml"), "").unwrap();
    std::fs::write(fixture.path("second.toml"), SWEEP.replace("title", "base = \"other.toml\"\ntitle")).unwrap();
    let commands = [("small.toml", "small"), ("small.toml", "small"), ("second.toml", "second")];
    let children = commands.map(|(file, name)| fixture.command(file, "both", &["--name", name]).spawn().unwrap());
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    let second = Ledger::of(&fixture.path("both").join("second")).read().unwrap();
    let ids = finished(&[fixture.ledger("both"), second].concat());
    let mut distinct = ids.clone();
    distinct.dedup();
    assert_eq!((ids.len(), distinct.len()), (6, 6), "{ids:?}");
    let store = Store::new(&fixture.path("both"));
    assert!(store.list().unwrap().iter().all(|e| e.record.as_ref().is_some_and(|r| r.attempts == 1)));
    fixture.finished("alone");
    assert_eq!(fixture.tables("alone"), fixture.tables("both"));
}

#[test]
fn another_plan_finds_no_way_into_a_sweep_that_is_carried_out() {
    let fixture = Fixture::new(SWEEP);
    let mut sweep = fixture.command("small.toml", "results", &[]).spawn().unwrap();
    wait_for("a run that works", || Store::new(&fixture.path("results")).list().unwrap().iter().any(|e| e.status == Status::Running));
    let plan = std::fs::read(fixture.path("results/small/plan.json")).unwrap();
    let other = fixture.sweep("results", &["train.epochs=1"]);
    assert_eq!(other.status.code(), Some(3), "{}", said(&other));
    let who = format!("is in use by process {} ", sweep.id());
    for want in [&who, "with another plan (`harness sweep small.toml", "--name"] {
        assert!(said(&other).contains(want), "{}", said(&other));
    }
    assert_eq!(std::fs::read(fixture.path("results/small/plan.json")).unwrap(), plan);
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    // Nobody holds it any more.
    let done = fixture.sweep("results", &["train.epochs=1", "--only", "1", "run.seeds=[0]"]);
    assert!(done.status.success(), "{}", said(&done));
}

#[test]
fn a_plan_that_cannot_be_read_is_not_overwritten() {
    let fixture = Fixture::new(SWEEP);
    std::fs::create_dir_all(fixture.path("results/small")).unwrap();
    for (text, want) in [("{", "cannot understand"), ("{\"format\": 9}", "has format 9")] {
        std::fs::write(fixture.path("results/small/plan.json"), text).unwrap();
        let output = fixture.sweep("results", &[]);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(said(&output).contains(want), "{}", said(&output));
        assert_eq!(std::fs::read_to_string(fixture.path("results/small/plan.json")).unwrap(), text);
    }
}

#[test]
fn a_child_does_not_outlive_its_sweep_and_finished_runs_are_reused() {
    let fixture = Fixture::new(SWEEP);
    let mut sweep = fixture.command("small.toml", "results", &[]).spawn().unwrap();
    wait_for("a run that works", || Store::new(&fixture.path("results")).list().unwrap().iter().any(|e| e.status == Status::Running));
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    wait_for("its end", || Store::new(&fixture.path("results")).list().unwrap().iter().all(|e| e.status != Status::Running));
    fixture.finished("results");
    let before = fixture.ledger("results").len();
    let again = fixture.sweep("results", &[]);
    assert!(again.status.success());
    assert_eq!(fixture.ledger("results").len(), before + 1, "only the beginning is noted: nothing was started");
    let dry = said(&fixture.sweep("results", &["--dry-run"]));
    assert!(dry.contains("0 of 6 runs to do") && dry.contains("reuse"), "{dry}");
}

#[test]
fn a_run_that_fails_stops_no_other_and_waits_for_retry() {
    let fixture = Fixture::new(FAILING);
    let first = fixture.sweep("results", &[]);
    assert_eq!(first.status.code(), Some(1), "{}", said(&first));
    let text = said(&first);
    assert!(text.contains("diverges · gear s0: ") && text.contains("--retry"), "{text}");
    assert_eq!(finished(&fixture.ledger("results")).len(), 6);
    assert!(String::from_utf8(fixture.tables("results")[0].1.clone()).unwrap().contains('—'));
    let starts = |entries: &[Entry]| entries.iter().filter(|e| matches!(e.what, What::Start { .. })).count();
    let before = starts(&fixture.ledger("results"));
    assert_eq!(fixture.sweep("results", &[]).status.code(), Some(1));
    assert_eq!(starts(&fixture.ledger("results")), before, "a failed run is left alone");
    assert_eq!(fixture.sweep("results", &["--retry", "--only", "diverges"]).status.code(), Some(1));
    assert_eq!(starts(&fixture.ledger("results")), before + 2);
    // A run that was removed is no failure any more.
    let failed = Store::new(&fixture.path("results")).list().unwrap().into_iter().find(|e| e.status == Status::Failed).unwrap();
    std::fs::remove_dir_all(failed.folder.path()).unwrap();
    assert!(said(&fixture.sweep("results", &["--dry-run"])).contains("1 of 8 runs to do"));
}

#[test]
fn failures_are_tried_again_at_once_and_counted_as_asked() {
    let fixture = Fixture::new(FAILING);
    let starts = |results: &str| fixture.ledger(results).iter().filter(|e| matches!(e.what, What::Start { .. })).count();
    let output = fixture.sweep("again", &["--only", "diverges", "--retries", "1"]);
    assert_eq!((output.status.code(), starts("again")), (Some(1), 4), "{}", said(&output));
    let text = said(&output);
    assert!(text.contains("diverges · gear s0 is tried again (1 of 1)"), "{text}");
    assert_eq!(text.matches("diverges · gear s0: ").count(), 2, "each failure is shown: {text}");
    for (results, words, count) in [("first", &["--fail-fast"][..], 1), ("second", &["--max-failures", "2"], 2)] {
        let output = fixture.sweep(results, &[&["--only", "diverges"], words].concat());
        assert_eq!((output.status.code(), starts(results)), (Some(1), count), "{}", said(&output));
        assert!(said(&output).contains(&format!("{count} failed: stopping the others")), "{}", said(&output));
    }
}

#[test]
fn what_changed_since_the_last_command_is_told() {
    let fixture = Fixture::new(SWEEP);
    fixture.finished("results");
    std::fs::write(fixture.path("small.toml"), SWEEP.replace("train.epochs = 2", "train.epochs = 1")).unwrap();
    let output = fixture.sweep("results", &["--dry-run"]);
    let text = said(&output);
    assert!(text.contains("baseline: train.epochs: 2 -> 1") && text.contains("6 of 6 runs to do"), "{text}");
}

#[test]
fn what_cannot_work_is_refused_before_anything_starts() {
    let fixture = Fixture::new(SWEEP);
    let refuse = |extra: &[&str], code: i32, want: &str| {
        let output = fixture.sweep("results", extra);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(want), "{}", said(&output));
    };
    refuse(&["optim.lrr=1"], 2, "optim.lr");
    refuse(&["model.stlnet=true"], 2, "is varied by");
    refuse(&["--only", "nothing"], 2, "rows are 1 baseline");
    refuse(&["--jobs", "0"], 2, "--jobs 0");
    refuse(&["--devices", "gpu"], 2, "--devices: `gpu` is not a valid device");
    refuse(&["--devices", "cpu,cuda:0"], 2, "two kinds");
    refuse(&["--devices", "cuda:98,cuda:99"], 3, "device cuda:98 was not found");
    refuse(&["--name", "../../zz"], 2, "--name");
    refuse(&["run.seeds=[0, 0, 0]"], 2, "0 is listed twice");
    let missing = Command::new(env!("CARGO_BIN_EXE_harness-torch")).args(["sweep", "none.toml"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
    // A file where the results should go.
    let output = fixture.sweep("small.toml", &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("cannot write results"), "{}", said(&output));
}
