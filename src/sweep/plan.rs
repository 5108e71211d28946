//! From a sweep file to a plan: which runs there are, under which ids. The plan is a pure value, kept as plan.json, so that a
//! report needs neither the sweep file nor data nor weights, and a file that changed in the meantime is noticed.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Table;

use super::axes::Point;
use super::file::{File, From};
use super::{Against, Axis, Published};
use crate::config::{Categories, Config, Layer, Profile, Request, check_seeds, flatten};
use crate::metric::Protocol;
use crate::run::{Id, METHOD_VERSION, identity};
use crate::{Error, Result};

/// The format of plan.json.
pub use crate::store::PLAN_FORMAT as FORMAT;

/// Keys that make several runs of one row, and are therefore no part of its configuration.
const SPREAD: [&str; 2] = ["run.seeds", "data.categories"];

/// A sweep file laid over its base and the command line: rows with checked configurations.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub profile: Profile,
    /// Folder name of the runs: the base file's stem.
    pub experiment: String,
    /// Columns of the table, without their split.
    pub metrics: Vec<String>,
    pub rows: Vec<ResolvedRow>,
    pub axes: Vec<Axis>,
    pub against: Against,
    pub categories: Categories,
    pub seeds: Vec<u64>,
}

/// One row before its data is looked at.
#[derive(Debug, Clone)]
pub struct ResolvedRow {
    pub name: String,
    pub paper: Option<Published>,
    /// None for a row that is quoted from the paper.
    pub config: Option<Config>,
}

/// What the runs' identities depend on beside their configurations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Content hash by category, in the order of the table.
    pub data: Vec<(String, String)>,
    /// Content hash by weights file.
    pub weights: BTreeMap<String, String>,
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
    pub paper: Option<Published>,
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

/// Lays sweep file, base file and `key=value` words over one another.
///
/// # Errors
/// `Kind::Config` naming file, row and key.
pub fn resolve(file: &File, path: &Path, profile: Option<Profile>, overrides: &[String]) -> Result<Resolved> {
    let origin = path.display();
    let base = file.base.as_ref().map(|base| path.parent().unwrap_or(Path::new(".")).join(base));
    let request =
        |layers: Vec<Layer>| Request { profile: profile.or(file.profile), file: base.clone(), layers, overrides: overrides.to_vec() };
    let layer = |place: &str, keys: &Table| Layer { origin: format!("{origin}: {place}"), keys: keys.clone() };

    let mut layers = vec![layer("set", &file.set)];
    let first = request(layers.clone()).resolve()?;
    let mut variants = vec![];
    if first.config.data.root == crate::data::root::BUILTIN {
        variants.push(("builtin", &file.builtin));
    }
    if first.profile == Profile::Paper {
        variants.push(("paper", &file.paper));
    }
    layers.extend(variants.iter().map(|(place, variant)| layer(&format!("{place}.set"), &variant.set)));
    let common = request(layers.clone()).resolve()?;

    let said = |key: &str| overrides.iter().any(|word| word.split('=').next().is_some_and(|k| k.trim() == key));
    let (mut seeds, mut categories) = (file.seeds.as_ref(), file.categories.as_ref());
    for (_, variant) in &variants {
        seeds = variant.seeds.as_ref().or(seeds);
        categories = variant.categories.as_ref().or(categories);
    }
    let seeds = seeds.filter(|_| !said("run.seeds")).unwrap_or(&common.config.run.seeds).clone();
    check_seeds(&format!("{origin}: seeds"), &seeds)?;
    let categories = categories.filter(|_| !said("data.categories")).unwrap_or(&common.config.data.categories).clone();

    let points = file.axes().points().map_err(|e| Error::config(format!("{origin}: {}", e.what), e.remedy))?;
    let mut rows = vec![];
    for (name, paper, stack) in named_rows(file, &layer) {
        for point in &points {
            for key in flatten_all(&stack).chain(point.iter().map(|(key, _)| key.clone())) {
                if said(&key) {
                    return Err(Error::config(
                        format!("{key} is varied by {origin}"),
                        "leave it away on the command line, or change the sweep file",
                    ));
                }
                if SPREAD.contains(&key.as_str()) {
                    return Err(Error::config(
                        format!("{origin}: {key} is set in a row or an axis"),
                        "use seeds = […] and categories = […] at the top",
                    ));
                }
            }
            let mut all = layers.clone();
            all.extend(stack.clone());
            all.push(Layer { origin: format!("{origin}: axes"), keys: point.iter().cloned().collect() });
            let config = request(all).resolve()?.config;
            if config.data.root != common.config.data.root {
                return Err(Error::config(format!("{origin}: data.root differs between rows"), "make one sweep for each data set"));
            }
            let paper = paper.clone().or_else(|| published(file, point));
            rows.push(ResolvedRow { name: label(&name, point), paper, config: Some(config) });
        }
    }
    rows.extend(file.quote.iter().map(|q| ResolvedRow { name: q.name.clone(), paper: Some(q.paper.clone()), config: None }));

    let metrics = metrics(file, &rows).map_err(|e| Error::config(format!("{origin}: {}", e.what), e.remedy))?;

    let against = match file.against.as_deref() {
        None => Against::Row(0),
        Some("previous") => Against::Previous,
        Some(name) => match rows.iter().position(|row| row.name == name && row.config.is_some()) {
            Some(place) => Against::Row(place),
            None => return Err(Error::config(format!("{origin}: against = {name:?} is no row"), "name a row, or \"previous\"")),
        },
    };
    let experiment = if base.is_some() { common.experiment } else { stem(path)? };
    let axes = axes(&points, &rows);
    Ok(Resolved { profile: common.profile, experiment, metrics, rows, axes, against, categories, seeds })
}

