//! A table as data: what each cell holds, before any format. Renderers add markup and nothing else.
//!
//! Nothing in it depends on time, host or the order in which runs ended.

use serde::Serialize;

use super::comparison::{Comparison, Difference, Training};
use super::layout::percent;
use super::notes;
use crate::num;
use crate::report::runs::metric as value;
use crate::sweep::{Study, published};
use crate::{Error, Result};

/// One table; numbers are ratios 0..=1, differences of ratios, and p values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    pub title: String,
    /// Heading of the lines' names.
    pub corner: String,
    pub columns: Vec<Column>,
    pub lines: Vec<TableLine>,
    /// What stands below: how to read it, protocol, backbone, missing runs.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    pub heading: String,
    /// Without its split.
    pub metric: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableLine {
    pub name: String,
    /// Finished runs, and planned ones.
    pub n: usize,
    pub planned: usize,
    /// One for each column.
    pub cells: Vec<Cell>,
    /// In the table of rows and metrics alone.
    pub training: Option<Training>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Cell {
    /// `None` where there is nothing, or where runs are missing and [`Incomplete::Refuse`] was asked for.
    pub mean: Option<f64>,
    /// Sample standard deviation over seeds.
    pub deviation: Option<f64>,
    /// Runs that have the metric, and planned ones; nothing is planned of a row that is quoted.
    pub n: usize,
    pub planned: usize,
    /// The paper's figure.
    pub published: Option<f64>,
    /// Where that is an average that its own categories do not give: what they give.
    pub published_computed: Option<f64>,
    pub difference: Option<Change>,
    pub rank: Option<Rank>,
}

/// A paired difference to another line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The other line's name.
    pub against: String,
    pub mean: f64,
    pub interval: Option<[f64; 2]>,
    pub p: f64,
    pub p_holm: f64,
    /// Pairs, and planned ones.
    pub n: usize,
    pub planned: usize,
}

/// Place among the cells that are compared; cells that print alike share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    Best,
    Second,
}

/// What to do with an average of which runs are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Incomplete {
    /// Leave it out: `—`.
    #[default]
    Refuse,
    /// Print the average of what is there, marked: `91.2* (5 of 6)`.
    Mark,
}

impl Cell {
    pub fn is_complete(&self) -> bool {
        self.n == self.planned
    }
}

impl Change {
    pub fn is_complete(&self) -> bool {
        self.n == self.planned
    }
}

impl Table {
    /// The study's rows with one column a metric.
    pub fn of(study: &Study, comparison: &Comparison, incomplete: Incomplete) -> Self {
        let columns = study.metrics.iter().map(|m| Column { heading: heading(m), metric: m.clone() }).collect();
        let cell = |row: usize, metric: &String| {
            let figure = &comparison.lines[row].figures[metric];
            let values: Vec<Vec<f64>> = study.categories.iter().map(|c| seeds(study, row, c, metric)).collect();
            let cell = Cell {
                mean: figure.mean,
                deviation: figure.deviation,
                n: values.iter().map(Vec::len).sum(),
                planned: comparison.lines[row].planned,
                published: figure.published,
                published_computed: study.rows[row].paper.as_ref().and_then(|p| published::discrepancy(p, metric)).map(|d| d.computed),
                difference: figure.difference.as_ref().map(|d| change(comparison, d)),
                rank: None,
            };
            shown(cell, incomplete)
        };
        let lines = comparison.lines.iter().enumerate().map(|(row, line)| TableLine {
            name: line.name.clone(),
            n: line.n,
            planned: line.planned,
            cells: study.metrics.iter().map(|metric| cell(row, metric)).collect(),
            training: Some(line.training),
        });
        let mut table = Self { title: title(study), corner: String::new(), columns, lines: lines.collect(), notes: vec![] };
        table.rank_columns();
        table.notes = notes::of(study, comparison, &table);
        table
    }

    /// The study's rows with one column a category and their mean, of one metric.
    ///
    /// # Errors
    /// A metric that is none of the study's.
    pub fn by_category(study: &Study, comparison: &Comparison, metric: &str, incomplete: Incomplete) -> Result<Self> {
        check_metric(study, metric)?;
        let metric_of = |heading: &str| Column { heading: heading.to_owned(), metric: metric.to_owned() };
        let columns = study.categories.iter().map(|c| metric_of(c)).chain([metric_of("mean")]).collect();
        let whole = Self::of(&Study { metrics: vec![metric.to_owned()], ..study.clone() }, comparison, incomplete);
        let lines = whole.lines.into_iter().enumerate().map(|(row, line)| {
            let cell = |category: &String| category_cell(study, row, category, metric, incomplete);
            let mean = line.cells.into_iter().map(|cell| Cell { difference: None, ..cell });
            TableLine { cells: study.categories.iter().map(cell).chain(mean).collect(), training: None, ..line }
        });
        let title = format!("{}: {} by category", title(study), heading(metric));
        let mut table = Self { title, corner: String::new(), columns, lines: lines.collect(), notes: vec![] };
        table.rank_columns();
        table.notes = notes::by_category(study, &table, metric);
        Ok(table)
    }

