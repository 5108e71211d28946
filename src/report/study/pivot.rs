//! A table of what was asked for: rows and columns are keys, categories, seeds or named rows; everything else is averaged over.

use std::collections::BTreeSet;

use super::build::{check_metric, columns, shown, title};
use super::notes::{self, spread};
use super::table::{Cell, Column, Incomplete, Table, TableLine, rank};
use crate::names::counted;
use crate::num;
use crate::report::spell::{metric_name, spelled};
use crate::sweep::design::ROW;
use crate::sweep::{self, Study};
use crate::{Error, Result};

/// What stands where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pivot {
    /// A key of the configuration that varies, such as `pseudo.ratio`, or `row`, `category`, `seed`.
    pub rows: String,
    /// The same; without it one column a metric.
    pub columns: Option<String>,
    /// What the study was restricted to, as it was typed.
    pub condition: Option<String>,
}

/// The words beside keys.
const CATEGORY: &str = "category";
const SEED: &str = "seed";

impl Table {
    /// One cell for each pair of levels: the mean over the runs that stand there. Best and second are those of the whole
    /// table, or of each metric.
    ///
    /// # Errors
    /// A metric that the study does not have, and a key that does not vary.
    pub fn pivot(study: &Study, pivot: &Pivot, incomplete: Incomplete) -> Result<Self> {
        check(study, pivot)?;
        study.metrics.iter().try_for_each(|metric| check_metric(study, metric))?;
        let levels = levels(study, &pivot.rows);
        let across: Vec<Option<String>> = match &pivot.columns {
            Some(key) => self::levels(study, key).into_iter().map(Some).collect(),
            None => vec![None; study.metrics.len()],
        };
        let mut lines = vec![];
        for level in &levels {
            let cells = across.iter().enumerate().map(|(at, column)| {
                let metric = if pivot.columns.is_some() { &study.metrics[0] } else { &study.metrics[at] };
                let here = |cell: &&sweep::Cell| {
                    let is_column = || pivot.columns.as_ref().is_none_or(|key| self::level(study, cell, key) == *column);
                    self::level(study, cell, &pivot.rows).as_ref() == Some(level) && is_column()
                };
                shown(average(study, pivot, &study.cells.iter().filter(here).collect::<Vec<_>>(), metric), incomplete)
            });
            let cells: Vec<Cell> = cells.collect();
            let whole = |count: fn(&Cell) -> usize| {
                let counts = cells.iter().map(count);
                if pivot.columns.is_some() { counts.sum() } else { counts.max().unwrap_or(0) }
            };
            let name = shown_level(study, &pivot.rows, level);
            lines.push(TableLine { name, n: whole(|c| c.n), planned: whole(|c| c.planned), cells, training: None });
        }
        let mut table = Self { title: heading(study, pivot), corner: study.label(&pivot.rows).to_owned(), lines, ..Self::default() };
        match &pivot.columns {
            None => {
                table.columns = columns(study);
                table.rank_columns();
            }
            Some(key) => {
                let column = |level: &String| Column { heading: column_name(study, key, level), metric: study.metrics[0].clone() };
                table.columns = across.iter().flatten().map(column).collect();
                rank(table.lines.iter_mut().flat_map(|line| &mut line.cells).collect());
            }
        }
        table.notes = notes::pivot(study, &table, begin(study, pivot));
        table.legend = table.notes[0].clone();
        Ok(table)
    }
}

fn heading(study: &Study, pivot: &Pivot) -> String {
    let by = study.label(&pivot.rows);
    match &pivot.columns {
        None => format!("{}: by {by}", title(study)),
        Some(key) => format!("{}: {} by {by} and {}", title(study), metric_name(study, &study.metrics[0]), study.label(key)),
    }
}

/// `pseudo.ratio=0.5`; a category, seed or row as it is called.
fn column_name(study: &Study, key: &str, level: &str) -> String {
    match key {
        ROW | CATEGORY => shown_level(study, key, level),
        _ => format!("{}={level}", study.label(key)),
    }
}

fn shown_level(study: &Study, key: &str, level: &str) -> String {
    if key == CATEGORY { study.label(level).to_owned() } else { level.to_owned() }
}

