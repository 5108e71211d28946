//! What sweeps survive: kills by every signal, disks that fail, clocks that jump, and power that is cut. In the end the tables are the
//! same to the byte, and no run was carried out twice. A few of each here; `just test-slow` does it by the hundred
//! (docs/reliability.md).

#[expect(dead_code, reason = "shared with the tests of sweeps, which use all of it")]
#[path = "../sweep/fixture.rs"]
mod fixture;

#[cfg(target_os = "linux")]
mod faults;
mod kills;
#[cfg(target_os = "linux")]
mod power;
#[cfg(target_os = "linux")]
mod shim;

use fixture::Fixture;
use harness::run::Status;
use harness::store::Store;

/// How many of a thing a slow test tries: what the variable says, else the number.
fn count(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// The tables are those of the undisturbed sweep in `whole`, all six runs are finished, and each was finished once.
fn same_as_whole(fixture: &Fixture, results: &str) {
    assert_eq!(fixture.tables("whole"), fixture.tables(results), "{results}");
    let entries = Store::new(&fixture.path(results)).list().unwrap();
    assert_eq!((entries.len(), entries.iter().filter(|e| e.status == Status::Finished).count()), (6, 6), "{results}");
}
