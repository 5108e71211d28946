//! Small hand-made studies for tests.

use std::collections::BTreeMap;

use crate::run::{Id, Lineage, Summary, TimeSpent};
use crate::sweep::{Against, Cell, Outcome, Published, Row, Study};

pub const CATEGORIES: [&str; 2] = ["gear", "terrazzo"];
pub const METRICS: [&str; 3] = ["image_auroc", "pixel_auroc", "aupro@0.3"];

/// The id of a planned run.
pub fn id(row: usize, category: &str, seed: u64) -> Id {
    let place = CATEGORIES.iter().position(|c| *c == category).unwrap_or(9);
    Id::new(&format!("row-{}", row + 1), &format!("{:010x}", 16 * row + place), seed).unwrap()
}

/// A finished run's summary; metrics are of its headline map.
pub fn summary(row: usize, category: &str, seed: u64, metrics: &[(&str, f64)]) -> Summary {
    Summary {
        headline: if row < 2 { "A" } else { "S" }.into(),
        metrics: metrics.iter().map(|(name, value)| (format!("test/{name}"), Some(*value))).collect(),
        protocol: serde_json::json!({ "text": "exact, FPR limit 0.3, 8-connected, original resolution, no smoothing" }),
        backbone: Lineage { name: "resnet50".into(), lineage: "caffe".into(), stride_in: "conv1".into(), weights_hash: Some("77".into()) },
        losses: BTreeMap::from([("total".to_owned(), [0.9, 0.5, 0.25][row.min(2)])]),
        grad_norm: Some([30.0, 8.0, 5.0][row.min(2)]),
        timing: TimeSpent { wall_s: 60.0 + seed as f64, ..TimeSpent::default() },
        ..crate::testing::summary(&id(row, category, seed), category)
    }
}

/// A study in which every run is finished; `value` of (row, category's place, seed, metric's place), a ratio.
pub fn study(rows: &[&str], seeds: u64, value: impl Fn(usize, usize, u64, usize) -> f64) -> Study {
    let mut cells = Vec::new();
    for seed in 0..seeds {
        for row in 0..rows.len() {
            for (place, category) in CATEGORIES.iter().enumerate() {
                let metrics: Vec<(&str, f64)> = METRICS.iter().enumerate().map(|(m, name)| (*name, value(row, place, seed, m))).collect();
                let outcome = Outcome::Finished(Box::new(summary(row, category, seed, &metrics)));
                cells.push(Cell { row, category: category.to_string(), seed, id: id(row, category, seed), outcome });
            }
        }
    }
    Study {
        name: "ablation".into(),
        title: "What each part adds".into(),
        profile: "cpu".into(),
        data: "built-in data".into(),
        root: "builtin".into(),
        metrics: METRICS.map(String::from).to_vec(),
        axes: Vec::new(),
        rows: rows.iter().map(|name| Row { name: name.to_string(), ..Row::default() }).collect(),
        categories: CATEGORIES.map(String::from).to_vec(),
        seeds: (0..seeds).collect(),
        against: Against::Previous,
        labels: BTreeMap::new(),
        cells,
    }
}

/// Three rows of a cumulative ablation over two categories and three seeds: row 2 gains 5 points of image AUROC on every run
/// (and less elsewhere), row 3 next to nothing.
pub fn ladder() -> Study {
    let start = [[0.80, 0.81, 0.82], [0.90, 0.92, 0.91]];
    let second = [[0.06, 0.05, 0.04], [0.05, 0.06, 0.04]];
    let third = [[0.01, -0.01, 0.002], [-0.004, 0.003, -0.002]];
    let value = |row: usize, place: usize, seed: u64, metric: usize| {
        let seed = seed as usize;
        let base = start[place][seed] - [0.0, 0.02, 0.3][metric];
        let gain = [1.0, 0.2, -0.5][metric];
        base + gain * (if row > 0 { second[place][seed] } else { 0.0 }) + if row > 1 { third[place][seed] } else { 0.0 }
    };
    let mut study = study(&["baseline", "+ self-calibration", "+ STLNet"], 3, value);
    for (index, row) in study.rows.iter_mut().enumerate() {
        row.paper = Some(Published { table: 4, line: (index + 1).to_string() });
        row.settings.insert("model.self_calibration".into(), (index > 0).into());
        row.settings.insert("model.stlnet".into(), (index > 1).into());
    }
    study
}

