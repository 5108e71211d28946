//! Sweeps as processes: killed, together, failing. Tables have to come out the same to the byte.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::data::builtin;
use harness::run::{Status, Store};
use harness::seed;
use harness::sweep::ledger::{Entry, How, Ledger, What};
use rand::RngExt;

/// Three rows, one category, two seeds: six runs of about a second.
const SWEEP: &str = r#"
title = "a small sweep"
seeds = [0, 1]
categories = ["gear"]
against = "previous"
set = { data.size = 64, model.backbone.name = "resnet18", model.backbone.weights = "none", model.stl.width = 16, model.tem.levels = 8, model.ptfem.scales = [1, 2, 4], model.sc.reduce = 16, model.sc.r = 2, train.batch = 6, train.epochs = 2, train.checkpoint_every_s = 0.001, run.threads = 1, run.device = "cpu" }

[[ablate]]
name = "baseline"
set = { model.self_calibration = false, model.stlnet = false, loss.score.enabled = false, loss.consistency.enabled = false }

[[ablate]]
name = "+ score"
from = "previous"
set = { loss.score.enabled = true }

[[ablate]]
name = "+ texture"
from = "previous"
set = { model.stlnet = true }
"#;

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(sweep: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        builtin::write_small(&dir.path().join("data"), &["gear"], 9, 3, 1, 64).unwrap();
        std::fs::write(dir.path().join("small.toml"), sweep).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, file: &str, results: &str, extra: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness-torch"));
        command.arg("sweep").arg(file).arg(format!("data.root={}", self.path("data").display())).args(extra);
        if !extra.contains(&"--jobs") {
            command.args(["--jobs", "1"]);
        }
        command.args(["--name", "small"]).arg("--results").arg(self.path(results));
        command.arg("--plots").arg(self.path(results).join("plots")).current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn sweep(&self, results: &str, extra: &[&str]) -> Output {
        self.command("small.toml", results, extra).output().unwrap()
    }

    fn finished(&self, results: &str) {
        let output = self.sweep(results, &[]);
        assert!(output.status.success(), "{}", said(&output));
    }

    /// The tables' bytes by file name.
    fn tables(&self, results: &str) -> Vec<(String, Vec<u8>)> {
        let folder = self.path(results).join("small");
        ["table.md", "table.tex", "table.csv", "table.json", "findings.md"]
            .map(|name| (name.to_owned(), std::fs::read(folder.join(name)).unwrap()))
            .to_vec()
    }

    fn ledger(&self, results: &str) -> Vec<Entry> {
        Ledger::of(&self.path(results).join("small")).read().unwrap()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs that ended well, by the ledger, sorted.
fn finished(entries: &[Entry]) -> Vec<String> {
    let mut ids: Vec<String> = entries
        .iter()
        .filter_map(|entry| match &entry.what {
            What::End { id, how: How::Finished, .. } => Some(id.to_string()),
            _ => None,
        })
        .collect();
    ids.sort();
    ids
}

/// The process of the last run that the ledger saw start, whose end it does not know.
fn running_child(entries: &[Entry]) -> Option<u32> {
    match entries.last().map(|entry| &entry.what) {
        Some(What::Start { pid, .. }) => Some(*pid),
        _ => None,
    }
}

fn kill(pid: u32) {
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < Duration::from_secs(120), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs the sweep again and again, each time with something killed, until it ends by itself; `rounds` kills at most.
fn survive(bench: &Bench, results: &str, rounds: u64) -> u64 {
    let mut draw = seed::stream(7, "kill", 0, rounds);
    for round in 0..rounds {
        let mut sweep: Child = bench.command("small.toml", results, &[]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(draw.random_range(100..1500)));
        if let Some(status) = sweep.try_wait().unwrap() {
            // A child that was killed leaves its run to the next command.
            assert!(status.success() || status.code() == Some(75), "{status}");
            if status.success() {
                return round;
            }
            continue;
        }
        let child = running_child(&bench.ledger(results));
        match round % 3 {
            0 => sweep.kill().unwrap(),
            1 => child.into_iter().for_each(kill),
            _ => {
                sweep.kill().unwrap();
                child.into_iter().for_each(kill);
            }
        }
        if round % 3 != 1 {
            sweep.wait().unwrap();
        } else {
            // It goes on with the other runs: end it as Ctrl-C would not.
            std::thread::sleep(Duration::from_millis(200));
            let _ = sweep.kill();
            sweep.wait().unwrap();
        }
    }
    rounds
}

fn a_sweep_survives(rounds: u64) {
    let bench = Bench::new(SWEEP);
    bench.finished("whole");
    let kills = survive(&bench, "killed", rounds);
    assert!(kills > 2, "nothing was killed");
    bench.finished("killed");
    assert_eq!(bench.tables("whole"), bench.tables("killed"));
    let entries = Store::new(&bench.path("killed")).list().unwrap();
    assert_eq!((entries.len(), entries.iter().filter(|e| e.status == Status::Finished).count()), (6, 6));
}

#[test]
fn a_sweep_killed_with_or_without_its_child_resumes_to_the_same_tables() {
    a_sweep_survives(6);
}

#[test]
#[ignore = "slow: 40 kills; `just test-slow` runs it"]
fn a_sweep_killed_forty_times_resumes_to_the_same_tables() {
    for _ in 0..2 {
        a_sweep_survives(20);
    }
}

#[test]
fn two_sweeps_at_once_never_run_the_same_run_twice() {
    let bench = Bench::new(SWEEP);
    // The second one has another base and so another experiment, but the same runs.
    std::fs::write(bench.path("other.toml"), "").unwrap();
    std::fs::write(bench.path("second.toml"), SWEEP.replace("title", "base = \"other.toml\"\ntitle")).unwrap();
    let children = ["small.toml", "second.toml"].map(|file| bench.command(file, "both", &[]).spawn().unwrap());
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    let ids = finished(&bench.ledger("both"));
    let mut distinct = ids.clone();
    distinct.dedup();
    assert_eq!((ids.len(), distinct.len()), (6, 6), "{ids:?}");
    let store = Store::new(&bench.path("both"));
    assert!(store.list().unwrap().iter().all(|e| e.record.as_ref().is_some_and(|r| r.attempts == 1)));
    bench.finished("alone");
    assert_eq!(bench.tables("alone"), bench.tables("both"));
}

#[test]
fn a_child_does_not_outlive_its_sweep_and_finished_runs_are_reused() {
    let bench = Bench::new(SWEEP);
    let mut sweep = bench.command("small.toml", "results", &[]).spawn().unwrap();
    wait_for("a run that works", || Store::new(&bench.path("results")).list().unwrap().iter().any(|e| e.status == Status::Running));
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    wait_for("its end", || Store::new(&bench.path("results")).list().unwrap().iter().all(|e| e.status != Status::Running));
    bench.finished("results");
    let before = bench.ledger("results").len();
    let again = bench.sweep("results", &[]);
    assert!(again.status.success());
    assert_eq!(bench.ledger("results").len(), before + 1, "only the beginning is noted: nothing was started");
    let dry = said(&bench.sweep("results", &["--dry-run"]));
    assert!(dry.contains("0 of 6 runs to do") && dry.contains("reuse"), "{dry}");
}

#[test]
fn a_run_that_fails_stops_no_other_and_waits_for_retry() {
    let text = SWEEP.replace("[[ablate]]\nname = \"+ texture\"", "[[ablate]]\nname = \"diverges\"\nset = { optim.lr = 100.0, optim.momentum = 0.99, train.clip_norm = 0.0 }\n\n[[ablate]]\nname = \"+ texture\"");
    let bench = Bench::new(&text.replace("from = \"previous\"\nset = { model.stlnet = true }", "set = { model.stlnet = true }"));
    let first = bench.sweep("results", &[]);
    assert_eq!(first.status.code(), Some(1), "{}", said(&first));
    let text = said(&first);
    assert!(text.contains("diverges · gear s0: ") && text.contains("--retry"), "{text}");
    assert_eq!(finished(&bench.ledger("results")).len(), 6);
    assert!(String::from_utf8(bench.tables("results")[0].1.clone()).unwrap().contains('—'));
    let starts = |entries: &[Entry]| entries.iter().filter(|e| matches!(e.what, What::Start { .. })).count();
    let before = starts(&bench.ledger("results"));
    assert_eq!(bench.sweep("results", &[]).status.code(), Some(1));
    assert_eq!(starts(&bench.ledger("results")), before, "a failed run is left alone");
    assert_eq!(bench.sweep("results", &["--retry", "--only", "diverges"]).status.code(), Some(1));
    assert_eq!(starts(&bench.ledger("results")), before + 2);
}

#[test]
fn what_changed_since_the_last_command_is_told() {
    let bench = Bench::new(SWEEP);
    bench.finished("results");
    std::fs::write(bench.path("small.toml"), SWEEP.replace("train.epochs = 2", "train.epochs = 1")).unwrap();
    let output = bench.sweep("results", &["--dry-run"]);
    let text = said(&output);
    assert!(text.contains("baseline: train.epochs: 2 -> 1") && text.contains("6 of 6 runs to do"), "{text}");
}

#[test]
fn what_cannot_work_is_refused_before_anything_starts() {
    let bench = Bench::new(SWEEP);
    let refuse = |extra: &[&str], code: i32, want: &str| {
        let output = bench.sweep("results", extra);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(want), "{}", said(&output));
    };
    refuse(&["optim.lrr=1"], 2, "optim.lr");
    refuse(&["model.stlnet=true"], 2, "is varied by");
    refuse(&["--only", "nothing"], 2, "rows are 1 baseline");
    refuse(&["--jobs", "0"], 2, "--jobs 0");
    let missing = Command::new(env!("CARGO_BIN_EXE_harness-torch")).args(["sweep", "none.toml"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
    // A file where the results should go.
    let output = bench.sweep("small.toml", &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("cannot write results"), "{}", said(&output));
}
