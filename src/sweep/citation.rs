//! Figures published on MVTec AD: in the paper behind this project, in the systems' own papers and by public re-runs, from
//! `assets/published`.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::num;

const FIGURES: &str = include_str!("../../assets/published/mvtec.csv");

/// The categories by their folders' names, in the order of the paper's tables.
pub const CATEGORIES: [&str; 15] = [
    "bottle",
    "cable",
    "capsule",
    "carpet",
    "grid",
    "hazelnut",
    "leather",
    "metal_nut",
    "pill",
    "screw",
    "tile",
    "toothbrush",
    "transistor",
    "wood",
    "zipper",
];

/// The category that stands for the mean over all.
const MEAN: &str = "mean";

/// Whose figure of which system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Citation {
    /// `"RD"`.
    pub system: String,
    /// `"own paper"`, `"seed paper"` (the one behind this project), `"anomalib"`.
    pub source: String,
}

impl fmt::Display for Citation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}, {}", self.system, self.source)
    }
}

/// All that one source says of one system.
#[derive(Debug, Clone, PartialEq)]
struct Reference {
    citation: Citation,
    /// Which network, which training.
    variant: String,
    /// Models whose scores are combined for one figure; more than one is an ensemble.
    models: u32,
    /// Whether the test set chose the epoch; none where the source does not say.
    test_selected: Option<bool>,
    notes: Vec<String>,
    /// By category.
    lines: Vec<(String, Figures)>,
}

/// Ratios 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Figures {
    image_auroc: Option<f64>,
    pixel_auroc: Option<f64>,
    aupro: Option<f64>,
}

/// One line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    system: String,
    source: String,
    variant: String,
    models: u32,
    test_selected: Selected,
    category: String,
    /// Percent, as printed; empty where the source gives none.
    image_auroc: String,
    pixel_auroc: String,
    aupro: String,
    note: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Selected {
    Yes,
    No,
    Unknown,
}

impl Citation {
    /// The figure, a ratio 0..=1: `metric` without its split, of a category by its folder's name or the mean over all. `None`
    /// where the source has none.
    pub fn figure(&self, metric: &str, category: Option<&str>) -> Option<f64> {
        let (_, figures) = self.reference()?.lines.iter().find(|(name, _)| name == category.unwrap_or(MEAN))?;
        match metric {
            "image_auroc" => figures.image_auroc,
            "pixel_auroc" => figures.pixel_auroc,
            "aupro@0.3" => figures.aupro,
            _ => None,
        }
    }

    /// What stands beside a mean over these categories: the mean of the source's own figures for them where it has each, else its mean over
    /// all of MVTec AD's.
    pub fn over(&self, metric: &str, categories: &[String]) -> Option<f64> {
        self.of_each(metric, categories).or_else(|| self.figure(metric, None))
    }

    /// The mean of its figures for these categories; `None` unless it has each, and where they are all of MVTec AD's, of which its own mean
    /// is printed.
    pub fn of_each(&self, metric: &str, categories: &[String]) -> Option<f64> {
        let each: Vec<f64> = categories.iter().map(|category| self.figure(metric, Some(category))).collect::<Option<_>>()?;
        num::mean(&each).filter(|_| each.len() < CATEGORIES.len())
    }

    /// How the figures came about: `RD, own paper: wide ResNet-50-2; one model; the test set did not choose the epoch`.
    pub fn describe(&self) -> String {
        let Some(reference) = self.reference() else { return self.to_string() };
        let models = match reference.models {
            1 => "one model".to_owned(),
            n => format!("an ensemble of {n} models"),
        };
        let selected = match reference.test_selected {
            Some(true) => "the test set chose the epoch",
            Some(false) => "the test set did not choose the epoch",
            None => "whether the test set chose the epoch is not said",
        };
        let mut parts = vec![reference.variant.clone(), models, selected.to_owned()];
        parts.extend(reference.notes.iter().cloned());
        format!("{self}: {}", parts.join("; "))
    }

