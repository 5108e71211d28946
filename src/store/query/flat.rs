//! Runs as one flat table: a column for each key, whatever it is a key of, a line for each run.

use std::collections::BTreeSet;

use serde_json::Value;

use super::facts::Facts;
use super::key::{FIELDS, Field, Key};
use crate::Result;
use crate::config::reference::{self, Identity};

/// A column: what it is called, and what stands in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    key: Key,
}

/// Parts of the id stand in it already.
const WITHIN_ID: [Field; 2] = [Field::Experiment, Field::Hash];

impl Column {
    /// Those of these names, in their order; `metrics` as in [`super::Query::parse`].
    ///
    /// # Errors
    /// A name that is not a key.
    pub fn named(names: &[String], metrics: &BTreeSet<String>) -> Result<Vec<Self>> {
        let named = |name: &String| match Key::parse(name, metrics) {
            Ok(key) => Ok(Self { name: name.clone(), key }),
            Err(unknown) => Err(unknown.error()),
        };
        names.iter().map(named).collect()
    }

    /// Those that tell runs apart: what they are, the configuration keys in which they differ, all their metrics.
    pub fn usual(runs: &[Facts], metrics: &BTreeSet<String>) -> Vec<Self> {
        let fields = FIELDS.iter().filter(|(_, field)| !WITHIN_ID.contains(field));
        let fields = fields.map(|(name, field)| Self { name: (*name).to_owned(), key: Key::Field(*field) });
        // What each run has of its own stands in its category and seed.
        let keys = reference::keys().iter().filter(|key| key.identity != Identity::Each);
        let keys = keys.map(|key| Self { name: key.path.clone(), key: Key::Config(key.path.clone()) });
        let differs = |column: &Self| runs.windows(2).any(|pair| column.of(&pair[0]) != column.of(&pair[1]));
        let metrics = metrics.iter().map(|name| Self { name: name.clone(), key: Key::Metric(name.clone()) });
        fields.chain(keys.filter(differs)).chain(metrics).collect()
    }

    /// A run's value: a number, a text, a truth value or a list of these; null where it has none.
    pub fn of(&self, run: &Facts) -> Value {
        match &self.key {
            // As the file has it: truth values and whole numbers stay what they are.
            Key::Config(path) => {
                reference::lookup(&run.config, path).and_then(|value| serde_json::to_value(value).ok()).unwrap_or_default()
            }
            Key::Field(Field::Seed) => run.id.seed.into(),
            Key::Field(Field::Attempts) => run.record.as_ref().map(|record| record.attempts.into()).unwrap_or_default(),
            key => run.value(key).map(plain).unwrap_or_default(),
        }
    }
}

fn plain(value: super::Value) -> Value {
    match value {
        super::Value::Number(number) => number.into(),
        super::Value::Text(text) => text.into(),
        super::Value::List(entries) => entries.into_iter().map(plain).collect(),
    }
}
