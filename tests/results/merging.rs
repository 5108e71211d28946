//! Runs of another results folder.

use std::path::{Path, PathBuf};

use harness::run::Folder;
use harness::store::removal;

use super::support::runs::{id, sweep, whole};
use super::{badly, copy, json, well};

/// Two machines, each with its results; the second has a copy of the data.
fn two() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let [here, there] = ["here", "there"].map(|name| dir.path().join(name));
    [&here, &there].iter().for_each(|path| std::fs::create_dir(path).unwrap());
    (dir, here, there)
}

fn of(machine: &Path, run: &Folder) -> Folder {
    let id = harness::run::Id::parse(&id(run)).unwrap();
    harness::store::Store::new(&machine.join("results")).folder(&id)
}

fn change(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn finished_runs_come_in_once_and_reports_use_them() {
    let (_dir, here, there) = two();
    sweep(&there, &[0, 1]);
    let (first, second) = (whole(&there, 0), whole(&there, 1));
    well(&there, &["runs", "tag", &id(&first), "kept"]);
    std::fs::write(first.path().join(".x.1-0.tmp"), "half").unwrap();
    let told = well(&here, &["runs", "merge", "../there/results"]);
    assert!(told.contains(&id(&first)) && told.contains("2 brought"), "{told}");
    let mine = of(&here, &first);
    assert_eq!(std::fs::read(mine.summary_json()).unwrap(), std::fs::read(first.summary_json()).unwrap());
    assert_eq!(mine.record().unwrap().unwrap().tags, ["kept"]);
    assert!(mine.maps().is_dir() && mine.weights().exists() && !mine.path().join(".x.1-0.tmp").exists());
    assert!(well(&here, &["runs", "merge", "../there/results"]).contains("0 brought, 0 B; 2 were here already"));
    // A plan that names them is reported from here.
    copy(&there.join("results/small"), &here.join("results/small"));
    assert!(well(&here, &["report", "small", "--format", "csv"]).contains("1"), "both runs are there");
    assert_eq!(json(&well(&here, &["runs", "list", "--json", "--where", "row~odd"])).as_array().unwrap().len(), 2);
    drop(second);
}

#[test]
fn another_result_of_the_same_run_is_a_conflict_by_name_and_what_is_here_stays() {
    let (_dir, here, there) = two();
    let (mine, theirs) = (whole(&here, 0), whole(&there, 0));
    whole(&there, 1);
    for file in [theirs.summary_json(), theirs.events_jsonl()] {
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(
            &file,
            text.replace("\"test/image_auroc\": 1.0", "\"test/image_auroc\": 0.5")
                .replace("\"test/image_auroc\":1.0", "\"test/image_auroc\":0.5"),
        )
        .unwrap();
    }
    let before = std::fs::read(mine.summary_json()).unwrap();
    let (code, out, error) = super::harness(&here, &["runs", "merge", "../there/results"]);
    assert!(code == 3 && error.contains("1 run of ../there/results not brought"), "{out}{error}");
    assert!(
        out.contains(&format!("{}  CONFLICT: test/image_auroc is 1 here and 0.5 there", id(&mine))) && out.contains("1 brought"),
        "{out}"
    );
    assert_eq!(std::fs::read(mine.summary_json()).unwrap(), before);
}

#[test]
fn a_run_that_was_changed_is_refused_by_name_and_leaves_nothing() {
    for (what, why) in [
        ("config", "do not give its id"),
        ("summary", "does not belong"),
        ("environment", "is missing"),
        ("map", "neither a file nor a folder"),
    ] {
        let (_dir, here, there) = two();
        let theirs = whole(&there, 0);
        match what {
            "config" => change(&theirs.config_toml(), "size = 256", "size = 128"),
            "summary" => change(&theirs.summary_json(), "1.0", "0.75"),
            "environment" => std::fs::remove_file(theirs.env_json()).unwrap(),
            _ => {
                let link = theirs.maps().join("S/gear/link.npy");
                std::os::unix::fs::symlink("/etc/passwd", link).unwrap();
            }
        }
        let (code, out, _) = super::harness(&here, &["runs", "merge", "../there/results"]);
        assert!(code == 3 && out.contains("REFUSED") && out.contains(why), "{what}: {out}");
        assert!(!of(&here, &theirs).path().exists(), "{what}");
        assert!(removal::remains(&here.join("results/runs")).is_empty(), "{what}");
    }
}

#[test]
fn what_was_only_begun_here_gives_way_and_what_a_kill_left_is_no_run_and_goes() {
    let (_dir, here, there) = two();
    let (mine, theirs) = (whole(&here, 0), whole(&there, 0));
    std::fs::remove_file(mine.summary_json()).unwrap();
    // As a merge that was killed in the middle leaves it.
    let half = mine.path().with_file_name(".arriving-0123456789-s9-77");
    std::fs::create_dir(&half).unwrap();
    std::fs::write(half.join("summary.json"), "{").unwrap();
    assert_eq!(json(&well(&here, &["runs", "list", "--json"])).as_array().unwrap().len(), 1);
    assert!(well(&here, &["runs", "merge", "../there/results"]).contains("1 brought"));
    assert_eq!(std::fs::read(mine.summary_json()).unwrap(), std::fs::read(theirs.summary_json()).unwrap());
    // One that is being brought in right now is somebody's.
    let lock = harness::run::Lock::acquire(&half.join(".lock"), harness::run::now()).unwrap();
    well(&here, &["runs", "gc", "--apply"]);
    assert!(half.exists());
    drop(lock);
    well(&here, &["runs", "gc", "--apply"]);
    assert!(!half.exists() && mine.path().exists());
    let error = badly(&here, &["runs", "merge", "results"], 2);
    assert!(error.contains("itself"), "{error}");
}
