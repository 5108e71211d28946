//! Several machines that carry out one sweep in a shared folder: workers that share the work, and file systems whose locks do not reach from
//! one machine to the other. A machine is a process here whose locks are its own, see locks/local.c.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::run::{Event, Lock, Status, event};
use harness::store::Store;
use harness::sweep::ledger::{How, What};
use harness::testing;

use crate::fixture::{Fixture, SWEEP, finished, said, signal, wait_for};

/// A library to preload, compiled from its source beside this file.
fn preloaded(fixture: &Fixture, name: &str) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sweep/locks").join(format!("{name}.c"));
    let library = fixture.path(&format!("{name}.so"));
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl").status();
    let works = compiled.is_ok_and(|status| status.success());
    if !works {
        testing::skip("there is no C compiler `cc`");
    }
    works.then_some(library)
}

/// A sweep as the machine `node` carries it out.
fn on_node(fixture: &Fixture, library: &Path, node: &str, extra: &[&str]) -> Command {
    let shadows = fixture.path("shadows");
    std::fs::create_dir_all(&shadows).unwrap();
    let mut command = fixture.command("small.toml", "results", extra);
    command.env("LD_PRELOAD", library).env("NODE", node).env("SHADOWS", shadows);
    command
}

/// Every step of every run stands in its events once.
fn no_step_stands_twice(store: &Store) {
    for entry in store.list().unwrap() {
        let events = event::read(&entry.folder.events_jsonl()).unwrap();
        let steps: Vec<u64> = events.iter().filter_map(|e| if let Event::Step { step, .. } = e { Some(*step) } else { None }).collect();
        assert!(!steps.is_empty() && steps.iter().collect::<BTreeSet<_>>().len() == steps.len(), "{}: {steps:?}", entry.id);
    }
}

#[test]
fn machines_whose_locks_do_not_reach_one_another_never_both_run_a_run() {
    let fixture = Fixture::new(SWEEP);
    let Some(library) = preloaded(&fixture, "local") else { return };
    let store = Store::new(&fixture.path("results"));
    let nodes: Vec<_> = ["a", "b"].map(|node| on_node(&fixture, &library, node, &[]).spawn().unwrap()).into();
    // Who looks from elsewhere sees no lock either; a run in work is not shown as stopped.
    let mut seen = BTreeSet::new();
    let running = |seen: &mut BTreeSet<String>| {
        seen.extend(store.list().unwrap().into_iter().filter(|e| e.status == Status::Running).map(|e| e.id.to_string()));
        seen.len()
    };
    wait_for("runs of both machines", || running(&mut seen) >= 2);
    let outputs: Vec<Output> = nodes.into_iter().map(|node| node.wait_with_output().unwrap()).collect();
    assert!(outputs.iter().all(|output| output.status.success()), "{}\n{}", said(&outputs[0]), said(&outputs[1]));
    assert_eq!(finished(&fixture.ledger("results")).len(), 6, "each run ends well once");
    no_step_stands_twice(&store);
    for entry in store.list().unwrap() {
        assert_eq!(entry.folder.record().unwrap().unwrap().attempts, 1, "{}", entry.id);
        assert!(!Lock::is_held(&entry.folder.lock()), "no lease is left");
    }
    fixture.finished("alone");
    assert_eq!(fixture.tables("results"), fixture.tables("alone"));
}

#[test]
fn a_file_system_without_locks_is_an_error_that_says_what_helps() {
    let fixture = Fixture::new(SWEEP);
    let Some(library) = preloaded(&fixture, "none") else { return };
    let output = on_node(&fixture, &library, "a", &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let text = said(&output);
    assert!(text.contains("cannot lock") && text.contains("choose another folder with `--results`"), "{text}");
}

#[test]
fn workers_begin_with_different_runs_leave_when_nothing_is_free_and_make_no_tables() {
    let fixture = Fixture::new(SWEEP);
    let workers: Vec<_> =
        ["1/2", "2/2"].map(|share| fixture.command("small.toml", "results", &["--worker", share, "--no-wait"]).spawn().unwrap()).into();
    let outputs: Vec<Output> = workers.into_iter().map(|worker| worker.wait_with_output().unwrap()).collect();
    for output in &outputs {
        assert!(output.status.success() && said(output).contains("nothing is free any more"), "{}", said(output));
    }
    let entries = fixture.ledger("results");
    assert_eq!(finished(&entries).len(), 6);
    let lost = entries.iter().filter(|e| matches!(e.what, What::End { how: How::Stopped | How::Failed, .. })).count();
    assert_eq!(lost, 0, "no worker started a run that the other one was at");
    assert!(!fixture.path("results").join("small/table.md").exists());
    no_step_stands_twice(&Store::new(&fixture.path("results")));
    // A further worker has nothing to do.
    assert!(fixture.sweep("results", &["--worker", "2/2", "--no-wait"]).status.success());
    fixture.finished("results");
    fixture.finished("alone");
    assert_eq!(fixture.tables("results"), fixture.tables("alone"));
}

#[test]
fn a_worker_that_is_told_to_stop_leaves_a_checkpoint_for_the_next_one() {
    let fixture = Fixture::new(SWEEP);
    let worker = || fixture.command("small.toml", "results", &["--worker", "1/3", "--no-wait"]);
    let first = worker().spawn().unwrap();
    let store = Store::new(&fixture.path("results"));
    wait_for("a run that works", || store.list().unwrap().iter().any(|e| e.status == Status::Running));
    assert!(signal("TERM", first.id()));
    let output = first.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    let output = worker().output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(finished(&fixture.ledger("results")).len(), 6);
}
