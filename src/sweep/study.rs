//! What a sweep found, as one pure value: tables, figures and pages are made of it and of nothing else but the runs' own
//! events and maps. It holds nothing that depends on time, host or order of execution, except within `Summary::timing`,
//! which no table may show.

use std::collections::BTreeMap;

use serde_json::Value;

use super::axes::{Against, Axis, Counterpart};
use super::citation::Citation;
use super::plan::{Plan, PlannedRun};
use super::published::Published;
use crate::Result;
use crate::run::{Id, Summary};
use crate::store::Store;

/// One sweep as it stands, finished or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// The sweep file's stem: `ablation`.
    pub name: String,
    /// What it is about, in a line: the file's `title`.
    pub title: String,
    /// `cpu` or `paper`.
    pub profile: String,
    /// What data it ran on, for people and the same on every host: `built-in data`, or the folder's last name with the content's
    /// hash: `mvtec (content 0123456789)`.
    pub data: String,
    /// `data.root` as it was typed; no table may show it.
    pub root: String,
    /// Metrics of the table without their split: `image_auroc`, `pixel_auroc`, `aupro@0.3`.
    pub metrics: Vec<String>,
    /// Varied keys with their values in order, for sweeps over axes; empty for named rows.
    pub axes: Vec<Axis>,
    /// In the order of the table.
    pub rows: Vec<Row>,
    pub categories: Vec<String>,
    pub seeds: Vec<u64>,
    /// Which row the others are compared with.
    pub against: Against,
    /// What keys, rows, metrics and categories are called, where that is not their own name: see [`Study::label`].
    pub labels: BTreeMap<String, String>,
    /// Every planned run: one for each row, category and seed, in the order of execution (seed by seed).
    pub cells: Vec<Cell>,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// `+ self-calibration`, `pseudo.ratio=0.5`.
    pub name: String,
    /// The named row that it stems from, where axes stand beside named rows.
    pub entry: Option<String>,
    /// Every key in which this row's configuration differs from another row's, with this row's value.
    pub settings: BTreeMap<String, Value>,
    /// Where the paper has a figure for it.
    pub paper: Option<Published>,
    /// Where somebody else has published one.
    pub published: Option<Citation>,
    /// What a reader should know of it, in a line.
    pub note: Option<String>,
    /// Its own counterpart, instead of the one that all have.
    pub against: Option<Counterpart>,
}

/// One planned run.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Place in [`Study::rows`].
    pub row: usize,
    pub category: String,
    pub seed: u64,
    pub id: Id,
    pub outcome: Outcome,
}

/// How a planned run stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Finished(Box<Summary>),
    Failed {
        error: String,
    },
    /// Not started or not finished.
    Missing,
}

impl Study {
    /// What became of a plan: of all its seeds, or of those named.
    ///
    /// # Errors
    /// A summary that cannot be read, or is not of the run that is planned.
    pub fn collect(plan: &Plan, store: &Store, seeds: &[u64]) -> Result<Self> {
        let mut study =
            Self { cells: vec![], seeds: plan.seeds.iter().copied().filter(|seed| seeds.contains(seed)).collect(), ..Self::of_plan(plan) };
        for run in plan.runs.iter().filter(|run| seeds.contains(&run.seed)) {
            let id = store.locate(&run.id);
            let folder = store.folder(&id);
            let outcome = match crate::run::summary_compared(&folder)? {
                Some(summary) => {
                    plan.check_run(run, &folder, &summary)?;
                    Outcome::Finished(Box::new(summary))
                }
                None => match folder.record()?.filter(|record| record.status == crate::run::Outcome::Failed) {
                    Some(record) => Outcome::Failed { error: record.error.unwrap_or_default() },
                    None => Outcome::Missing,
                },
            };
            study.cells.push(Cell { row: run.row, category: run.category.clone(), seed: run.seed, id, outcome });
        }
        Ok(study.labelled(&plan.labels))
    }

    /// A plan as a study of which no run is looked at, under its own names.
    pub fn of_plan(plan: &Plan) -> Self {
        let varied = plan.varied();
        let settings = |config: &BTreeMap<String, Value>| {
            let value = |key: &&str| Some((key.to_string(), config.get(*key)?.clone()));
            varied.iter().filter_map(value).collect()
        };
        let rows = plan.rows.iter().map(|row| Row {
            name: row.name.clone(),
            entry: row.entry.clone(),
            settings: settings(&row.config),
            paper: row.paper.clone(),
            published: row.published.clone(),
            note: row.note.clone(),
            against: row.against,
        });
        let cell = |run: &PlannedRun| Cell {
            row: run.row,
            category: run.category.clone(),
            seed: run.seed,
            id: run.id.clone(),
            outcome: Outcome::Missing,
        };
        Self {
            name: plan.name.clone(),
            title: plan.title.clone(),
            profile: plan.profile.to_string(),
            data: data(plan),
            root: plan.root.clone(),
            metrics: plan.metrics.clone(),
            axes: plan.axes.clone(),
            rows: rows.collect(),
            categories: plan.facts.data.iter().map(|(category, _)| category.clone()).collect(),
            seeds: plan.seeds.clone(),
            against: plan.against,
            labels: BTreeMap::new(),
            cells: plan.runs.iter().map(cell).collect(),
        }
    }

