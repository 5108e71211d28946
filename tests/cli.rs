//! The command line as people type it, good and bad, without tensors.

use harness::config::{BackboneName, Compact, Teaching};
use harness::data::builtin;
use harness::image::{Map, codec, npy, truth};
use harness::weights::{Tensor, Tensors, write_teacher};
use support::harness;

mod support;

fn data() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    builtin::write_small(&dir.path().join("data"), &["gear", "fabric"], 3, 2, 1, 64).unwrap();
    dir
}

#[test]
fn configurations_are_shown_explained_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let (code, out, _) = harness(dir.path(), &["config", "show", "loss.score.gamma=3"]);
    assert_eq!(code, 0);
    let shown: harness::config::Config = toml::from_str(&out).unwrap();
    assert_eq!((shown.loss.score.gamma, shown.data.size), (3.0, 128));
    let (_, out, _) = harness(dir.path(), &["config", "show", "--profile", "paper"]);
    assert_eq!(toml::from_str::<harness::config::Config>(&out).unwrap(), harness::config::Config::default());
    let (code, out, _) = harness(dir.path(), &["config", "explain", "loss.score.gamma"]);
    assert!(code == 0 && out.contains("2.5") && out.contains("float"), "{out}");
    let (code, _, error) = harness(dir.path(), &["config", "explain", "loss.score.gama"]);
    assert!(code == 2 && error.contains("loss.score.gamma"), "{error}");
    assert_eq!(harness(dir.path(), &["config", "check"]).0, 0);
}

#[test]
fn bad_configurations_name_file_line_key_and_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.toml");
    for (text, words) in [
        ("[loss.score]\ngama = 1\n", ["x.toml:2", "loss.score.gama", "did you mean `loss.score.gamma`"]),
        ("[pseudo]\n\nratio = 2\n", ["x.toml:3", "pseudo.ratio", "[0, 1]"]),
        ("[train]\nbatch = \"many\"\n", ["x.toml:2", "train.batch", "whole number"]),
        ("[train\n", ["x.toml:1", "", ""]),
        ("data.size = 100\n", ["x.toml:1", "data.size", "multiple of 32"]),
    ] {
        std::fs::write(&file, text).unwrap();
        for verb in [&["config", "check", "x.toml"][..], &["run", "x.toml"]] {
            let (code, _, error) = harness(dir.path(), verb);
            assert_eq!(code, 2, "{error}");
            words.iter().for_each(|w| assert!(error.contains(w), "`{w}` is not in: {error}"));
        }
    }
    let (code, _, error) = harness(dir.path(), &["run", "missing.toml"]);
    assert!(code == 2 && error.contains("missing.toml"), "{error}");
}

#[test]
fn the_wrong_verb_for_a_file_names_the_right_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("grid.toml"), "title = \"t\"\nbase = \"one.toml\"\n[grid]\noptim.lr = [0.1, 0.2]\n").unwrap();
    std::fs::write(dir.path().join("one.toml"), "data.size = 64\n").unwrap();
    for verb in [&["run", "grid.toml"][..], &["config", "check", "grid.toml"], &["run", "grid.toml", "optim.lr=1"]] {
        let (code, _, error) = harness(dir.path(), verb);
        assert!(code == 2 && error.contains("grid.toml is a sweep file") && error.contains("`harness sweep grid.toml`"), "{error}");
    }
    let (code, _, error) = harness(dir.path(), &["sweep", "one.toml"]);
    assert!(code == 2 && error.contains("one.toml is an experiment") && error.contains("`harness run one.toml`"), "{error}");
}

#[test]
fn a_setting_that_is_typed_as_an_option_is_told_as_a_setting() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, error) = harness(dir.path(), &["run", "x.toml", "--gamma", "3"]);
    let told = "harness: `--gamma` is not an option of `harness run`\n  help: a setting is typed without dashes, as key=value: loss.score.gamma=3\n";
    assert_eq!((code, error.as_str()), (2, told));
    let (code, _, error) = harness(dir.path(), &["run", "--json", "--lr=0.1"]);
    assert!(code == 2 && error.starts_with("{\"type\":\"error\"") && error.contains("optim.lr=0.1"), "{error}");
    let (code, _, error) = harness(dir.path(), &["report", "x", "--gamma", "3"]);
    assert!(code == 2 && error.contains("unexpected argument '--gamma'"), "{error}");
}

