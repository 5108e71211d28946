//! A finished sweep, made up: five rows in two categories with two seeds, one run failed and one not started, with its data,
//! maps, events and environments on disk.

use std::collections::BTreeMap;
use std::path::Path;

use harness::config::Config;
use harness::eval::MapStore;
use harness::file;
use harness::image::Map;
use harness::report::study::Comparison;
use harness::run::{Cpu, Environment, Event, Git, Id, Lineage, Summary, TimeSpent, env};
use harness::store::Store;
use harness::sweep::{Against, Axis, Cell, Outcome, Published, Row, Study};
use serde_json::{Value, json};

use crate::picture::{self, noise, record, training};

pub const ROWS: [&str; 5] = ["baseline", "+ self-calibration", "+ STLNet", "+ score constraint", "+ consistency <loss & all>"];
pub const CATEGORIES: [&str; 2] = ["felt", "linen"];
pub const METRICS: [&str; 3] = ["image_auroc", "pixel_auroc", "aupro@0.3"];

fn id(row: usize, category: usize, seed: u64) -> Id {
    Id::new(&format!("row{row}"), &format!("{row:05}{category:05}"), seed).unwrap()
}

fn summary(id: &Id, row: usize, category: usize, seed: u64) -> Summary {
    let value = |m: usize| 0.88 + 0.02 * row as f64 + 0.015 * category as f64 - 0.02 * m as f64 + 0.01 * noise(seed, (row * 10 + m) as u64);
    Summary {
        headline: if row < 3 { "A" } else { "S" }.into(),
        metrics: METRICS.iter().enumerate().map(|(m, name)| (format!("test/{name}"), Some(value(m)))).collect(),
        protocol: json!({ "text": "exact, FPR limit 0.3, 8-connected" }),
        backbone: Lineage { name: "resnet18".into(), lineage: "timm".into(), stride_in: "conv2".into(), weights_hash: None },
        data_hash: format!("{category:064}"),
        losses: BTreeMap::from([("total".into(), 0.4)]),
        grad_norm: Some(1.5),
        timing: TimeSpent { wall_s: 61.25 + 10.0 * row as f64, parts_s: BTreeMap::new(), attempts: 1 },
        ..harness::testing::summary(id, CATEGORIES.get(category).copied().unwrap_or("x"))
    }
}

fn environment(revision: &str) -> Environment {
    let given = env::Provenance { device: "cpu".into(), threads: 2, libtorch: Some("2.11.0".into()), ..env::Provenance::default() };
    Environment {
        format: env::FORMAT,
        harness: "0.1.0".into(),
        git: Some(Git { revision: revision.repeat(40), dirty: revision == "b" }),
        checkout: None,
        os: "linux x86_64".into(),
        cpu: Cpu { model: "a processor".into(), cores: 2, flags: vec!["avx2".into()] },
        ram_bytes: Some(8 << 30),
        given,
    }
}

/// The study of an ablation below `root`, with everything on disk that figures and pages read.
pub fn ablation(root: &Path) -> (Study, Comparison, Store) {
    let kinds = [("cut", 4, [8.0, 24.0]), ("good", 3, [0.0; 2]), ("hole", 3, [2.0, 5.0])];
    let made = picture::run(root, &kinds, &[(96, 96)], &["A", "S"]);
    let linen = root.join("data/linen");
    let train = linen.join("train/good");
    std::fs::create_dir_all(&train).unwrap();
    for name in ["000.png", "001.png"] {
        std::fs::copy(linen.join("test/good/000.png"), train.join(name)).unwrap();
    }
    copy(&linen, &root.join("data/felt"));
    let mut cfg = Config::default();
    cfg.data.root = root.join("data").to_str().unwrap().to_owned();

    let store = Store::new(&root.join("results"));
    let mut cells = vec![];
    for seed in [0, 1] {
        for row in 0..ROWS.len() {
            for (c, category) in CATEGORIES.iter().enumerate() {
                let id = id(row, c, seed);
                let folder = store.folder(&id);
                let outcome = match (row, c, seed) {
                    (2, 0, 1) => Outcome::Failed { error: "the loss is not finite in epoch 3\n  help: lower optim.lr <now>".into() },
                    (3, 1, 1) => Outcome::Missing,
                    _ => Outcome::Finished(Box::new(summary(&id, row, c, seed))),
                };
                if outcome != Outcome::Missing {
                    std::fs::create_dir_all(folder.path()).unwrap();
                    std::fs::write(folder.config_toml(), toml::to_string(&cfg).unwrap()).unwrap();
                    file::write_json(&folder.env_json(), &environment(if row == 4 { "b" } else { "a" })).unwrap();
                    let mut events = training(if row == 2 && seed == 1 && c == 0 { 4 } else { 9 }, 3);
                    scale(&mut events, 0.5 + 0.3 * row as f64 + 0.2 * c as f64 + 0.1 * seed as f64);
                    record(&folder, &events);
                    write_maps(&folder, &made, category, row);
                }
                cells.push(Cell { row, category: category.to_string(), seed, id, outcome });
            }
        }
    }
    let setting = |row: usize, least: usize| json!(row >= least);
    let rows = ROWS.iter().enumerate().map(|(i, name)| Row {
        name: name.to_string(),
        settings: BTreeMap::from([("model.self_calibration".into(), setting(i, 1)), ("model.stlnet".into(), setting(i, 2))]),
        paper: Some(Published { table: 4, line: (i + 1).to_string() }),
        ..Row::default()
    });
    let study = Study {
        name: "ablation".into(),
        title: "Ablation of the modules".into(),
        profile: "cpu".into(),
        data: "made-up data".into(),
        root: "/somewhere/made-up data".into(),
        metrics: METRICS.map(String::from).to_vec(),
        axes: vec![],
        rows: rows.collect(),
        categories: CATEGORIES.map(String::from).to_vec(),
        seeds: vec![0, 1],
        against: Against::Previous,
        labels: BTreeMap::new(),
        cells,
    };
    let mut comparison = Comparison::of(&study);
    comparison.read_first_losses(&study, &store).unwrap();
    (study, comparison, store)
}

