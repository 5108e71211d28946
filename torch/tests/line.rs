//! From a folder of good parts to decisions: fitted, calibrated, new parts judged, a folder watched, odd parts ranked. Each from what is
//! typed to what is written.

#[expect(dead_code, reason = "shared with the tests of a first use, which use all of it")]
mod desk;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use desk::{Desk, QUICK, files, said};
use harness::calibration::{Calibration, Origin};
use harness::image::codec;
use harness::store::Store;

impl Desk {
    /// Photographs of 24 good parts in `parts/`, and of new ones, good and defective, in `new/`.
    fn new() -> Self {
        let desk = Self::of(24, 4, 2);
        fs::rename(desk.path("data/gear/train/good"), desk.path("parts")).unwrap();
        fs::rename(desk.path("data/gear/test"), desk.path("new")).unwrap();
        desk
    }

    fn fit(&self, more: &[&str]) -> String {
        self.says(&[&["fit", "parts", "--detector", "padim"], QUICK, more].concat()).0
    }

    fn calibration(&self) -> Calibration {
        let entry = Store::new(&self.path("results")).find("latest").unwrap();
        Calibration::read(&entry.folder.calibration_json(), &entry.id.to_string()).unwrap().unwrap()
    }

    fn rows(&self, out: &str) -> Vec<csv::StringRecord> {
        let mut table = csv::Reader::from_path(self.path(out).join("scores.csv")).unwrap();
        table.records().collect::<Result<_, _>>().unwrap()
    }
}

#[test]
fn a_folder_of_good_parts_gives_a_threshold_and_decisions() {
    let desk = Desk::new();
    let printed = desk.fit(&[]);
    for part in [
        "24 normal images, each scored by one of 5 fits",
        "image threshold",
        "no rate below 4 %",
        "pixel threshold",
        "approximate",
        "harness predict --run",
    ] {
        assert!(printed.contains(part), "{part}: {printed}");
    }
    let calibration = desk.calibration();
    assert_eq!((calibration.origin.clone(), calibration.images.len()), (Origin::Folds { folds: 5, seed: 0 }, 24));

    // A random network sees little: a rate at which it has to see something.
    let words = ["predict", "--run", "latest", "--device", "cpu", "--out", "out", "--maps", "png16", "--masks", "--rate", "0.4", "new"];
    let (summed, _) = desk.says(&words);
    assert!(summed.contains("called anomalous") && summed.contains("ms an image"), "{summed}");
    let rows = desk.rows("out");
    assert_eq!(rows.len(), files(&desk.path("new")).iter().map(|folder| files(folder).len()).sum::<usize>());
    let normal = calibration.scores().unwrap();
    let threshold = normal.threshold(0.4).unwrap();
    for row in &rows {
        let score: f64 = row[1].parse().unwrap();
        assert_eq!(row[2].parse::<f64>().unwrap(), normal.p_value(score));
        assert_eq!(&row[3] == "1", threshold.alarms(score), "{row:?}");
        let mask = codec::decode(&desk.path("out").join(format!("{}.mask.png", &row[9]))).unwrap();
        assert_eq!(row[4].parse::<usize>().unwrap(), mask.data.chunks(3).filter(|p| p[0] == 255).count(), "{row:?}");
        assert!(desk.path("out").join(&row[5]).is_file() && desk.path("out").join(format!("{}.overlay.png", &row[9])).is_file());
    }
    assert!(rows.iter().any(|row| &row[3] == "1") && rows.iter().any(|row| &row[3] == "0"), "{rows:?}");

    let (lines, _) = desk.says(&["predict", "--run", "latest", "--device", "cpu", "--out", "json", "--no-overlay", "--json", "new/good"]);
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert!(first["score"].is_f64() && first["p"].is_f64() && first["anomalous"].is_boolean() && first["error"].is_null(), "{first}");
}

#[test]
fn a_rate_that_cannot_be_promised_is_refused_with_how_many_images_it_takes() {
    let desk = Desk::new();
    desk.fit(&[]);
    let output = desk.harness(&["predict", "--run", "latest", "--device", "cpu", "--out", "out", "--rate", "0.01", "new"]);
    assert!(output.status.code() == Some(2) && said(&output).contains("75 more good images"), "{}", said(&output));
    let (before, _) = desk.says(&["runs", "list"]);
    let output = desk.harness(&[&["fit", "parts", "--detector", "padim", "--rate", "0.01"], QUICK].concat());
    assert!(
        output.status.code() == Some(2) && said(&output).contains("parts: 24 images, 24 to calibrate with (folds)"),
        "{}",
        said(&output)
    );
    assert_eq!(desk.says(&["runs", "list"]).0, before, "it is refused before anything is fitted");
    let (json, _) = desk.says(&["calibrate", "--run", "latest", "--rate", "0.1", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["exact"], &json["image"]["n"]), (&false.into(), &24.into()), "{json}");
    let (text, _) = desk.says(&["calibrate", "--run", "latest", "--rate", "0.2", "--confidence", "0.9"]);
    assert!(text.contains("with 90 % confidence"), "{text}");
}

