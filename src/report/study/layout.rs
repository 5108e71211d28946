//! How a table's numbers are spelled: the same text in every format for people.

use super::Form;
use super::difference::LEVEL;
use super::table::{Cell, Column, Rank, Table, TableLine, Training};
use crate::report::spell::{NOTHING, p_value, p_words, percent, points};
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

/// A table in a form, with what belongs below it.
pub fn layouts(table: &Table, form: Form) -> Vec<Layout> {
    match form {
        Form::Full => std::iter::once(layout(table)).chain(training(table)).collect(),
        Form::Paper => vec![short(table)],
        Form::Long => vec![long(table)],
    }
}

/// The lines below a table in a form.
pub fn notes(table: &Table, form: Form) -> Vec<String> {
    match form {
        Form::Full | Form::Long => table.notes.clone(),
        Form::Paper => vec![table.legend.clone()].into_iter().filter(|legend| !legend.is_empty()).collect(),
    }
}

/// As a paper prints it: one column a metric, mean and deviation with a star where the difference is larger than the noise;
/// differences alone where there are no means.
fn short(table: &Table) -> Layout {
    let cell = |cell: &Cell| {
        let change = cell.difference.as_ref();
        let star = if change.is_some_and(|d| d.is_complete() && d.p_holm < LEVEL) { "*" } else { "" };
        let Some(mean) = cell.mean else {
            return change.map_or_else(|| plain(NOTHING), |d| Text { value: points(d.mean), rank: None, tail: star.to_owned() });
        };
        let spread = cell.deviation.map_or(String::new(), |d| format!(" ± {}", percent(d)));
        let count = if cell.is_complete() { String::new() } else { format!(" ({})", count(cell.n, cell.planned)) };
        Text { value: percent(mean), rank: cell.rank, tail: spread + star + &count }
    };
    let headings = std::iter::once(table.corner.clone()).chain(table.columns.iter().map(|column| column.heading.clone()));
    let line = |(at, line): (usize, &TableLine)| {
        let texts = table.texts.iter().map(move |column| plain(&column.cells[at]));
        std::iter::once(plain(&line.name)).chain(line.cells.iter().map(cell)).chain(texts).collect()
    };
    Layout {
        headings: headings.chain(table.texts.iter().map(|column| column.heading.clone())).collect(),
        lines: table.lines.iter().enumerate().map(line).collect(),
    }
}

/// One line for each row and column.
fn long(table: &Table) -> Layout {
    let dash = |text: Option<String>| plain(text.as_deref().unwrap_or(NOTHING));
    let line = |(name, column, cell): (&str, &Column, &Cell)| {
        let change = cell.difference.as_ref();
        let mut line = vec![plain(name), plain(&column.heading), plain(&count(cell.n, cell.planned))];
        line.push(Text { rank: cell.rank, ..dash(cell.mean.map(percent)) });
        line.push(dash(cell.deviation.map(percent)));
        line.push(dash(change.map(|d| points(d.mean))));
        line.push(dash(change.and_then(|d| d.interval).map(|[low, high]| format!("{} to {}", points(low), points(high)))));
        line.push(dash(change.map(|d| p_value(d.p_holm))));
        line
    };
    let cells = |(at, row): (usize, &TableLine)| -> Vec<Vec<Text>> {
        let texts: Vec<Text> = table.texts.iter().map(|column| plain(&column.cells[at])).collect();
        let lines = table.columns.iter().zip(&row.cells).map(|(column, cell)| line((row.name.as_str(), column, cell)));
        lines.map(|line| line.into_iter().chain(texts.clone()).collect()).collect()
    };
    let column = if table.columns.windows(2).any(|two| two[0].metric != two[1].metric) { "metric" } else { "column" };
    let fixed = [&table.corner, column, "n", "mean", "±", "Δ", "95 %", "p"].map(str::to_owned);
    Layout {
        headings: fixed.into_iter().chain(table.texts.iter().map(|column| column.heading.clone())).collect(),
        lines: table.lines.iter().enumerate().flat_map(cells).collect(),
    }
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
        let compared = cells().any(|cell| cell.difference.is_some());
        match compared && cells().all(|cell| cell.mean.is_none()) {
            true => add(&format!("{}: Δ", column.heading), &effect),
            false => add(&column.heading, &mean),
        }
        if compared && cells().any(|cell| cell.mean.is_some()) {
            add("Δ (p)", &difference);
        }
        if cells().any(|cell| cell.published.is_some()) {
            add("paper (Δ)", &paper);
        }
        if cells().any(|cell| cell.cited.is_some()) {
            add("cited (Δ)", &cited);
        }
    }
    for column in &table.texts {
        headings.push(column.heading.clone());
        lines.iter_mut().zip(&column.cells).for_each(|(line, text)| line.push(plain(text)));
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

/// `+0.9 [+0.2, +1.6], p 0.031`: points with the interval, where the means stand elsewhere.
fn effect(cell: &Cell) -> Text {
    let Some(change) = &cell.difference else { return plain(NOTHING) };
    let interval = change.interval.map_or(String::new(), |[low, high]| format!(" [{}, {}]", points(low), points(high)));
    plain(&format!("{}{interval}, p {}", points(change.mean), p_words(change.p_holm)))
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
