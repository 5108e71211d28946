//! Runs as a flat table: CSV and JSON that pandas, polars and spreadsheets read in one line, or text.

use serde_json::Value;

use crate::report::study::as_text;
use crate::store::query::{Column, Facts};
use crate::ui::text::{self, Align, Rule};
use crate::{Result, console, showln};

/// For whom it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Json,
    Text,
}

/// Prints the columns of the runs.
pub fn print(columns: &[Column], runs: &[Facts], format: Format) -> Result<()> {
    match format {
        Format::Csv => console::raw(&csv(columns, runs)),
        Format::Json => {
            let object = |run: &Facts| -> Value { columns.iter().map(|column| (column.name.clone(), column.of(run))).collect() };
            console::json(&runs.iter().map(object).collect::<Vec<_>>());
        }
        Format::Text => {
            let heads: Vec<_> = columns.iter().map(|column| (column.name.as_str(), Align::Left)).collect();
            let row = |run: &Facts| columns.iter().map(|column| cell(&column.of(run), str::to_owned)).collect();
            showln!("{}", text::table(&heads, &runs.iter().map(row).collect::<Vec<Vec<String>>>(), Rule::Unicode));
        }
    }
    Ok(())
}

/// A header and a line for each run, newlines `\n`; quoted and marked as the tables of reports are.
fn csv(columns: &[Column], runs: &[Facts]) -> String {
    let invariant = "a string takes all that is written";
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(|column| as_text(&column.name))).expect(invariant);
    for run in runs {
        writer.write_record(columns.iter().map(|column| cell(&column.of(run), as_text))).expect(invariant);
    }
    String::from_utf8(writer.into_inner().expect(invariant)).expect("names are text")
}

/// A value as one cell: numbers with all their digits, nothing where there is nothing, the entries of a list of words joined.
fn cell(value: &Value, words: fn(&str) -> String) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => words(text),
        Value::Array(entries) if entries.iter().all(Value::is_string) => {
            words(&entries.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_holds_numbers_as_they_are_and_no_formula() {
        let cells = [json!(null), json!(0.1), json!(3), json!(true), json!("=1+1"), json!(["a", "b"]), json!([1, 2]), json!([])];
        assert_eq!(cells.map(|value| cell(&value, as_text)), ["", "0.1", "3", "true", "'=1+1", "a; b", "[1,2]", ""]);
    }
}
