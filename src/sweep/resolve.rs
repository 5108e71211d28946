//! A sweep file laid over its base file and the command line: rows with checked configurations. Nothing of data or weights is
//! looked at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::Table;

use super::axes::{self, Against, Axis, Counterpart, Point};
use super::citation::Citation;
use super::file::{Ablation, File, RowBase, Variant};
use super::published::Published;
use crate::config::reference::{self, Key};
use crate::config::{self, Categories, Config, Layer, Profile, Request, check_seeds, flatten, parse_override};
use crate::metric::Protocol;
use crate::{Error, Result};

/// A sweep file laid over its base and the command line: rows with checked configurations.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// What it is about, in a line.
    pub title: String,
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
    /// What keys, rows, metrics and categories are called in tables and figures.
    pub labels: BTreeMap<String, String>,
    /// Points that stand there several times and are taken once, for people.
    pub merged: Vec<String>,
}

/// One row before its data is looked at.
#[derive(Debug, Clone)]
pub struct ResolvedRow {
    pub name: String,
    /// The named row that it stems from, where axes stand beside named rows.
    pub entry: Option<String>,
    pub paper: Option<Published>,
    pub published: Option<Citation>,
    pub note: Option<String>,
    /// Its own counterpart, instead of the one that all have.
    pub against: Option<Counterpart>,
    /// None for a row that is quoted.
    pub config: Option<Config>,
}

/// Lays sweep file, base file and `key=value` overrides over one another.
///
/// # Errors
/// `Kind::Config` naming file, row and key.
pub fn resolve(file: &File, path: &Path, profile: Option<Profile>, overrides: &[String]) -> Result<Resolved> {
    let base = file.base.as_ref().map(|base| path.parent().unwrap_or(Path::new(".")).join(base));
    // What cannot be read is refused where a row is resolved.
    let typed = overrides.iter().filter_map(|one| parse_override(one).ok()).collect();
    let layering = Layering { file, origin: path.display().to_string(), base, profile: profile.or(file.profile), overrides, typed };
    let common = layering.common()?;
    let (seeds, categories) = layering.spread(&common)?;
    let (points, merged) = axes::once(file.axes().points().map_err(|e| layering.located(e))?);
    let merged = merged.iter().map(|point| format!("note: {} is given twice; it is one row", label("", point))).collect();
    let rows = layering.rows(&common, &points)?;
    let metrics = metrics(file, &rows).map_err(|e| layering.located(e))?;
    Ok(Resolved {
        title: file.title.clone(),
        profile: common.resolved.profile,
        experiment: if layering.base.is_some() { common.resolved.experiment } else { stem(path)? },
        metrics,
        axes: varied(&points, &rows),
        against: layering.against(&rows)?,
        rows,
        categories,
        seeds,
        labels: layering.labels()?,
        merged,
    })
}

/// What lies over what.
struct Layering<'a> {
    file: &'a File,
    /// The sweep file, as errors name it.
    origin: String,
    base: Option<PathBuf>,
    profile: Option<Profile>,
    overrides: &'a [String],
    /// The keys that they set.
    typed: Vec<Table>,
}

/// What all rows have below their own settings.
struct Common<'a> {
    layers: Vec<Layer>,
    resolved: config::Resolved,
    /// `[builtin]` and `[paper]`, where they hold.
    variants: Vec<&'a Variant>,
}

/// A named row with the layers that make it.
struct NamedRow<'a> {
    row: Option<&'a Ablation>,
    stack: Vec<Layer>,
}

impl<'a> Layering<'a> {
    fn request(&self, layers: Vec<Layer>) -> Request {
        Request { profile: self.profile, file: self.base.clone(), layers, overrides: self.overrides.to_vec() }
    }

    fn layer(&self, place: &str, keys: &Table) -> Layer {
        Layer { origin: format!("{}: {place}", self.origin), keys: keys.clone() }
    }

    /// The error with the sweep file's name before it.
    fn located(&self, error: Error) -> Error {
        Error::config(format!("{}: {}", self.origin, error.what), error.remedy)
    }

