//! One page of a study: `report.html`, a single file that needs no network, no server and no script to be read.
//!
//! What was run, what was found, tables that sort, every figure, the settings that differ, environments, failures, and how to
//! repeat it. Times stand in their own section alone: everything else depends on the study and its runs only.

mod html;
mod listing;
mod machines;
mod picture;

pub use listing::Listing;
pub use machines::Machines;

use std::fmt::Write;
use std::path::Path;

use crate::Result;
use crate::file;
use crate::report::lineage;
use crate::report::spell::{NOTHING, counted, spelled};
use crate::run::{Environment, Git, Summary};
use crate::sweep::{Against, Cell, Outcome, Study};
use crate::ui::text;

use super::figure::Drawn;
use super::{Comparison, Form, Table};
use html::{escape, prose, table, terms};

const STYLE: &str = include_str!("../../../../assets/report.css");
const SCRIPT: &str = include_str!("../../../../assets/report.js");

/// What a browser may do for this page: show what it holds, and make no request.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// Everything on the page.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    pub study: &'a Study,
    pub comparison: &'a Comparison,
    /// Plain text; an empty line parts paragraphs, `- ` begins an item of a list, `#` a heading.
    pub findings: &'a str,
    pub tables: &'a [Listing],
    /// Those of [`super::figure::write_all`]; their files are read and become part of the page.
    pub figures: &'a [Drawn],
    pub machines: &'a Machines,
    /// What to type to get all this again.
    pub command: &'a str,
}

/// A table alone as HTML, to stand in a page of somebody else's.
pub fn fragment(table: &Table, form: Form) -> String {
    Listing::of(table, form).iter().map(html::table).collect()
}

/// Writes the page, replacing the file whole.
///
/// # Errors
/// A figure that cannot be read and a page that cannot be written, by path.
pub fn write(path: &Path, page: &Page) -> Result<()> {
    file::replace(path, page.html()?.as_bytes())
}

