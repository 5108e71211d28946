//! A table for machines: one line a cell, ratios with all their digits, nothing where there is nothing.

use super::Form;
use super::layout::layouts;
use super::table::{Cell, Rank, Table};
use crate::names::in_line;

const HEADER: [&str; 23] = [
    "row",
    "column",
    "metric",
    "mean",
    "deviation",
    "n",
    "planned",
    "complete",
    "rank",
    "published",
    "published_computed",
    "published_difference",
    "against",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "pairs",
    "pairs_planned",
    "first_loss",
    "last_loss",
    "grad_norm",
];

/// Behind them where a row cites figures from elsewhere.
const CITED: [&str; 2] = ["cited", "cited_difference"];

/// A header and one line for each row and column, newlines `\n`.
///
/// Columns of text stand behind all others; a table of text alone is as it is printed.
pub fn csv(table: &Table) -> String {
    if table.columns.is_empty() {
        return as_printed(table, Form::Full);
    }
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let invariant = "a string takes all that is written";
    let cites = table.lines.iter().flat_map(|line| &line.cells).any(|cell| cell.cited.is_some());
    let texts = table.texts.iter().map(|column| column.heading.as_str());
    writer.write_record(HEADER.iter().chain(CITED.iter().filter(|_| cites)).copied().chain(texts)).expect(invariant);
    for (at, line) in table.lines.iter().enumerate() {
        for (column, cell) in table.columns.iter().zip(&line.cells) {
            let mut record = [&line.name, &column.heading, &column.metric].map(|name| as_text(name)).to_vec();
            record.extend(fields(cell));
            let training = line.training.unwrap_or_default();
            record.extend([training.first_loss, training.last_loss, training.grad_norm].map(number));
            if cites {
                record.extend([cell.cited, cell.mean.zip(cell.cited).map(|(ours, theirs)| ours - theirs)].map(number));
            }
            record.extend(table.texts.iter().map(|column| as_text(&column.cells[at])));
            writer.write_record(record).expect(invariant);
        }
    }
    String::from_utf8(writer.into_inner().expect(invariant)).expect("names are text")
}

/// A table as it is printed in a form, without marks for best and second.
pub fn as_printed(table: &Table, form: Form) -> String {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let invariant = "a string takes all that is written";
    for layout in layouts(table, form) {
        writer.write_record(layout.headings.iter().map(|heading| as_text(heading))).expect(invariant);
        for line in &layout.lines {
            let texts = line.iter().enumerate().map(|(at, text)| {
                let text = format!("{}{}", text.value, text.tail);
                // A number with a sign is a number.
                let signed = at > 0 && text.strip_prefix(['+', '-']).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
                if signed { text } else { as_text(&text) }
            });
            writer.write_record(texts).expect(invariant);
        }
    }
    String::from_utf8(writer.into_inner().expect(invariant)).expect("names are text")
}

/// A name that a spreadsheet shows as it is: what begins as a formula does has an apostrophe before it, which spreadsheets take for
/// "text", and control characters are spelled out.
pub fn as_text(name: &str) -> String {
    let shown = in_line(name);
    // Spreadsheets pass over blanks before a formula.
    if shown.trim_start().starts_with(['=', '+', '-', '@', '\'']) { format!("'{shown}") } else { shown.into_owned() }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| v.to_string())
}

fn fields(cell: &Cell) -> [String; 17] {
    let rank = match cell.rank {
        Some(Rank::Best) => "best",
        Some(Rank::Second) => "second",
        None => "",
    };
    let change = cell.difference.as_ref();
    [
        number(cell.mean),
        number(cell.deviation),
        cell.n.to_string(),
        cell.planned.to_string(),
        cell.is_complete().to_string(),
        rank.to_owned(),
        number(cell.published),
        number(cell.published_computed),
        number(cell.mean.zip(cell.published).map(|(ours, paper)| ours - paper)),
        change.map_or_else(String::new, |c| as_text(&c.against)),
        number(change.map(|c| c.mean)),
        number(change.and_then(|c| Some(c.interval?[0]))),
        number(change.and_then(|c| Some(c.interval?[1]))),
        number(change.map(|c| c.p)),
        number(change.map(|c| c.p_holm)),
        change.map_or_else(String::new, |c| c.n.to_string()),
        change.map_or_else(String::new, |c| c.planned.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::{Change, Column, TableLine, Training};
    use super::*;

    #[test]
    fn a_line_holds_every_number_of_its_cell() {
        let change =
            Change { against: "a".into(), mean: 0.125, interval: Some([0.0625, 0.25]), p: 0.03125, p_holm: 0.0625, n: 6, planned: 6 };
        let full = Cell {
            mean: Some(0.75),
            deviation: Some(0.015625),
            n: 6,
            planned: 6,
            published: Some(0.5),
            published_computed: Some(0.25),
            cited: None,
            difference: Some(change),
            rank: Some(Rank::Best),
        };
        let empty = Cell { n: 5, planned: 6, ..Cell::default() };
        let column = Column { heading: "image AUROC".into(), metric: "image_auroc".into() };
        let line = |name: &str, cell, training| TableLine { name: name.into(), n: 6, planned: 6, cells: vec![cell], training };
        let training = Training { first_loss: Some(2.5), last_loss: Some(0.5), grad_norm: None };
        let lines = vec![line("a, \"b\"", full, Some(training)), line("c", empty, None)];
        let table = Table { columns: vec![column], lines, ..Table::default() };
        let expected = "\
row,column,metric,mean,deviation,n,planned,complete,rank,published,published_computed,published_difference,against,difference,low,high,p,p_holm,pairs,pairs_planned,first_loss,last_loss,grad_norm
\"a, \"\"b\"\"\",image AUROC,image_auroc,0.75,0.015625,6,6,true,best,0.5,0.25,0.25,a,0.125,0.0625,0.25,0.03125,0.0625,6,6,2.5,0.5,
c,image AUROC,image_auroc,,,5,6,false,,,,,,,,,,,,,,,
";
        assert_eq!(csv(&table), expected);
    }

    #[test]
    fn what_begins_as_a_formula_does_is_text() {
        for name in ["=HYPERLINK(1)", "@SUM(A1)", "+ STLNet", "-x", " =1", "'x"] {
            assert_eq!(as_text(name), format!("'{name}"));
        }
        assert_eq!(as_text("\t=1"), r"\t=1");
        assert_eq!([as_text("a = b"), as_text("test/a-b"), as_text("")], ["a = b", "test/a-b", ""]);
    }

    #[test]
    fn figures_cited_from_elsewhere_stand_behind_all_others() {
        let cells = [Some(0.5), None].map(|cited| Cell { mean: Some(0.75), n: 1, planned: 1, cited, ..Cell::default() });
        let column = || Column { heading: "x".into(), metric: "image_auroc".into() };
        let line = TableLine { name: "a".into(), n: 1, planned: 1, cells: cells.to_vec(), training: None };
        let table = Table { columns: vec![column(), column()], lines: vec![line], ..Table::default() };
        let text = csv(&table);
        let ends: Vec<&str> = text.lines().map(|line| line.split_at(line.match_indices(',').nth(22).unwrap().0 + 1).1).collect();
        assert_eq!(ends, ["cited,cited_difference", "0.5,0.25", ","]);
    }
}
