//! A table as data: what each cell holds, before any format. Renderers add markup and nothing else.
//!
//! Nothing in it depends on time, host or the order in which runs ended.

use serde::Serialize;

use crate::report::spell::percent;

/// One table; numbers are ratios 0..=1, differences of ratios, and p values.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Table {
    pub title: String,
    /// Heading of the lines' names.
    pub corner: String,
    pub columns: Vec<Column>,
    pub lines: Vec<TableLine>,
    /// Columns of text behind the metrics.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<TextColumn>,
    /// What stands below: how to read it, protocol, backbone, missing runs.
    pub notes: Vec<String>,
    /// Which comparison it makes, in the sentence above it; nothing where it makes none.
    #[serde(skip)]
    pub lead: String,
    /// What its cells are, in a sentence: all that a paper prints below it.
    #[serde(skip)]
    pub legend: String,
    /// By what a text refers to it: the sweep's name, and behind it the table's.
    #[serde(skip)]
    pub label: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    pub heading: String,
    /// Without its split.
    pub metric: String,
}

/// A column of text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TextColumn {
    pub heading: String,
    /// One for each line.
    pub cells: Vec<String>,
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

/// How a row's runs trained: an underfitted row shows by it. Means over the finished runs; none where one lacks the number,
/// as all do of a detector that is not trained.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Training {
    /// Total loss, the mean over the first epoch and over the last.
    pub first_loss: Option<f64>,
    pub last_loss: Option<f64>,
    /// Mean over the last epoch.
    pub grad_norm: Option<f64>,
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
    /// Somebody else's figure, where the row cites one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cited: Option<f64>,
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
    /// Marks the best and second of each column.
    pub(super) fn rank_columns(&mut self) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