/// The columns: those of the file, else the paper's, with AUPRO as the first row is evaluated.
///
/// # Errors
/// AUPRO at a limit, or in a form, in which no row is evaluated: its column would be empty.
fn metrics(file: &File, rows: &[ResolvedRow]) -> Result<Vec<String>> {
    let key = |config: &Config| Protocol::new(&config.eval, config.train.checkpoint).map(|protocol| protocol.aupro_key());
    let keys = rows.iter().filter_map(|row| row.config.as_ref()).map(key).collect::<Result<Vec<String>>>()?;
    let usual = keys.first().map_or("aupro@0.3", String::as_str);
    let Some(metrics) = &file.metrics else { return Ok(["image_auroc", "pixel_auroc", usual].map(str::to_owned).to_vec()) };
    match metrics.iter().find(|name| name.starts_with("aupro") && !keys.contains(name)) {
        Some(name) => Err(Error::config(
            format!("no row has {name}: by eval.pro it is {usual}"),
            format!("name {usual:?} in metrics, or set eval.pro.limit and eval.pro.variant"),
        )),
        None => Ok(metrics.clone()),
    }
}

/// The sweep's name: the file's stem.
///
/// # Errors
/// A path without one.
pub fn stem(path: &Path) -> Result<String> {
    let stem = path.file_stem().and_then(|s| s.to_str());
    stem.map(str::to_owned).ok_or_else(|| Error::config(format!("{} is no file name", path.display()), "give a TOML file"))
}

/// Each named row with the layers that make it; one without a name where there are only axes.
fn named_rows(file: &File, layer: &dyn Fn(&str, &Table) -> Layer) -> Vec<(String, Option<Published>, Vec<Layer>)> {
    if file.ablate.is_empty() {
        return vec![(String::new(), None, vec![])];
    }
    let mut rows: Vec<(String, Option<Published>, Vec<Layer>)> = vec![];
    for row in &file.ablate {
        let mut stack = match (row.from, rows.last()) {
            (From::Previous, Some((_, _, stack))) => stack.clone(),
            _ => vec![],
        };
        stack.push(layer(&format!("row {:?}", row.name), &row.set));
        rows.push((row.name.clone(), row.paper.clone(), stack));
    }
    rows
}

