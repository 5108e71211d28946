//! From a plan and a run store to all files of a report.

use std::path::{Path, PathBuf};

use super::page::{self, Listing, Machines, Page};
use super::{Comparison, Format, Incomplete, Pivot, Table, figure, findings, render, text};
use crate::Result;
use crate::run::{Store, file};
use crate::sweep::{Plan, Study};

/// How much is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Tables only: after a round of a sweep that goes on.
    Tables,
    /// Figures and the page too.
    All,
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
    pub incomplete: Incomplete,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Written {
    pub study: Study,
    pub comparison: Comparison,
    /// The main table, then one a metric by category where there are several.
    pub tables: Vec<Table>,
    pub findings: String,
    pub files: Vec<PathBuf>,
}

impl Report<'_> {
    /// Computes everything and writes it; each file is replaced whole.
    ///
    /// # Errors
    /// A run that cannot be read, a file that cannot be written.
    pub fn write(&self, extent: Extent) -> Result<Written> {
        let (study, comparison) = self.compute()?;
        let mut tables = vec![Table::of(&study, &comparison, self.incomplete)];
        let mut stems = vec!["table".to_owned()];
        if study.categories.len() > 1 {
            for metric in &study.metrics {
                tables.push(Table::by_category(&study, &comparison, metric, self.incomplete)?);
                stems.push(format!("by-category-{}", metric.replace('@', "-")));
            }
        }
        if self.seeds.len() < self.plan.seeds.len() {
            let note = format!("So far: {} of the plan's {} seeds.", self.seeds.len(), self.plan.seeds.len());
            tables.iter_mut().for_each(|table| table.notes.insert(0, note.clone()));
        }
        let findings = text(&findings(&study, &comparison));
        let mut written = Written { study, comparison, tables, findings, files: vec![] };
        for (table, stem) in written.tables.iter().zip(&stems) {
            for (format, ending) in Format::FILES {
                let path = self.folder.join(format!("{stem}.{ending}"));
                file::replace(&path, render(table, format).as_bytes())?;
                written.files.push(path);
            }
        }
        let path = self.folder.join("findings.md");
        file::replace(&path, format!("{}\n", written.findings).as_bytes())?;
        written.files.push(path);
        if extent == Extent::All {
            self.draw(&mut written)?;
        }
        Ok(written)
    }

    /// One metric over two varied keys, in one format.
    ///
    /// # Errors
    /// Keys or a metric that the sweep does not vary.
    pub fn pivot(&self, pivot: &Pivot, format: Format) -> Result<String> {
        let (study, comparison) = self.compute()?;
        Ok(render(&Table::pivot(&study, &comparison, pivot, self.incomplete)?, format))
    }

    fn compute(&self) -> Result<(Study, Comparison)> {
        let study = Study::collect(self.plan, self.store, self.seeds)?;
        let mut comparison = Comparison::of(&study);
        comparison.read_first_losses(&study, self.store)?;
        Ok((study, comparison))
    }

    /// Figures, and the page with everything on it.
    fn draw(&self, written: &mut Written) -> Result<()> {
        let figures = figure::write_all(&written.study, &written.comparison, self.store, self.plots)?;
        written.files.extend(figures.iter().filter_map(|drawn| drawn.file.clone()));
        let path = self.folder.join("report.html");
        let page = Page {
            study: &written.study,
            comparison: &written.comparison,
            findings: &written.findings,
            tables: &written.tables.iter().map(Listing::from).collect::<Vec<_>>(),
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
    /// The main table in one format; for people with its findings and where the files are.
    pub fn print(&self, format: Format) -> String {
        let table = render(&self.tables[0], format);
        if format != Format::Terminal {
            return table;
        }
        let pages: Vec<String> = self
            .files
            .iter()
            .filter(|f| f.extension().is_some_and(|e| e == "md" || e == "html"))
            .map(|f| f.display().to_string())
            .collect();
        format!("{table}\n{}\n\n{}\n", self.findings, pages.join("\n"))
    }
}
