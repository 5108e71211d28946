//! Whole runs as processes: killed and resumed, repeated with other workers, used for prediction.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use harness::data::builtin;
use harness::eval::OutputStore;
use harness::image::npy;
use harness::run::Status;
use harness::store::Store;

/// Small enough for seconds: 64 px, a random ResNet-18, narrow branches; every step may be followed by a checkpoint.
const SMALL: &[&str] = &[
    "data.categories=gear",
    "data.size=64",
    "data.repeat=2",
    "model.backbone.name=resnet18",
    "model.backbone.weights=none",
    "model.stl.width=16",
    "model.tem.levels=8",
    "model.ptfem.scales=[1,2,4]",
    "model.sc.reduce=16",
    "model.sc.r=2",
    "train.batch=6",
    "train.epochs=3",
    "train.checkpoint_every_s=0.001",
    "run.threads=1",
    "run.device=cpu",
];

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self::of(&["gear"], 3)
    }

    /// With so many normal test images.
    fn of(categories: &[&str], test_good: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        builtin::write_small(&dir.path().join("data"), categories, 9, test_good, 1, 64).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, results: &str, extra: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness-torch"));
        command.arg("run").args(SMALL).arg(format!("data.root={}", self.path("data").display()));
        command.args(extra).arg("--results").arg(self.path(results)).current_dir(self.dir.path());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn run(&self, results: &str, extra: &[&str]) -> Output {
        let output = self.command(results, extra).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// Kills the run again and again until it ends, and says how often. Lifetimes grow by `step_ms`, so that it is killed while
    /// starting, in mid-epoch, between epochs and while scoring.
    fn kill(&self, results: &str, extra: &[&str], step_ms: usize) -> usize {
        for (kills, life_ms) in (120..).step_by(step_ms).enumerate() {
            let mut child = self.command(results, extra).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(life_ms));
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success());
                return kills;
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        unreachable!()
    }

    /// Starts a run and waits until `there` is true of its files; the run goes on.
    fn until(&self, results: &str, extra: &[&str], there: impl Fn(&[PathBuf]) -> bool) -> Child {
        let mut child = self.command(results, extra).spawn().unwrap();
        loop {
            let (mut files, root) = (vec![], self.path(results));
            if root.exists() {
                walk(&root, &mut files);
            }
            if there(&files) {
                return child;
            }
            assert!(child.try_wait().unwrap().is_none(), "the run ended before it could be disturbed");
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// Asks a run to stop, and sees it do so.
    fn stop(&self, child: Child) {
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(75), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The steps at which the attempts of the one run began.
    fn attempts(&self, results: &str) -> Vec<u64> {
        let folder = Store::new(&self.path(results)).find("latest").unwrap().folder;
        let lines = std::fs::read_to_string(folder.timing_jsonl()).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["timing"] == "attempt").map(|line| line["step"].as_u64().unwrap()).collect()
    }

    /// Everything that a result consists of, as bytes by name.
    fn result(&self, results: &str) -> Vec<(String, Vec<u8>)> {
        let entry = Store::new(&self.path(results)).find("latest").unwrap();
        assert_eq!(entry.status, Status::Finished);
        let folder = entry.folder;
        let mut files = vec![
            ("events".to_owned(), std::fs::read(folder.events_jsonl()).unwrap()),
            ("weights".to_owned(), std::fs::read(folder.weights()).unwrap()),
            ("summary".to_owned(), folder.summary().unwrap().unwrap().comparable().into_bytes()),
        ];
        let mut maps = vec![];
        walk(&folder.maps(), &mut maps);
        files.extend(maps.into_iter().map(|p| (p.strip_prefix(folder.maps()).unwrap().display().to_string(), std::fs::read(&p).unwrap())));
        files
    }
}

/// All files below a folder in which files come and go.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).map_or(vec![], |entries| entries.map(|e| e.unwrap().path()).collect());
    entries.sort();
    for path in entries {
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

fn assert_same(one: &[(String, Vec<u8>)], other: &[(String, Vec<u8>)]) {
    assert_eq!(one.iter().map(|f| &f.0).collect::<Vec<_>>(), other.iter().map(|f| &f.0).collect::<Vec<_>>());
    for ((name, a), (_, b)) in one.iter().zip(other) {
        assert!(a == b, "{name} differs");
    }
}

#[test]
fn a_run_killed_again_and_again_ends_bit_for_bit_as_if_undisturbed() {
    let fixture = Fixture::new();
    fixture.run("whole", &[]);
    let kills = fixture.kill("killed", &[], 110);
    assert!(kills > 1, "nothing was killed");
    assert_same(&fixture.result("whole"), &fixture.result("killed"));
}

#[test]
fn a_run_killed_behind_an_epoch_goes_on_bit_for_bit_with_a_rule_of_selection_and_in_bf16() {
    let fixture = Fixture::new();
    for (name, word) in [("pseudo", "train.checkpoint=best_pseudo_val"), ("bf16", "train.precision=bf16")] {
        let (whole, killed) = (format!("{name}-whole"), format!("{name}-killed"));
        let words = [word, "train.epochs=6"];
        fixture.run(&whole, &words);
        let epoch_saved = |files: &[PathBuf]| {
            let events = files.iter().find(|p| p.ends_with("events.jsonl"));
            let saved = files.iter().any(|p| p.ends_with("last.ckpt"));
            saved && events.is_some_and(|p| std::fs::read_to_string(p).unwrap().contains("\"event\":\"epoch\""))
        };
        let mut child = fixture.until(&killed, &words, epoch_saved);
        child.kill().unwrap();
        child.wait().unwrap();
        fixture.run(&killed, &words);
        let attempts = fixture.attempts(&killed);
        assert!(matches!(attempts[..], [0, step] if step > 0), "{name}: attempts began at {attempts:?}");
        assert_same(&fixture.result(&whole), &fixture.result(&killed));
    }
}

/// What turns [`SMALL`] into a detector that looks once.
fn looking(detector: &str) -> [String; 3] {
    [format!("detector={detector}"), "padim.channels=30".into(), "nearest.fraction=0.1".into()]
}

#[test]
fn a_detector_that_looks_once_is_killed_and_repeated_bit_for_bit_too() {
    let fixture = Fixture::new();
    for detector in ["padim", "nearest"] {
        let words = looking(detector);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (whole, killed) = (format!("{detector}-whole"), format!("{detector}-killed"));
        let output = fixture.run(&whole, &words);
        assert!(String::from_utf8_lossy(&output.stderr).contains("each image once"));
        assert!(fixture.kill(&killed, &words, 150) > 0, "nothing was killed");
        assert_same(&fixture.result(&whole), &fixture.result(&killed));

        let entry = Store::new(&fixture.path(&whole)).find("latest").unwrap();
        let summary = entry.folder.summary().unwrap().unwrap();
        assert_eq!((summary.detector.as_str(), summary.headline.as_str()), (detector, "A"));
        assert!(summary.losses.is_empty() && summary.grad_norm.is_none());
        assert_eq!((summary.counts["parameters"], summary.counts["trained_parameters"]), (2_782_784, 0));
        assert!(summary.metrics["test/image_auroc"].is_some() && summary.metrics["test/A/pixel_auroc"].is_some());
        assert!(entry.folder.figures().join("panels.png").is_file() && !entry.folder.figures().join("loss.svg").exists());

        let dry = fixture.command("dry", &[words.as_slice(), &["--dry-run"]].concat()).stdout(Stdio::piped()).output().unwrap();
        let text = String::from_utf8_lossy(&dry.stdout).into_owned();
        assert!(dry.status.success() && text.contains("would start, 9 steps") && text.contains(" kept\n"), "{text}");

        let mut predict = Command::new(env!("CARGO_BIN_EXE_harness-torch"));
        predict.arg("predict").args(["--run", "latest", "--maps", "npy", "--device", "cpu", "--results"]).arg(fixture.path(&whole));
        let out = fixture.path(&format!("{detector}-out"));
        let output = predict.arg("--out").arg(&out).arg(fixture.path("data/gear/test/good")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let stored = npy::read(&entry.folder.maps().join("A/gear/test/good/001.npy")).unwrap();
        let full = harness::eval::full(&stored, 64, 64, &entry.folder.config().unwrap().eval);
        assert!(npy::read(&out.join("001.png.map.npy")).unwrap() == full);
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_is_asked_to_stop_exits_75_and_goes_on_bit_for_bit() {
    let fixture = Fixture::new();
    fixture.run("whole", &["train.epochs=6"]);
    fixture.stop(fixture.until("stopped", &["train.epochs=6"], |files| files.iter().any(|p| p.ends_with("last.ckpt"))));
    fixture.run("stopped", &["train.epochs=6"]);
    assert_same(&fixture.result("whole"), &fixture.result("stopped"));
}

#[cfg(unix)]
#[test]
fn scoring_can_be_stopped_too_and_begins_again() {
    let fixture = Fixture::of(&["gear"], 120);
    fixture.run("whole", &["train.epochs=1"]);
    fixture.stop(fixture.until("stopped", &["train.epochs=1"], |files| files.iter().any(|p| p.extension().is_some_and(|e| e == "npy"))));
    fixture.run("stopped", &["train.epochs=1"]);
    assert_eq!(fixture.attempts("stopped"), [0, 3]);
    assert_same(&fixture.result("whole"), &fixture.result("stopped"));
}

/// PaDiM on two categories.
fn two_categories(fixture: &Fixture, results: &str) -> Output {
    let words = looking("padim");
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["data.categories=[\"fabric\",\"gear\"]"]).collect();
    fixture.command(results, &words).stdout(Stdio::piped()).output().unwrap()
}

#[test]
fn a_run_that_fails_does_not_keep_those_of_other_categories_from_running() {
    let fixture = Fixture::of(&["fabric", "gear"], 3);
    assert!(two_categories(&fixture, "whole").status.success());
    let runs = Store::new(&fixture.path("whole")).list().unwrap();
    let fabric = runs.iter().find(|run| run.folder.summary().unwrap().unwrap().category == "fabric").unwrap();
    let in_its_place = fixture.path("r").join(fabric.folder.path().strip_prefix(fixture.path("whole")).unwrap());
    std::fs::create_dir_all(in_its_place.parent().unwrap()).unwrap();
    std::fs::write(in_its_place, "").unwrap();
    let output = two_categories(&fixture, "r");
    let (said, found) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("1 of 2 runs failed") && found.contains("gear") && !found.contains("fabric"), "{said}{found}");
}

#[test]
fn all_that_would_spoil_a_result_is_told_before_anything_starts() {
    let fixture = Fixture::of(&["fabric", "gear"], 3);
    for broken in ["data/fabric/train/good/000.png", "data/gear/test/good/001.png"].map(|name| fixture.path(name)) {
        std::fs::write(&broken, &std::fs::read(&broken).unwrap()[..200]).unwrap();
    }
    let output = two_categories(&fixture, "r");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("fabric/train/good/000.png") && said.contains("gear/test/good/001.png"), "{said}");
    assert!(Store::new(&fixture.path("r")).list().unwrap().is_empty());
}

#[test]
fn a_dry_run_says_how_long_it_will_take_or_that_nobody_can_tell() {
    let fixture = Fixture::new();
    for (words, steps, told) in [
        (&["train.epochs=1", "data.repeat=1"][..], 1, false),
        (&["train.epochs=1", "data.repeat=1", "train.batch=4"], 2, true),
        (&[], 9, true),
        // Four of the nine images are held out.
        (&["train.checkpoint=best_pseudo_val"], 3, true),
    ] {
        let output = fixture.command("dry", &[words, &["--dry-run"]].concat()).stdout(Stdio::piped()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(&format!("would start, {steps} steps, ")), "{text}");
        assert_eq!((text.contains("of fitting"), text.contains("too few steps to estimate")), (told, !told), "{text}");
        assert!(!fixture.path("dry").exists());
    }
}

#[test]
fn workers_and_the_cache_do_not_change_a_result() {
    let fixture = Fixture::new();
    fixture.run("one", &["data.workers=1", "data.cache_mb=0"]);
    fixture.run("five", &["data.workers=5"]);
    assert_same(&fixture.result("one"), &fixture.result("five"));
}

#[test]
fn a_finished_run_is_found_and_not_repeated_unless_forced() {
    let fixture = Fixture::new();
    fixture.run("r", &[]);
    let first = fixture.result("r");
    let again = fixture.run("r", &[]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("finished already"));
    let folder = Store::new(&fixture.path("r")).find("latest").unwrap().folder;
    let summary = folder.summary().unwrap().unwrap();
    assert_eq!((summary.backbone.lineage.as_str(), summary.backbone.stride_in.as_str()), ("none", "conv1"));
    assert!(summary.counts["trained_parameters"] > 0 && summary.counts["trained_parameters"] <= summary.counts["parameters"]);
    let environment: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.env_json()).unwrap()).unwrap();
    assert!(environment["rustc"].is_string() && environment["device"] == "cpu" && environment.get("gpu").is_none());
    let forced = fixture.run("r", &["--force"]);
    assert!(!String::from_utf8_lossy(&forced.stderr).contains("finished already"));
    assert_same(&first, &fixture.result("r"));
}

#[test]
fn prediction_gives_the_evaluations_numbers_to_the_bit() {
    let fixture = Fixture::new();
    fixture.run("r", &["eval.batch=4"]);
    let entry = Store::new(&fixture.path("r")).find("latest").unwrap();
    let config = entry.folder.config().unwrap();
    let inputs: Vec<PathBuf> = ["test/good", "test/rust"].iter().map(|f| fixture.path("data/gear").join(f)).collect();
    // All together and one alone: companions of a batch must not matter.
    for (out, inputs) in [("all", inputs.as_slice()), ("alone", &[inputs[0].join("001.png")])] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness-torch"));
        command.arg("predict").args(["--run", "latest", "--maps", "npy", "--device", "cpu", "--results"]).arg(fixture.path("r"));
        let output = command.arg("--out").arg(fixture.path(out)).args(inputs).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let stored = npy::read(&entry.folder.maps().join("S/gear/test/good/001.npy")).unwrap();
    let (full, score) = harness::eval::scored(&harness::eval::Output::of_map(stored), 64, 64, &config.eval).unwrap();
    let full = full.unwrap();
    let table = std::fs::read_to_string(fixture.path("all/scores.csv")).unwrap();
    let row = table.lines().find(|l| l.contains("good/001.png")).unwrap();
    assert!(row.contains(&score.to_string()), "{score} is not in {row}");
    let bits = |map: &harness::image::Map| map.data.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&npy::read(&fixture.path("all/001.png.map.npy")).unwrap()), bits(&full));
    assert_eq!(bits(&npy::read(&fixture.path("alone/001.png.map.npy")).unwrap()), bits(&full));
}

