//! The result of a check as plain data, and its two renderings: text for people, JSON for programs.

use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

use crate::names::counted;

/// Version of the JSON form.
const FORMAT: u32 = 1;

/// Files named per finding in the text; the JSON has all.
const NAMED: usize = 5;

/// What a finding means for a result. Ordered by weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Nothing to worry about.
    Fact,
    /// A figure may be doubted, or has no value.
    Warns,
    /// A figure would be wrong, or a run would stop.
    Spoils,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub grade: Grade,
    pub what: String,
    /// What it is about: files below the root, keys of images, or what the decoder said about a file.
    pub files: Vec<String>,
}

impl Finding {
    pub fn new(grade: Grade, what: impl Into<String>, files: Vec<String>) -> Self {
        Self { grade, what: what.into(), files }
    }

    /// A finding about `files`, where there are any.
    pub fn some(grade: Grade, what: &str, files: Vec<String>) -> Option<Self> {
        (!files.is_empty()).then(|| Self::new(grade, what, files))
    }
}

/// One folder of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// `train` or `test`.
    pub split: String,
    pub folder: String,
    pub images: usize,
    /// Images that have a mask file.
    pub masks: usize,
    /// Connected regions of all readable masks, where only edges join pixels, and where corners do too.
    pub regions_4: usize,
    pub regions_8: usize,
}

/// The sizes of a category's images, `[width, height]` in px, compared by area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sizes {
    pub smallest: [usize; 2],
    pub largest: [usize; 2],
    pub distinct: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CategoryReport {
    pub name: String,
    /// Train before test, each sorted by folder.
    pub counts: Vec<Count>,
    /// `None` where no image could be read.
    pub sizes: Option<Sizes>,
    /// The most serious first.
    pub findings: Vec<Finding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub root: PathBuf,
    pub categories: Vec<CategoryReport>,
    /// About the root itself.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Every finding, with its category where it has one.
    pub fn all(&self) -> impl Iterator<Item = (Option<&str>, &Finding)> {
        let own = self.findings.iter().map(|f| (None, f));
        own.chain(self.categories.iter().flat_map(|c| c.findings.iter().map(|f| (Some(c.name.as_str()), f))))
    }

    /// Findings of one grade.
    pub fn count(&self, grade: Grade) -> usize {
        self.all().filter(|(_, finding)| finding.grade == grade).count()
    }

    /// The JSON form, indented, with its format version first.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Versioned<'a> {
            format: u32,
            spoils: usize,
            warns: usize,
            #[serde(flatten)]
            report: &'a Report,
        }
        let whole = Versioned { format: FORMAT, spoils: self.count(Grade::Spoils), warns: self.count(Grade::Warns), report: self };
        serde_json::to_string_pretty(&whole).expect("plain data becomes JSON")
    }

    /// A table and the findings of each category, and a last line that sums them up.
    pub fn text(&self) -> String {
        let mut lines: Vec<String> = Vec::new();
        for category in &self.categories {
            lines.extend(category.lines());
            lines.push(String::new());
        }
        lines.extend(self.findings.iter().flat_map(Finding::lines));
        let images = self.categories.iter().flat_map(|c| &c.counts).map(|c| c.images).sum();
        let verdict = match self.count(Grade::Spoils) {
            0 => "nothing would spoil a result".to_owned(),
            n => counted(n, "finding would spoil a result", "findings would spoil a result"),
        };
        let (categories, images) = (counted(self.categories.len(), "category", "categories"), counted(images, "image", "images"));
        lines.push(format!("{categories}, {images}: {verdict}, {}", counted(self.count(Grade::Warns), "warning", "warnings")));
        lines.join("\n") + "\n"
    }
}

impl CategoryReport {
    fn lines(&self) -> Vec<String> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(["split", "folder", "images", "masks", "regions (8)", "regions (4)"]);
        for count in &self.counts {
            // Good images have no mask, so no regions either: the cell says that, where 0 would claim a count.
            let or_none = |n: usize| if count.masks == 0 { "—".to_owned() } else { n.to_string() };
            table.add_row([
                count.split.clone(),
                count.folder.clone(),
                count.images.to_string(),
                or_none(count.masks),
                or_none(count.regions_8),
                or_none(count.regions_4),
            ]);
        }
        table.column_iter_mut().skip(2).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
        let sizes = match &self.sizes {
            Some(Sizes { smallest: [w, h], distinct: 1, .. }) => format!(", {w}x{h} px"),
            Some(Sizes { smallest: [w, h], largest: [x, y], distinct }) => format!(", {w}x{h} to {x}x{y} px in {distinct} sizes"),
            None => String::new(),
        };
        let mut lines = vec![format!("{}{sizes}", self.name)];
        lines.extend(table.lines().map(|line| format!(" {}", line.trim_end())));
        lines.extend(self.findings.iter().flat_map(Finding::lines));
        lines
    }
}

impl Finding {
    /// In a line, with the first files that it is about.
    pub fn line(&self) -> String {
        let files: Vec<&str> = self.files.iter().take(NAMED).map(String::as_str).collect();
        let more = if self.files.len() > NAMED { format!(" and {} more", self.files.len() - NAMED) } else { String::new() };
        if files.is_empty() { self.what.clone() } else { format!("{} ({}): {}{more}", self.what, self.files.len(), files.join(", ")) }
    }

    fn lines(&self) -> Vec<String> {
        let mark = match self.grade {
            Grade::Spoils => "SPOILS",
            Grade::Warns => "warns ",
            Grade::Fact => "note  ",
        };
        let number = if self.files.is_empty() { String::new() } else { format!(" ({})", self.files.len()) };
        let mut lines = vec![format!("  {mark} {}{number}", self.what)];
        lines.extend(self.files.iter().take(NAMED).map(|file| format!("           {file}")));
        if self.files.len() > NAMED {
            lines.push(format!("           and {} more", self.files.len() - NAMED));
        }
        lines
    }
}