#[test]
fn data_is_checked_and_what_spoils_a_result_ends_in_exit_code_3() {
    let dir = data();
    let (code, out, error) = harness(dir.path(), &["data", "check", "data"]);
    assert!(code == 0 && out.contains("gear"), "{out}{error}");
    let (code, _, error) = harness(dir.path(), &["data", "check", "nowhere"]);
    assert!(code == 3 && error.contains("nowhere"), "{error}");
    let image = dir.path().join("data/gear/train/good/000.png");
    std::fs::write(&image, &std::fs::read(&image).unwrap()[..100]).unwrap();
    let (code, out, error) = harness(dir.path(), &["data", "check", "data"]);
    assert!(code == 3 && (out + &error).contains("000.png"));
    let (code, _, error) = harness(dir.path(), &["data", "show", "data", "--category", "fabric", "--out", "sheet.png"]);
    assert!(code == 0 && codec::decode(&dir.path().join("sheet.png")).is_ok(), "{error}");
    let (code, out, error) = harness(dir.path(), &["data", "pseudo", "data.root=data", "data.categories=fabric", "--out", "pseudo.png"]);
    assert!(code == 0 && out.contains("ratio") && codec::decode(&dir.path().join("pseudo.png")).is_ok(), "{out}{error}");
    let (code, _, error) = harness(dir.path(), &["data", "pseudo", "data.root=data", "--count", "0"]);
    assert!(code == 2 && error.contains("--count"), "{error}");
}

#[test]
fn maps_from_any_source_are_scored() {
    let dir = data();
    let category = harness::data::category(&dir.path().join("data"), "gear").unwrap();
    for item in &category.test {
        // The mask itself as a score map: perfect by every metric.
        let map = match &item.mask {
            Some(mask) => {
                let mask = truth::decode_mask(mask.path(), harness::config::MaskRule::Nonzero).unwrap();
                Map::from_vec(mask.width, mask.height, mask.data.iter().map(|&v| f32::from(v)).collect())
            }
            None => Map::filled(64, 64, 0.0),
        };
        let path = dir.path().join("maps/gear").join(format!("{}.npy", item.key));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        npy::write(&path, &map).unwrap();
    }
    let (code, out, error) = harness(dir.path(), &["score", "maps", "data", "--json", "--variant", "rd_per_image"]);
    assert_eq!(code, 0, "{error}");
    let scores: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(scores.as_array().unwrap().len(), 2);
    for metric in ["image_auroc", "pixel_auroc", "aupro", "pixel_f1max"] {
        assert_eq!(scores[0]["scores"][metric].as_f64(), Some(1.0), "{metric}");
    }
    let first = dir.path().join("maps/gear").join(format!("{}.npy", category.test[0].key));
    npy::write(&first, &Map::filled(64, 64, f32::NAN)).unwrap();
    let (code, _, error) = harness(dir.path(), &["score", "maps", "data"]);
    assert!(code == 3 && error.contains(&category.test[0].key), "{error}");
    std::fs::remove_file(&first).unwrap();
    let (code, _, error) = harness(dir.path(), &["score", "maps", "data"]);
    assert!(code == 3 && error.contains("no score map"), "{error}");
    let (code, _, error) = harness(dir.path(), &["score", "maps", "data", "--variant", "nonsense"]);
    assert!(code == 2 && error.contains("nonsense"), "{error}");
}

#[test]
fn the_store_is_listed_and_unknown_runs_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("results")).unwrap();
    let (code, out, _) = harness(dir.path(), &["runs", "list"]);
    assert!(code == 0 && out.contains("no runs"), "{out}");
    for args in [&["runs", "show", "abc"][..], &["score", "--run", "abc"]] {
        let (code, _, error) = harness(dir.path(), args);
        assert!(code == 2 && error.contains("help:"), "{error}");
    }
}

