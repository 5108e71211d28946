//! The seam, proved by a detector that the package does not know: it trains, is killed, resumes, scores, is swept and reported.
//!
//! This program is its own `harness-torch`: with a verb as its first argument it does what was typed, otherwise it tests.

mod detector;
mod whole;

use std::process::ExitCode;

const VERBS: [&str; 7] = ["run", "sweep", "predict", "score", "bench", "config", "runs"];

fn main() -> ExitCode {
    harness_torch::detector::bring(&detector::GUESTS);
    match std::env::args().nth(1) {
        Some(verb) if VERBS.contains(&verb.as_str()) || verb.starts_with("--device") => harness_torch::command::main(),
        filter => test(&filter.filter(|word| !word.starts_with('-')).unwrap_or_default()),
    }
}

/// Runs the tests whose name contains `filter`, as the standard test runner does.
fn test(filter: &str) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in whole::TESTS.iter().filter(|(name, _)| name.contains(filter)) {
        match std::panic::catch_unwind(test) {
            Ok(()) => passed += 1,
            Err(_) => failed += 1,
        }
        println!("test {name} ... {}", if failed == 0 { "ok" } else { "done" });
    }
    println!("test result: {}. {passed} passed; {failed} failed", if failed == 0 { "ok" } else { "FAILED" });
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