/// The mean over runs; its deviation over seeds, where each seed is complete and seeds are not apart.
fn average(study: &Study, pivot: &Pivot, cells: &[&sweep::Cell], metric: &str) -> Cell {
    let value = |cell: &sweep::Cell| cell.summary()?.metric("", metric);
    let values: Vec<f64> = cells.iter().filter_map(|cell| value(cell)).collect();
    let apart = pivot.rows == SEED || pivot.columns.as_deref() == Some(SEED);
    let of_seed =
        |seed: &u64| num::mean(&cells.iter().filter(|cell| cell.seed == *seed).map(|cell| value(cell)).collect::<Option<Vec<_>>>()?);
    let by_seed: Option<Vec<f64>> = study.seeds.iter().map(of_seed).collect();
    Cell {
        mean: num::mean(&values),
        deviation: by_seed.filter(|_| !apart).and_then(|means| num::standard_deviation(&means)),
        n: values.len(),
        planned: cells.len(),
        ..Cell::default()
    }
}

/// Where a run stands: its level of a key, `row`, `category` or `seed`.
fn level(study: &Study, cell: &sweep::Cell, key: &str) -> Option<String> {
    let row = &study.rows[cell.row];
    match key {
        ROW => Some(row.entry.clone().unwrap_or_else(|| row.name.clone())),
        CATEGORY => Some(cell.category.clone()),
        SEED => Some(cell.seed.to_string()),
        key => row.settings.get(key).map(spelled),
    }
}

/// The levels of a key, in the order of the table.
fn levels(study: &Study, key: &str) -> Vec<String> {
    let mut levels: Vec<String> = vec![];
    for level in study.ordered().into_iter().filter_map(|cell| level(study, cell, key)) {
        if !levels.contains(&level) {
            levels.push(level);
        }
    }
    levels
}

fn check(study: &Study, pivot: &Pivot) -> Result<()> {
    if study.cells.is_empty() {
        return Err(Error::config(format!("no run of the sweep {} meets the condition", study.name), "ask for other values in --where"));
    }
    let keys: BTreeSet<&str> = study.rows.iter().flat_map(|row| row.settings.keys().map(String::as_str)).collect();
    for key in [Some(&pivot.rows), pivot.columns.as_ref()].into_iter().flatten() {
        if !keys.contains(key.as_str()) && ![ROW, CATEGORY, SEED].contains(&key.as_str()) {
            let what = format!("the sweep {} does not vary {key:?}", study.name);
            let keys: Vec<&str> = keys.into_iter().chain([ROW, CATEGORY, SEED]).collect();
            return Err(Error::config(what, format!("choose from {}", keys.join(", "))));
        }
    }
    if pivot.columns.as_ref() == Some(&pivot.rows) {
        return Err(Error::config(format!("{} cannot be both rows and columns", pivot.rows), "name two keys"));
    }
    if pivot.columns.is_some() && study.metrics.len() > 1 {
        let what = "a table of two keys shows one metric";
        return Err(Error::config(what, format!("name one with --metric, such as --metric {}", study.metrics[0])));
    }
    Ok(())
}

/// What the cells are, over what they are averaged, and to what the study was restricted.
fn begin(study: &Study, pivot: &Pivot) -> Vec<String> {
    let shown = |key: &str| pivot.rows == key || pivot.columns.as_deref() == Some(key);
    let mut over: Vec<String> = vec![];
    let mut add = |key: &str, words: [&str; 2]| {
        let n = levels(study, key).len();
        if !shown(key) && n > 1 {
            over.push(if words[0].is_empty() { format!("{n} values of {}", study.label(key)) } else { counted(n, words[0], words[1]) });
        }
    };
    let entries = study.rows.iter().any(|row| row.entry.is_some());
    let keys: Vec<&str> = study.axes.iter().map(|axis| axis.key.as_str()).collect();
    let others_shown =
        [Some(&pivot.rows), pivot.columns.as_ref()].into_iter().flatten().any(|key| is_setting(key) && !keys.contains(&key.as_str()));
    if entries || keys.is_empty() && !others_shown {
        add(ROW, ["row", "rows"]);
    }
    keys.iter().for_each(|key| add(key, ["", ""]));
    add(CATEGORY, ["category", "categories"]);
    add(SEED, ["seed", "seeds"]);
    let what = pivot.columns.as_ref().map_or_else(|| "Ratios".to_owned(), |_| metric_name(study, &study.metrics[0]));
    let over = if over.is_empty() { "each cell is one run".to_owned() } else { format!("each cell is a mean over {}", over.join(", ")) };
    let spread = if shown(SEED) || study.seeds.len() < 2 { "" } else { spread(study) };
    let restricted = pivot.condition.as_ref().map(|condition| format!("Of the runs where {condition}."));
    std::iter::once(format!("{what} in percent; {over}{spread}.")).chain(restricted).collect()
}