fn flatten_all(stack: &[Layer]) -> impl Iterator<Item = String> {
    stack.iter().flat_map(|layer| flatten(&layer.keys)).map(|(key, _)| key)
}

/// `name · key=value, key=value`.
fn label(name: &str, point: &Point) -> String {
    let point: Vec<String> = point.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect();
    [name.to_owned(), point.join(", ")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// A value as people write it: text without quotes.
fn plain(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The paper's line of a point on the one axis that the paper has.
fn published(file: &File, point: &Point) -> Option<Published> {
    let [(_, value)] = point.as_slice() else { return None };
    Some(Published { table: file.published?, line: plain(value) })
}

/// The keys that the points name with the values that the rows' configurations have, in order: as resolved and not as typed (1
/// is 1.0), and of a point that leaves a key out its value below. A key of one value is no axis.
fn axes(points: &[Point], rows: &[ResolvedRow]) -> Vec<Axis> {
    let mut axes: Vec<Axis> = vec![];
    for (key, _) in points.iter().flatten() {
        if axes.iter().all(|axis| axis.key != *key) {
            axes.push(Axis { key: key.clone(), values: vec![] });
        }
    }
    for config in rows.iter().filter_map(|row| row.config.as_ref()).map(keys) {
        for axis in &mut axes {
            let value = config.get(&axis.key).filter(|value| !axis.values.contains(value));
            axis.values.extend(value.cloned());
        }
    }
    axes.retain(|axis| axis.values.len() > 1);
    axes
}

/// The plan that follows from what was resolved and what the data, the weights and the device are. `name` and `command` are
/// those of the sweep.
///
/// # Errors
/// An experiment's name that is no folder name.
pub fn plan(file: &File, resolved: &Resolved, facts: Facts, name: &str, command: &str) -> Result<Plan> {
    let mut runs = vec![];
    for &seed in &resolved.seeds {
        for (category, data_hash) in &facts.data {
            for (row, config) in resolved.rows.iter().enumerate().filter_map(|(i, r)| Some((i, r.config.as_ref()?))) {
                let weights_hash = facts.weights.get(&config.model.backbone.weights).map(String::as_str);
                let hash = identity(config, category, data_hash, weights_hash, &facts.device);
                runs.push(PlannedRun { row, category: category.clone(), seed, id: Id::new(&resolved.experiment, &hash, seed)? });
            }
        }
    }
    let rows = resolved.rows.iter().map(|row| PlannedRow {
        name: row.name.clone(),
        paper: row.paper.clone(),
        config: row.config.as_ref().map_or_else(BTreeMap::new, keys),
    });
    let rows: Vec<_> = rows.collect();
    let root = rows.iter().find_map(|row| row.config.get("data.root")?.as_str()).unwrap_or_default().to_owned();
    Ok(Plan {
        format: FORMAT,
        name: name.to_owned(),
        title: file.title.clone(),
        command: command.to_owned(),
        profile: resolved.profile,
        root,
        metrics: resolved.metrics.clone(),
        axes: resolved.axes.clone(),
        against: resolved.against,
        rows,
        seeds: resolved.seeds.clone(),
        facts,
        method_version: METHOD_VERSION,
        runs,
    })
}

fn keys(config: &Config) -> BTreeMap<String, Value> {
    let json = |value: toml::Value| serde_json::to_value(value).expect("TOML without dates is JSON");
    config.keys().into_iter().filter(|(key, _)| !SPREAD.contains(key)).map(|(key, value)| (key.to_owned(), json(value))).collect()
}

impl PlannedRow {
    /// Whether it is only quoted from the paper.
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

    /// Whether both plan the same, whatever command they came from.
    pub fn is_same(&self, other: &Plan) -> bool {
        let bare = |plan: &Plan| Plan { command: String::new(), ..plan.clone() };
        bare(self) == bare(other)
    }

    /// With what rows are compared, for people.
    fn compared(&self) -> String {
        match self.against {
            Against::Previous => "the previous row".into(),
            Against::Row(place) => self.rows.get(place).map_or_else(|| place.to_string(), |row| row.name.clone()),
        }
    }

    /// What changed since `before`, a line each, for people; empty where both plan the same.
    pub fn changes(&self, before: &Plan) -> Vec<String> {
        let mut lines = vec![];
        let mut note = |what: String, old: &str, new: &str| {
            if old != new {
                lines.push(format!("{what}: {old} -> {new}"));
            }
        };
        note("METHOD_VERSION".into(), &before.method_version.to_string(), &self.method_version.to_string());
        let list = |plan: &Plan| -> [String; 4] {
            let axis = |axis: &Axis| format!("{} = {}", axis.key, Value::from(axis.values.clone()));
            [
                plan.seeds.iter().map(u64::to_string).collect::<Vec<_>>(),
                plan.facts.data.iter().map(|(category, _)| category.clone()).collect(),
                plan.metrics.clone(),
                plan.axes.iter().map(axis).collect(),
            ]
            .map(|entries| if entries.is_empty() { "none".to_owned() } else { entries.join(", ") })
        };
        note("title".into(), &before.title, &self.title);
        note("profile".into(), &before.profile.to_string(), &self.profile.to_string());
        for ((what, old), new) in ["seeds", "categories", "metrics", "axes"].into_iter().zip(list(before)).zip(list(self)) {
            note(what.into(), &old, &new);
        }
        note("compared with".into(), &before.compared(), &self.compared());
        note("data.root".into(), &before.root, &self.root);
        note("device".into(), &before.facts.device, &self.facts.device);
        let hashes = |facts: &Facts| -> BTreeMap<String, String> { facts.data.iter().cloned().chain(facts.weights.clone()).collect() };
        let short = |hash: &str| hash.chars().take(10).collect::<String>();
        let old = hashes(&before.facts);
        for (name, hash) in &hashes(&self.facts) {
            if let Some(old) = old.get(name) {
                note(format!("content of {name}"), &short(old), &short(hash));
            }
        }
        for row in &self.rows {
            match before.rows.iter().find(|old| old.name == row.name) {
                None => lines.push(format!("new row: {}", row.name)),
                Some(old) => {
                    let line =
                        |row: &PlannedRow| row.paper.as_ref().map_or("none".to_owned(), |p| format!("table {} line {}", p.table, p.line));
                    if old.paper != row.paper {
                        lines.push(format!("{}: paper: {} -> {}", row.name, line(old), line(row)));
                    }
                    for (key, value) in row.config.iter().filter(|(key, _)| key.as_str() != "data.root") {
                        let known = old.config.get(key);
                        if known != Some(value) {
                            let before = known.map_or("(not there)".to_owned(), Value::to_string);
                            lines.push(format!("{}: {key}: {before} -> {value}", row.name));
                        }
                    }
                }
            }
        }
        for old in before.rows.iter().filter(|old| self.rows.iter().all(|row| row.name != old.name)) {
            lines.push(format!("no longer a row: {}", old.name));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str, overrides: &[&str]) -> Result<(File, Resolved)> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("base.toml"), "optim.lr = 0.5\n").unwrap();
        let file = File::parse(text, "try.toml").unwrap();
        let words: Vec<String> = overrides.iter().map(|s| s.to_string()).collect();
        resolve(&file, &dir.path().join("try.toml"), None, &words).map(|resolved| (file, resolved))
    }

    fn facts() -> Facts {
        Facts {
            data: vec![("gear".into(), "d1".into()), ("chip".into(), "d2".into())],
            weights: BTreeMap::from([("weights/resnet50.safetensors".into(), "w".into())]),
            device: "cpu".into(),
        }
    }

    fn planned(text: &str, overrides: &[&str]) -> Plan {
        let (file, resolved) = resolved(text, overrides).unwrap();
        plan(&file, &resolved, facts(), "try", "harness sweep try.toml").unwrap()
    }

    const ROWS: &str = r#"
        title = "t"
        base = "base.toml"
        seeds = [3, 4]
        against = "previous"
        [[ablate]]
        name = "baseline"
        set = { model.self_calibration = false, model.stlnet = false }
        [[ablate]]
        name = "+ sc"
        from = "previous"
        set = { model.self_calibration = true }
        [builtin]
        set = { data.repeat = 3 }
        [paper]
        seeds = [9]
    "#;

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
    fn the_data_decide_which_variant_holds() {
        let (_, elsewhere) = resolved(ROWS, &["data.root=/data/mvtec"]).unwrap();
        assert_eq!(elsewhere.rows[0].config.as_ref().unwrap().data.repeat, 1);
        let (_, one) = resolved(ROWS, &["run.seeds=[7]", "data.categories=gear"]).unwrap();
        assert_eq!((one.seeds, one.categories), (vec![7], Categories::One("gear".into())));
    }

    #[test]
    fn axes_make_rows_that_name_their_values() {
        let plan = planned("title = \"t\"\npublished = 3\n[grid]\npseudo.ratio = [0, 0.5]", &[]);
        assert_eq!(plan.rows.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["pseudo.ratio=0", "pseudo.ratio=0.5"]);
        assert_eq!(plan.rows[1].paper, Some(Published { table: 3, line: "0.5".into() }));
        assert_eq!((plan.axes.len(), plan.axes[0].values.clone()), (1, vec![0.0.into(), 0.5.into()]), "as resolved, not as typed");
        assert_eq!(plan.runs[0].id.experiment, "try");
    }

    #[test]
    fn a_key_of_one_value_is_no_axis_and_points_may_name_different_keys() {
        let text = "title = \"t\"\n[grid]\noptim.lr = [0.1]\n[[list]]\npseudo.ratio = 0.25\n[[list]]\ntrain.epochs = 3";
        let plan = planned(text, &[]);
        let keys: Vec<_> = plan.axes.iter().map(|axis| (axis.key.as_str(), axis.values.len())).collect();
        assert_eq!(keys, [("pseudo.ratio", 2), ("train.epochs", 2)]);
        for axis in &plan.axes {
            let of_rows: Vec<_> = plan.rows.iter().map(|row| row.config[&axis.key].clone()).collect();
            assert_eq!(axis.values, of_rows, "{}", axis.key);
        }
    }

    #[test]
    fn what_cannot_be_a_row_is_refused_with_its_name() {
        let fault = |text: &str, words: &[&str]| resolved(text, words).unwrap_err().to_string();
        let e = fault("title = \"t\"\n[[ablate]]\nname = \"a\"\nset = { model.stlnt = false }", &[]);
        assert!(e.contains("row \"a\": unknown key `model.stlnt`") && e.contains("model.stlnet"), "{e}");
        assert!(fault(ROWS, &["model.stlnet=true"]).contains("model.stlnet is varied"));
        assert!(fault("title = \"t\"\n[grid]\nrun.seeds = [[1], [2]]", &[]).contains("run.seeds is set in a row or an axis"));
        assert!(fault("title = \"t\"\nagainst = \"b\"\n[[ablate]]\nname = \"a\"", &[]).contains("against = \"b\" is no row"));
        assert!(fault("title = \"t\"\n[grid]\npseudo.ratio = [2]", &[]).contains("axes: pseudo.ratio"));
        let limit = fault("title = \"t\"\nmetrics = [\"aupro@0.1\"]\n[grid]\npseudo.ratio = [0, 1]", &[]);
        assert!(limit.contains("no row has aupro@0.1: by eval.pro it is aupro@0.3"), "{limit}");
        assert_eq!(planned(ROWS, &["eval.pro.limit=0.05"]).metrics[2], "aupro@0.05", "unless the file names it");
    }

    #[test]
    fn what_changed_since_the_last_plan_is_told_key_by_key() {
        let before = planned(ROWS, &[]);
        assert_eq!(before.changes(&before), Vec::<String>::new());
        let mut after = planned(&ROWS.replace("\"+ sc\"", "\"+ self-calibration\""), &["optim.momentum=0.5"]);
        after.facts.data[0].1 = "d9".into();
        assert!(!after.is_same(&before) && Plan { command: "other".into(), ..before.clone() }.is_same(&before));
        let lines = after.changes(&before);
        assert!(lines.contains(&"content of gear: d1 -> d9".to_owned()), "{lines:?}");
        assert!(lines.contains(&"baseline: optim.momentum: 0.9 -> 0.5".to_owned()), "{lines:?}");
        assert!(lines.contains(&"new row: + self-calibration".to_owned()) && lines.contains(&"no longer a row: + sc".to_owned()));
        // Each thing that a table is made of.
        let edit = |from: &str, to: &str| planned(&ROWS.replace(from, to), &[]).changes(&before);
        assert_eq!(edit("[3, 4]", "[3, 4, 5]"), ["seeds: 3, 4 -> 3, 4, 5"]);
        assert_eq!(edit("title = \"t\"", "title = \"u\"\nmetrics = [\"pixel_ap\"]").len(), 2);
        assert_eq!(edit("against = \"previous\"", "against = \"baseline\""), ["compared with: the previous row -> baseline"]);
        let paper = "name = \"baseline\"\npaper = { table = 4, line = \"1\" }";
        assert_eq!(edit("name = \"baseline\"", paper), ["baseline: paper: none -> table 4 line 1"]);
        let axes = planned("title = \"t\"\n[grid]\npseudo.ratio = [0, 0.5]", &[]);
        let longer = planned("title = \"t\"\n[grid]\npseudo.ratio = [0, 0.5, 1]", &[]);
        assert_eq!(longer.changes(&axes), ["axes: pseudo.ratio = [0.0,0.5] -> pseudo.ratio = [0.0,0.5,1.0]", "new row: pseudo.ratio=1"]);
        let mut other = before.clone();
        other.facts.data.pop();
        assert_eq!(other.changes(&before), ["categories: gear, chip -> gear"]);
    }

    #[test]
    fn seeds_that_stand_twice_or_are_too_great_are_refused_wherever_they_come_from() {
        let fault = |words: &[&str]| resolved(ROWS, words).unwrap_err().what;
        assert!(fault(&["run.seeds=[0, 0, 0]"]).contains("0 stands twice"));
        let great = resolved(&ROWS.replace("[3, 4]", "[9007199254740992]"), &[]).unwrap_err();
        assert!(great.what.contains("try.toml: seeds: 9007199254740992 is too great"), "{great}");
    }

    #[test]
    fn a_run_that_rows_share_is_distinct_once() {
        let plan = planned("title = \"t\"\nseeds = [0, 1]\n[[ablate]]\nname = \"a\"\n[[ablate]]\nname = \"same\"", &[]);
        assert_eq!((plan.runs.len(), plan.distinct(&[0, 1]).len(), plan.distinct(&[]).len()), (8, 4, 0));
        assert!(plan.distinct(&[1]).iter().all(|run| run.row == 1));
    }

    #[test]
    fn a_plan_reads_back_as_it_was_written() {
        let plan = planned(ROWS, &[]);
        assert_eq!(serde_json::from_str::<Plan>(&serde_json::to_string(&plan).unwrap()).unwrap(), plan);
    }
}
