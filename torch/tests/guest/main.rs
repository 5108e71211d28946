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

/// Runs the tests whose name contains `filter`, one after the other, and says how each ended as the standard test runner does.
fn test(filter: &str) -> ExitCode {
    let tests = whole::TESTS.iter().filter(|(name, _)| name.contains(filter));
    let ended: Vec<bool> = tests
        .map(|(name, test)| {
            let passed = std::panic::catch_unwind(test).is_ok();
            println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
            passed
        })
        .collect();
    let failed = ended.iter().filter(|passed| !**passed).count();
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {} passed; {failed} failed", ended.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
