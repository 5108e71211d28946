//! How a table's numbers are spelled: the same text in every format for people.

use super::comparison::Training;
use super::table::{Cell, Rank, Table};
use crate::report::spell::{NOTHING, p_value, percent, points};
use crate::ui::text::number;

/// One printed cell: a number that may be emphasised, and what follows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Text {
    pub value: String,
    pub rank: Option<Rank>,
    pub tail: String,
}

/// A table of text: headings and lines; the first column is the lines' names.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    pub headings: Vec<String>,
    pub lines: Vec<Vec<Text>>,
}

/// Spells a table. Behind a column of means stands one of differences, one of the paper's figures and one of
/// figures cited from elsewhere, where there are any.
pub fn layout(table: &Table) -> Layout {
    let mut headings = vec![table.corner.clone(), "n".to_owned()];
    let mut lines: Vec<Vec<Text>> = table.lines.iter().map(|l| vec![plain(&l.name), plain(&count(l.n, l.planned))]).collect();
    for (index, column) in table.columns.iter().enumerate() {
        let cells = || table.lines.iter().map(|line| &line.cells[index]);
        let mut add = |heading: &str, text: &dyn Fn(&Cell) -> Text| {
            headings.push(heading.to_owned());
            lines.iter_mut().zip(cells()).for_each(|(line, cell)| line.push(text(cell)));
        };
        add(&column.heading, &mean);
        if cells().any(|cell| cell.difference.is_some()) {
            add("Δ (p)", &difference);
        }
        if cells().any(|cell| cell.published.is_some()) {
            add("paper (Δ)", &paper);
        }
        if cells().any(|cell| cell.cited.is_some()) {
            add("cited (Δ)", &cited);
        }
    }
    Layout { headings, lines }
}

/// How the rows trained, as a small table of its own below that of the metrics; none where no row is trained.
pub fn training(table: &Table) -> Option<Layout> {
    let trained: Vec<(&str, Training)> =
        table.lines.iter().filter(|l| l.planned > 0).filter_map(|l| Some((l.name.as_str(), l.training?))).collect();
    let spelled = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), number);
    let line = |(name, training): &(&str, Training)| {
        let Training { first_loss, last_loss, grad_norm } = *training;
        [*name, &spelled(first_loss), &spelled(last_loss), &spelled(grad_norm)].map(plain).to_vec()
    };
    let headings = ["training", "first loss", "last loss", "gradient norm"].map(String::from).to_vec();
    let any = trained.iter().any(|(_, training)| *training != Training::default());
    any.then(|| Layout { headings, lines: trained.iter().map(line).collect() })
}

/// `97.8 ± 0.3`, `91.2* (5 of 6)`.
fn mean(cell: &Cell) -> Text {
    let Some(mean) = cell.mean else { return plain(NOTHING) };
    let spread = cell.deviation.map_or(String::new(), |d| format!(" ± {}", percent(d)));
    let mark = if cell.is_complete() { String::new() } else { format!("* ({} of {})", cell.n, cell.planned) };
    Text { value: percent(mean), rank: cell.rank, tail: spread + &mark }
}

/// `+0.9 (0.031)`: points and adjusted p; `+0.9* (0.031; 5 of 6)` where pairs are missing.
fn difference(cell: &Cell) -> Text {
    let Some(change) = &cell.difference else { return plain(NOTHING) };
    let (points, p) = (points(change.mean), p_value(change.p_holm));
    match change.is_complete() {
        true => plain(&format!("{points} ({p})")),
        false => plain(&format!("{points}* ({p}; {})", count(change.n, change.planned))),
    }
}

/// `97.8 (−1.2)`: the paper's figure, and ours less it, which has a star where runs of ours are missing; `95.5† (−1.2)`: an
/// average that the paper's categories do not give.
fn paper(cell: &Cell) -> Text {
    quoted(cell, cell.published, if cell.published_computed.is_some() { "†" } else { "" })
}

/// The same of a figure that is cited from elsewhere.
fn cited(cell: &Cell) -> Text {
    quoted(cell, cell.cited, "")
}

fn quoted(cell: &Cell, figure: Option<f64>, mark: &str) -> Text {
    let Some(figure) = figure else { return plain(NOTHING) };
    let star = if cell.is_complete() { "" } else { "*" };
    let ours = cell.mean.map_or(String::new(), |mean| format!(" ({}{star})", points(mean - figure)));
    plain(&format!("{}{mark}{ours}", percent(figure)))
}

fn plain(text: &str) -> Text {
    Text { value: text.to_owned(), ..Text::default() }
}

/// `6`, or `5 of 6`; a row for which nothing is planned is quoted: `published`.
pub fn count(n: usize, planned: usize) -> String {
    match (n, planned) {
        (_, 0) => "published".to_owned(),
        _ if n == planned => n.to_string(),
        _ => format!("{n} of {planned}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_are_missing_show_in_their_count() {
        assert_eq!([count(6, 6), count(5, 6)], ["6", "5 of 6"]);
    }
}
