//! A table as JSON: the value itself, with its format.

use serde_json::json;

use super::table::Table;

/// Raised with every change of a field's meaning.
const FORMAT: u32 = 2;

/// Pretty-printed, with a newline at the end.
pub fn json(table: &Table) -> String {
    let value = json!({ "format": FORMAT, "table": table });
    serde_json::to_string_pretty(&value).expect("a table is plain data") + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::{Comparison, Incomplete, example};
    use super::*;

    #[test]
    fn the_json_holds_the_table_with_all_its_digits() {
        let study = example::ladder();
        let table = Table::of(&study, &Comparison::of(&study), Incomplete::Refuse);
        let value: serde_json::Value = serde_json::from_str(&json(&table)).unwrap();
        assert_eq!(value["format"], FORMAT);
        let cell = &value["table"]["lines"][1]["cells"][0];
        assert_eq!(cell["mean"].as_f64(), table.lines[1].cells[0].mean);
        assert_eq!((&cell["rank"], &cell["n"], &cell["difference"]["against"]), (&json!("best"), &json!(6), &json!("baseline")));
        assert_eq!(value["table"]["columns"][2], json!({ "heading": "AUPRO@0.3", "metric": "aupro@0.3" }));
    }
}
