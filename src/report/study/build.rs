//! From a study and its numbers to tables.

use super::comparison::Comparison;
use super::difference::Difference;
use super::notes;
use super::table::{Cell, Change, Column, Incomplete, Table, TableLine};
use crate::report::spell::metric_name;
use crate::sweep::{Study, published};
use crate::{Error, Result, num};

impl Table {
    /// The study's rows with one column a metric.
    pub fn of(study: &Study, comparison: &Comparison, incomplete: Incomplete) -> Self {
        let columns = columns(study);
        let cell = |row: usize, metric: &String| {
            // An average of its own that the paper prints, and its categories do not give.
            let average = study.rows[row].paper.as_ref().filter(|p| !published::is_of_each(p, metric, &study.categories));
            let figure = &comparison.lines[row].figures[metric];
            let values: Vec<Vec<f64>> = study.categories.iter().map(|c| seeds(study, row, c, metric)).collect();
            let cell = Cell {
                mean: figure.mean,
                deviation: figure.deviation,
                n: values.iter().map(Vec::len).sum(),
                planned: comparison.lines[row].planned,
                published: figure.published,
                cited: figure.cited,
                published_computed: average.and_then(|p| published::discrepancy(p, metric)).map(|d| d.computed),
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
        let mut table = Self { title: title(study), columns, lines: lines.collect(), ..Self::default() };
        table.rank_columns();
        table.notes = notes::of(study, comparison, &table);
        table.legend = notes::legend(study, comparison);
        table.lead = notes::lead(study, comparison);
        table
    }

    /// The study's rows with one column a category and their mean, of one metric.
    ///
    /// # Errors
    /// A metric that the study does not have.
    pub fn by_category(study: &Study, comparison: &Comparison, metric: &str, incomplete: Incomplete) -> Result<Self> {
        check_metric(study, metric)?;
        let metric_of = |heading: &str| Column { heading: heading.to_owned(), metric: metric.to_owned() };
        let columns = study.categories.iter().map(|c| metric_of(study.label(c))).chain([metric_of("mean")]).collect();
        let whole = Self::of(&Study { metrics: vec![metric.to_owned()], ..study.clone() }, comparison, incomplete);
        let lines = whole.lines.into_iter().enumerate().map(|(row, line)| {
            let cell = |category: &String| category_cell(study, row, category, metric, incomplete);
            let mean = line.cells.into_iter().map(|cell| Cell { difference: None, ..cell });
            TableLine { cells: study.categories.iter().map(cell).chain(mean).collect(), training: None, ..line }
        });
        let title = format!("{}: {} by category", title(study), metric_name(study, metric));
        let mut table = Self { title, columns, lines: lines.collect(), ..Self::default() };
        table.rank_columns();
        table.notes = notes::by_category(study, &table, metric);
        table.legend = table.notes[0].clone();
        Ok(table)
    }
}

/// One column a metric.
pub(super) fn columns(study: &Study) -> Vec<Column> {
    study.metrics.iter().map(|m| Column { heading: metric_name(study, m), metric: m.clone() }).collect()
}

/// What may be shown of a cell.
pub(super) fn shown(mut cell: Cell, incomplete: Incomplete) -> Cell {
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
        cited: study.rows[row].published.as_ref().and_then(|citation| citation.figure(metric, Some(category))),
        ..Cell::default()
    };
    shown(cell, incomplete)
}

/// The values of one row and category over the seeds.
fn seeds(study: &Study, row: usize, category: &str, metric: &str) -> Vec<f64> {
    study.seeds.iter().filter_map(|&seed| study.summary(row, category, seed)?.metric("", metric)).collect()
}

fn change(comparison: &Comparison, difference: &Difference) -> Change {
    difference.named(&comparison.lines[difference.against].name, comparison.pairs)
}

/// Refuses a metric that the study does not have.
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

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::sweep::{Outcome, Published};

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
    fn a_mean_over_some_of_mvtecs_categories_stands_beside_the_papers_for_the_same() {
        let mut study = example::ladder();
        for (name, real) in [("gear", "bottle"), ("terrazzo", "transistor")] {
            study.categories.iter_mut().filter(|c| *c == name).for_each(|c| *c = real.into());
            study.cells.iter_mut().filter(|c| c.category == name).for_each(|c| c.category = real.into());
        }
        study.rows[1].paper = Some(Published { table: 4, line: "2".into() });
        study.rows[2].paper = Some(Published { table: 1, line: "PaDiM".into() });
        let table = Table::of(&study, &Comparison::of(&study), Incomplete::Refuse);
        // Bottle 99.9 and transistor 97.4; Table 4 has averages alone.
        assert!(table.lines[2].cells[0].published.is_some_and(|mean| (mean - 0.9865).abs() < 1e-9), "{:?}", table.lines[2].cells[0]);
        assert_eq!((table.lines[1].cells[0].published, table.lines[2].cells[0].published_computed), (Some(0.983), None));
        assert!(table.notes.iter().any(|note| note.contains("on MVTec AD; a mean is over the same categories; Δ")), "{:?}", table.notes);
        assert!(table.notes.iter().all(|note| !note.starts_with('†')), "{:?}", table.notes);
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
        let shown = super::super::render(&table, super::super::Form::Full, super::super::Format::Markdown);
        assert!(shown.contains("| + STLNet | published | — | — | 95.5† |") && !shown.contains("| + STLNet | — | — | — |"), "{shown}");
    }
}