fn is_setting(key: &str) -> bool {
    ![ROW, CATEGORY, SEED].contains(&key)
}

#[cfg(test)]
mod tests {
    use super::super::{Form, Format, example, render};
    use super::*;

    fn pivot(rows: &str, columns: &str) -> Pivot {
        Pivot { rows: rows.into(), columns: Some(columns.into()).filter(|key: &String| !key.is_empty()), condition: None }
    }

    fn of(mut study: Study, pivot: &Pivot) -> Table {
        study.metrics.truncate(1);
        Table::pivot(&study, pivot, Incomplete::Refuse).unwrap()
    }

    #[test]
    fn two_keys_make_rows_and_columns() {
        let shown = render(&of(example::grid(), &pivot("optim.lr", "pseudo.ratio")), Form::Full, Format::Terminal);
        let expected = "\
What each part adds: image AUROC by optim.lr and pseudo.ratio

optim.lr  n  pseudo.ratio=0.25  pseudo.ratio=0.5
────────────────────────────────────────────────
0.001     8         71.5 ± 0.7        81.5 ± 0.7
0.01      8         76.5 ± 0.7        86.5 ± 0.7

image AUROC in percent; each cell is a mean over 2 categories, 2 seeds; ± is the sample standard deviation over seeds.
Protocol: exact, FPR limit 0.3, 8-connected, original resolution, no smoothing.
Backbone: resnet50 (caffe, stride in conv1).
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_left_is_averaged_over_and_named() {
        let study = example::crossed();
        let table = of(study.clone(), &pivot("loss.score.gamma", "row"));
        let means: Vec<Vec<f64>> = table.lines.iter().map(|l| l.cells.iter().map(|c| (c.mean.unwrap() * 1e3).round()).collect()).collect();
        assert_eq!(means, [[720.0, 740.0], [760.0, 780.0]]);
        assert_eq!(
            table.notes[0].split_once("; ± ").unwrap().0,
            "image AUROC in percent; each cell is a mean over 2 values of loss.score.lambda, 2 categories, 2 seeds"
        );
        let by_seed = of(study.clone(), &pivot("seed", "category"));
        assert_eq!(by_seed.columns.iter().map(|c| c.heading.as_str()).collect::<Vec<_>>(), ["gear", "terrazzo"]);
        assert!(by_seed.lines[0].cells[0].deviation.is_none() && by_seed.notes[0].contains("over 2 rows, 2 values of loss.score.gamma"));
        let metrics = Table::pivot(&study, &pivot("loss.score.gamma", ""), Incomplete::Refuse).unwrap();
        assert_eq!((metrics.columns.len(), metrics.lines[0].n, metrics.lines.len()), (3, 16, 2));
    }

    #[test]
    fn a_pair_of_values_without_a_row_is_empty() {
        let mut study = example::grid();
        study.rows.pop();
        study.cells.retain(|c| c.row < 3);
        let table = of(study, &pivot("optim.lr", "pseudo.ratio"));
        assert_eq!((table.lines[1].n, table.lines[1].cells[1].mean), (4, None));
    }

    #[test]
    fn an_incomplete_mean_is_left_out() {
        let mut study = example::grid();
        example::outcome(&mut study, 0, "gear", 1, sweep::Outcome::Missing);
        let table = of(study, &pivot("optim.lr", "pseudo.ratio"));
        assert_eq!((table.lines[0].cells[0].mean, table.lines[0].n, table.lines[0].planned), (None, 7, 8));
    }

    #[test]
    fn unknown_keys_are_refused_with_what_there_is() {
        let mut study = example::grid();
        let refused = |study: &Study, p: Pivot| Table::pivot(study, &p, Incomplete::Refuse).unwrap_err().to_string();
        assert!(refused(&study, pivot("optim.lr", "pseudo.ratio")).contains("one metric"));
        study.metrics.truncate(1);
        let unknown = refused(&study, pivot("optim.lr", "train.epochs"));
        assert!(unknown.contains("choose from optim.lr, pseudo.ratio, row, category, seed"), "{unknown}");
        assert!(refused(&study, pivot("optim.lr", "optim.lr")).contains("two keys"));
        study.cells.clear();
        assert!(refused(&study, pivot("optim.lr", "pseudo.ratio")).contains("--where"));
    }
}