    /// With rows named as `labels` say: a row's own name, or the named row and the keys in it.
    pub fn labelled(mut self, labels: &BTreeMap<String, String>) -> Self {
        let keys: Vec<(&String, &String)> = self.axes.iter().filter_map(|axis| Some((&axis.key, labels.get(&axis.key)?))).collect();
        for row in &mut self.rows {
            if let Some((entry, text)) = row.entry.as_ref().and_then(|entry| Some((entry, labels.get(entry)?))) {
                row.name = row.name.replacen(entry, text, 1);
                row.entry = Some(text.clone());
            }
            for (key, text) in &keys {
                row.name = row.name.replacen(&format!("{key}="), &format!("{text}="), 1);
            }
            row.name = labels.get(&row.name).unwrap_or(&row.name).clone();
        }
        self.labels.extend(labels.clone());
        self
    }

    /// The runs that are kept, with their rows, categories, seeds and values of keys. What others are compared with is the first
    /// row where its own is gone.
    pub fn restricted(mut self, keep: impl Fn(&Cell) -> bool) -> Self {
        let quoted: Vec<bool> = (0..self.rows.len()).map(|row| self.is_quoted(row)).collect();
        self.cells.retain(keep);
        let stays: Vec<usize> = (0..self.rows.len()).filter(|&row| quoted[row] || !self.is_quoted(row)).collect();
        let place = |row: usize| stays.iter().position(|&old| old == row);
        self.against = match self.against {
            Against::Previous => Against::Previous,
            Against::Row(row) => Against::Row(place(row).unwrap_or(0)),
        };
        self.cells.iter_mut().for_each(|cell| cell.row = place(cell.row).expect("a row with a run stays"));
        self.rows = stays.iter().map(|&row| self.rows[row].clone()).collect();
        for row in &mut self.rows {
            row.against = row.against.map(|own| match own {
                Counterpart::Row(other) => place(other).map_or(Counterpart::None, Counterpart::Row),
                Counterpart::None => own,
            });
        }
        self.categories.retain(|name| self.cells.iter().any(|cell| cell.category == *name));
        self.seeds.retain(|seed| self.cells.iter().any(|cell| cell.seed == *seed));
        for axis in &mut self.axes {
            axis.values.retain(|value| self.rows.iter().any(|row| row.settings.get(&axis.key) == Some(value)));
        }
        self.axes.retain(|axis| axis.values.len() > 1);
        self
    }

    /// What a key, a category or a metric is called: its label, or its own name.
    pub fn label<'a>(&'a self, name: &'a str) -> &'a str {
        self.labels.get(name).map_or(name, String::as_str)
    }

    /// Whether the row is only quoted: nothing was planned for it.
    pub fn is_quoted(&self, row: usize) -> bool {
        self.planned(row) == 0
    }

    /// The planned runs in the order of the table: by row, category and seed.
    pub fn ordered(&self) -> Vec<&Cell> {
        let mut cells: Vec<&Cell> = self.cells.iter().collect();
        cells.sort_by_key(|cell| (cell.row, self.categories.iter().position(|name| *name == cell.category), cell.seed));
        cells
    }

    /// The planned runs of one row.
    pub fn planned(&self, row: usize) -> usize {
        self.cells.iter().filter(|cell| cell.row == row).count()
    }

    /// The summary of one run, if it is finished.
    pub fn summary(&self, row: usize, category: &str, seed: u64) -> Option<&Summary> {
        self.cells.iter().find(|c| c.row == row && c.category == category && c.seed == seed).and_then(Cell::summary)
    }
}

/// What data a plan is about, without the place where they lie.
fn data(plan: &Plan) -> String {
    if plan.root == crate::data::root::BUILTIN {
        return "built-in data".into();
    }
    let mut all = blake3::Hasher::new();
    for (category, hash) in &plan.facts.data {
        all.update(format!("{category} {hash}\n").as_bytes());
    }
    let folder = std::path::Path::new(&plan.root).file_name().map_or_else(|| "data".into(), |name| name.to_string_lossy());
    format!("{folder} (content {})", &all.finalize().to_hex()[..10])
}

impl Cell {
    pub fn summary(&self) -> Option<&Summary> {
        match &self.outcome {
            Outcome::Finished(summary) => Some(summary),
            _ => None,
        }
    }
}
