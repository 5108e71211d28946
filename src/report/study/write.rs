//! From a plan and a run store to all files of a report.

use std::path::{Path, PathBuf};

use super::markdown::escape;
use super::page::{self, Listing, Machines, Page};
use super::{Comparison, Finding, Form, Format, Incomplete, Pivot, Table, View, answer, figure, findings, render, text};
use crate::file;
use crate::store::Store;
use crate::sweep::board::Board;
use crate::sweep::folder::{self, SweepFolder};
use crate::sweep::{Cell, Outcome, Plan, Study};
use crate::{Error, Result};

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Tables only: after a round of a sweep that goes on.
    Tables,
    /// Figures and the page too.
    All,
}

/// The page, beside the tables.
const PAGE: &str = "report.html";

/// Whether a file of a sweep's folder, by its path in it, shows people what the sweep is and found: the file it was made of, plan, tables,
/// findings, page.
pub fn is_shown(name: &str) -> bool {
    !name.contains('/') && (Format::is_file(name) || name == folder::FILE || name == PAGE)
}

/// A sweep's report: which of its runs, and where it goes.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    pub plan: &'a Plan,
    pub store: &'a Store,
    /// Those of the plan's seeds that it is about.
    pub seeds: &'a [u64],
    /// Tables and page.
    pub folder: &'a Path,
    pub plots: &'a Path,
    /// Where the data lie, if not where the plan says.
    pub data: Option<&'a Path>,
    pub view: &'a View,
    pub incomplete: Incomplete,
}

/// What was computed, and written where it was asked for.
#[derive(Debug, Clone)]
pub struct Written {
    pub study: Study,
    pub comparison: Comparison,
    /// The main table; main effects where several things vary; what rows gain and cost; average ranks; then one a metric by category
    /// where there are several. Each with the stem of its files.
    pub tables: Vec<(String, Table)>,
    /// What was found, in at most three sentences.
    pub answer: Vec<String>,
    pub findings: Vec<Finding>,
    pub files: Vec<PathBuf>,
}