#[test]
fn completions_are_printed_for_each_shell() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, _) = harness(dir.path(), &["completions", shell]);
        assert!(code == 0 && out.contains("harness"));
    }
}

#[test]
fn every_shipped_sweep_resolves_at_both_profiles() {
    use harness::config::Profile;
    use harness::sweep::{file::File, resolve::resolve};
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let mut sweeps = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_file() || !std::fs::read_to_string(&path).unwrap().contains("\ntitle = ") {
            continue;
        }
        let file = File::read(&path).unwrap();
        for profile in [Profile::Cpu, Profile::Paper] {
            let resolved = resolve(&file, &path, Some(profile), &[]).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert!(resolved.rows.len() > 2 && resolved.seeds.len() > 2);
        }
        sweeps += 1;
    }
    assert!(sweeps >= 7, "{sweeps}");
}

#[test]
fn mlff_plus_stands_beside_what_full_toml_is_at_the_cpu_profile() {
    use harness::config::{Profile, Request};
    use harness::sweep::{file::File, resolve::resolve};
    let experiment = |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments").join(name);
    let path = experiment("better-compare.toml");
    let rows = resolve(&File::read(&path).unwrap(), &path, Some(Profile::Cpu), &[]).unwrap().rows;
    for (row, file) in rows.iter().zip(["better.toml", "full.toml"]) {
        let asked = Request { file: Some(experiment(file)), profile: Some(Profile::Cpu), ..Request::default() };
        let mut config = asked.resolve().unwrap().config;
        let row = row.config.clone().unwrap();
        (config.run.seeds, config.data.categories) = (row.run.seeds.clone(), row.data.categories.clone());
        assert_eq!(row, config, "{file}");
    }
}

#[test]
fn a_teacher_shows_how_it_was_made_and_what_cannot_be_distilled_is_refused_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let teaching = Teaching {
        backbone: BackboneName::Resnet50,
        backbone_hash: "1234".into(),
        images: "photographs".into(),
        images_hash: "5678".into(),
        image_count: 9,
        field: 33,
        width: 0.5,
        descriptor: 128,
        steps: 20_000,
        seed: 4,
        batch: 64,
        lr: 1e-3,
        compact: Compact::Dims,
        unexplained: 0.43219,
    };
    let bias = Tensor { shape: vec![2], data: vec![0.5, -1.0] };
    write_teacher(&dir.path().join("us_p33.safetensors"), &teaching, &Tensors::from([("conv1.bias".into(), bias)])).unwrap();
    let (code, out, error) = harness(dir.path(), &["weights", "show", "us_p33.safetensors"]);
    assert_eq!(code, 0, "{error}");
    for word in ["patches of 33 px", "resnet50 (1234)", "9 of photographs (5678)", "20000 of 64", "Dims, seed 4", "0.4322", "blake3"] {
        assert!(out.contains(word), "`{word}` is not in: {out}");
    }
    let (_, out, _) = harness(dir.path(), &["config", "show", "detector=us"]);
    assert!(out.contains("us_p{p}.safetensors"), "{out}");
    for (words, named) in
        [(["--p", "32"], "--p 32"), (["--width", "0"], "--width 0"), (["--batch", "1"], "--batch 1"), (["--lr", "nan"], "--lr NaN")]
    {
        let p = if words[0] == "--p" { vec![] } else { vec!["--p", "33"] };
        let typed = [&["weights", "distil", "us", "--images", ".", "--out", "x.safetensors"][..], &p, &words].concat();
        let (code, _, error) = harness(dir.path(), &typed);
        assert!(code == 2 && error.contains(named), "{error}");
    }
}

#[test]
fn help_and_version_are_printed_once() {
    let dir = tempfile::tempdir().unwrap();
    for words in [&["--help"][..], &["run", "--help"], &["export", "mlflow", "-h"]] {
        let (code, out, error) = harness(dir.path(), words);
        assert_eq!((code, out.matches("Usage: ").count(), error.as_str()), (0, 1, ""), "{words:?}");
    }
    let (code, out, _) = harness(dir.path(), &["--version"]);
    assert_eq!((code, out.matches("harness 0.").count()), (0, 1), "{out}");
}
