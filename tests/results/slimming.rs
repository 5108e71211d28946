//! What a finished run can do without, and how it is made again.

use harness::run::{self, Lock, Status};

use super::support::runs::{id, store, sweep, whole};
use super::{badly, json, well};

#[test]
fn slimming_shows_its_plan_first_and_a_slimmed_run_is_cited_scored_and_drawn_again() {
    let dir = tempfile::tempdir().unwrap();
    sweep(dir.path(), &[0, 1]);
    let run = whole(dir.path(), 0);
    let text = well(dir.path(), &["runs", "slim"]);
    assert!(text.contains("figures") && text.contains("pass --apply") && run.figures().exists(), "{text}");
    let scored = well(dir.path(), &["score", "--run", &id(&run)]);
    let listed = well(dir.path(), &["runs", "list", "--csv"]);
    assert!(well(dir.path(), &["runs", "slim", "--apply"]).contains("freed"));
    assert!(!run.figures().exists() && run.maps().exists() && run.weights().exists() && run.status() == Status::Finished);
    assert!(well(dir.path(), &["runs", "slim"]).contains("nothing can go"));
    assert_eq!(well(dir.path(), &["score", "--run", &id(&run)]), scored);
    assert_eq!(well(dir.path(), &["runs", "list", "--csv"]), listed);
    well(dir.path(), &["runs", "draw", &id(&run)]);
    let drawn = |name: &str| std::fs::read(run.figures().join(name)).unwrap();
    let first = ["roc.svg", "scores.svg", "panels.png"].map(drawn);
    assert!(std::fs::read_dir(run.tb()).unwrap().count() == 1, "TensorBoard's file");
    well(dir.path(), &["runs", "draw", &id(&run)]);
    assert!(first == ["roc.svg", "scores.svg", "panels.png"].map(drawn), "the same bytes again");
    // The data were moved.
    std::fs::rename(dir.path().join("data"), dir.path().join("moved")).unwrap();
    badly(dir.path(), &["runs", "draw", &id(&run)], 3);
    well(dir.path(), &["runs", "draw", &id(&run), "--data", "moved"]);
    assert!(first == ["roc.svg", "scores.svg", "panels.png"].map(drawn), "from wherever the data are");
}

#[test]
fn a_run_without_maps_says_so_and_keeps_the_figures_that_nothing_could_draw() {
    let dir = tempfile::tempdir().unwrap();
    let run = whole(dir.path(), 0);
    let text = well(dir.path(), &["runs", "slim", &id(&run), "--keep", "figures", "--apply"]);
    assert!(text.contains("cannot be scored again") && text.contains("cannot score new images"), "{text}");
    assert!(!run.maps().exists() && !run.weights().exists() && run.figures().exists());
    for verb in [&["score", "--run"][..], &["runs", "draw"]] {
        let error = badly(dir.path(), &[verb, &[&id(&run)]].concat(), 3);
        assert!(error.contains("are gone") && error.contains("help:"), "{error}");
    }
    let error = badly(dir.path(), &["bundle", "--run", &id(&run), "--out", "x.harness"], 3);
    assert!(error.contains("the weights of run") && error.contains("are gone"), "{error}");
    let text = well(dir.path(), &["runs", "slim", "--apply"]);
    assert!(text.contains("1 run is without maps") && run.figures().exists(), "{text}");
    assert_eq!(json(&well(dir.path(), &["runs", "slim", "--keep", "summary", "--json"]))[0]["part"], "figures");
    well(dir.path(), &["runs", "slim", "--keep", "summary", "--apply"]);
    assert!(!run.figures().exists() && run.summary().unwrap().is_some());
}

#[test]
fn what_is_not_finished_or_in_use_is_not_slimmed() {
    let (dir, [a, _, _, d]) = store();
    for run in [&a, &d] {
        std::fs::create_dir_all(run.figures()).unwrap();
        std::fs::write(run.figures().join("roc.svg"), "<svg/>").unwrap();
        std::fs::create_dir_all(run.maps()).unwrap();
    }
    let lock = Lock::acquire(&a.lock(), run::now()).unwrap();
    badly(dir.path(), &["runs", "slim", "--apply"], 3);
    assert!(a.figures().exists() && d.figures().exists());
    drop(lock);
    well(dir.path(), &["runs", "slim", "--apply"]);
    assert!(!a.figures().exists() && d.figures().exists(), "only the finished one");
}