impl Page<'_> {
    /// The page as HTML.
    ///
    /// # Errors
    /// A figure that cannot be read.
    pub fn html(&self) -> Result<String> {
        let sections = [
            ("findings", "Findings", prose(self.findings)),
            ("tables", "Tables", self.tables.iter().map(table).collect()),
            ("figures", "Figures", self.pictures(false)?),
            ("images", "Test images", self.pictures(true)?),
            ("settings", "Settings that differ", self.settings()),
            ("failures", "Failures", self.failures()),
            ("environment", "Environment", self.environment()),
            ("repeat", "How to repeat it", format!("<pre><code>{}</code></pre>\n", escape(self.command))),
            ("runs", "Runs and times", self.runs()),
        ];
        let shown: Vec<_> = sections.into_iter().filter(|(_, _, body)| !body.is_empty()).collect();
        let title = escape(if self.study.title.is_empty() { &self.study.name } else { &self.study.title });
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n{}</header>\n<nav aria-label=\"Contents\"><ul>\n",
            self.head()
        );
        for (id, heading, _) in &shown {
            let _ = writeln!(out, "<li><a href=\"#{id}\">{heading}</a></li>");
        }
        out += "</ul></nav>\n<main>\n";
        for (id, heading, body) in &shown {
            let _ = writeln!(out, "<section id=\"{id}\">\n<h2>{heading}</h2>\n{body}</section>");
        }
        let _ = write!(out, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
        Ok(out)
    }

    /// What was run.
    fn head(&self) -> String {
        let Study { name, profile, data, root, rows, categories, seeds, cells, axes, .. } = self.study;
        let finished = cells.iter().filter(|c| c.summary().is_some()).count();
        let failed = cells.iter().filter(|c| matches!(c.outcome, Outcome::Failed { .. })).count();
        let (all, missing) = (cells.len(), cells.len() - finished - failed);
        let runs = format!("{finished} of {all} finished, {failed} failed, {missing} missing");
        let against = match self.study.against {
            Against::Previous => "the row before".to_owned(),
            Against::Row(row) => rows.get(row).map_or_else(|| NOTHING.into(), |r| r.name.clone()),
        };
        let listed = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(", ");
        let mut pairs = vec![("sweep", name.clone()), ("profile", profile.clone()), ("data", data.clone())];
        if root != crate::data::root::BUILTIN {
            pairs.push(("folder", root.clone()));
        }
        if !axes.is_empty() {
            pairs.push(("varied", listed(&mut axes.iter().map(|axis| axis.key.clone()))));
        }
        pairs.extend([
            ("rows", format!("{}: {}", rows.len(), listed(&mut rows.iter().map(|row| row.name.clone())))),
            ("categories", format!("{}: {}", categories.len(), categories.join(", "))),
            ("seeds", listed(&mut seeds.iter().map(u64::to_string))),
            ("n", format!("{} runs a row: {} categories × {} seeds", self.comparison.pairs, categories.len(), seeds.len())),
            ("runs", runs),
            ("compared with", against),
        ]);
        pairs.extend(self.lineages());
        terms(&pairs)
    }

    /// What the runs say of their lineage, each once: every protocol, then every backbone.
    fn lineages(&self) -> Vec<(&'static str, String)> {
        let of = |run: &Summary| {
            let protocol = Some(("protocol", lineage::protocol(run).to_owned()));
            let selection = lineage::selection(run).map(|text| ("selection", text.to_owned()));
            [protocol, lineage::backbone(run).map(|text| ("backbone", text)), selection]
        };
        let (runs, mut found) = (self.study.cells.iter().filter_map(Cell::summary), vec![]);
        for pair in runs.flat_map(of).flatten() {
            if !found.contains(&pair) {
                found.push(pair);
            }
        }
        let order = |term: &str| ["protocol", "backbone", "selection"].iter().position(|known| *known == term);
        found.sort_by_key(|(term, _)| order(term));
        found
    }

    /// The plots, or the panels of test images.
    fn pictures(&self, panels: bool) -> Result<String> {
        let is_panel = |d: &&Drawn| d.name.starts_with("panels-");
        let bitmaps = self.figures.iter().filter(|d| d.file.as_ref().is_some_and(|f| f.extension().is_some_and(|e| e == "png"))).count();
        let mut out = String::new();
        for drawn in self.figures.iter().filter(|d| is_panel(d) == panels) {
            let _ = writeln!(out, "<h3>{}</h3>", escape(&drawn.title));
            let Some(path) = &drawn.file else {
                let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(&drawn.caption));
                continue;
            };
            let source = picture::address(path, bitmaps)?;
            let (alt, caption) = (escape(&drawn.alt), escape(&drawn.caption));
            let _ = writeln!(
                out,
                "<figure id=\"{}\"><img src=\"{source}\" alt=\"{alt}\">\n<figcaption>{caption}</figcaption></figure>",
                escape(&drawn.name)
            );
        }
        Ok(out)
    }

    fn settings(&self) -> String {
        let mut keys: Vec<&String> = self.study.rows.iter().flat_map(|row| row.settings.keys()).collect();
        keys.sort();
        keys.dedup();
        if keys.is_empty() {
            return String::new();
        }
        let row = |row: &crate::sweep::Row| {
            let value = |key: &&String| row.settings.get(*key).map_or_else(|| NOTHING.into(), spelled);
            std::iter::once(row.name.clone()).chain(keys.iter().map(value)).collect()
        };
        let header = std::iter::once("row".to_owned()).chain(keys.iter().map(|key| key.to_string())).collect();
        let rows = self.study.rows.iter().map(row).collect();
        table(&Listing { header, rows, notes: vec!["All other settings are the same in every row.".into()], ..Listing::default() })
    }

    fn failures(&self) -> String {
        let mut out = String::new();
        for cell in &self.study.cells {
            if let Outcome::Failed { error } = &cell.outcome {
                let place = format!("{}, {}, seed {}", self.row(cell), cell.category, cell.seed);
                let _ = writeln!(
                    out,
                    "<h3 class=\"bad\">{}</h3>\n<p><code>{}</code></p>\n<pre>{}</pre>",
                    escape(&place),
                    cell.id,
                    escape(error)
                );
            }
        }
        let missing: Vec<String> = self.study.cells.iter().filter(|c| c.outcome == Outcome::Missing).map(|c| c.id.to_string()).collect();
        if !missing.is_empty() {
            let _ = writeln!(out, "<p>Not started or not finished: {}.</p>", escape(&missing.join(", ")));
        }
        out
    }

    fn environment(&self) -> String {
        let Machines { environments, revisions, data, unknown } = self.machines;
        let mut out = String::new();
        for (environment, runs) in environments {
            out += &terms(&described(environment, *runs));
        }
        if let Some(warning) = self.machines.warning() {
            let _ = writeln!(out, "<p class=\"bad\">{warning}</p>");
        }
        let revision = |(git, runs): &(Option<Git>, usize)| match git {
            Some(git) => vec![git.revision.clone(), if git.dirty { "yes" } else { "no" }.into(), runs.to_string()],
            None => vec![NOTHING.into(), NOTHING.into(), runs.to_string()],
        };
        if !revisions.is_empty() {
            let header = ["git revision", "with changes", "runs"].map(String::from).to_vec();
            out += &table(&Listing { header, rows: revisions.iter().map(revision).collect(), ..Listing::default() });
        }
        if !data.is_empty() {
            let rows = data.iter().map(|(category, hashes)| vec![category.clone(), hashes.join(", ")]).collect();
            let header = ["category", "hash of the data"].map(String::from).to_vec();
            out += &format!("<details><summary>Data</summary>\n{}</details>\n", table(&Listing { header, rows, ..Listing::default() }));
        }
        if *unknown > 0 {
            let _ = writeln!(out, "<p class=\"note\">{} left no description of their environment.</p>", counted(*unknown, "run", "runs"));
        }
        out
    }

    fn runs(&self) -> String {
        let seconds = |cell: &Cell| cell.summary().map(|s| s.timing.wall_s);
        let by_row = |(i, row): (usize, &crate::sweep::Row)| {
            let times: Vec<f64> = self.study.cells.iter().filter(|c| c.row == i).filter_map(seconds).collect();
            let total: f64 = times.iter().sum();
            let mean = if times.is_empty() { NOTHING.into() } else { format!("{:.1}", total / times.len() as f64) };
            vec![row.name.clone(), times.len().to_string(), mean, text::duration(total)]
        };
        let rows = self.study.rows.iter().enumerate().map(by_row).collect();
        let header = ["row", "finished runs", "seconds a run", "in all"].map(String::from).to_vec();
        let sums = table(&Listing { header, rows, ..Listing::default() });

        let of_cell = |cell: &Cell| {
            let (outcome, wall, attempts) = match &cell.outcome {
                Outcome::Finished(s) => ("finished", format!("{:.1}", s.timing.wall_s), s.timing.attempts.to_string()),
                Outcome::Failed { .. } => ("failed", NOTHING.into(), NOTHING.into()),
                Outcome::Missing => ("missing", NOTHING.into(), NOTHING.into()),
            };
            vec![
                self.row(cell).to_owned(),
                cell.category.clone(),
                cell.seed.to_string(),
                outcome.into(),
                wall,
                attempts,
                cell.id.to_string(),
            ]
        };
        let header = ["row", "category", "seed", "outcome", "seconds", "attempts", "run"].map(String::from).to_vec();
        let all = table(&Listing { header, rows: self.study.cells.iter().map(of_cell).collect(), ..Listing::default() });
        let note = "Seconds of computing, lost work left out; they depend on the machine and on what else it did.";
        format!("{sums}<details><summary>Every run</summary>\n{all}</details>\n<p class=\"note\">{note}</p>\n")
    }

    /// The name of a run's row.
    fn row(&self, cell: &Cell) -> &str {
        self.study.rows.get(cell.row).map_or(NOTHING, |row| &row.name)
    }
}

fn described(environment: &Environment, runs: usize) -> Vec<(&'static str, String)> {
    let Environment { harness, os, cpu, ram_bytes, given, .. } = environment;
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| NOTHING.into());
    vec![
        ("runs", runs.to_string()),
        ("harness", harness.clone()),
        ("libtorch", or_dash(&given.libtorch)),
        ("rustc", or_dash(&given.rustc)),
        ("device", format!("{}, {} threads an operator", given.device, given.threads)),
        ("processor", format!("{}, {} cores, {}", cpu.model, cpu.cores, cpu.flags.join(" "))),
        ("memory", ram_bytes.map_or_else(|| NOTHING.into(), text::bytes)),
        ("system", os.clone()),
        ("weights", or_dash(&given.weights_hash)),
    ]
}
