//! A small run store, made by the library itself.

use std::collections::BTreeMap;
use std::path::Path;

use harness::config::Config;
use harness::data::{Contents, Dataset, builtin};
use harness::eval::OutputStore;
use harness::image::Map;
use harness::run::{self, Ask, Attempt, Environment, Folder, Id, Inputs, Lineage, Opened, Repeat, Summary, identity};
use harness::store::Store;

/// One run of the store.
pub struct Made<'a> {
    pub experiment: &'a str,
    pub seed: u64,
    pub gamma: f64,
    pub tags: &'a [String],
    pub started: &'a str,
}

/// What a run on the gears of these data stands for.
fn inputs(data: &str) -> Inputs<'_> {
    Inputs { category: "gear", data, weights: None, textures: None, device: "cpu" }
}

pub fn begin(dir: &Path, made: &Made) -> Box<Attempt> {
    let mut cfg = Config::default();
    cfg.loss.score.gamma = made.gamma;
    let id = Id::new(made.experiment, &identity(&cfg, &inputs("d")), made.seed).unwrap();
    let given = run::env::Provenance { device: "cpu".into(), threads: 2, data_hash: "d".into(), ..Default::default() };
    let environment = Environment::capture(Path::new("/"), None, given);
    let ask = Ask {
        category: "gear",
        config: &cfg.to_toml(),
        environment: &environment,
        argv: &["harness".into(), "run".into()],
        tags: made.tags,
        note: None,
        sweep: None,
        repeat: Repeat::Reuse,
        now: made.started.parse().unwrap(),
    };
    let Opened::Active { attempt, .. } = run::open(&Store::new(&dir.join("results")).folder(&id), &id, &ask).unwrap() else { panic!() };
    attempt
}

pub fn finish(attempt: Box<Attempt>, auroc: f64) -> Folder {
    let folder = attempt.folder().clone();
    let id = run::Id::parse(&folder.record().unwrap().unwrap().id).unwrap();
    let summary = Summary {
        metrics: BTreeMap::from([("test/image_auroc".to_owned(), Some(auroc)), ("test/aupro@0.3".to_owned(), None)]),
        ..harness::testing::summary(&id, "gear")
    };
    attempt.finish(b"weights", &summary).unwrap();
    folder
}

/// Two finished runs (seeds 0 and 1), one of another gamma with a tag, one that failed.
pub fn store() -> (tempfile::TempDir, [Folder; 4]) {
    let dir = tempfile::tempdir().unwrap();
    let made = |experiment, seed, gamma, tags, started| begin(dir.path(), &Made { experiment, seed, gamma, tags, started });
    let tags = ["night".to_owned()];
    let a = finish(made("full", 0, 2.5, &[], "2025-03-01T10:00:00Z"), 0.9);
    let b = finish(made("full", 1, 2.5, &[], "2025-03-01T11:00:00Z"), 0.8);
    let c = finish(made("wide", 0, 4.0, &tags, "2025-03-01T12:00:00Z"), 0.95);
    let failed = made("wide", 1, 4.0, &[], "2025-03-01T13:00:00Z");
    let d = failed.folder().clone();
    failed.fail(&harness::Error::run("the loss is NaN", "lower optim.lr")).unwrap();
    (dir, [a, b, c, d])
}

pub fn id(folder: &Folder) -> String {
    folder.record().unwrap().unwrap().id
}