/// Every detector, and those of their variants that score by another path.
const EACH: [&[&str]; 11] = [
    &["detector=mlff"],
    &["detector=padim", "padim.channels=40"],
    &["detector=nearest", "nearest.dims=64", "nearest.project=16", "data.margin=16"],
    &["detector=rd", "rd.blocks=1"],
    &["detector=fcdd", "data.crop=69", "fcdd.network=cnn"],
    &["detector=supersimplenet", "supersimplenet.hidden=16", "supersimplenet.reduce=8"],
    &["detector=cutpaste", "cutpaste.hidden=[16, 8]"],
    &["detector=cutpaste", "cutpaste.hidden=[16, 8]", "cutpaste.patch=32", "cutpaste.window=16", "cutpaste.stride=16"],
    &["detector=psvdd"],
    &["detector=us", "us.teacher=none", "us.width=0.05", "us.students=2", "us.fields=[33]", "us.dense=false"],
    &["detector=us", "us.teacher=none", "us.width=0.05", "us.students=2", "us.fields=[17, 33]", "us.dense=true"],
];

#[test]
fn each_detector_predicts_what_it_was_evaluated_by() {
    let fixture = Fixture::new();
    let named: std::collections::HashSet<&str> = EACH.iter().map(|words| &words[0]["detector=".len()..]).collect();
    assert!(harness::config::Detector::all().all(|detector| named.contains(detector.name())), "a detector is missing");
    for (n, words) in EACH.iter().enumerate() {
        let (results, out) = (format!("r{n}"), fixture.path(&format!("out{n}")));
        fixture.run(&results, &[words, &["train.steps=2"][..]].concat());
        let entry = Store::new(&fixture.path(&results)).find("latest").unwrap();
        let config = entry.folder.config().unwrap();
        let mut predict = Command::new(env!("CARGO_BIN_EXE_harness-torch"));
        predict
            .args(["predict", "--run", "latest", "--maps", "npy", "--device", "cpu", "--no-overlay", "--results"])
            .arg(fixture.path(&results));
        let output = predict.arg("--out").arg(&out).arg(fixture.path("data/gear/test")).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));

        let stored = OutputStore::of(&entry.folder.maps(), "gear", &config.detector.outputs(&config));
        let mut table = csv::Reader::from_path(out.join("scores.csv")).unwrap();
        let rows: Vec<csv::StringRecord> = table.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), harness::data::category(&fixture.path("data"), "gear").unwrap().test.len());
        for row in &rows {
            let key = row[0].rsplit_once("/test/").unwrap().1.trim_end_matches(".png");
            let evaluated = stored.read(stored.stored()[0], &format!("test/{key}")).unwrap();
            let (map, score) = harness::eval::scored(&evaluated, 64, 64, &config.eval).unwrap();
            assert_eq!(row[1], score.to_string(), "{words:?}: {key}");
            let predicted = out.join(format!("{key}.png.map.npy"));
            assert_eq!(map, predicted.is_file().then(|| npy::read(&predicted).unwrap()), "{words:?}: {key}");
        }
    }
}