/// Four rows over two axes, `pseudo.ratio` and `optim.lr`, two seeds.
pub fn grid() -> Study {
    let value = |row: usize, place: usize, seed: u64, metric: usize| {
        0.7 + 0.05 * row as f64 + 0.02 * place as f64 + 0.01 * (seed + metric as u64) as f64
    };
    let axes = [("pseudo.ratio", [0.25, 0.5]), ("optim.lr", [0.001, 0.01])];
    let mut study = study(&["a", "b", "c", "d"], 2, value);
    for (index, row) in study.rows.iter_mut().enumerate() {
        let settings = [(axes[0].0, axes[0].1[index / 2]), (axes[1].0, axes[1].1[index % 2])];
        row.name = settings.map(|(key, value)| format!("{key}={value}")).join(" ");
        row.settings = settings.iter().map(|(key, value)| (key.to_string(), (*value).into())).collect();
    }
    study.axes = axes.map(|(key, values)| crate::sweep::Axis { key: key.into(), values: values.map(Into::into).to_vec() }).to_vec();
    study.against = Against::Row(0);
    study
}

/// Replaces the outcome of one planned run.
pub fn outcome(study: &mut Study, row: usize, category: &str, seed: u64, outcome: Outcome) {
    let cell = study.cells.iter_mut().find(|c| c.row == row && c.category == category && c.seed == seed);
    cell.expect("the run is planned").outcome = outcome;
}

/// The value of one run of [`crossed`], a ratio.
pub fn crossed_value(row: usize, category: &str, seed: u64) -> f64 {
    let place = CATEGORIES.iter().position(|known| *known == category).expect("a category of the study");
    let (texture, gamma) = (row / 4, row / 2 % 2);
    0.7 + 0.02 * texture as f64 + 0.04 * gamma as f64 + 0.03 * place as f64 + 0.01 * seed as f64
}

/// Two named rows at each point of a grid of gamma and lambda, two seeds: texture gains 2 points everywhere, gamma 4, lambda
/// nothing.
pub fn crossed() -> Study {
    crossed_over(2)
}

/// The same over so many seeds.
pub fn crossed_over(seeds: u64) -> Study {
    let value = |row: usize, place: usize, seed: u64, _: usize| crossed_value(row, CATEGORIES[place], seed);
    let axes = [("loss.score.gamma", [1.0, 2.0]), ("loss.score.lambda", [0.5, 1.0])];
    let mut study = study(&["", "", "", "", "", "", "", ""], seeds, value);
    for (index, row) in study.rows.iter_mut().enumerate() {
        let settings = [(axes[0].0, axes[0].1[index / 2 % 2]), (axes[1].0, axes[1].1[index % 2])];
        let entry = ["plain", "texture"][index / 4];
        row.name = format!("{entry} · {}", settings.map(|(key, value)| format!("{key}={value}")).join(", "));
        row.entry = Some(entry.to_owned());
        row.settings = settings.iter().map(|(key, value)| (key.to_string(), (*value).into())).collect();
        row.settings.insert("model.stlnet".into(), (index >= 4).into());
    }
    for cell in &mut study.cells {
        let Outcome::Finished(summary) = &mut cell.outcome else { continue };
        // Each run trains its own way.
        summary.losses = BTreeMap::from([("total".to_owned(), 0.5 + cell.row as f64 / 16.0)]);
        summary.grad_norm = None;
    }
    study.axes = axes.map(|(key, values)| crate::sweep::Axis { key: key.into(), values: values.map(Into::into).to_vec() }).to_vec();
    study.against = Against::Row(0);
    study
}

/// Replaces one metric of a finished run.
pub fn set(cell: &mut Cell, metric: &str, value: f64) {
    let Outcome::Finished(summary) = &mut cell.outcome else { panic!("the run is finished") };
    summary.metrics.insert(format!("test/{metric}"), Some(value));
}
