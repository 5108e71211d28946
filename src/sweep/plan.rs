//! The plan of a sweep: which runs there are, under which ids. The plan is a pure value, kept as plan.json, so that a
//! report needs neither the sweep file nor data nor weights, and a file that changed in the meantime is noticed.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::axes::{Against, Axis, Counterpart};
use super::citation::Citation;
use super::published::Published;
use super::resolve::{Resolved, keys};
use crate::config::Profile;
use crate::run::{Id, Inputs, METHOD_VERSION, identity};
use crate::{Result, weights};

/// The format of plan.json.
pub use crate::store::PLAN_FORMAT as FORMAT;

/// What the runs' identities depend on beside their configurations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Content hash by category, in the order of the table.
    pub data: Vec<(String, String)>,
    /// Content hash by weights file.
    pub weights: BTreeMap<String, String>,
    /// Content hash by folder of photographs for pseudo anomalies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub textures: BTreeMap<String, String>,
    /// `cpu` or `cuda`.
    pub device: String,
}

/// plan.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub format: u32,
    pub name: String,
    pub title: String,
    /// The command that repeats it.
    pub command: String,
    pub profile: Profile,
    /// `data.root`.
    pub root: String,
    pub metrics: Vec<String>,
    pub axes: Vec<Axis>,
    pub against: Against,
    /// What keys, rows, metrics and categories are called in tables and figures.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    pub rows: Vec<PlannedRow>,
    pub seeds: Vec<u64>,
    pub facts: Facts,
    pub method_version: u32,
    /// In the order of execution: seed by seed, then by category and row.
    pub runs: Vec<PlannedRun>,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedRow {
    pub name: String,
    /// The named row that it stems from, where axes stand beside named rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    pub paper: Option<Published>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Citation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Its own counterpart in paired differences: a row by its place, or none at all; absent where it is the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Counterpart>,
    /// Every key with its value; empty for a quoted row.
    pub config: BTreeMap<String, Value>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedRun {
    pub row: usize,
    pub category: String,
    pub seed: u64,
    pub id: Id,
}

/// The plan that follows from what was resolved and what the data, the weights and the device are. `name` and `command` are
/// those of the sweep.
///
/// # Errors
/// An experiment's name that is not a folder name.
pub fn plan(resolved: &Resolved, facts: Facts, name: &str, command: &str) -> Result<Plan> {
    let mut runs = vec![];
    for &seed in &resolved.seeds {
        for (category, data_hash) in &facts.data {
            for (row, config) in resolved.rows.iter().enumerate().filter_map(|(i, r)| Some((i, r.config.as_ref()?))) {
                let files = config.weight_files();
                let hashes: Vec<&str> = files.iter().filter_map(|file| facts.weights.get(file)).map(String::as_str).collect();
                let weights_hash = weights::joined_hash(&hashes);
                let inputs = Inputs {
                    category,
                    data: data_hash,
                    weights: weights_hash.as_deref(),
                    textures: config.textures().and_then(|folder| facts.textures.get(folder)).map(String::as_str),
                    device: &facts.device,
                };
                let hash = identity(config, &inputs);
                runs.push(PlannedRun { row, category: category.clone(), seed, id: Id::new(&resolved.experiment, &hash, seed)? });
            }
        }
    }
    let rows = resolved.rows.iter().map(|row| PlannedRow {
        name: row.name.clone(),
        entry: row.entry.clone(),
        paper: row.paper.clone(),
        published: row.published.clone(),
        note: row.note.clone(),
        against: row.against,
        config: row.config.as_ref().map_or_else(BTreeMap::new, keys),
    });
    let rows: Vec<_> = rows.collect();
    let root = rows.iter().find_map(|row| row.config.get("data.root")?.as_str()).unwrap_or_default().to_owned();
    Ok(Plan {
        format: FORMAT,
        name: name.to_owned(),
        title: resolved.title.clone(),
        command: command.to_owned(),
        profile: resolved.profile,
        root,
        metrics: resolved.metrics.clone(),
        axes: resolved.axes.clone(),
        against: resolved.against,
        labels: resolved.labels.clone(),
        rows,
        seeds: resolved.seeds.clone(),
        facts,
        method_version: METHOD_VERSION,
        runs,
    })
}

impl PlannedRow {
    /// Whether it is only quoted.
    pub fn is_quoted(&self) -> bool {
        self.config.is_empty()
    }
}

impl Plan {
    /// Keys whose values differ between rows, in alphabetical order.
    pub fn varied(&self) -> Vec<&str> {
        let rows: Vec<_> = self.rows.iter().filter(|row| !row.is_quoted()).collect();
        let Some(first) = rows.first() else { return vec![] };
        first
            .config
            .iter()
            .filter(|(key, value)| rows.iter().any(|row| row.config.get(*key) != Some(value)))
            .map(|(key, _)| key.as_str())
            .collect()
    }

    /// The runs of `rows` in the plan's order, each once: rows may share a run.
    pub fn distinct(&self, rows: &[usize]) -> Vec<&PlannedRun> {
        let mut seen = HashSet::new();
        self.runs.iter().filter(|run| rows.contains(&run.row) && seen.insert(&run.id)).collect()
    }

    /// Rows that are made of the same runs as one before them, each with that one.
    pub fn twins(&self) -> Vec<(usize, usize)> {
        let runs = |row: usize| -> HashSet<&Id> { self.runs.iter().filter(|run| run.row == row).map(|run| &run.id).collect() };
        let of: Vec<_> = (0..self.rows.len()).map(runs).collect();
        let first = |row: usize| (0..row).find(|&earlier| !of[row].is_empty() && of[earlier] == of[row]);
        (0..self.rows.len()).filter_map(|row| Some((row, first(row)?))).collect()
    }

    /// Whether both plan the same, whatever command they came from.
    pub fn is_same(&self, other: &Plan) -> bool {
        let bare = |plan: &Plan| Plan { command: String::new(), ..plan.clone() };
        bare(self) == bare(other)
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::{ROWS, planned};
    use super::*;

    #[test]
    fn rows_build_up_one_another_and_runs_go_seed_by_seed() {
        let plan = planned(ROWS, &[]);
        let value = |row: usize, key: &str| plan.rows[row].config[key].clone();
        assert_eq!((value(1, "model.self_calibration"), value(1, "model.stlnet")), (true.into(), false.into()));
        assert_eq!((value(0, "optim.lr"), value(0, "data.repeat")), (0.5.into(), 3.into()));
        let order: Vec<_> = plan.runs.iter().map(|r| (r.seed, r.category.as_str(), r.row)).collect();
        assert_eq!(order[..5], [(3, "gear", 0), (3, "gear", 1), (3, "chip", 0), (3, "chip", 1), (4, "gear", 0)]);
        assert_eq!(plan.varied(), ["model.self_calibration"]);
        assert_eq!(plan.runs[0].id.experiment, "base");
        assert_eq!(plan.against, Against::Previous);
    }

    #[test]
    fn a_run_that_rows_share_is_distinct_once() {
        let plan = planned("title = \"t\"\nseeds = [0, 1]\n[[ablate]]\nname = \"a\"\n[[ablate]]\nname = \"same\"", &[]);
        assert_eq!((plan.runs.len(), plan.distinct(&[0, 1]).len(), plan.distinct(&[]).len()), (8, 4, 0));
        assert!(plan.distinct(&[1]).iter().all(|run| run.row == 1));
        assert_eq!(plan.twins(), [(1, 0)]);
        assert_eq!(planned(ROWS, &[]).twins(), []);
    }

    #[test]
    fn a_plan_reads_back_as_it_was_written() {
        let plan = planned(ROWS, &[]);
        assert_eq!(serde_json::from_str::<Plan>(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
    }
}
