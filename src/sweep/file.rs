//! A sweep file as it is written: which rows, which axes, over which categories and seeds.
//!
//! ```toml
//! title = "Table 4: what each module adds"
//! base = "full.toml"                  # an experiment file beside this one; without it the profile alone
//! seeds = [0, 1, 2]
//! categories = "all"                  # of whatever data.root holds
//! against = "previous"                # or a row's name; without it the first row
//!
//! [[ablate]]
//! name = "baseline"
//! from = "base"                       # or "previous": what the row before set stays set
//! set = { model.self_calibration = false, model.stlnet = false }
//! paper = { table = 4, line = "1" }   # its counterpart in the paper
//! published = { system = "RD", source = "own paper" }   # and one elsewhere: assets/published
//! note = "an ensemble of five"        # a line below the table
//! against = "none"                    # this row's own counterpart: a row's name, or none
//!
//! [grid]                              # every combination; also [zip], [[list]] and [random]
//! pseudo.ratio = [0, 0.5, 1]
//!
//! [labels]                            # what things are called in tables and figures: a key, a row, a metric, a category
//! pseudo.ratio = "share of anomalies"
//!
//! [builtin]                           # what differs on the built-in data; [paper]: at the paper's profile
//! categories = ["gear", "fabric"]
//! set = { data.repeat = 3 }
//! ```

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Table;

use super::axes::{Axes, Random};
use super::citation::Citation;
use super::published::{self, Published};
use crate::config::{Categories, Profile};
use crate::{Error, Result};

/// The file, understood but not yet checked against the configuration's keys.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What it is about, in a line.
    pub title: String,
    /// Experiment file below every run, relative to this file.
    pub base: Option<PathBuf>,
    /// The profile unless `--profile` says otherwise; `cpu` without it.
    pub profile: Option<Profile>,
    pub seeds: Option<Vec<u64>>,
    pub categories: Option<Categories>,
    /// Keys set in every run.
    #[serde(default)]
    pub set: Table,
    /// Metrics of the table, without their split; else those of the paper, with AUPRO at the runs' own limit.
    pub metrics: Option<Vec<String>>,
    /// `"previous"`, or the name of the row that the others are compared with; the first one without it.
    pub against: Option<String>,
    /// Number of the paper's table whose lines are the values of the one axis.
    pub published: Option<u8>,
    /// What keys, rows, metrics and categories are called in tables and figures.
    #[serde(default)]
    pub labels: Table,
    #[serde(default)]
    pub ablate: Vec<Ablation>,
    /// Systems that are quoted and not run.
    #[serde(default)]
    pub quote: Vec<Quote>,
    #[serde(default)]
    grid: Table,
    #[serde(default)]
    zip: Table,
    #[serde(default)]
    list: Vec<Table>,
    random: Option<Random>,
    /// What differs where `data.root` is `"builtin"`.
    #[serde(default)]
    pub builtin: Variant,
    /// What differs at the paper's profile; laid over `builtin`.
    #[serde(default)]
    pub paper: Variant,
}

/// `[[ablate]]`: a named row.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ablation {
    pub name: String,
    #[serde(default)]
    pub from: RowBase,
    #[serde(default)]
    pub set: Table,
    pub paper: Option<Published>,
    /// A figure that somebody else published for the same system.
    pub published: Option<Citation>,
    /// What a reader should know of the row, in a line; stands below the table.
    pub note: Option<String>,
    /// With which row this one is compared instead of the sweep's `against`, by name; `"none"` with none.
    pub against: Option<String>,
}

/// What a row's settings lie on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowBase {
    #[default]
    Base,
    Previous,
}

/// `[[quote]]`: a row of published figures only.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quote {
    pub name: String,
    pub paper: Option<Published>,
    pub published: Option<Citation>,
    pub note: Option<String>,
}

/// What differs in a setting.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    pub seeds: Option<Vec<u64>>,
    pub categories: Option<Categories>,
    #[serde(default)]
    pub set: Table,
}