/// As a version wrote it that knew fewer keys, others by another name, and no schema.
#[test]
fn a_run_of_an_earlier_version_is_scored_predicted_with_compared_and_kept() {
    let fixture = Fixture::new();
    fixture.run("r", &[]);
    let entry = Store::new(&fixture.path("r")).find("latest").unwrap();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let harness = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_harness-torch")).args(words).current_dir(fixture.dir.path()).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let score = ["score", "--run", "latest", "--results", "r", "--json"];
    let before = harness(&score);

    let text = read(&entry.folder.config_toml());
    let (head, rest) = text.split_once("[pseudo.weight]").unwrap();
    let rest = &rest[rest.find("\n[").unwrap()..];
    let old = format!("{head}{rest}").replace("combine = \"one\"", "confetti_prob = 0.5\nboth = false").replace("augment = \"none\"\n", "");
    assert!(old.len() < text.len() - 20 && !old.contains("augment"));
    std::fs::write(entry.folder.config_toml(), old).unwrap();
    let record = read(&entry.folder.run_json());
    assert!(record.contains("\"schema\": 2,"), "{record}");
    std::fs::write(entry.folder.run_json(), record.replace("\"schema\": 2,", "")).unwrap();

    assert_eq!(harness(&score), before);
    harness(&["predict", "--run", "latest", "--maps", "npy", "--results", "r", "--device", "cpu", "--out", "out", "data/gear/test/good"]);
    let bits = |path: PathBuf| npy::read(&path).unwrap().data.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let stored = npy::read(&entry.folder.maps().join("S/gear/test/good/001.npy")).unwrap();
    let full = harness::eval::full(&stored, 64, 64, &entry.folder.config().unwrap().eval);
    assert_eq!(bits(fixture.path("out/001.png.map.npy")), full.data.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
    fixture.run("other", &["run.seeds=[1]"]);
    let other = Store::new(&fixture.path("other")).find("latest").unwrap();
    for file in [other.folder.summary_json(), other.folder.run_json()] {
        std::fs::write(&file, read(&file).replace(&other.id.to_string(), "run/0123456789-s1")).unwrap();
    }
    std::fs::rename(other.folder.path(), entry.folder.path().with_file_name("0123456789-s1")).unwrap();
    let difference = harness(&["runs", "diff", &entry.id.to_string(), "run/0123456789-s1", "--results", "r"]);
    assert!(!difference.contains("augment") && !difference.contains("confetti"), "{difference}");
    let kept = harness(&["runs", "gc", "--older-than", "0", "--results", "r"]);
    assert!(!kept.contains(&format!("{} ", entry.id)) && kept.contains("1 finished run of another version"), "{kept}");
    assert!(harness(&["runs", "list", "--results", "r"]).contains("1 finished run of another version"));
}

#[test]
fn each_rule_of_selection_ends_in_metrics_of_an_honest_name() {
    let fixture = Fixture::new();
    fixture.run("pseudo", &["train.checkpoint=best_pseudo_val"]);
    fixture.run("test", &["train.checkpoint=best_test"]);
    let metrics = |results: &str| {
        let entry = Store::new(&fixture.path(results)).find("latest").unwrap();
        entry.folder.summary().unwrap().unwrap().metrics
    };
    assert!(metrics("pseudo").keys().all(|k| k.starts_with("test/")));
    assert!(metrics("test").keys().all(|k| k.starts_with("best_on_test/")));
}

#[test]
fn what_cannot_work_is_refused_with_its_remedy() {
    let fixture = Fixture::new();
    let refuse = |extra: &[&str], code: i32, words: &[&str]| {
        let output = fixture.command("r", extra).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        words.iter().for_each(|w| assert!(text.contains(w), "`{w}` is not in: {text}"));
        assert!(!text.contains("panicked"), "{text}");
    };
    refuse(&["data.root=nowhere"], 3, &["nowhere", "help:"]);
    refuse(&["data.categories=gaer"], 2, &["gaer", "gear"]);
    refuse(&["model.backbone.weights=none.safetensors"], 3, &["none.safetensors", "just weights"]);
    refuse(&["train.batch=17", "train.drop_last=false", "model.sc.r=4"], 2, &["train.batch", "a batch of 1", "train.drop_last"]);
    let bare = ["model.stlnet=false", "model.self_calibration=false", "loss.score.enabled=false", "loss.consistency.enabled=false"];
    refuse(&[&bare[..], &["model.ablation.head=raw", "model.backbone.freeze=all"]].concat(), 2, &["model.ablation.head"]);
    refuse(&["optim.lr=100", "train.clip_norm=0", "train.epochs=30"], 1, &["optim.lr"]);
    let broken = fixture.path("data/gear/train/good/000.png");
    std::fs::write(&broken, &std::fs::read(&broken).unwrap()[..200]).unwrap();
    refuse(&[], 3, &["000.png"]);
}

#[test]
fn an_image_is_scored_again_by_a_map_that_the_run_has_and_by_no_other() {
    let fixture = Fixture::new();
    let score = |results: &str, map: &str| {
        let words = ["score", "--run", "latest", "--results", results, "--json", "--set", &format!("eval.map={map}")].map(str::to_owned);
        Command::new(env!("CARGO_BIN_EXE_harness-torch")).args(words).current_dir(fixture.dir.path()).output().unwrap()
    };
    let first = |output: &std::process::Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        all[0].clone()
    };
    fixture.run("plain", &[]);
    fixture.run("joined", &["eval.map=mean_z"]);
    assert_eq!(first(&score("plain", "A"))["scores"], first(&score("joined", "A"))["scores"]);
    assert_ne!(first(&score("joined", "mean_z"))["scores"], first(&score("joined", "own"))["scores"]);
    let refused = score("plain", "mean_z");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && said.contains("has no map Z; it has S, A"), "{said}");
}