impl Report<'_> {
    /// Computes everything and writes nothing.
    ///
    /// # Errors
    /// A run that cannot be read.
    pub fn look(&self) -> Result<Written> {
        let (study, comparison) = self.compute()?;
        let mut tables = vec![("table".to_owned(), Table::of(&study, &comparison, self.incomplete))];
        let effects = Table::effects(&study, &comparison, self.incomplete).map(|table| ("effects".to_owned(), table));
        tables.extend(effects.into_iter().chain(Table::verdicts(&study, &comparison).map(|table| ("verdicts".to_owned(), table))));
        tables.extend(Table::ranks(&study).map(|table| ("ranks".to_owned(), table)));
        if study.categories.len() > 1 {
            for metric in &study.metrics {
                let stem = format!("by-category-{}", metric.replace('@', "-"));
                tables.push((stem, Table::by_category(&study, &comparison, metric, self.incomplete)?));
            }
        }
        for (stem, table) in &mut tables {
            table.label = if stem == "table" { self.plan.name.clone() } else { format!("{}-{stem}", self.plan.name) };
        }
        if self.seeds.len() < self.plan.seeds.len() {
            let listed = |seeds: &[u64]| seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
            let note = format!("Of the plan's seeds {}, these are {} alone.", listed(&self.plan.seeds), listed(self.seeds));
            tables.iter_mut().for_each(|(_, table)| table.notes.insert(0, note.clone()));
        }
        if let Some(condition) = &self.view.condition {
            let note = format!("Of the runs where {condition}.");
            tables.iter_mut().for_each(|(_, table)| table.notes.insert(0, note.clone()));
        }
        let findings = findings(&study, &comparison);
        Ok(Written { answer: answer(&study, &comparison), study, comparison, tables, findings, files: vec![] })
    }

    /// Computes everything and writes it; each file is replaced whole, and tables by category that an earlier plan had are
    /// removed.
    ///
    /// # Errors
    /// A run that cannot be read, a file that cannot be written.
    pub fn write(&self, extent: Extent) -> Result<Written> {
        self.put(self.look()?, extent)
    }

    /// [`Report::write`], unless rows that are whole in the table on disk would lose their figures because runs are not there any more.
    ///
    /// # Errors
    /// Those of [`Report::write`]; `Kind::Environment` naming the rows, and nothing was written.
    pub fn write_unless_lost(&self, extent: Extent) -> Result<Written> {
        let written = self.look()?;
        let lost = self.lost(&written);
        if lost.is_empty() {
            return self.put(written, extent);
        }
        Err(Error::environment(
            format!(
                "{}: nothing was written: the table there has every run of {}, and some are missing from {}",
                self.folder.display(),
                lost.join(", "),
                self.store.runs().display()
            ),
            format!(
                "put the runs back, or make them again; `harness report {} --partial` prints what is there, --replace writes it",
                self.plan.name
            ),
        ))
    }

    /// Rows that are whole in the table on disk and would not be in this one, for want of runs that are neither there nor failed.
    fn lost(&self, written: &Written) -> Vec<String> {
        let text = std::fs::read(self.folder.join("table.json")).unwrap_or_default();
        let stored: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        let before = |name: &str| {
            let line = stored["table"]["lines"].as_array()?.iter().find(|line| line["name"] == name)?;
            Some((line["n"].as_u64()? as usize, line["planned"].as_u64()? as usize))
        };
        let missing = |name: &str| {
            let of = |cell: &Cell| written.study.rows[cell.row].name == name && cell.outcome == Outcome::Missing;
            written.study.cells.iter().any(of)
        };
        let lines = written.tables[0].1.lines.iter();
        let lost = lines.filter(|line| before(&line.name) == Some((line.planned, line.planned)) && line.n < line.planned);
        lost.filter(|line| missing(&line.name)).map(|line| line.name.clone()).collect()
    }

    fn put(&self, mut written: Written, extent: Extent) -> Result<Written> {
        for (stem, table) in &written.tables {
            for (format, ending) in Format::FILES {
                let path = self.folder.join(format!("{stem}.{ending}"));
                file::replace(&path, render(table, format.form(), format).as_bytes())?;
                written.files.push(path);
            }
        }
        let fresh = |path: &Path| written.files.iter().any(|file| file == path);
        let comes_and_goes = |name: &str| ["by-category-", "effects.", "verdicts.", "ranks."].iter().any(|begin| name.starts_with(begin));
        file::remove_stale(self.folder, &|path, name| comes_and_goes(name) && Format::is_file(name) && !fresh(path))?;
        let path = self.folder.join("findings.md");
        let all = [written.answer.join(" "), text(&written.findings)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        file::replace(&path, format!("{}\n", escape_lines(&all.join("\n\n"))).as_bytes())?;
        written.files.push(path);
        if extent == Extent::All {
            self.draw(&mut written)?;
            // Where links cannot be made, TensorBoard still has all runs by their ids.
            if let Some(results) = self.folder.parent() {
                let _ = Board::of(self.plan, &SweepFolder::new(results, &self.plan.name)).show(self.store);
            }
        }
        Ok(written)
    }

    /// Rows and columns as they are asked for, in one format.
    ///
    /// # Errors
    /// Keys that the sweep does not vary, a metric that it does not have.
    pub fn pivot(&self, pivot: &Pivot, form: Form, format: Format) -> Result<String> {
        let study = self.view.of(Study::collect(self.plan, self.store, self.seeds)?, self.plan)?;
        let table = Table { label: format!("{}-{}", self.plan.name, pivot.rows), ..Table::pivot(&study, pivot, self.incomplete)? };
        Ok(render(&table, form, format))
    }

    fn compute(&self) -> Result<(Study, Comparison)> {
        let study = self.view.of(Study::collect(self.plan, self.store, self.seeds)?, self.plan)?;
        let mut comparison = Comparison::of(&study);
        comparison.read_first_losses(&study, self.store)?;
        Ok((study, comparison))
    }

    /// Figures, and the page with everything on it.
    fn draw(&self, written: &mut Written) -> Result<()> {
        if let Some(data) = self.data {
            written.study.root = data.display().to_string();
        }
        let figures = figure::write_all(&written.study, &written.comparison, self.store, self.plots)?;
        written.files.extend(figures.iter().filter_map(|drawn| drawn.file.clone()));
        let path = self.folder.join(PAGE);
        let page = Page {
            study: &written.study,
            comparison: &written.comparison,
            folder: self.folder,
            answer: &written.answer,
            findings: &written.findings,
            tables: &written.tables.iter().map(|(_, table)| Listing::of(table, Form::Full, Some(&written.study))).collect::<Vec<_>>(),
            figures: &figures,
            machines: &Machines::read(&written.study, self.store)?,
            command: &self.plan.command,
        };
        page::write(&path, &page)?;
        written.files.push(path);
        Ok(())
    }
}

impl Written {
    /// The main table in one form and format; for people with the others, the findings and where the files are.
    pub fn print(&self, form: Form, format: Format) -> String {
        let table = render(&self.tables[0].1, form, format);
        if format != Format::Terminal || form != Form::Full {
            return table;
        }
        let pages: Vec<String> = self
            .files
            .iter()
            .filter(|f| f.extension().is_some_and(|e| e == "md" || e == "html"))
            .map(|f| f.display().to_string())
            .collect();
        let others = self.tables[1..]
            .iter()
            .filter(|(stem, _)| stem == "effects" || stem == "verdicts")
            .map(|(_, table)| render(table, form, format));
        let answer = self.answer.join(" ") + "\n";
        let last = [text(&self.findings) + "\n", pages.join("\n") + "\n"];
        let parts: Vec<String> = [answer, table].into_iter().chain(others).chain(last).collect();
        parts.into_iter().filter(|part| part != "\n").collect::<Vec<_>>().join("\n")
    }
}

/// Markdown's signs in names stand for themselves; paragraphs and items stay.
fn escape_lines(findings: &str) -> String {
    findings.lines().map(escape).collect::<Vec<_>>().join("\n")
}
