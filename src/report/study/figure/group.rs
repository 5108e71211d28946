//! Rows that differ in the varied keys alone, so that a line or a map holds nothing else.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::report::spell::spelled;
use crate::sweep::{Axis, Study};

/// The rows of one line or map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The named row that they come from, else the settings that they share.
    pub name: String,
    /// In the order of the table.
    pub rows: Vec<usize>,
}

/// The rows that were run, apart by all settings but those of `axes`; in the order of the table.
pub fn groups(study: &Study, axes: &[Axis]) -> Vec<Group> {
    let rest = |row: usize| -> BTreeMap<&String, &Value> {
        study.rows[row].settings.iter().filter(|(key, _)| axes.iter().all(|axis| axis.key != **key)).collect()
    };
    let mut groups: Vec<Group> = vec![];
    for row in (0..study.rows.len()).filter(|&row| !study.is_quoted(row)) {
        match groups.iter_mut().find(|group| rest(group.rows[0]) == rest(row)) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { name: name(&study.rows[row].name, &rest(row)), rows: vec![row] }),
        }
    }
    groups
}

/// `self-calibration` of `self-calibration · pseudo.ratio=0.5`.
fn name(row: &str, rest: &BTreeMap<&String, &Value>) -> String {
    match row.rsplit_once(" · ") {
        Some((name, _)) => name.to_owned(),
        None => rest.iter().map(|(key, value)| format!("{key}={}", spelled(value))).collect::<Vec<_>>().join(", "),
    }
}