    /// Marks the best and second of each column.
    fn rank_columns(&mut self) {
        for column in 0..self.columns.len() {
            rank(self.lines.iter_mut().map(|line| &mut line.cells[column]).collect());
        }
    }
}

/// Marks the greatest and the second greatest of the complete cells as they print; of two cells only the greatest, of one
/// none.
pub(super) fn rank(cells: Vec<&mut Cell>) {
    let complete = |cell: &Cell| cell.mean.filter(|_| cell.is_complete());
    let mut values: Vec<f64> = cells.iter().filter_map(|cell| complete(cell)).collect();
    let count = values.len();
    values.sort_by(|a, b| b.total_cmp(a));
    let mut printed: Vec<String> = values.into_iter().map(percent).collect();
    printed.dedup();
    let [best, second, ..] = &printed[..] else { return };
    for cell in cells {
        cell.rank = match complete(cell).map(percent) {
            Some(text) if text == *best => Some(Rank::Best),
            Some(text) if text == *second && count > 2 => Some(Rank::Second),
            _ => None,
        };
    }
}

/// What may be shown of a cell.
fn shown(mut cell: Cell, incomplete: Incomplete) -> Cell {
    if incomplete == Incomplete::Refuse {
        cell.mean = cell.mean.filter(|_| cell.is_complete());
        cell.deviation = cell.deviation.filter(|_| cell.is_complete());
        cell.difference = cell.difference.filter(Change::is_complete);
    }
    cell
}

fn category_cell(study: &Study, row: usize, category: &str, metric: &str, incomplete: Incomplete) -> Cell {
    let values = seeds(study, row, category, metric);
    let planned = if study.is_quoted(row) { 0 } else { study.seeds.len() };
    let cell = Cell {
        mean: num::mean(&values),
        deviation: num::standard_deviation(&values).filter(|_| values.len() == planned),
        n: values.len(),
        planned,
        published: study.rows[row].paper.as_ref().and_then(|p| published::figure(p, metric, Some(category))),
        ..Cell::default()
    };
    shown(cell, incomplete)
}

/// The values of one row and category over the seeds.
fn seeds(study: &Study, row: usize, category: &str, metric: &str) -> Vec<f64> {
    study.seeds.iter().filter_map(|&seed| value(study.summary(row, category, seed)?, "", metric)).collect()
}

fn change(comparison: &Comparison, difference: &Difference) -> Change {
    let Difference { against, mean, interval, p, p_holm, n } = *difference;
    Change { against: comparison.lines[against].name.clone(), mean, interval, p, p_holm, n, planned: comparison.pairs }
}

/// Refuses a metric that is none of the study's.
pub(super) fn check_metric(study: &Study, metric: &str) -> Result<()> {
    if study.metrics.iter().any(|m| m == metric) {
        return Ok(());
    }
    let what = format!("the sweep {} has no metric {metric:?}", study.name);
    Err(Error::config(what, format!("choose from {}", study.metrics.join(", "))))
}

pub(super) fn title(study: &Study) -> String {
    if study.title.is_empty() { study.name.clone() } else { study.title.clone() }
}

