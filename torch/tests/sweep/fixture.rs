//! A small sweep on a small set, carried out by processes.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::data::builtin;
use harness::sweep::ledger::{Entry, How, Ledger, What};

/// Three rows, one category, two seeds: six runs of about a second.
pub const SWEEP: &str = r#"
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

pub struct Fixture {
    pub dir: tempfile::TempDir,
}

impl Fixture {
    pub fn new(sweep: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        builtin::write_small(&dir.path().join("data"), &["gear"], 9, 3, 1, 64).unwrap();
        std::fs::write(dir.path().join("small.toml"), sweep).unwrap();
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, file: &str, results: &str, extra: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness-torch"));
        command.arg("sweep").arg(file).arg(format!("data.root={}", self.path("data").display())).args(extra);
        if !extra.contains(&"--jobs") {
            command.args(["--jobs", "1"]);
        }
        if !extra.contains(&"--name") {
            command.args(["--name", "small"]);
        }
        command.arg("--results").arg(self.path(results));
        command.arg("--plots").arg(self.path(results).join("plots")).current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn sweep(&self, results: &str, extra: &[&str]) -> Output {
        self.command("small.toml", results, extra).output().unwrap()
    }

    pub fn finished(&self, results: &str) {
        let output = self.sweep(results, &[]);
        assert!(output.status.success(), "{}", said(&output));
    }

    /// The tables' bytes by file name.
    pub fn tables(&self, results: &str) -> Vec<(String, Vec<u8>)> {
        let folder = self.path(results).join("small");
        ["table.md", "table.tex", "table.csv", "table.json", "findings.md"]
            .map(|name| (name.to_owned(), std::fs::read(folder.join(name)).unwrap()))
            .to_vec()
    }

    pub fn ledger(&self, results: &str) -> Vec<Entry> {
        Ledger::of(&self.path(results).join("small")).read().unwrap()
    }
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs that ended well, by the ledger, sorted.
pub fn finished(entries: &[Entry]) -> Vec<String> {
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

/// Whether there was a process to receive the signal.
pub fn signal(name: &str, pid: u32) -> bool {
    Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

pub fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < Duration::from_secs(120), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
