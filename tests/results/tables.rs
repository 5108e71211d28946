//! Runs as flat tables, and every table as JSON.

use std::process::Command;

use harness::testing;

use super::support::runs::{ROW, id, store, sweep};
use super::{badly, json, well};

#[test]
fn a_flat_table_has_any_key_any_metric_and_the_rows_that_cite_a_run() {
    let dir = tempfile::tempdir().unwrap();
    sweep(dir.path(), &[0, 1]);
    let columns =
        ["id", "row", "cited", "category", "seed", "data.size", "model.stlnet", "data.root", "test/image_auroc", "test/aupro@0.3"];
    let list = ["runs", "list", "--sort", "seed", "--columns", &columns.join(",")];
    let csv = well(dir.path(), &[&list[..], &["--csv"]].concat());
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), columns);
    let lines: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1].iter().skip(1).collect::<Vec<_>>(), [ROW, "small", "gear", "1", "256", "true", "data", "1.0", ""]);
    let objects = json(&well(dir.path(), &[&list[..], &["--json"]].concat()));
    assert_eq!(objects[1]["row"], serde_json::json!([ROW]));
    assert_eq!(
        (&objects[1]["seed"], &objects[1]["model.stlnet"], &objects[1]["test/aupro@0.3"]),
        (&1.into(), &true.into(), &serde_json::Value::Null)
    );
    let text = well(dir.path(), &list);
    assert!(text.lines().next().unwrap().contains("test/image_auroc") && text.contains("odd"), "{text}");
    let error = badly(dir.path(), &["runs", "list", "--csv", "--columns", "seed,data.sise"], 2);
    assert!(error.contains("did you mean `data.size`?"), "{error}");
    badly(dir.path(), &["runs", "list", "--csv", "--json"], 2);
    let found = well(dir.path(), &["runs", "list", "--csv", "--where", "row~odd and seed=1"]);
    assert_eq!(found.lines().count(), 2, "{found}");
}

#[test]
fn without_columns_a_table_has_what_tells_its_runs_apart() {
    let (dir, _) = store();
    let csv = well(dir.path(), &["runs", "list", "--csv", "--sort", "seed"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let heads: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    for wanted in ["id", "state", "seed", "tag", "row", "loss.score.gamma", "test/image_auroc"] {
        assert!(heads.iter().any(|head| head == wanted), "{wanted} is not in {heads:?}");
    }
    assert!(!heads.iter().any(|head| head == "data.size"), "all runs have the same");
    assert_eq!(reader.records().count(), 4);
}

#[test]
fn every_table_and_every_fact_is_there_as_json() {
    let (dir, [a, b, c, d]) = store();
    let said = |args: &[&str]| json(&well(dir.path(), &[args, &["--json"]].concat()));
    let table = said(&["runs", "table", "full"]);
    assert_eq!(table[0]["runs"].as_array().unwrap().len(), 2);
    let mean = table[0]["metrics"]["test/image_auroc"]["mean"].as_f64().unwrap();
    assert!((mean - 0.85).abs() < 1e-12, "{table}");
    let diff = said(&["runs", "diff", &id(&a), &id(&c)]);
    assert_eq!(diff["differences"]["config"][0]["key"], "loss.score.gamma");
    assert!(diff["paired"].is_null() && diff["why_not_paired"].as_str().unwrap().contains("no score maps"), "{diff}");
    assert_eq!(said(&["runs", "diff", &id(&a), &id(&a)])["equal"], true);
    assert_eq!(said(&["runs", "diff", &id(&b), &id(&d)])["equal"], false);
    assert!(said(&["runs", "gc"])["items"].as_array().unwrap().is_empty());
    assert_eq!(said(&["config", "show", "loss.score.gamma=3"])["config"]["loss"]["score"]["gamma"], 3.0);
    assert_eq!(said(&["config", "check", "padim.channels=50"])["unread"][0], "padim.channels");
    let keys = said(&["config", "explain", "loss.score"]);
    assert!(keys.as_array().unwrap().iter().any(|key| key["key"] == "loss.score.gamma" && key["default"] == 2.5), "{keys}");
}

#[test]
fn a_results_folder_that_is_not_there_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let there = dir.path().join("there");
    std::fs::create_dir(&there).unwrap();
    for verb in [
        &["runs", "list"][..],
        &["runs", "list", "--json"],
        &["runs", "show", "latest"],
        &["runs", "table"],
        &["runs", "diff", "a", "b"],
        &["runs", "tag", "a"],
        &["runs", "note", "a"],
        &["runs", "draw", "a"],
        &["runs", "gc"],
        &["runs", "slim"],
        &["runs", "rm", "a", "--yes"],
        &["report", "small"],
        &["archive", "small", "--out", "x.tar"],
        &["score", "--run", "latest"],
        &["bundle", "--run", "latest", "--out", "x"],
        &["export", "onnx", "--run", "latest", "--out", "x"],
        &["calibrate", "--run", "latest"],
    ] {
        let error = badly(dir.path(), &[verb, &["--results", "gone"]].concat(), 2);
        assert!(error.contains("there is no results folder gone"), "{verb:?}: {error}");
    }
    let error = badly(dir.path(), &["runs", "merge", "gone", "--results", "there"], 2);
    assert!(error.contains("there is no results folder gone"), "{error}");
}

/// The one-liners of the guide, on the runs of a small sweep: each prints how many lines and columns its table has.
#[test]
fn the_guides_lines_for_pandas_and_polars_read_the_flat_table() {
    let dir = tempfile::tempdir().unwrap();
    sweep(dir.path(), &[0, 1]);
    let guide = std::fs::read_to_string(testing::root().join("docs/guide.md")).unwrap();
    std::fs::write(dir.path().join("runs.csv"), well(dir.path(), &["runs", "list", "--csv"])).unwrap();
    for (library, begin) in [("pandas", "    import pandas as pd\n"), ("polars", "    import polars as pl\n")] {
        let block = guide.split_once(begin).unwrap_or_else(|| panic!("docs/guide.md has no lines for {library}")).1;
        let lines: Vec<&str> = block.lines().take_while(|line| line.starts_with("    ")).map(str::trim).collect();
        assert!(lines.len() >= 2, "{block}");
        let Some(python) = testing::python(&[library]) else {
            testing::skip(&format!("python with {library} is not there: `just tables-check` makes one"));
            continue;
        };
        let script =
            format!("{}{}\nassert len(runs) == 2, runs\nassert 'test/image_auroc' in runs.columns\n", begin.trim_start(), lines.join("\n"));
        let output = Command::new(python).args(["-c", &script]).current_dir(dir.path()).output().unwrap();
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
