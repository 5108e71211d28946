//! What lies in a results folder: each file of a small finished sweep, damaged, and everything read that reads such folders.

use std::path::{Path, PathBuf};

use harness::report::study::{Incomplete, Report, View};
use harness::store::Store;
use harness::store::gc::{Inventory, Plan};
use harness::store::query::Facts;
use harness::sweep::folder::SweepFolder;
use harness::sweep::ledger::Ledger;
use harness::{Result, testing};

use crate::Target;
use crate::mutate::Corpus;

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "1e999",
    "-1",
    "\"../../x\"",
    "\"\\u0000\"",
    "\"\\u202e\"",
    "\"row\":77",
    "\"format\":9",
    "\"test/image_auroc\"",
    "\"image_auroc\"",
    "\"full/0123456789-s0\"",
    "\"finished\"",
    "\"running\"",
    "\n",
];

/// Paths of the files, from the results folder.
const SWEEP: &str = "small";
const RUN: &str = "runs/small/b0858e6ed0-s0";

macro_rules! target {
    ($name:literal, $path:expr) => {
        Target { name: $name, corpus: || file($path), read: |input, dir| damaged(input, dir, $path) }
    };
}

pub fn targets() -> [Target; 8] {
    [
        target!("plan", "small/plan.json"),
        target!("ledger", "small/ledger.jsonl"),
        target!("summary", "runs/small/b0858e6ed0-s0/summary.json"),
        target!("record", "runs/small/b0858e6ed0-s0/run.json"),
        target!("environment", "runs/small/b0858e6ed0-s0/env.json"),
        target!("events", "runs/small/b0858e6ed0-s0/events.jsonl"),
        target!("timing", "runs/small/b0858e6ed0-s0/timing.jsonl"),
        target!("stored config", "runs/small/b0858e6ed0-s0/config.toml"),
    ]
}

fn corpus() -> PathBuf {
    testing::root().join("tests/fuzz/corpus/store")
}

fn file(path: &str) -> Corpus {
    Corpus::of(vec![std::fs::read(corpus().join(path)).expect("the checkout is whole")], JSON)
}

/// The whole folder with one file of it replaced, read by all that reads it; nothing is written beside it.
fn damaged(input: &[u8], dir: &Path, path: &str) -> Result<()> {
    let results = dir.join("results");
    copy(&corpus(), &results);
    std::fs::write(results.join(path), input).expect("it is a folder of ours");
    let store = Store::new(&results);
    let read = read(&store, dir);
    let beside: Vec<_> = std::fs::read_dir(dir).expect("it is a folder of ours").flatten().map(|e| e.file_name()).collect();
    assert_eq!(beside, ["results"]);
    read
}

fn read(store: &Store, dir: &Path) -> Result<()> {
    let entries = store.list()?;
    entries.iter().map(Facts::read).for_each(drop);
    let listed = Inventory::of(store).map(|inventory| Plan::of(&inventory, 0, jiff::Timestamp::UNIX_EPOCH));
    let ledger = Ledger::of(&store.results().join(SWEEP));
    let told = ledger.failed(store).and_then(|_| ledger.damage());
    let folder = SweepFolder::new(store.results(), SWEEP);
    let Some(plan) = folder.read()? else { return Ok(()) };
    let plots = dir.join("plots");
    let view = View::default();
    let report = Report {
        plan: &plan,
        store,
        seeds: &plan.seeds,
        folder: &folder.folder,
        plots: &plots,
        view: &view,
        data: None,
        incomplete: Incomplete::Mark,
    };
    let written = report.look()?;
    for (stem, table) in &written.tables {
        assert!(!(stem == "table" || stem.starts_with("by-category-")) || table.lines.len() == plan.rows.len(), "{stem}");
    }
    for format in harness::report::study::Format::FILES {
        written.print(harness::report::study::Form::Full, format.0);
    }
    let folder = store.folder(&harness::run::Id::parse(RUN.trim_start_matches("runs/")).expect("it is one"));
    folder.config().map(drop).and(listed.map(drop)).and(told.map(drop))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("it is a folder of ours");
    for entry in std::fs::read_dir(from).expect("the checkout is whole").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target) } else { drop(std::fs::copy(entry.path(), target)) }
    }
}