/// A sweep over one or two keys without anything on disk; one row has no run.
pub fn grid(axes: &[(&str, &[f64])], categories: &[&str]) -> (Study, Comparison) {
    let mut settings = vec![BTreeMap::<String, Value>::new()];
    for (key, values) in axes {
        settings = settings
            .iter()
            .flat_map(|s| values.iter().map(|v| [s.clone(), BTreeMap::from([(key.to_string(), json!(v))])]))
            .map(|[mut a, b]| {
                a.extend(b);
                a
            })
            .collect();
    }
    let name = |s: &BTreeMap<String, Value>| s.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ");
    let ratio = |s: &BTreeMap<String, Value>| Some(Published { table: 3, line: s.get("pseudo.ratio")?.to_string() });
    let rows: Vec<Row> = settings.into_iter().map(|s| Row { name: name(&s), paper: ratio(&s), settings: s, ..Row::default() }).collect();
    let mut cells = vec![];
    for seed in [0, 1, 2] {
        for row in 0..rows.len() {
            for (c, category) in categories.iter().enumerate() {
                let id = id(row, c, seed);
                let outcome = if row == 3 { Outcome::Missing } else { Outcome::Finished(Box::new(summary(&id, row % 4, c % 3, seed))) };
                cells.push(Cell { row, category: category.to_string(), seed, id, outcome });
            }
        }
    }
    let study = Study {
        name: "ratio".into(),
        title: "Share of pseudo anomalies".into(),
        profile: "cpu".into(),
        data: "made-up data".into(),
        root: "/somewhere/made-up data".into(),
        metrics: METRICS.map(String::from).to_vec(),
        axes: axes.iter().map(|(key, values)| Axis { key: key.to_string(), values: values.iter().map(|v| json!(v)).collect() }).collect(),
        rows,
        categories: categories.iter().map(|c| c.to_string()).collect(),
        seeds: vec![0, 1, 2],
        against: Against::Row(0),
        labels: BTreeMap::new(),
        cells,
    };
    let comparison = Comparison::of(&study);
    (study, comparison)
}

/// [`grid`] over `axes` for each of several named rows, and a row that is quoted from the paper.
pub fn rows_and_axes(names: &[&str], axes: &[(&str, &[f64])]) -> (Study, Comparison) {
    let (one, _) = grid(axes, &CATEGORIES);
    let (mut study, count) = (Study { rows: vec![], cells: vec![], ..one.clone() }, one.rows.len());
    for (place, name) in names.iter().enumerate() {
        for row in &one.rows {
            let mut settings = row.settings.clone();
            settings.insert("model.stlnet".into(), json!(place > 0));
            study.rows.push(Row { name: format!("{name} · {}", row.name), settings, ..Row::default() });
        }
        let worse = |outcome: &Outcome| match outcome {
            Outcome::Finished(summary) => {
                let mut summary = summary.clone();
                summary.metrics.values_mut().flatten().for_each(|value| *value -= 0.03 * place as f64);
                Outcome::Finished(summary)
            }
            other => other.clone(),
        };
        study.cells.extend(one.cells.iter().map(|c| Cell { row: c.row + place * count, outcome: worse(&c.outcome), ..c.clone() }));
    }
    study.rows.push(Row { name: "RD".into(), paper: Some(Published { table: 1, line: "RD".into() }), ..Row::default() });
    let comparison = Comparison::of(&study);
    (study, comparison)
}

/// Maps that get better from row to row, in units of their own.
fn write_maps(folder: &harness::run::Folder, made: &picture::Run, category: &str, row: usize) {
    let kind = if row < 3 { "A" } else { "S" };
    let maps = &made.maps.iter().find(|(k, _)| *k == kind).unwrap().1;
    let store = MapStore::at(&folder.maps().join(kind));
    for (i, (item, map)) in made.test.items().iter().zip(maps).enumerate() {
        let noisy = |(p, v): (usize, &f32)| (row + 1) as f32 * (v + 0.1 * (5 - row) as f32 * noise(i as u64, p as u64) as f32);
        let data = map.data.iter().enumerate().map(noisy).collect();
        store.write(category, &item.key, &Map::from_vec(map.width, map.height, data)).unwrap();
    }
}

fn scale(events: &mut [Event], by: f64) {
    for event in events {
        if let Event::Step { losses, .. } | Event::Epoch { losses, .. } = event {
            losses.values_mut().for_each(|v| *v *= by);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|e| e.unwrap()) {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
