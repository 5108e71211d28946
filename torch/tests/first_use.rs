//! The first data that somebody brings: a plain folder of good parts, photographs that lie on their side, defects without masks, another
//! layout, and a run that moves to another folder. Each from what is typed to what is printed.

mod desk;

use std::fs;
use std::path::Path;

use desk::{Desk, QUICK, files, lay_on_its_side, said};
use harness::image::codec::write_mask_png;
use harness::run::{Record, Summary};
use harness::store::Store;

impl Desk {
    /// Nine training images, three good and some defective ones.
    fn new() -> Self {
        Self::of(9, 3, 1)
    }

    fn run(&self, keys: &[&str]) -> (String, String) {
        self.says(&[&["run"], QUICK, keys].concat())
    }

    fn latest(&self) -> (Summary, Record) {
        let folder = Store::new(&self.path("results")).find("latest").unwrap().folder;
        (folder.summary().unwrap().unwrap(), folder.record().unwrap().unwrap())
    }
}

/// Copies the good training images into a plain folder.
fn plain(desk: &Desk, folder: &str) {
    fs::create_dir_all(desk.path(folder)).unwrap();
    for image in files(&desk.path("data/gear/train/good")) {
        fs::copy(&image, desk.path(folder).join(image.file_name().unwrap())).unwrap();
    }
}

/// File names and scores of a table of `predict`.
fn scores(out: &Path) -> Vec<(String, String)> {
    let mut table = csv::Reader::from_path(out.join("scores.csv")).unwrap();
    let row = |row: csv::StringRecord| (row[0].rsplit('/').next().unwrap().to_owned(), row[1].to_owned());
    table.records().map(|record| row(record.unwrap())).collect()
}

#[test]
fn a_plain_folder_is_fitted_says_that_it_has_no_metrics_and_predicts() {
    let desk = Desk::new();
    plain(&desk, "gears");
    let (dry, _) = desk.says(&[&["run"], QUICK, &["data.root=gears", "--dry-run"]].concat());
    assert!(dry.contains("would start"), "{dry}");
    let (printed, _) = desk.run(&["data.root=gears"]);
    assert!(printed.contains("gears") && printed.contains('—'), "{printed}");
    let (summary, record) = desk.latest();
    assert!(summary.metrics.is_empty() && summary.category == "gears" && summary.counts["train_images"] == 9, "{summary:?}");
    assert!(record.notes.iter().any(|note| note.contains("fitted only")), "{:?}", record.notes);
    desk.says(&["predict", "--run", "latest", "--device", "cpu", "--out", "out", "data/gear/test"]);
    assert!(scores(&desk.path("out")).len() > 3);
    let (listed, _) = desk.says(&["runs", "list"]);
    assert!(listed.contains("gears"), "{listed}");
    let output = desk.harness(&["score", "--run", "latest"]);
    assert!(!output.status.success() && !said(&output).contains("panicked"), "{}", said(&output));
}

#[test]
fn a_sweep_over_a_folder_without_test_images_shows_dashes() {
    let desk = Desk::new();
    plain(&desk, "gears");
    let set = "set = { detector = \"padim\", data.size = 64, model.backbone.name = \"resnet18\", model.backbone.weights = \"none\", run.threads = 1, run.device = \"cpu\" }";
    fs::write(desk.path("try.toml"), format!("title = \"a try\"\n{set}\n[grid]\npadim.channels = [10, 20]\n")).unwrap();
    let (printed, _) = desk.says(&["sweep", "try.toml", "data.root=gears"]);
    assert!(printed.contains('—') && printed.contains("padim.channels=20"), "{printed}");
    let (reported, _) = desk.says(&["report", "try-gears"]);
    assert!(reported.contains('—'), "{reported}");
}

#[test]
fn a_photograph_that_lies_on_its_side_scores_as_the_upright_one() {
    let desk = Desk::new();
    desk.run(&["data.root=data"]);
    let (upright, record) = desk.latest();
    assert!(record.notes.is_empty(), "{:?}", record.notes);
    let predict =
        |out: &str| desk.says(&["predict", "--run", "latest", "--device", "cpu", "--no-overlay", "--out", out, "data/gear/test/good"]).1;
    let before = predict("before");
    assert!(!before.contains("turned"), "{before}");
    files(&desk.path("data/gear/test/good")).iter().for_each(|image| lay_on_its_side(image));
    let after = predict("after");
    assert!(after.contains("3 of 3 images were turned upright"), "{after}");
    assert_eq!(scores(&desk.path("before")), scores(&desk.path("after")));

    // Other bytes, read as the same pictures: another run with the same result.
    let (_, told) = desk.run(&["data.root=data"]);
    let (turned, record) = desk.latest();
    assert!(turned.id != upright.id && turned.metrics == upright.metrics, "{turned:?}");
    assert!(record.notes.iter().any(|note| note.contains("3 files") && note.contains("turned upright")), "{:?}", record.notes);
    assert!(told.contains("turned upright"), "{told}");
    desk.run(&["data.root=data", "data.orientation=ignore"]);
    let (ignored, record) = desk.latest();
    assert!(ignored.id != turned.id && ignored.metrics != upright.metrics && record.notes.is_empty(), "{ignored:?}");
}