/// A metric as people name it.
pub fn heading(metric: &str) -> String {
    let (level, rest) = match metric.split_once('_') {
        Some((level @ ("image" | "pixel"), rest)) => (format!("{level} "), rest),
        _ => (String::new(), metric),
    };
    let name = match rest {
        "auroc" => "AUROC".to_owned(),
        "ap" => "AP".to_owned(),
        "f1max" => "F1max".to_owned(),
        other => other.replacen("aupro", "AUPRO", 1).replace('_', " "),
    };
    level + &name
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::sweep::{Outcome, Published};

    fn cell(percent: f64) -> Cell {
        Cell { mean: Some(percent / 100.0), n: 1, planned: 1, ..Cell::default() }
    }

    fn ranks(percents: &[f64]) -> Vec<Option<Rank>> {
        let mut cells: Vec<Cell> = percents.iter().map(|p| cell(*p)).collect();
        rank(cells.iter_mut().collect());
        cells.iter().map(|c| c.rank).collect()
    }

    #[test]
    fn cells_that_print_alike_share_their_rank() {
        let (best, second) = (Some(Rank::Best), Some(Rank::Second));
        assert_eq!(ranks(&[90.0, 95.01, 94.96, 93.0]), [None, best, best, second]);
        assert_eq!(ranks(&[90.0, 95.0, 90.04]), [second, best, second]);
        assert_eq!(ranks(&[90.0, 95.0]), [None, best]);
        assert_eq!(ranks(&[90.0, 90.0, 90.0]), [None; 3], "nothing to choose");
        assert_eq!(ranks(&[90.0]), [None]);
    }

    #[test]
    fn an_incomplete_average_is_left_out_or_marked_and_never_ranked() {
        let mut study = example::ladder();
        example::outcome(&mut study, 1, "gear", 2, Outcome::Missing);
        let comparison = Comparison::of(&study);
        let refused = &Table::of(&study, &comparison, Incomplete::Refuse).lines[1].cells[0];
        assert_eq!((refused.mean, refused.n, refused.planned, refused.difference.clone()), (None, 5, 6, None));
        let marked = &Table::of(&study, &comparison, Incomplete::Mark).lines[1].cells[0];
        assert!(marked.mean.is_some() && marked.rank.is_none() && marked.deviation.is_none());
        assert_eq!(marked.difference.as_ref().unwrap().n, 5);
        let by = Table::by_category(&study, &comparison, "image_auroc", Incomplete::Refuse).unwrap();
        assert_eq!(by.lines[1].cells.iter().map(|c| c.mean.is_some()).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn categories_stand_beside_their_mean_with_the_papers_figures() {
        let mut study = example::ladder();
        study.categories[0] = "bottle".into();
        study.cells.iter_mut().filter(|c| c.category == "gear").for_each(|c| c.category = "bottle".into());
        study.rows[2].paper = Some(Published { table: 1, line: "Ours".into() });
        let comparison = Comparison::of(&study);
        let table = Table::by_category(&study, &comparison, "image_auroc", Incomplete::Refuse).unwrap();
        assert_eq!(table.columns.iter().map(|c| c.heading.as_str()).collect::<Vec<_>>(), ["bottle", "terrazzo", "mean"]);
        let cells = &table.lines[2].cells;
        assert_eq!([cells[0].published, cells[1].published, cells[2].published], [Some(1.0), None, Some(0.987)]);
        assert_eq!((cells[0].n, cells[2].n), (3, 6));
        assert!(Table::by_category(&study, &comparison, "auroc", Incomplete::Refuse).unwrap_err().remedy.contains("image_auroc"));
        assert!(table.lines[0].cells[0].deviation.is_some_and(|d| (d - 0.01).abs() < 1e-12));
    }

    #[test]
    fn nothing_is_planned_of_a_quoted_row_and_averages_that_do_not_add_up_are_marked() {
        let mut study = example::ladder();
        study.rows[2].paper = Some(Published { table: 1, line: "PaDiM".into() });
        study.cells.retain(|c| c.row != 2);
        let comparison = Comparison::of(&study);
        let table = Table::of(&study, &comparison, Incomplete::Refuse);
        let cell = &table.lines[2].cells[0];
        assert_eq!((cell.n, cell.planned, cell.published), (0, 0, Some(0.955)));
        assert!(cell.published_computed.is_some_and(|mean| (mean - 0.95420).abs() < 1e-5));
        assert_eq!(table.lines[0].cells[0].published_computed, None);
        let by = Table::by_category(&study, &comparison, "image_auroc", Incomplete::Refuse).unwrap();
        assert!(by.lines[2].cells.iter().all(|cell| cell.planned == 0));
        let shown = super::super::render(&table, super::super::Format::Markdown);
        assert!(shown.contains("| + STLNet | published | — | — | 95.5† |") && !shown.contains("| + STLNet | — | — | — |"), "{shown}");
    }

    #[test]
    fn metrics_have_headings() {
        let shown = ["image_auroc", "pixel_ap", "aupro@0.3", "aupro_linear200@0.3", "tiny_recall@fpr0.05", "pixel_f1max"].map(heading);
        assert_eq!(shown, ["image AUROC", "pixel AP", "AUPRO@0.3", "AUPRO linear200@0.3", "tiny recall@fpr0.05", "pixel F1max"]);
    }
}
