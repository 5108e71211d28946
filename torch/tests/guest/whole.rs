//! What a detector from outside can do.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use harness::data::builtin;
use harness::eval::IMAGE;
use harness::image::npy;
use harness::store::{Entry, Store};
use serde_json::Value;

pub const TESTS: &[(&str, fn())] = &[
    ("a_killed_run_resumes_to_the_same_bytes", a_killed_run_resumes_to_the_same_bytes),
    ("an_own_score_is_stored_and_scored_again_without_a_network", an_own_score_is_stored_and_scored_again_without_a_network),
    ("without_a_map_pixel_metrics_are_absent", without_a_map_pixel_metrics_are_absent),
    ("steps_end_a_training_in_the_middle_of_an_epoch", steps_end_a_training_in_the_middle_of_an_epoch),
    ("the_rules_of_selection_hold_for_every_learner", the_rules_of_selection_hold_for_every_learner),
    ("it_is_swept_reported_predicted_with_and_measured", it_is_swept_reported_predicted_with_and_measured),
    ("what_it_does_not_read_is_no_part_of_its_id", what_it_does_not_read_is_no_part_of_its_id),
];

const SMALL: &[&str] = &[
    "detector=guest",
    "data.categories=gear",
    "data.size=64",
    "data.repeat=2",
    "train.batch=5",
    "train.drop_last=false",
    "train.checkpoint_every_s=0.001",
    "run.threads=1",
    "run.device=cpu",
];

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        builtin::write_small(&dir.path().join("data"), &["gear"], 9, 3, 1, 64).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn harness(&self, words: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(words).current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A run of [`SMALL`] into a store of its own.
    fn command(&self, results: &str, extra: &[&str]) -> Command {
        let mut command = self.harness(&["run"]);
        command.args(SMALL).arg("data.root=data").args(extra).args(["--results", results]);
        command
    }

    fn run(&self, results: &str, extra: &[&str]) -> Entry {
        let output = self.command(results, extra).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        self.entry(results)
    }

    fn entry(&self, results: &str) -> Entry {
        Store::new(&self.path(results)).find("latest").unwrap()
    }

    fn done(&self, words: &[&str]) -> String {
        let output = self.harness(words).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every stored map, the events and the summary of a run: all that is no clock.
fn bytes(entry: &Entry) -> Vec<(String, Vec<u8>)> {
    let folder = &entry.folder;
    let mut found = vec![
        ("events".to_owned(), std::fs::read(folder.events_jsonl()).unwrap()),
        ("weights".to_owned(), std::fs::read(folder.weights()).unwrap()),
        ("summary".to_owned(), folder.summary().unwrap().unwrap().comparable().into_bytes()),
    ];
    for name in ["logit", IMAGE] {
        for stem in ["good/000", "good/001", "good/002"] {
            let key = format!("{name}/gear/test/{stem}.npy");
            found.push((key.clone(), std::fs::read(folder.maps().join(key)).unwrap()));
        }
    }
    found
}

fn a_killed_run_resumes_to_the_same_bytes() {
    let fixture = Fixture::new();
    let whole = fixture.run("whole", &[]);
    let mut kills = 0;
    for life_ms in (60..).step_by(70) {
        let mut child = fixture.command("killed", &[]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(life_ms));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 2, "killed {kills} times");
    assert_eq!(bytes(&whole), bytes(&fixture.entry("killed")));
}

fn an_own_score_is_stored_and_scored_again_without_a_network() {
    let fixture = Fixture::new();
    let entry = fixture.run("r", &[]);
    let summary = entry.folder.summary().unwrap().unwrap();
    assert_eq!((summary.detector.as_str(), summary.headline.as_str()), ("guest", "logit"));
    assert!(summary.backbone.name.is_empty() && summary.losses.contains_key("logistic"));
    let metric = |name: &str| summary.metrics.get(name).copied().flatten();
    assert_eq!(metric("test/image_auroc"), metric("test/image/image_auroc"));
    assert!(metric("test/pixel_auroc").is_some() && metric("test/image/pixel_auroc").is_none());
    let stored = npy::read(&entry.folder.maps().join("image/gear/test/good/001.npy")).unwrap();
    assert_eq!((stored.width, stored.height), (1, 1));

    let scored: Value = serde_json::from_str(&fixture.done(&["score", "--run", "latest", "--results", "r", "--json"])).unwrap();
    for (place, name) in [(0, ""), (1, "image/")] {
        let again = scored[place]["scores"]["image_auroc"].as_f64();
        assert_eq!(again, metric(&format!("test/{name}image_auroc")), "{scored}");
    }
    // Other image scores of the same stored maps need no network either.
    for rule in ["map", "mean", "upsampled"] {
        let set = format!("eval.image_score={rule}");
        let words = ["score", "--run", "latest", "--results", "r", "--set", &set, "--json"];
        let output = fixture.harness(&words).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}

fn without_a_map_pixel_metrics_are_absent() {
    let fixture = Fixture::new();
    let entry = fixture.run("r", &["detector=judge"]);
    let summary = entry.folder.summary().unwrap().unwrap();
    assert_eq!(summary.headline, IMAGE);
    assert!(summary.metrics["test/image_auroc"].is_some());
    for name in ["test/pixel_auroc", "test/pixel_ap", "test/aupro@0.3", "test/large_recall@fpr0.05"] {
        assert_eq!(summary.metrics[name], None, "{name}");
    }
    assert!(!entry.folder.figures().join("panels.png").exists() && entry.folder.figures().join("scores.svg").exists());
    let shown = fixture.done(&["runs", "show", "latest", "--results", "r"]);
    assert!(shown.contains("judge"), "{shown}");
    // The same seed without the map: the same scores.
    let guest = fixture.run("guest", &[]).folder.summary().unwrap().unwrap();
    assert_eq!(summary.metrics["test/image_auroc"], guest.metrics["test/image_auroc"]);
    let output = fixture.command("no", &["detector=judge", "eval.image_score=map"]).output().unwrap();
    assert!(output.status.code() == Some(2) && said(&output).contains("eval.image_score: judge gives no map"), "{}", said(&output));
}

fn steps_end_a_training_in_the_middle_of_an_epoch() {
    let fixture = Fixture::new();
    // 18 items in batches of 5: four batches an epoch.
    let entry = fixture.run("r", &["train.steps=6"]);
    let events = std::fs::read_to_string(entry.folder.events_jsonl()).unwrap();
    let count = |kind: &str| events.lines().filter(|line| line.contains(&format!("\"event\":\"{kind}\""))).count();
    assert_eq!((count("step"), count("epoch")), (6, 2));
    let dry = fixture.done(&[&["run"], SMALL, &["data.root=data", "train.steps=7", "--results", "r", "--dry-run"]].concat());
    assert!(dry.contains("would start, 7 steps"), "{dry}");
}

fn the_rules_of_selection_hold_for_every_learner() {
    let fixture = Fixture::new();
    for (detector, metric) in [("guest", "pixel_auroc"), ("judge", "image_auroc")] {
        let name = format!("detector={detector}");
        let pseudo = fixture.run(&format!("{detector}-pseudo"), &[&name, "train.checkpoint=best_pseudo_val"]);
        let events = std::fs::read_to_string(pseudo.folder.events_jsonl()).unwrap();
        assert_eq!(events.matches(&format!("pseudo_val/{metric}")).count(), 4, "{events}");
        let test = fixture.run(&format!("{detector}-test"), &[&name, "train.checkpoint=best_test"]);
        assert!(test.folder.summary().unwrap().unwrap().metrics.keys().all(|key| key.starts_with("best_on_test/")));
    }
}

fn it_is_swept_reported_predicted_with_and_measured() {
    let fixture = Fixture::new();
    let set: Vec<String> = SMALL.iter().filter(|word| !word.starts_with("data.categories")).map(|word| word.to_string()).collect();
    let sweep = "title = \"a guest\"\nseeds = [0, 1]\ncategories = [\"gear\"]\n\
        [[ablate]]\nname = \"slow\"\n[[ablate]]\nname = \"fast\"\nset = { optim.lr = 0.1 }\n\
        [[ablate]]\nname = \"judge\"\nset = { detector = \"judge\" }\n";
    std::fs::write(fixture.path("guests.toml"), sweep).unwrap();
    let words: Vec<&str> = ["sweep", "guests.toml"].into_iter().chain(set.iter().map(String::as_str)).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| *word != "detector=guest").collect();
    let words = [&words[..], &["data.root=data", "--results", "r", "--plots", "p", "--jobs", "2", "--name", "guests"]].concat();
    // Without a detector the rows are the paper's method, whose weights are not here.
    assert_eq!(fixture.harness(&words).output().unwrap().status.code(), Some(3));
    std::fs::write(fixture.path("guests.toml"), format!("set = {{ detector = \"guest\" }}\n{sweep}")).unwrap();
    fixture.done(&words);
    let table = std::fs::read_to_string(fixture.path("r/guests/table.md")).unwrap();
    let judge = table.lines().find(|line| line.starts_with("| judge")).unwrap();
    assert!(table.contains("| slow") && table.contains("| fast") && judge.contains('—'), "{table}");
    assert!(fixture.path("r/guests/report.html").exists());

    fixture.done(&["predict", "--run", "latest", "--results", "r", "--device", "cpu", "--out", "out", "data/gear/test/good"]);
    assert_eq!(std::fs::read_to_string(fixture.path("out/scores.csv")).unwrap().lines().count(), 4);
    let measured = fixture.done(&[&["bench"], SMALL, &["data.root=data", "--only", "step", "--seconds", "0.1"]].concat());
    assert!(measured.contains("training step"), "{measured}");
}

fn what_it_does_not_read_is_no_part_of_its_id() {
    let fixture = Fixture::new();
    let id = |extra: &[&str]| {
        let dry = fixture.done(&[&["run"], SMALL, &["data.root=data", "--results", "r", "--dry-run"], extra].concat());
        dry.split_whitespace().next().unwrap().to_owned()
    };
    let plain = id(&[]);
    assert_eq!(plain, id(&["padim.channels=7", "model.backbone.weights=nowhere.safetensors", "loss.alpha=3", "nearest.dims=3"]));
    assert_ne!(plain, id(&["optim.lr=0.5"]));
    let checked = fixture.done(&["config", "check", "detector=guest", "loss.alpha=3", "optim.lr=0.5"]);
    assert!(checked.contains("guest does not read `loss.alpha` with these settings") && !checked.contains("optim"), "{checked}");
}
