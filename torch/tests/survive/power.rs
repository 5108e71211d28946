//! Power cuts: everything is killed at once, and what no call had synced is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::seed;
use harness::testing::skip;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::fixture::{Fixture, SWEEP};
use crate::{count, same_as_whole, shim};

/// What a journal of the shim says of the disk at its end.
#[derive(Debug, Default)]
struct Disk {
    /// Files that were written to after they were last synced, by inode: the size that is on the disk.
    unsynced: BTreeMap<u64, u64>,
    /// Names that were given to files after their folder was last synced, where no file was before.
    unnamed: Vec<(u64, PathBuf)>,
}

impl Disk {
    fn read(journal: &str) -> Self {
        let (mut disk, mut sizes) = (Self::default(), BTreeMap::<u64, u64>::new());
        for line in journal.lines() {
            let words: Vec<&str> = line.splitn(5, ' ').collect();
            let number = |n: usize| words[n].parse::<u64>().unwrap_or_else(|_| panic!("{line}"));
            match words[0] {
                "W" => drop(disk.unsynced.insert(number(1), sizes.get(&number(1)).copied().unwrap_or(0))),
                "S" => {
                    disk.unsynced.remove(&number(1));
                    sizes.insert(number(1), number(2));
                    disk.unnamed.retain(|(folder, _)| *folder != number(1));
                }
                "R" if number(3) == 0 => disk.unnamed.push((number(2), words[4].into())),
                "R" => {}
                _ => panic!("{line}"),
            }
        }
        disk
    }

    /// Takes away what a power cut may take: every unsynced end of a file, and some of the names.
    fn cut(&self, results: &Path, draws: &mut ChaCha8Rng) -> usize {
        let mut lost = 0;
        for (_, path) in &self.unnamed {
            if path.is_file() && draws.random() {
                std::fs::remove_file(path).unwrap();
                lost += 1;
            }
        }
        for path in files(results) {
            if let Some(&size) = self.unsynced.get(&std::fs::metadata(&path).unwrap().ino()) {
                let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
                if file.metadata().unwrap().len() > size {
                    file.set_len(size).unwrap();
                    lost += 1;
                }
            }
        }
        lost
    }
}

/// Every file below a folder, sorted.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

/// The maps, calibrations, events and weights of all runs.
fn content(fixture: &Fixture, results: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = fixture.path(results);
    let ends = ["npy", "safetensors"];
    let kept = |path: &PathBuf| {
        path.ends_with("events.jsonl")
            || path.ends_with("calibration.json")
            || path.extension().is_some_and(|e| ends.iter().any(|end| e == *end))
    };
    let kept = files(&root.join("runs")).into_iter().filter(kept);
    kept.map(|path| (path.strip_prefix(&root).unwrap().to_owned(), std::fs::read(&path).unwrap())).collect()
}

fn sweeps_survive_cuts(cuts: u64) {
    let Some(library) = shim::library() else { return skip("there is no C compiler: install cc") };
    // Calibrated runs: what folds gave has to be there where it is said to be.
    let fixture = Fixture::new(&SWEEP.replace("train.epochs = 2", "train.epochs = 2, calibrate.mode = \"folds\", calibrate.folds = 2"));
    fixture.finished("whole");
    let whole = content(&fixture, "whole");
    assert!(whole.keys().any(|path| path.ends_with("calibration.json")));
    assert!(whole.len() > 12, "maps, weights and events of six runs: {:?}", whole.keys());
    let (mut done, mut lost, mut number) = (0, 0, 0);
    while done < cuts {
        let results = format!("cut-{number}");
        number += 1;
        // Some sweeps are cut again and again, until one life is long enough.
        for attempt in 0.. {
            let mut draws = seed::stream(11, "power", number, attempt);
            let journal = fixture.path(&format!("journal-{number}-{attempt}"));
            let settings = [("SHIM_JOURNAL", journal.display().to_string())];
            let mut sweep = shim::under(&library, &fixture, &results, &settings).process_group(0).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(draws.random_range(100..2500) + 200 * attempt));
            if sweep.try_wait().unwrap().is_some() {
                break;
            }
            // The sweep and its children at once.
            let group = format!("-{}", sweep.id());
            assert!(Command::new("kill").args(["-KILL", "--", &group]).status().unwrap().success());
            sweep.wait().unwrap();
            done += 1;
            let disk = Disk::read(&std::fs::read_to_string(&journal).unwrap_or_default());
            lost += disk.cut(&fixture.path(&results), &mut draws);
        }
        fixture.finished(&results);
        same_as_whole(&fixture, &results);
        assert_eq!(content(&fixture, &results), whole, "{results}");
        std::fs::remove_dir_all(fixture.path(&results)).unwrap();
    }
    assert!(lost > 0, "nothing was lost in {done} cuts");
    eprintln!("{done} power cuts in {number} sweeps took {lost} files or their ends; all ended in the same bytes");
}

#[test]
fn a_sweep_whose_power_is_cut_loses_nothing_that_was_called_finished() {
    sweeps_survive_cuts(3);
}

#[test]
#[ignore = "slow: 100 cuts; `just test-slow` runs it"]
fn sweeps_survive_a_hundred_power_cuts() {
    sweeps_survive_cuts(count("HARNESS_CUTS", 100));
}