impl File {
    /// Reads and understands a sweep file.
    ///
    /// # Errors
    /// `Kind::Config` naming file and line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            let e = Error::io("read the sweep file", path, &e);
            Error::config(e.what, "give a TOML file, such as experiments/ablation.toml")
        })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Understands the text of a sweep file; `origin` names it in errors.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        crate::config::check_depth(text, origin)?;
        let file: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(String::new(), |s| format!(":{}", 1 + text[..s.start].matches('\n').count()));
            Error::config(format!("{origin}{line}: {}", e.message()), "docs/formats.md describes sweep files")
        })?;
        file.check(origin)?;
        Ok(file)
    }

    /// The axes of the file.
    pub fn axes(&self) -> Axes {
        Axes { grid: self.grid.clone(), zip: self.zip.clone(), list: self.list.clone(), random: self.random.clone() }
    }

    fn check(&self, origin: &str) -> Result<()> {
        let refuse = |what: String, remedy: &str| Err(Error::config(format!("{origin}: {what}"), remedy));
        let names: Vec<&str> = self.ablate.iter().map(|a| a.name.as_str()).chain(self.quote.iter().map(|q| q.name.as_str())).collect();
        if let Some((_, name)) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
            return refuse(format!("two rows are named {name:?}"), "give each row its own name");
        }
        if self.ablate.is_empty() && self.axes().is_empty() {
            return refuse("nothing is varied".into(), "add [[ablate]] rows, or axes: [grid], [zip], [[list]] or [random]");
        }
        if self.ablate.first().is_some_and(|row| row.from == RowBase::Previous) {
            return refuse("the first row has none before it".into(), "use from = \"base\" there");
        }
        let notes = self.ablate.iter().map(|a| &a.note).chain(self.quote.iter().map(|q| &q.note)).flatten();
        let mut lines = std::iter::once(&self.title).chain(notes).map(String::as_str).chain(names.iter().copied());
        if let Some(line) = lines.find(|line| line.trim().is_empty() || line.chars().any(char::is_control)) {
            return refuse(format!("{line:?} is not a valid title, name or note"), "use one line of text");
        }
        check_metrics(self.metrics.as_deref()).or_else(|(what, remedy)| refuse(what, &remedy))?;
        let rows = self.ablate.iter().map(|row| (&row.name, &row.paper, &row.published));
        for (name, paper, published) in rows.chain(self.quote.iter().map(|row| (&row.name, &row.paper, &row.published))) {
            let paper = paper.iter().try_for_each(check_published);
            let all = paper.and_then(|()| published.iter().try_for_each(check_citation));
            all.or_else(|(what, remedy)| refuse(format!("row {name:?}: {what}"), &remedy))?;
        }
        if let Some(row) = self.quote.iter().find(|row| row.paper.is_none() && row.published.is_none()) {
            return refuse(format!("row {:?} quotes nothing", row.name), "give it paper = { … } or published = { … }");
        }
        if let Some(table) = self.published.filter(|&table| published::lines(table).is_empty()) {
            return refuse(format!("published = {table}: the paper has no such table"), "it has tables 1 to 4");
        }
        for (seeds, place) in [(&self.seeds, ""), (&self.builtin.seeds, "builtin."), (&self.paper.seeds, "paper.")] {
            let Some(seeds) = seeds else { continue };
            if seeds.is_empty() || seeds.iter().enumerate().any(|(i, seed)| seeds[..i].contains(seed)) {
                return refuse(format!("{place}seeds is empty or lists one twice"), "list each seed once");
            }
        }
        Ok(())
    }
}

/// What is wrong, and the remedy.
type Fault = (String, String);

/// Metrics of a table are ratios 0..=1 by the names that runs give them, each once. At which limit AUPRO is taken is known only
/// with the configuration: see [`super::resolve::resolve`].
fn check_metrics(metrics: Option<&[String]>) -> std::result::Result<(), Fault> {
    let Some(metrics) = metrics else { return Ok(()) };
    if metrics.is_empty() {
        return Err(("metrics is an empty list".into(), "name at least one, such as \"image_auroc\"".into()));
    }
    for (i, name) in metrics.iter().enumerate() {
        if metrics[..i].contains(name) {
            return Err((format!("metrics lists {name:?} twice"), "list each metric once".into()));
        }
        let is_aupro = name.split_once('@').is_some_and(|(form, limit)| {
            (form == "aupro" || form.starts_with("aupro_")) && limit.parse::<f64>().is_ok_and(|limit| limit > 0.0 && limit <= 1.0)
        });
        if !is_aupro && !METRICS.contains(&name.as_str()) {
            let near = METRICS.iter().min_by_key(|known| strsim::osa_distance(known, name)).expect("there are metrics");
            return Err((
                format!("{name:?} is not a metric of a table"),
                format!("did you mean {near:?}? there are {}", METRICS.join(", ")),
            ));
        }
    }
    Ok(())
}

/// The metrics that are ratios, in a table's order; AUPRO as at the usual limit. Thresholds of F1max are scores, not ratios.
const METRICS: [&str; 9] = [
    "image_auroc",
    "image_ap",
    "image_f1max",
    "pixel_auroc",
    "pixel_ap",
    "pixel_f1max",
    "aupro@0.3",
    "large_recall@fpr0.05",
    "tiny_recall@fpr0.05",
];

fn check_published(paper: &Published) -> std::result::Result<(), Fault> {
    let lines = published::lines(paper.table);
    if lines.is_empty() {
        return Err((format!("paper: there is no table {}", paper.table), "the paper has tables 1 to 4".into()));
    }
    if !published::has(paper) {
        let what = format!("paper: table {} has no line {:?}", paper.table, paper.line);
        return Err((what, format!("it has {}", lines.join(", "))));
    }
    Ok(())
}