#[test]
fn defects_without_masks_have_image_metrics_and_some_without_are_refused_before_anything_is_fitted() {
    let desk = Desk::new();
    let truth = desk.path("data/gear/ground_truth");
    desk.run(&["data.root=data"]);
    let (masked, _) = desk.latest();
    let one = files(&truth)[0].clone();
    fs::rename(&one, desk.path("aside")).unwrap();
    let output = desk.harness(&[&["run"], QUICK, &["data.root=data"]].concat());
    assert_eq!(output.status.code(), Some(3));
    let defect = one.file_name().unwrap().to_str().unwrap();
    assert!(said(&output).contains(defect) && said(&output).contains("mask") && !said(&output).contains("starts:"), "{}", said(&output));
    fs::remove_dir_all(&truth).unwrap();
    let (_, told) = desk.run(&["data.root=data"]);
    let (bare, record) = desk.latest();
    assert_eq!(bare.metrics["test/image_auroc"], masked.metrics["test/image_auroc"]);
    for name in ["pixel_auroc", "pixel_ap", "aupro@0.3"] {
        assert!(masked.metrics[&format!("test/{name}")].is_some() && bare.metrics[&format!("test/{name}")].is_none(), "{name}");
    }
    assert!(told.contains("no pixel metrics") && record.notes.iter().any(|note| note.contains("no pixel metrics")), "{told}");
    let output = desk.harness(&[&["run"], QUICK, &["data.root=data", "data.masks=required"]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
}

#[test]
fn a_folder_of_another_layout_is_run_by_its_list_and_scored_again() {
    let desk = Desk::new();
    plain(&desk, "parts/io");
    let bad = desk.path("parts/nio");
    fs::create_dir_all(&bad).unwrap();
    let defect = files(&desk.path("data/gear/test")).into_iter().find(|folder| !folder.ends_with("good")).unwrap();
    fs::copy(&files(&defect)[0], bad.join("0.png")).unwrap();
    let (told, _) = desk.says(&["data", "import", "folder", "parts", "--good", "io", "--out", "parts.csv"]);
    assert!(told.contains("categories parts") && told.contains("8 images to train on"), "{told}");
    desk.says(&["data", "check", "parts", "--list", "parts.csv"]);
    desk.run(&["data.root=parts", "data.list=parts.csv"]);
    let (summary, _) = desk.latest();
    assert!(summary.category == "parts" && summary.metrics["test/image_auroc"].is_some() && summary.metrics["test/pixel_auroc"].is_none());
    let again: serde_json::Value = serde_json::from_str(&desk.says(&["score", "--run", "latest", "--json"]).0).unwrap();
    assert_eq!(again[0]["scores"]["image_auroc"].as_f64(), summary.metrics["test/image_auroc"]);
}

#[test]
fn only_what_lies_in_the_region_of_interest_is_scored() {
    let desk = Desk::new();
    desk.run(&["data.root=data"]);
    let (whole, _) = desk.latest();
    desk.run(&["data.root=data", "data.roi=[0, 0, 64, 64]"]);
    let (all, _) = desk.latest();
    assert!(all.id != whole.id && all.metrics == whole.metrics, "a region of everything changes no figure");
    desk.run(&["data.root=data", "data.roi=[0, 0, 40, 64]"]);
    let (left, _) = desk.latest();
    assert_ne!(left.metrics, whole.metrics);
    let mask = (0..64 * 64).map(|at| u8::from(at % 64 < 40)).collect();
    write_mask_png(&desk.path("roi.png"), &harness::image::Mask::from_vec(64, 64, mask)).unwrap();
    desk.run(&["data.root=data", "data.roi=roi.png"]);
    let (drawn, _) = desk.latest();
    assert_eq!(drawn.metrics, left.metrics, "the same region, drawn");
    let again: serde_json::Value = serde_json::from_str(&desk.says(&["score", "--run", "latest", "--json"]).0).unwrap();
    assert_eq!(again[0]["scores"]["pixel_auroc"].as_f64(), drawn.metrics["test/pixel_auroc"]);
    let output = desk.harness(&[&["run"], QUICK, &["data.root=data", "data.roi=[40, 0, 40, 64]"]].concat());
    assert!(output.status.code() == Some(3) && said(&output).contains("reaches beyond"), "{}", said(&output));
}

#[test]
fn a_run_answers_from_any_folder_of_its_project_and_after_both_moved() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("experiments")).unwrap();
    desk.run(&["data.root=data"]);
    let at = |folder: &str, out: &str, more: &[&str]| {
        let images = desk.path("data/gear/test/good");
        let words = ["predict", "--run", "latest", "--device", "cpu", "--no-overlay", "--out", out, images.to_str().unwrap()];
        let output = desk.harness_in(folder, &[&words, more].concat());
        assert!(output.status.success(), "{folder}: {}", said(&output));
        scores(&desk.path(folder).join(out))
    };
    let here = at(".", "out", &[]);
    assert_eq!(at("notes/of/today", "out", &[]), here);
    let output = desk.harness_in("notes", &["score", "--run", "latest"]);
    assert!(output.status.success(), "data are found from the folder that the run was started in: {}", said(&output));
    let output = desk.harness_in("notes", &["runs", "list"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("gear"), "{}", said(&output));
    assert!(!desk.path("notes/results").exists() && !desk.path("notes/data").exists() && !desk.path("notes/plots").exists());

    // The results alone, on another desk: nothing else is needed to predict with a random backbone.
    let away = tempfile::tempdir().unwrap();
    let moved = away.path().join("kept");
    fs::rename(desk.path("results"), &moved).unwrap();
    assert_eq!(at("elsewhere", "out", &["--results", moved.to_str().unwrap()]), here);
    assert!(!desk.path("elsewhere/data").exists(), "no data set is drawn to predict");
    fs::rename(desk.path("data"), away.path().join("data")).unwrap();
    let output = desk.harness_in("elsewhere", &["score", "--run", "latest", "--results", moved.to_str().unwrap()]);
    assert!(output.status.success(), "data beside the results are found: {}", said(&output));
}