/// A finished run of `seed`, made if it is not there, on the small built-in gear at `<dir>/data`, with a score map of each test image, and a folder of figures.
/// What it says of itself fits together, so that it is believed, scored and drawn.
pub fn whole(dir: &Path, seed: u64) -> Folder {
    let root = dir.join("data");
    if !root.exists() {
        builtin::write_small(&root, &["gear"], 3, 2, 1, 64).unwrap();
    }
    let mut cfg = Config::default();
    "data".clone_into(&mut cfg.data.root);
    "none".clone_into(&mut cfg.model.backbone.weights);
    let category = Dataset::at(&root, &cfg.data).unwrap().category("gear").unwrap();
    let data_hash = Contents::of(&category).unwrap().hash;
    let id = Id::new("small", &identity(&cfg, &inputs(&data_hash)), seed).unwrap();
    let given = run::env::Provenance { device: "cpu".into(), threads: 1, data_hash: data_hash.clone(), ..Default::default() };
    let environment = Environment::capture(Path::new("/"), None, given);
    let ask = Ask {
        category: "gear",
        config: &cfg.to_toml(),
        environment: &environment,
        argv: &["harness".into(), "run".into()],
        tags: &[],
        note: None,
        sweep: Some("small"),
        repeat: Repeat::Reuse,
        now: "2025-03-01T10:00:00Z".parse().unwrap(),
    };
    let folder = Store::new(&dir.join("results")).folder(&id);
    let Opened::Active { mut attempt, .. } = run::open(&folder, &id, &ask).unwrap() else { return folder };
    let maps = OutputStore::of(&folder.maps(), "gear", &cfg.detector.outputs(&cfg));
    for (n, item) in category.test.iter().enumerate() {
        let high = if item.is_good() { 0.1 } else { 0.9 };
        let value = |i: usize| (high * ((i * 7 + n + seed as usize) % 11) as f64 / 10.0) as f32;
        maps.write("S", &item.key, &Map::from_vec(8, 8, (0..64).map(value).collect())).unwrap();
    }
    let metrics = BTreeMap::from([("test/image_auroc".to_owned(), Some(1.0)), ("test/aupro@0.3".to_owned(), None)]);
    attempt.event(&run::Event::Eval { epoch: 0, step: 0, metrics: metrics.clone() }).unwrap();
    std::fs::create_dir_all(folder.figures()).unwrap();
    std::fs::write(folder.figures().join("old.svg"), "<svg/>").unwrap();
    let protocol = serde_json::Value::Null;
    let counts = BTreeMap::from([("test_images".to_owned(), category.test.len() as u64)]);
    let backbone = Lineage { lineage: "none".into(), ..Lineage::default() };
    let summary = Summary { metrics, data_hash, protocol, counts, backbone, ..harness::testing::summary(&id, "gear") };
    attempt.finish(b"weights", &summary).unwrap();
    folder
}

/// A sweep `small` whose one row `it's "odd", =1` is planned for these seeds, with a table and a figure as a report leaves them.
pub fn sweep(dir: &Path, seeds: &[u64]) {
    let runs: Vec<Folder> = seeds.iter().map(|seed| whole(dir, *seed)).collect();
    let text = std::fs::read_to_string(harness::testing::root().join("tests/fuzz/corpus/store/small/plan.json")).unwrap();
    let mut plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    let first = runs[0].summary().unwrap().unwrap();
    plan["rows"] = serde_json::json!([plan["rows"][0]]);
    plan["rows"][0]["name"] = ROW.into();
    plan["rows"][0]["config"] = serde_json::json!({ "detector": "mlff" });
    plan["facts"]["data"] = serde_json::json!([["gear", first.data_hash]]);
    plan["seeds"] = serde_json::json!(seeds);
    let run = |folder: &Folder| serde_json::json!({ "row": 0, "category": "gear", "seed": seed(folder), "id": id(folder) });
    plan["runs"] = runs.iter().map(run).collect();
    let folder = dir.join("results/small");
    std::fs::create_dir_all(folder.join("rows")).unwrap();
    for (name, text) in [
        ("plan.json", plan.to_string()),
        ("rows/1.toml", String::new()),
        ("table.md", "t".into()),
        ("ledger.jsonl", "{}\n".into()),
        ("effects.tex", "e".into()),
        ("verdicts.md", "v".into()),
        ("ranks.csv", "r".into()),
        ("sweep.toml", "s".into()),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let plots = dir.join("plots/small");
    std::fs::create_dir_all(&plots).unwrap();
    ["means.svg", "means.png", "panels-gear.png"].iter().for_each(|name| std::fs::write(plots.join(name), *name).unwrap());
}

pub const ROW: &str = r#"it's "odd", =1"#;

fn seed(folder: &Folder) -> u64 {
    Id::parse(&id(folder)).unwrap().seed
}
