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
//! paper = { table = 4, line = "1" }   # its published counterpart
//!
//! [grid]                              # every combination; also [zip], [[list]] and [random]
//! pseudo.ratio = [0, 0.5, 1]
//!
//! [builtin]                           # what differs on the built-in data; [paper]: at the paper's profile
//! categories = ["gear", "fabric"]
//! set = { data.repeat = 3 }
//! ```

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Table;

use super::Published;
use super::axes::{Axes, Random};
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
    /// Metrics of the table, without their split.
    #[serde(default = "metrics")]
    pub metrics: Vec<String>,
    /// `"previous"`, or the name of the row that the others are compared with; the first one without it.
    pub against: Option<String>,
    /// Number of the paper's table whose lines are the values of the one axis.
    pub published: Option<u8>,
    #[serde(default)]
    pub ablate: Vec<Ablation>,
    /// Systems that are quoted from the paper and not run.
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
    pub from: From,
    #[serde(default)]
    pub set: Table,
    pub paper: Option<Published>,
}

/// What a row's settings lie on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    #[default]
    Base,
    Previous,
}

/// `[[quote]]`: a row of published figures only.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quote {
    pub name: String,
    pub paper: Published,
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

/// The metrics of the paper's tables.
fn metrics() -> Vec<String> {
    ["image_auroc", "pixel_auroc", "aupro@0.3"].map(str::to_owned).to_vec()
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
        if self.ablate.first().is_some_and(|row| row.from == From::Previous) {
            return refuse("the first row has none before it".into(), "use from = \"base\" there");
        }
        if self.metrics.is_empty() {
            return refuse("metrics is an empty list".into(), "name at least one, such as \"image_auroc\"");
        }
        for (seeds, place) in [(&self.seeds, ""), (&self.builtin.seeds, "builtin."), (&self.paper.seeds, "paper.")] {
            let Some(seeds) = seeds else { continue };
            if seeds.is_empty() || seeds.iter().enumerate().any(|(i, seed)| seeds[..i].contains(seed)) {
                return refuse(format!("{place}seeds is empty or names one twice"), "name each seed once");
            }
        }
        Ok(())
    }
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
        assert_eq!((file.ablate.len(), file.metrics.len(), file.ablate[0].from), (1, 3, From::Base));
        assert!(!file.axes().is_empty());
    }

    #[test]
    fn what_makes_no_sweep_is_refused_with_its_place() {
        assert!(fault("title = \"t\"").contains("nothing is varied"));
        assert!(fault("title = \"t\"\nseed = [1]\n").contains("try.toml:2: unknown field `seed`"));
        let two = "title = \"t\"\n[[ablate]]\nname = \"a\"\n[[ablate]]\nname = \"a\"";
        assert!(fault(two).contains("two rows are named \"a\""));
        assert!(fault("title = \"t\"\n[[ablate]]\nname = \"a\"\nfrom = \"previous\"").contains("none before it"));
        assert!(fault("title = \"t\"\nseeds = [1, 1]\n[grid]\npseudo.ratio = [0]").contains("names one twice"));
        assert!(fault("title = \"t\n").contains("try.toml:1"));
    }
}
