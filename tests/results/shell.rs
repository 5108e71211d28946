//! What shells, `man` and scripts ask of the program itself.

use std::path::Path;
use std::process::Command;

use super::support::runs::{ROW, id, sweep, whole};
use super::{json, well};

/// What the bash script would offer for the last of these words.
fn offered(dir: &Path, words: &[&str]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.current_dir(dir).env("HARNESS_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string());
    let output = command.env("_CLAP_IFS", "\n").arg("--").args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn shells_complete_runs_sweeps_rows_keys_and_columns_as_they_are_now() {
    let dir = tempfile::tempdir().unwrap();
    sweep(dir.path(), &[0]);
    std::fs::create_dir_all(dir.path().join("experiments")).unwrap();
    std::fs::write(dir.path().join("experiments/full.toml"), "").unwrap();
    let run = id(&whole(dir.path(), 0));
    let has = |words: &[&str], wanted: &str| {
        let offered = offered(dir.path(), words);
        assert!(offered.iter().any(|word| word.trim_end() == wanted), "{words:?}: {wanted} is not in {offered:?}");
    };
    has(&["harness", "ver"], "verify");
    has(&["harness", "runs", "show", "sm"], &run);
    has(&["harness", "runs", "show", ""], "latest");
    has(&["harness", "score", "--run", ""], &run);
    has(&["harness", "report", ""], "small");
    has(&["harness", "archive", "s"], "small");
    has(&["harness", "sweep", "x.toml", "--only", ""], ROW);
    has(&["harness", "run", "loss.score.ga"], "loss.score.gamma=");
    has(&["harness", "run", "experiments/f"], "experiments/full.toml");
    has(&["harness", "config", "explain", "loss.score.ga"], "loss.score.gamma");
    has(&["harness", "runs", "list", "--columns", "seed,data.si"], "seed,data.size");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(well(dir.path(), &["completions", shell]).contains("HARNESS_COMPLETE"), "{shell}");
    }
}

#[test]
fn the_version_names_commit_and_libtorch_and_its_first_line_stands_alone() {
    let dir = tempfile::tempdir().unwrap();
    let text = well(dir.path(), &["--version"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, concat!("harness ", env!("CARGO_PKG_VERSION"))), "{text}");
    let commit = lines[1].strip_prefix("commit ").unwrap();
    assert!(commit.starts_with("not known") || commit[..40].bytes().all(|b| b.is_ascii_hexdigit()), "{text}");
    assert!(lines[2].starts_with("libtorch "), "{text}");
}

#[test]
fn every_verb_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    well(dir.path(), &["man", "man1"]);
    for page in ["harness.1", "harness-run.1", "harness-runs-merge.1", "harness-verify.1"] {
        let text = std::fs::read_to_string(dir.path().join("man1").join(page)).unwrap();
        assert!(text.contains(".TH") && text.contains("NAME"), "{page}");
    }
}

#[test]
fn doctor_says_for_programs_what_is_there_and_a_missing_backbone_is_not_can_train() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("experiments")).unwrap();
    let (code, out, error) = super::harness(dir.path(), &["doctor", "--json"]);
    let said = json(&out);
    let of = |what: &str| {
        said["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["what"] == what)
            .unwrap_or_else(|| panic!("{what}: {said}"))
            .clone()
    };
    assert_eq!((of("ImageNet backbone")["state"].as_str(), said["can_train"].as_bool(), code), (Some("missing"), Some(false), 3));
    assert!(of("ImageNet backbone")["remedy"].as_str().unwrap().contains("just weights") && error.contains("ImageNet backbone"), "{error}");
    assert_eq!(of("results")["state"], "ok");
    assert!(!dir.path().join("results").exists(), "a question makes no folder");
    for what in ["processor", "memory", "disk", "cache of hashes"] {
        of(what);
    }
    assert!(said["machine"]["cpu"]["cores"].as_u64().unwrap() > 0 && said["machine"]["cpu"]["flags"].is_array(), "{said}");
}
