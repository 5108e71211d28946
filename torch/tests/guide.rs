//! The walk of docs/guide.md from good parts to decisions: every command of it, in its order, on folders like those it speaks of.

#[expect(dead_code, reason = "shared with the tests of a first use, which use all of it")]
mod desk;

use std::fs;
use std::path::Path;
use std::process::Command;

use desk::{files, lay_on_its_side};
use harness::data::builtin;
use harness::testing;

const SECTION: &str = "## 8. From good parts to decisions";

/// Where there are no ImageNet weights: what makes a fit of a random network.
const RANDOM: [&str; 3] = ["model.backbone.name=resnet18", "model.backbone.weights=none", "data.size=64"];

/// The words of each command line of the section, without `harness`.
fn commands() -> Vec<Vec<String>> {
    let text = fs::read_to_string(testing::root().join("docs/guide.md")).unwrap();
    let section = text.split_once(SECTION).unwrap().1;
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let lines = section.lines().filter_map(|line| line.strip_prefix("    $ harness "));
    lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

/// Forty photographs of good parts, a few of them on their side, and some new ones.
fn photographs(dir: &Path) {
    builtin::write_small(&dir.join("data"), &["gear"], 40, 20, 2, 96).unwrap();
    fs::rename(dir.join("data/gear/train/good"), dir.join("parts")).unwrap();
    fs::rename(dir.join("data/gear/test/good"), dir.join("other")).unwrap();
    fs::rename(dir.join("data/gear/test"), dir.join("new")).unwrap();
    fs::remove_dir_all(dir.join("data")).unwrap();
    files(&dir.join("parts")).iter().step_by(7).for_each(|path| lay_on_its_side(path));
}

#[test]
fn every_command_of_the_guide_from_good_parts_to_decisions_works() {
    let dir = tempfile::tempdir().unwrap();
    photographs(dir.path());
    let weights = testing::weights("resnet50.safetensors");
    if let Some(weights) = &weights {
        fs::create_dir(dir.path().join("weights")).unwrap();
        std::os::unix::fs::symlink(weights, dir.path().join("weights/resnet50.safetensors")).unwrap();
    }
    let commands = commands();
    let verbs: Vec<&str> = commands.iter().map(|words| words[0].as_str()).collect();
    assert_eq!(verbs, ["fit", "calibrate", "rank", "predict", "calibrate", "bundle", "predict", "export"]);
    for words in &commands {
        if words[0] == "export" && weights.is_none() {
            testing::skip("an ONNX file takes ImageNet weights: just weights");
            continue;
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness-torch"));
        command.args(words).current_dir(dir.path());
        if words[0] == "fit" && weights.is_none() {
            command.args(RANDOM);
        }
        let output = command.output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if words.ends_with(&["--rate".to_owned(), "0.01".to_owned()]) {
            assert!(output.status.code() == Some(2) && said.contains("59 more good images"), "{said}");
            continue;
        }
        assert!(output.status.success(), "{words:?}: {said}");
        if words[0] == "fit" {
            assert!(said.contains("6 files of 40 images were turned upright"), "{said}");
        }
    }
    let table = |out: &str| {
        let mut table = csv::Reader::from_path(dir.path().join(out).join("scores.csv")).unwrap();
        let row = |row: csv::StringRecord| [1, 2, 3, 4].map(|column| row[column].to_owned());
        table.records().map(|record| row(record.unwrap())).collect::<Vec<_>>()
    };
    // The bundle was made after the second calibration: scores are the same, decisions need not be.
    let scores = |out: &str| table(out).into_iter().map(|[score, ..]| score).collect::<Vec<_>>();
    assert!(scores("decided").len() > 4);
    assert_eq!(scores("decided"), scores("decided-elsewhere"));
    assert_eq!(dir.path().join("parts.check/check.py").exists(), weights.is_some());
}