#[test]
fn one_image_that_cannot_be_read_is_named_and_the_rest_is_scored() {
    let desk = Desk::new();
    desk.fit(&[]);
    fs::write(desk.path("new/good/broken.png"), "no picture").unwrap();
    fs::write(desk.path("new/good/.hidden.png"), "no picture").unwrap();
    let output = desk.harness(&["predict", "--run", "latest", "--device", "cpu", "--out", "out", "--no-overlay", "new/good"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("1 of 5 images could not be read"), "{}", said(&output));
    let rows = desk.rows("out");
    let broken: Vec<_> = rows.iter().filter(|row| !row[10].is_empty()).collect();
    assert_eq!((rows.len(), broken.len(), &broken[0][9], &broken[0][1]), (5, 1, "broken.png", ""));
}

#[test]
fn a_share_that_is_held_out_is_not_fitted_on_and_its_promise_is_exact() {
    let desk = Desk::new();
    let printed = desk.fit(&["calibrate.mode=holdout", "calibrate.share=0.5"]);
    assert!(printed.contains("12 normal images that were held out of the fit") && !printed.contains("approximate"), "{printed}");
    assert!(desk.calibration().origin.is_exact());
    let output = desk.harness(&["rank", "--run", "latest", "--device", "cpu", "--out", "odd.png"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(fs::read_to_string(desk.path("odd.csv")).unwrap().lines().count(), 13);
}

#[test]
fn a_run_is_calibrated_again_with_other_images_and_says_whether_they_look_alike() {
    let desk = Desk::new();
    desk.says(&[&["run", "data.root=parts"], QUICK].concat());
    let words = ["predict", "--run", "latest", "--device", "cpu", "--no-overlay", "--out", "out", "new"];
    let (_, told) = desk.says(&words);
    assert!(told.contains("no threshold yet"), "{told}");
    assert!(desk.rows("out").iter().all(|row| row[2].is_empty() && row[3].is_empty()));
    let output = desk.harness(&["calibrate", "--run", "latest"]);
    assert!(output.status.code() == Some(3) && said(&output).contains("--images"), "{}", said(&output));

    let (text, told) = desk.says(&["calibrate", "--run", "latest", "--device", "cpu", "--images", "new/good", "--rate", "0.2"]);
    assert!(text.contains("4 images of new/good") && text.contains("image threshold"), "{text}");
    assert!(!told.contains("an old one"), "{told}");
    // Images unlike those: the defective ones.
    let rust = files(&desk.path("new")).into_iter().find(|folder| !folder.ends_with("good")).unwrap();
    let (_, told) = desk.says(&["calibrate", "--run", "latest", "--device", "cpu", "--images", rust.to_str().unwrap(), "--rate", "0.5"]);
    assert!(told.contains("a new score exceeds an old one") && told.contains("it is replaced"), "{told}");
}

#[test]
fn images_are_scored_as_they_appear_and_never_twice() {
    let desk = Desk::new();
    desk.fit(&[]);
    fs::create_dir(desk.path("arriving")).unwrap();
    let words = ["predict", "--run", "latest", "--device", "cpu", "--no-overlay", "--out", "out", "--watch", "arriving"];
    let watch = |images: &[PathBuf], least: usize| {
        let child = desk.command(&words).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let began = Instant::now();
        for image in images {
            fs::copy(image, desk.path("arriving").join(image.file_name().unwrap())).unwrap();
        }
        let lines = || fs::read_to_string(desk.path("out/scores.csv")).unwrap_or_default().lines().count();
        while lines() < 1 + least {
            assert!(began.elapsed() < Duration::from_secs(120), "{} lines", lines());
            std::thread::sleep(Duration::from_millis(20));
        }
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let images = files(&desk.path("new/good"));
    let summed = watch(&images[..2], 2);
    assert!(summed.contains("2 images scored") && summed.contains("p99"), "{summed}");
    let summed = watch(&images[2..], 4);
    assert!(summed.contains("2 images scored"), "{summed}");
    let mut keys: Vec<String> = desk.rows("out").iter().map(|row| row[9].to_owned()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

#[test]
fn odd_images_stand_first() {
    let desk = Desk::new();
    desk.fit(&[]);
    desk.says(&["rank", "--run", "latest", "--device", "cpu", "--out", "odd.png", "--most", "6", "new"]);
    assert!(codec::decode(&desk.path("odd.png")).unwrap().width > 400);
    let mut table = csv::Reader::from_path(desk.path("odd.csv")).unwrap();
    let scores: Vec<f64> = table.records().map(|row| row.unwrap()[2].parse().unwrap()).collect();
    assert!(scores.len() > 6 && scores.is_sorted_by(|a, b| a >= b));
    // Its own training images, by the folds.
    desk.says(&["rank", "--run", "latest", "--device", "cpu", "--out", "own.png"]);
    assert_eq!(fs::read_to_string(desk.path("own.csv")).unwrap().lines().count(), 25);
}

/// Kills a fit once a fold of its calibration is finished, and repeats it: what the second attempt said.
fn killed_in_its_folds(desk: &Desk, words: &[&str]) -> String {
    desk.says(words);
    let (whole, entry) = (desk.calibration(), Store::new(&desk.path("results")).find("latest").unwrap());
    fs::remove_dir_all(desk.path("results")).unwrap();
    let mut child = desk.command(words).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let folds = desk.path("results/runs").join(entry.id.to_string()).join("folds.json");
    while !folds.exists() && child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = child.kill();
    child.wait().unwrap();
    let told = desk.says(words).1;
    assert_eq!(desk.calibration(), whole);
    assert!(!folds.exists());
    told
}

#[test]
fn a_kill_between_folds_changes_nothing() {
    let desk = Desk::new();
    let told = killed_in_its_folds(&desk, &[&["fit", "parts", "--detector", "padim"], QUICK].concat());
    assert!(told.contains("fit 1 of 5"), "a detector that looks once has no checkpoint and begins again: {told}");
}

#[test]
fn folds_that_are_finished_are_not_trained_again() {
    let desk = Desk::new();
    let small = ["fcdd.network=cnn", "train.steps=4", "data.size=64", "run.threads=1", "run.device=cpu", "calibrate.mode=folds"];
    let told = killed_in_its_folds(&desk, &[&["fit", "parts", "--detector", "fcdd"], &small[..]].concat());
    assert!(told.contains("fit 5 of 5") && !told.contains("fit 1 of 5"), "{told}");
}