    /// Whether the command line sets the key.
    fn overrides(&self, key: &str) -> bool {
        self.typed.iter().any(|set| reference::lookup(set, key).is_some())
    }

    /// The settings of every run. Which variants hold is decided by what the settings without them say.
    fn common(&self) -> Result<Common<'a>> {
        let mut layers = vec![self.layer("set", &self.file.set)];
        let first = self.request(layers.clone()).resolve()?;
        let mut variants = vec![];
        if first.config.data.root == crate::data::root::BUILTIN {
            variants.push(("builtin", &self.file.builtin));
        }
        if first.profile == Profile::Paper {
            variants.push(("paper", &self.file.paper));
        }
        layers.extend(variants.iter().map(|(place, variant)| self.layer(&format!("{place}.set"), &variant.set)));
        let resolved = self.request(layers.clone()).resolve()?;
        Ok(Common { layers, resolved, variants: variants.into_iter().map(|(_, variant)| variant).collect() })
    }

    /// Seeds and categories: the command line's, else the last variant's, else the file's, else the configuration's.
    fn spread(&self, common: &Common) -> Result<(Vec<u64>, Categories)> {
        let (mut seeds, mut categories) = (self.file.seeds.as_ref(), self.file.categories.as_ref());
        for variant in &common.variants {
            seeds = variant.seeds.as_ref().or(seeds);
            categories = variant.categories.as_ref().or(categories);
        }
        let config = &common.resolved.config;
        let seeds = seeds.filter(|_| !self.overrides("run.seeds")).unwrap_or(&config.run.seeds).clone();
        check_seeds(&format!("{}: seeds", self.origin), &seeds)?;
        let categories = categories.filter(|_| !self.overrides("data.categories")).unwrap_or(&config.data.categories).clone();
        Ok((seeds, categories))
    }

    /// Every row of the table: each named row at each point, then what is quoted.
    fn rows(&self, common: &Common, points: &[Point]) -> Result<Vec<ResolvedRow>> {
        let mut rows = vec![];
        for named in self.named_rows() {
            for point in points {
                self.check_keys(&named.stack, point)?;
                let mut layers = common.layers.clone();
                layers.extend(named.stack.clone());
                layers.push(Layer { origin: format!("{}: axes", self.origin), keys: point.iter().cloned().collect() });
                let config = self.request(layers).resolve()?.config;
                if let Some(key) = config.data.differs(&common.resolved.config.data) {
                    let what = format!("{}: {key} differs between rows", self.origin);
                    return Err(Error::config(what, "make one sweep for each data set"));
                }
                let paper = named.row.and_then(|row| row.paper.clone()).or_else(|| published(self.file, point));
                rows.push(ResolvedRow {
                    name: label(named.row.map_or("", |row| &row.name), point),
                    entry: named.row.filter(|_| !point.is_empty()).map(|row| row.name.clone()),
                    paper,
                    published: named.row.and_then(|row| row.published.clone()),
                    note: named.row.and_then(|row| row.note.clone()),
                    against: named.row.and_then(|row| row.against.as_ref()).map(|name| self.counterpart(name, points)).transpose()?,
                    config: Some(config),
                });
            }
        }
        rows.extend(self.file.quote.iter().map(|quote| ResolvedRow {
            name: quote.name.clone(),
            entry: None,
            paper: quote.paper.clone(),
            published: quote.published.clone(),
            note: quote.note.clone(),
            against: None,
            config: None,
        }));
        Ok(rows)
    }

    /// Each named row; one without a name where there are only axes.
    fn named_rows(&self) -> Vec<NamedRow<'a>> {
        if self.file.ablate.is_empty() {
            return vec![NamedRow { row: None, stack: vec![] }];
        }
        let mut rows: Vec<NamedRow> = vec![];
        for row in &self.file.ablate {
            let mut stack = match (row.from, rows.last()) {
                (RowBase::Previous, Some(before)) => before.stack.clone(),
                _ => vec![],
            };
            stack.push(self.layer(&format!("row {:?}", row.name), &row.set));
            rows.push(NamedRow { row: Some(row), stack });
        }
        rows
    }

    /// Refuses keys that the command line sets too, and those that a row cannot set.
    fn check_keys(&self, stack: &[Layer], point: &Point) -> Result<()> {
        let stack = stack.iter().map(Layer::checked).collect::<Result<Vec<_>>>()?;
        for key in stack.iter().flat_map(flatten).map(|(key, _)| key).chain(point.iter().map(|(key, _)| key.clone())) {
            if self.overrides(&key) {
                let what = format!("{key} is varied by {}", self.origin);
                return Err(Error::config(what, "omit it from the command line, or change the sweep file"));
            }
            if !is_shared(&key) {
                let what = format!("{}: {key} is set in a row or an axis", self.origin);
                return Err(Error::config(what, "use seeds = […] and categories = […] at the top"));
            }
        }
        Ok(())
    }

    /// The row that a row names as its own counterpart.
    fn counterpart(&self, name: &str, points: &[Point]) -> Result<Counterpart> {
        let place = self.file.ablate.iter().position(|row| row.name == name);
        match place {
            _ if name == "none" => Ok(Counterpart::None),
            Some(place) if points.len() == 1 => Ok(Counterpart::Row(place)),
            Some(_) => {
                let what = format!("{}: against = {name:?} in a row, beside axes", self.origin);
                Err(Error::config(what, "set against at the top: rows are compared at equal values of all keys"))
            }
            None => {
                let what = format!("{}: against = {name:?} is not a row", self.origin);
                Err(Error::config(what, "name a row of [[ablate]], or \"none\""))
            }
        }
    }

    /// `[labels]`: text by key, row, metric or category.
    fn labels(&self) -> Result<BTreeMap<String, String>> {
        let text = |(name, value): (String, toml::Value)| match value {
            toml::Value::String(text) if !text.trim().is_empty() && !text.chars().any(char::is_control) => Ok((name, text)),
            other => {
                let what = format!("{}: [labels]: {name} = {other} is not a label", self.origin);
                Err(Error::config(what, "use one line of text in quotes"))
            }
        };
        flatten(&self.file.labels).into_iter().map(text).collect()
    }

    /// The row that others are compared with.
    fn against(&self, rows: &[ResolvedRow]) -> Result<Against> {
        match self.file.against.as_deref() {
            None => Ok(Against::Row(0)),
            Some("previous") => Ok(Against::Previous),
            Some(name) => match rows.iter().position(|row| row.name == name && row.config.is_some()) {
                Some(place) => Ok(Against::Row(place)),
                None => {
                    let what = format!("{}: against = {name:?} is not a row", self.origin);
                    Err(Error::config(what, "name a row, or \"previous\""))
                }
            },
        }
    }
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
    stem.map(str::to_owned).ok_or_else(|| Error::config(format!("{} is not a file name", path.display()), "give a TOML file"))
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
/// is 1.0), and of a point that leaves a key out its value below. A key of one value is not an axis.
fn varied(points: &[Point], rows: &[ResolvedRow]) -> Vec<Axis> {
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

/// Whether runs of a row share the key: not one of which each entry makes a run.
fn is_shared(key: &str) -> bool {
    reference::key(key).is_none_or(Key::is_shared)
}

/// Every key that belongs to a row, with its value.
pub(super) fn keys(config: &Config) -> BTreeMap<String, Value> {
    let json = |value: toml::Value| serde_json::to_value(value).expect("TOML without dates is JSON");
    config.keys().into_iter().filter(|(key, _)| is_shared(key)).map(|(key, value)| (key.to_owned(), json(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::example::{ROWS, planned, resolved};
    use super::*;

    #[test]
    fn the_data_decide_which_variant_holds() {
        let elsewhere = resolved(ROWS, &["data.root=/data/mvtec"]).unwrap();
        assert_eq!(elsewhere.rows[0].config.as_ref().unwrap().data.repeat, 1);
        let one = resolved(ROWS, &["run.seeds=[7]", "data.categories=gear"]).unwrap();
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
    fn a_point_that_stands_twice_is_one_row_and_said_so() {
        let resolved = resolved("title = \"t\"\n[grid]\npseudo.ratio = [0.25, 0.5, 0.50, 1, 1.0]", &[]).unwrap();
        let names: Vec<_> = resolved.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["pseudo.ratio=0.25", "pseudo.ratio=0.5", "pseudo.ratio=1"]);
        assert_eq!(resolved.axes[0].values.len(), 3);
        assert_eq!(resolved.merged[0], "note: pseudo.ratio=0.5 is given twice; it is one row");
        let drawn = "title = \"t\"\n[random]\nn = 9\ntrain.epochs = { int = [2, 3] }";
        let resolved = super::super::example::resolved(drawn, &[]).unwrap();
        assert_eq!((resolved.rows.len(), resolved.merged.len()), (2, 7));
    }

    #[test]
    fn a_key_of_one_value_is_not_an_axis_and_points_may_name_different_keys() {
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
        let fault = |text: &str, overrides: &[&str]| resolved(text, overrides).unwrap_err().to_string();
        let e = fault("title = \"t\"\n[[ablate]]\nname = \"a\"\nset = { model.stlnt = false }", &[]);
        assert!(e.contains("row \"a\": unknown key `model.stlnt`") && e.contains("model.stlnet"), "{e}");
        assert!(fault(ROWS, &["model.stlnet=true"]).contains("model.stlnet is varied"));
        let row = |key: &str| format!("title = \"t\"\n[[ablate]]\nname = \"a\"\nset = {{ {key} = 0.3 }}");
        for (row, typed) in
            [(row("pseudo.weight.confetti"), "pseudo.confetti_prob=0"), (row("pseudo.confetti_prob"), "pseudo.weight.confetti=0")]
        {
            assert!(fault(&row, &[typed]).contains("pseudo.weight.confetti is varied"), "{typed}");
        }
        assert!(fault("title = \"t\"\n[grid]\nrun.seeds = [[1], [2]]", &[]).contains("run.seeds is set in a row or an axis"));
        assert!(fault("title = \"t\"\n[[ablate]]\nname = \"a\"\nagainst = \"b\"", &[]).contains("against = \"b\" is not a row"));
        let beside = "title = \"t\"\n[[ablate]]\nname = \"a\"\n[[ablate]]\nname = \"b\"\nagainst = \"a\"\n[grid]\npseudo.ratio = [0, 1]";
        assert!(fault(beside, &[]).contains("beside axes"));
        assert!(fault("title = \"t\"\nagainst = \"b\"\n[[ablate]]\nname = \"a\"", &[]).contains("against = \"b\" is not a row"));
        assert!(fault("title = \"t\"\n[grid]\npseudo.ratio = [2]", &[]).contains("axes: pseudo.ratio"));
        let limit = fault("title = \"t\"\nmetrics = [\"aupro@0.1\"]\n[grid]\npseudo.ratio = [0, 1]", &[]);
        assert!(limit.contains("no row has aupro@0.1: by eval.pro it is aupro@0.3"), "{limit}");
        assert_eq!(planned(ROWS, &["eval.pro.limit=0.05"]).metrics[2], "aupro@0.05", "unless the file names it");
    }

    #[test]
    fn seeds_that_are_listed_twice_or_are_too_great_are_refused_wherever_they_come_from() {
        let fault = |overrides: &[&str]| resolved(ROWS, overrides).unwrap_err().what;
        assert!(fault(&["run.seeds=[0, 0, 0]"]).contains("twice"));
        let great = resolved(&ROWS.replace("[3, 4]", "[9007199254740992]"), &[]).unwrap_err();
        assert!(great.what.contains("try.toml: seeds: 9007199254740992 is too great"), "{great}");
    }
}