fn check_citation(citation: &Citation) -> std::result::Result<(), Fault> {
    citation.check().map_err(|there| (format!("published: there is no figure of {citation}"), there))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        File::parse(text, "try.toml").unwrap_err().to_string()
    }

    #[test]
    fn rows_and_axes_are_read() {
        let text = "title = \"t\"\n[[ablate]]\nname = \"a\"\nset = { model.stlnet = false }\n[grid]\npseudo.ratio = [0, 1]\n[random]\nn = 2\noptim.lr = { log = [1e-4, 1e-2] }";
        let file = File::parse(text, "try.toml").unwrap();
        assert_eq!((file.ablate.len(), file.metrics.as_ref(), file.ablate[0].from), (1, None, RowBase::Base));
        assert!(!file.axes().is_empty());
    }

    #[test]
    fn what_makes_no_sweep_is_refused_with_its_place() {
        assert!(fault("title = \"t\"").contains("nothing is varied"));
        assert!(fault("title = \"t\"\nseed = [1]\n").contains("try.toml:2: unknown field `seed`"));
        let two = "title = \"t\"\n[[ablate]]\nname = \"a\"\n[[ablate]]\nname = \"a\"";
        assert!(fault(two).contains("two rows are named \"a\""));
        assert!(fault("title = \"t\"\n[[ablate]]\nname = \"a\"\nfrom = \"previous\"").contains("none before it"));
        assert!(fault("title = \"t\"\nseeds = [1, 1]\n[grid]\npseudo.ratio = [0]").contains("lists one twice"));
        assert!(fault("title = \"t\n").contains("try.toml:1"));
        assert!(fault("title = \"t\"\n[[ablate]]\nname = \"a\\nb\"").contains("use one line"));
    }

    #[test]
    fn metrics_that_no_table_can_show_are_refused_with_a_suggestion() {
        let with = |metrics: &str| format!("title = \"t\"\nmetrics = [{metrics}]\n[grid]\npseudo.ratio = [0, 1]");
        assert!(File::parse(&with("\"image_auroc\", \"aupro@0.05\", \"tiny_recall@fpr0.05\""), "try.toml").is_ok());
        assert!(fault(&with("\"image_aurok\"")).contains("did you mean \"image_auroc\""));
        assert!(fault(&with("\"image_f1max_threshold\"")).contains("not a metric of a table"));
        assert!(fault(&with("\"aupro@3\"")).contains("did you mean \"aupro@0.3\""));
        assert!(fault(&with("\"pixel_ap\", \"pixel_ap\"")).contains("twice"));
    }

    #[test]
    fn the_metrics_are_the_ratios_that_runs_have() {
        let map = crate::image::Map::from_vec(2, 1, vec![0.0, 1.0]);
        let sample = crate::metric::Sample { name: "a", map: &map, mask: None, image_score: 0.0, anomalous: false };
        let (scores, _) = crate::metric::evaluate(&[sample], &crate::metric::Protocol::default()).unwrap();
        let ratios: Vec<String> = scores.metrics().into_iter().map(|(name, _)| name).filter(|name| !name.ends_with("_threshold")).collect();
        assert_eq!(METRICS.to_vec(), ratios);
    }

    #[test]
    fn lines_that_the_paper_does_not_have_are_refused_with_those_it_has() {
        let row = |paper: &str| format!("title = \"t\"\n[[ablate]]\nname = \"a\"\npaper = {paper}");
        assert!(fault(&row("{ table = 7, line = \"1\" }")).contains("there is no table 7"));
        assert!(fault(&row("{ table = 4, line = \"6\" }")).contains("it has 1, 2, 3, 4, 5"));
        assert!(File::parse(&row("{ table = 3, line = \"0.50\" }"), "try.toml").is_ok());
        let quote = "title = \"t\"\n[[ablate]]\nname = \"a\"\n[[quote]]\nname = \"b\"\npaper = { table = 1, line = \"PatchCore\" }";
        assert!(fault(quote).contains("row \"b\"") && fault(quote).contains("PaDiM"));
        assert!(fault("title = \"t\"\npublished = 7\n[grid]\npseudo.ratio = [0, 1]").contains("published = 7"));
    }

    #[test]
    fn what_was_never_published_is_refused_with_what_there_is() {
        let row = |published: &str| format!("title = \"t\"\n[[ablate]]\nname = \"a\"\npublished = {published}");
        assert!(File::parse(&row("{ system = \"RD\", source = \"own paper\" }"), "try.toml").is_ok());
        let source = fault(&row("{ system = \"RD\", source = \"its paper\" }"));
        assert!(source.contains("no figure of RD, its paper") && source.contains("own paper") && source.contains("anomalib"), "{source}");
        let system = fault(&row("{ system = \"RDD\", source = \"own paper\" }"));
        assert!(system.contains("CutPaste") && system.contains("RD"), "{system}");
        let quote = "title = \"t\"\n[[ablate]]\nname = \"a\"\n[[quote]]\nname = \"b\"";
        assert!(fault(quote).contains("row \"b\" quotes nothing"));
        assert!(fault("title = \"t\"\n[[ablate]]\nname = \"a\"\nnote = \"\"").contains("use one line"));
    }
}
