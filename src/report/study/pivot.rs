//! A table whose rows and columns are the values of two configuration keys.

use std::collections::BTreeSet;

use serde_json::Value;

use super::build::{check_metric, title};
use super::comparison::Comparison;
use super::notes;
use super::table::{Cell, Column, Incomplete, Table, TableLine, rank};
use crate::report::spell::{heading, spelled};
use crate::sweep::Study;
use crate::{Error, Result};

/// What stands where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pivot {
    /// Keys of the configuration, such as `pseudo.ratio`.
    pub rows: String,
    pub columns: String,
    /// Without its split.
    pub metric: String,
}

impl Table {
    /// One cell for each pair of values that the keys take; a pair that no row has is empty. Best and second are those of the
    /// whole table.
    ///
    /// # Errors
    /// A metric or key that the study does not vary, and keys that leave two rows in one cell.
    pub fn pivot(study: &Study, comparison: &Comparison, pivot: &Pivot, incomplete: Incomplete) -> Result<Self> {
        check(study, pivot)?;
        let (rows, columns) = (values(study, &pivot.rows), values(study, &pivot.columns));
        let whole = Self::of(&Study { metrics: vec![pivot.metric.clone()], ..study.clone() }, comparison, incomplete);
        let cell = |row: &Value, column: &Value| -> Result<Option<(usize, Cell)>> {
            let here = |r: &usize| {
                let settings = &study.rows[*r].settings;
                settings.get(&pivot.rows) == Some(row) && settings.get(&pivot.columns) == Some(column)
            };
            let found: Vec<usize> = (0..study.rows.len()).filter(here).collect();
            match found[..] {
                [] => Ok(None),
                [one] => Ok(Some((one, Cell { difference: None, ..whole.lines[one].cells[0].clone() }))),
                [one, other, ..] => Err(ambiguous(study, pivot, one, other)),
            }
        };
        let mut lines = Vec::new();
        for row in &rows {
            let cells = columns.iter().map(|column| cell(row, column)).collect::<Result<Vec<_>>>()?;
            let of = |count: fn(&TableLine) -> usize| cells.iter().flatten().map(|(r, _)| count(&whole.lines[*r])).sum();
            let (n, planned) = (of(|l| l.n), of(|l| l.planned));
            let cells = cells.into_iter().map(|found| found.map(|(_, cell)| cell).unwrap_or_default()).collect();
            lines.push(TableLine { name: spelled(row), n, planned, cells, training: None });
        }
        let head = |value: &Value| Column { heading: format!("{}={}", pivot.columns, spelled(value)), metric: pivot.metric.clone() };
        let mut table = Self {
            title: format!("{}: {}", title(study), heading(&pivot.metric)),
            corner: pivot.rows.clone(),
            columns: columns.iter().map(head).collect(),
            lines,
            notes: vec![],
        };
        rank(table.lines.iter_mut().flat_map(|line| &mut line.cells).collect());
        table.notes = notes::pivot(study, &table, &pivot.metric);
        Ok(table)
    }
}

fn check(study: &Study, pivot: &Pivot) -> Result<()> {
    check_metric(study, &pivot.metric)?;
    let keys: BTreeSet<&str> = study.rows.iter().flat_map(|row| row.settings.keys().map(String::as_str)).collect();
    for key in [&pivot.rows, &pivot.columns] {
        if !keys.contains(key.as_str()) {
            let what = format!("the sweep {} does not vary {key:?}", study.name);
            return Err(Error::config(what, format!("choose from {}", keys.into_iter().collect::<Vec<_>>().join(", "))));
        }
    }
    if pivot.rows == pivot.columns {
        return Err(Error::config(format!("{} cannot be both rows and columns", pivot.rows), "name two keys"));
    }
    Ok(())
}

/// The values of a key, in the order of the rows.
fn values(study: &Study, key: &str) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for value in study.rows.iter().filter_map(|row| row.settings.get(key)) {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    values
}

fn ambiguous(study: &Study, pivot: &Pivot, one: usize, other: usize) -> Error {
    let [a, b] = [one, other].map(|row| &study.rows[row]);
    let differing: Vec<&str> = a.settings.keys().filter(|key| a.settings.get(*key) != b.settings.get(*key)).map(String::as_str).collect();
    Error::config(
        format!("rows {:?} and {:?} fall into one cell of {} and {}", a.name, b.name, pivot.rows, pivot.columns),
        format!("they differ in {}: choose keys that tell all rows apart", differing.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Format, example, render};
    use super::*;

    fn pivot(rows: &str, columns: &str, metric: &str) -> Pivot {
        Pivot { rows: rows.into(), columns: columns.into(), metric: metric.into() }
    }

    #[test]
    fn two_keys_make_rows_and_columns() {
        let study = example::grid();
        let comparison = Comparison::of(&study);
        let table = Table::pivot(&study, &comparison, &pivot("optim.lr", "pseudo.ratio", "image_auroc"), Incomplete::Refuse).unwrap();
        let shown = render(&table, Format::Terminal);
        let expected = "\
What each part adds: image AUROC

optim.lr  n  pseudo.ratio=0.25  pseudo.ratio=0.5
────────────────────────────────────────────────
0.001     8         71.5 ± 0.7        81.5 ± 0.7
0.01      8         76.5 ± 0.7        86.5 ± 0.7

image AUROC in percent; each cell is a mean over 2 categories x 2 seeds; ± is the sample standard deviation over seeds.
Protocol: exact, FPR limit 0.3, 8-connected, original resolution, no smoothing.
Backbone: resnet50 (caffe, stride in conv1).
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_pair_of_values_without_a_row_is_empty_and_two_rows_in_a_cell_are_refused() {
        let mut study = example::grid();
        study.rows.pop();
        study.cells.retain(|c| c.row < 3);
        let comparison = Comparison::of(&study);
        let asked = pivot("optim.lr", "pseudo.ratio", "image_auroc");
        let table = Table::pivot(&study, &comparison, &asked, Incomplete::Refuse).unwrap();
        assert_eq!((table.lines[1].n, table.lines[1].cells[1].mean), (4, None));
        let both = serde_json::Value::from(0.001);
        study.rows.iter_mut().for_each(|row| _ = row.settings.insert("optim.lr".into(), both.clone()));
        let error = Table::pivot(&study, &comparison, &asked, Incomplete::Refuse).unwrap_err().to_string();
        assert!(error.contains("fall into one cell"), "{error}");
    }

    #[test]
    fn unknown_keys_and_metrics_are_refused_with_what_there_is() {
        let study = example::grid();
        let comparison = Comparison::of(&study);
        let refused = |p: Pivot| Table::pivot(&study, &comparison, &p, Incomplete::Refuse).unwrap_err().to_string();
        assert!(refused(pivot("optim.lr", "train.epochs", "image_auroc")).contains("choose from optim.lr, pseudo.ratio"));
        assert!(refused(pivot("optim.lr", "pseudo.ratio", "auroc")).contains("image_auroc, pixel_auroc"));
        assert!(refused(pivot("optim.lr", "optim.lr", "image_auroc")).contains("two keys"));
    }
}
