//! Disks that refuse, and clocks that jump.

use harness::testing::skip;

use crate::fixture::{Fixture, SWEEP, finished, said};
use crate::{count, same_as_whole, shim};

/// Exit codes that an error may have: a run that failed, what was asked cannot be done, stopped.
const ERRORS: [i32; 3] = [1, 3, 75];

/// Sweeps on a disk that refuses one of so many thousand calls; how many calls ended in an error that was told.
fn sweeps_survive_faults(sweeps: u64) {
    let Some(library) = shim::library() else { return skip("there is no C compiler: install cc") };
    let fixture = Fixture::new(SWEEP);
    fixture.finished("whole");
    let mut told = 0;
    for number in 0..sweeps {
        let results = format!("faults-{number}");
        // From one in a hundred calls to one in ten thousand.
        let rate = [10_000, 3_000, 1_000, 300, 100][number as usize % 5];
        let settings = [("SHIM_RATE", rate.to_string()), ("SHIM_SEED", number.to_string())];
        let output = shim::under(&library, &fixture, &results, &settings).output().unwrap();
        let text = said(&output);
        assert!(!text.contains("panicked"), "{text}");
        let code = output.status.code().unwrap_or_else(|| panic!("{}: {text}", output.status));
        if code != 0 {
            assert!(ERRORS.contains(&code) && text.contains("help: "), "exit code {code}: {text}");
            told += 1;
        }
        std::fs::create_dir_all(fixture.path(&results)).unwrap();
        let again = fixture.sweep(&results, &["--retry"]);
        assert!(again.status.success(), "{}", said(&again));
        same_as_whole(&fixture, &results);
        std::fs::remove_dir_all(fixture.path(&results)).unwrap();
    }
    assert!(told > 0, "no call failed in {sweeps} sweeps");
    eprintln!("{sweeps} sweeps on failing disks: {told} ended with an error, all ended in the same tables when repeated");
}

#[test]
fn a_sweep_on_a_failing_disk_ends_with_an_error_and_the_repeat_in_the_same_tables() {
    sweeps_survive_faults(5);
}

#[test]
#[ignore = "slow: 200 sweeps; `just test-slow` runs it"]
fn hundreds_of_sweeps_on_failing_disks_end_in_the_same_tables() {
    sweeps_survive_faults(count("HARNESS_FAULTS", 200));
}

#[test]
fn a_clock_that_jumps_changes_no_table() {
    let Some(library) = shim::library() else { return skip("there is no C compiler: install cc") };
    let fixture = Fixture::new(SWEEP);
    fixture.finished("whole");
    let settings = [("SHIM_CLOCK", "1".to_owned()), ("SHIM_SEED", "5".to_owned())];
    let output = shim::under(&library, &fixture, "clock", &settings).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    same_as_whole(&fixture, "clock");
    assert_eq!(finished(&fixture.ledger("clock")).len(), 6);
}
