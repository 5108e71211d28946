//! The runs of a study: why some are missing, what each took, and where each lies.

use std::fmt::Write;

use super::content::Page;
use super::html::{address, attributes, escape, link, table};
use super::listing::Listing;
use super::mark::Mark;
use crate::names::without_places;
use crate::report::spell::NOTHING;
use crate::sweep::{Cell, Outcome};
use crate::ui::text;

/// The folder of runs, from the page.
const RUNS: [&str; 2] = ["..", "runs"];

/// Where a run lies, from the page; the last part empty, so that it is a folder.
fn folder(cell: &Cell) -> String {
    address(&[RUNS[0], RUNS[1], &cell.id.experiment, &cell.id.name(), ""])
}

/// What a run is about.
fn mark(page: &Page, cell: &Cell) -> Mark {
    Mark { category: Some(cell.category.clone()), ..Mark::row(page.row(cell.row)) }
}

/// Runs that failed, with their errors, and those that are missing.
pub fn failures(page: &Page) -> String {
    let mut out = String::new();
    for cell in &page.study.cells {
        if let Outcome::Failed { error } = &cell.outcome {
            let place = format!("{}, {}, seed {}", page.row(cell.row), cell.category, cell.seed);
            let run = link(&folder(cell), &cell.id.to_string());
            let (mark, place, error) = (attributes(&mark(page, cell)), escape(&place), escape(&without_places(error)));
            let _ = writeln!(
                out,
                "<div class=\"block\"{mark}>\n<h3 class=\"bad\">{place}</h3>\n<p><code>{run}</code></p>\n<pre tabindex=\"0\">{error}</pre>\n</div>"
            );
        }
    }
    let missing: Vec<String> = page.study.cells.iter().filter(|c| c.outcome == Outcome::Missing).map(|c| c.id.to_string()).collect();
    if !missing.is_empty() {
        let _ = writeln!(out, "<p>Not started or not finished: {}.</p>", escape(&missing.join(", ")));
    }
    out
}

/// Seconds of each row, and every run with its folder.
pub fn times(page: &Page) -> String {
    let note = "Seconds of computing, lost work left out; they depend on the machine and on what else it did.";
    let all = table(&every(page));
    format!("{}<details><summary>Every run</summary>\n{all}</details>\n<p class=\"note\">{note}</p>\n", table(&sums(page)))
}

fn sums(page: &Page) -> Listing {
    let seconds = |cell: &Cell| cell.summary().map(|s| s.timing.wall_s);
    let by_row = |(i, row): (usize, &crate::sweep::Row)| {
        let times: Vec<f64> = page.study.cells.iter().filter(|c| c.row == i).filter_map(seconds).collect();
        let total: f64 = times.iter().sum();
        let mean = if times.is_empty() { NOTHING.into() } else { format!("{:.1}", total / times.len() as f64) };
        vec![row.name.clone(), times.len().to_string(), mean, text::duration(total)]
    };
    Listing {
        header: ["row", "finished runs", "seconds a run", "in all"].map(String::from).to_vec(),
        rows: page.study.rows.iter().enumerate().map(by_row).collect(),
        lines: page.study.rows.iter().map(|row| Mark::row(&row.name)).collect(),
        ..Listing::default()
    }
}

fn every(page: &Page) -> Listing {
    let of_cell = |cell: &Cell| {
        let (outcome, wall, attempts) = match &cell.outcome {
            Outcome::Finished(s) => ("finished", format!("{:.1}", s.timing.wall_s), s.timing.attempts.to_string()),
            Outcome::Failed { .. } => ("failed", NOTHING.into(), NOTHING.into()),
            Outcome::Missing => ("missing", NOTHING.into(), NOTHING.into()),
        };
        let row = page.row(cell.row).to_owned();
        vec![row, cell.category.clone(), cell.seed.to_string(), outcome.into(), wall, attempts, cell.id.to_string()]
    };
    let header = ["row", "category", "seed", "outcome", "seconds", "attempts", "run"].map(String::from).to_vec();
    let cells = &page.study.cells;
    let there = cells.iter().enumerate().filter(|(_, cell)| cell.outcome != Outcome::Missing);
    Listing {
        links: there.map(|(line, cell)| ((line, header.len() - 1), folder(cell))).collect(),
        rows: cells.iter().map(of_cell).collect(),
        lines: cells.iter().map(|cell| mark(page, cell)).collect(),
        header,
        ..Listing::default()
    }
}