    /// Whether there is such a source.
    ///
    /// # Errors
    /// What there is instead: the sources of the system, or the systems.
    pub fn check(&self) -> Result<(), String> {
        if self.reference().is_some() {
            return Ok(());
        }
        let of_system: Vec<&str> =
            references().iter().map(|r| &r.citation).filter(|c| c.system == self.system).map(|c| c.source.as_str()).collect();
        if !of_system.is_empty() {
            return Err(format!("sources of {} are {}", self.system, of_system.join(", ")));
        }
        let mut systems: Vec<&str> = vec![];
        for reference in references() {
            if !systems.contains(&reference.citation.system.as_str()) {
                systems.push(&reference.citation.system);
            }
        }
        Err(format!("systems are {}", systems.join(", ")))
    }

    /// Its systems, in the file's order, that `source` has a figure of.
    pub fn systems_of(source: &str) -> impl Iterator<Item = &'static str> {
        references().iter().map(|r| &r.citation).filter(move |c| c.source == source).map(|c| c.system.as_str())
    }

    /// The sources of a system that begin with `prefix`, less the prefix, in the file's order.
    pub fn sources_of(system: &str, prefix: &str) -> impl Iterator<Item = &'static str> {
        let of_system = references().iter().map(|r| &r.citation).filter(move |c| c.system == system);
        of_system.filter_map(move |c| c.source.strip_prefix(prefix))
    }

    fn reference(&self) -> Option<&'static Reference> {
        references().iter().find(|reference| reference.citation == *self)
    }
}

fn references() -> &'static [Reference] {
    static ALL: LazyLock<Vec<Reference>> = LazyLock::new(|| parse(FIGURES).expect("a test reads the file"));
    &ALL
}

/// Understands the file; lines of one source of one system stand together.
///
/// # Errors
/// What is wrong, with its line.
fn parse(text: &str) -> Result<Vec<Reference>, String> {
    let mut all: Vec<Reference> = vec![];
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    for (index, record) in reader.deserialize::<Record>().enumerate() {
        let at = |what: String| format!("line {}: {what}", index + 2);
        add(&mut all, record.map_err(|e| at(e.to_string()))?).map_err(at)?;
    }
    Ok(all)
}

fn add(all: &mut Vec<Reference>, record: Record) -> Result<(), String> {
    let figures =
        Figures { image_auroc: ratio(&record.image_auroc)?, pixel_auroc: ratio(&record.pixel_auroc)?, aupro: ratio(&record.aupro)? };
    if figures == Figures::default() {
        return Err("there is no figure".into());
    }
    if record.category != MEAN && !CATEGORIES.contains(&record.category.as_str()) {
        return Err(format!("{:?} is not a category of MVTec AD", record.category));
    }
    if record.models == 0 {
        return Err("a figure needs at least one model".into());
    }
    let citation = Citation { system: record.system, source: record.source };
    let test_selected = match record.test_selected {
        Selected::Yes => Some(true),
        Selected::No => Some(false),
        Selected::Unknown => None,
    };
    let (variant, models) = (record.variant, record.models);
    let place = all.iter().position(|reference| reference.citation == citation);
    let reference = match place {
        Some(place) if place + 1 < all.len() => return Err(format!("lines of {citation} do not stand together")),
        Some(place) => &mut all[place],
        None => {
            all.push(Reference { citation, variant: variant.clone(), models, test_selected, notes: vec![], lines: vec![] });
            all.last_mut().expect("it was just added")
        }
    };
    if (&reference.variant, reference.models, reference.test_selected) != (&variant, models, test_selected) {
        return Err(format!("{} differs from the line before in variant, models or test_selected", reference.citation));
    }
    if reference.lines.iter().any(|(name, _)| *name == record.category) {
        return Err(format!("{} is listed twice", record.category));
    }
    reference.lines.push((record.category, figures));
    if !record.note.is_empty() && !reference.notes.contains(&record.note) {
        reference.notes.push(record.note);
    }
    Ok(())
}

