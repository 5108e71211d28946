//! Signals at random moments to the sweep, its child or both, and other commands beside it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::seed;
use harness::sweep::ledger::{Entry, What};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::fixture::{Fixture, SWEEP, said, signal};
use crate::{count, same_as_whole};

const SIGNALS: [&str; 5] = ["KILL", "TERM", "INT", "HUP", "STOP"];

/// Who gets a signal.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Whom {
    Sweep,
    Child,
    Both,
}

/// The process of the last run that the ledger saw start, whose end it does not know.
fn running_child(entries: &[Entry]) -> Option<u32> {
    match entries.last().map(|entry| &entry.what) {
        Some(What::Start { pid, .. }) => Some(*pid),
        _ => None,
    }
}

/// Runs the sweep again and again, each time with a signal to somebody at a random moment, until it ends by itself; how many
/// signals were received. They count on from `before`, which decides what is sent to whom.
fn survive(fixture: &Fixture, results: &str, before: u64) -> u64 {
    let mut sent = 0;
    for attempt in 0.. {
        let number = before + sent;
        let mut draws = seed::stream(7, "kill", number, attempt);
        let mut sweep = fixture.command("small.toml", results, &[]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        // Each life is a little longer, so that slow machines come to an end as well.
        std::thread::sleep(Duration::from_millis(draws.random_range(100..1500) + 40 * attempt));
        if let Some(status) = sweep.try_wait().unwrap() {
            // A child that was killed leaves its run to the next command.
            assert!(status.success() || status.code() == Some(75), "{status}");
            if status.success() {
                return sent;
            }
            continue;
        }
        let name = SIGNALS[number as usize % SIGNALS.len()];
        let whom = [Whom::Both, Whom::Child, Whom::Sweep][number as usize / SIGNALS.len() % 3];
        sent += u64::from(hit(fixture, results, &mut sweep, name, whom, &mut draws));
    }
    unreachable!()
}

/// Sends one signal, lets it work, and ends what goes on. Whether anybody was there to receive it.
fn hit(fixture: &Fixture, results: &str, sweep: &mut Child, name: &str, whom: Whom, draws: &mut ChaCha8Rng) -> bool {
    let child = running_child(&fixture.ledger(results));
    let mut received = false;
    if whom != Whom::Sweep {
        received |= child.is_some_and(|pid| signal(name, pid));
    }
    if whom != Whom::Child && sweep.try_wait().unwrap().is_none() {
        received |= signal(name, sweep.id());
    }
    if name == "STOP" {
        std::thread::sleep(Duration::from_millis(draws.random_range(50..400)));
        for pid in child.into_iter().chain([sweep.id()]) {
            signal("CONT", pid);
        }
    }
    if matches!(name, "TERM" | "INT") && whom != Whom::Child {
        // It writes its checkpoint and leaves by itself.
        let began = Instant::now();
        while sweep.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(120), "{name} does not end the sweep");
            std::thread::sleep(Duration::from_millis(10));
        }
    } else if draws.random() {
        // A sweep whose child was killed sees that and goes on with the other runs for a while.
        std::thread::sleep(Duration::from_millis(draws.random_range(0..400)));
    }
    let _ = sweep.kill();
    sweep.wait().unwrap();
    received
}

/// Signals to sweeps of fresh stores until `least` were received; compares what each ends with.
fn sweeps_survive(least: u64) {
    let fixture = Fixture::new(SWEEP);
    fixture.finished("whole");
    let (mut sent, mut stores) = (0, 0);
    while sent < least {
        stores += 1;
        let killed = format!("killed-{stores}");
        sent += survive(&fixture, &killed, sent);
        fixture.finished(&killed);
        same_as_whole(&fixture, &killed);
        std::fs::remove_dir_all(fixture.path(&killed)).unwrap();
        assert!(stores <= least, "{sent} signals in {stores} sweeps");
    }
    eprintln!("{sent} signals to {stores} sweeps: all ended in the same tables");
}

#[test]
fn a_sweep_killed_with_or_without_its_child_resumes_to_the_same_tables() {
    sweeps_survive(5);
}

#[test]
#[ignore = "slow: 1,000 signals; `just test-slow` runs it"]
fn sweeps_killed_a_thousand_times_resume_to_the_same_tables() {
    sweeps_survive(count("HARNESS_KILLS", 1000));
}

#[test]
fn reports_and_clean_ups_beside_a_sweep_change_nothing() {
    let fixture = Fixture::new(SWEEP);
    fixture.finished("whole");
    let mut sweep = fixture.command("small.toml", "beside", &[]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let results = fixture.path("beside");
    let results = results.to_str().unwrap();
    let mut told = 0;
    while sweep.try_wait().unwrap().is_none() {
        for words in [&["runs", "list"][..], &["runs", "gc", "--apply", "--older-than", "0"], &["report", "small", "--partial"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_harness-torch"));
            let output = command.args(words).args(["--results", results]).current_dir(fixture.dir.path()).output().unwrap();
            // Before the sweep has written its plan there is nothing to report on.
            assert!(matches!(output.status.code(), Some(0 | 2 | 3)), "{words:?}: {}", said(&output));
            assert!(!said(&output).contains("panicked"), "{}", said(&output));
            told += u32::from(output.status.success());
        }
    }
    assert!(sweep.wait().unwrap().success() && told > 3, "{told} commands succeeded");
    same_as_whole(&fixture, "beside");
}