/// Printed per cent as a ratio.
fn ratio(percent: &str) -> Result<Option<f64>, String> {
    if percent.is_empty() {
        return Ok(None);
    }
    // 89.6 -> 0.896, which 89.6 / 100.0 is not.
    let value = format!("{percent}e-2").parse().ok().filter(|value| (0.0..=1.0).contains(value));
    value.map(Some).ok_or_else(|| format!("{percent:?} is not a valid percentage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(system: &str, source: &str) -> Citation {
        Citation { system: system.into(), source: source.into() }
    }

    #[test]
    fn the_file_is_whole_and_its_figures_are_those_printed() {
        assert!(parse(FIGURES).unwrap().len() > 15);
        let rd = of("RD", "own paper");
        assert_eq!((rd.figure("image_auroc", None), rd.figure("aupro@0.3", Some("transistor"))), (Some(0.985), Some(0.78)));
        let over = |names: &[&str], metric| rd.over(metric, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert!(over(&["transistor", "toothbrush"], "image_auroc").is_some_and(|mean| (mean - 0.981).abs() < 1e-9));
        for others in [&["gear"][..], &["transistor", "gear"], &[], &CATEGORIES] {
            assert_eq!(over(others, "image_auroc"), Some(0.985), "{others:?}");
        }
        assert_eq!((rd.figure("pixel_ap", None), rd.figure("image_auroc", Some("gear"))), (None, None));
        assert_eq!(of("CutPaste", "own paper").figure("image_auroc", None), Some(0.952));
        assert_eq!(of("CutPaste", "own paper, ensemble").figure("image_auroc", None), Some(0.961));
        assert_eq!(of("FCDD", "own paper").figure("pixel_auroc", Some("screw")), Some(0.86));
    }

    #[test]
    fn a_description_says_variant_models_and_who_chose_the_epoch() {
        let ensemble = of("CutPaste", "own paper, ensemble").describe();
        assert!(ensemble.starts_with("CutPaste, own paper, ensemble: ") && ensemble.contains("an ensemble of 5 models"), "{ensemble}");
        assert!(of("GLASS", "anomalib").describe().contains("the test set chose the epoch"));
        assert!(of("RD", "own paper").describe().contains("per image"), "its PRO is another one");
        assert!(of("US", "re-run by the authors of CutPaste").describe().contains("not said"));
    }

    #[test]
    fn every_source_is_explained_in_the_readme() {
        let readme = include_str!("../../assets/published/README.md");
        for reference in references() {
            let Citation { system, source } = &reference.citation;
            let own = readme.contains(&format!("| {system} | {source} |"));
            let table = source.split_inclusive(", ").take(2).collect::<String>();
            assert!(own || source.starts_with("seed paper") && readme.contains(&format!("`{table}")), "{system}, {source}");
        }
    }

    #[test]
    fn what_is_wrong_in_the_file_is_told_with_its_line() {
        let header = FIGURES.lines().next().unwrap();
        let fault = |lines: &[&str]| parse(&format!("{header}\n{}\n", lines.join("\n"))).unwrap_err();
        let good = "A,s,v,1,no,screw,90.0,,,";
        assert!(parse(&format!("{header}\n{good}\n")).is_ok());
        assert_eq!(fault(&["A,s,v,1,no,screw,,,,"]), "line 2: there is no figure");
        assert_eq!(fault(&[good, "A,s,v,1,no,bolt,1,,,"]), "line 3: \"bolt\" is not a category of MVTec AD");
        assert_eq!(fault(&["A,s,v,1,no,screw,101,,,"]), "line 2: \"101\" is not a valid percentage");
        assert_eq!(fault(&["A,s,v,0,no,screw,90,,,"]), "line 2: a figure needs at least one model");
        assert_eq!(fault(&[good, good]), "line 3: screw is listed twice");
        assert!(fault(&[good, "A,s,v,5,no,tile,90,,,"]).contains("line 3: A, s differs"));
        assert!(fault(&[good, "B,s,v,1,no,screw,90,,,", "A,s,v,1,no,tile,90,,,"]).contains("line 4: lines of A, s do not stand together"));
        assert!(fault(&["A,s,v,1,perhaps,screw,90,,,"]).contains("line 2: "));
    }
}
