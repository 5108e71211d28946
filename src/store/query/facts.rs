//! What is known of one run, by key.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use super::key::{Field, Key};
use crate::config::{self, reference};
use crate::run::{Id, Record, SCHEMA_VERSION, Status};
use crate::store::Entry;

/// One run as conditions see it.
#[derive(Debug, Clone)]
pub struct Facts {
    pub id: Id,
    pub status: Status,
    pub record: Option<Record>,
    /// config.toml over today's defaults; as it stands there where another version's keys do not fit; empty where it cannot be
    /// read.
    pub config: toml::Table,
    /// The row and the category of a planned run.
    pub planned: Option<(String, String)>,
    /// summary.json's; empty for a run that is not finished.
    pub metrics: BTreeMap<String, Option<f64>>,
}

/// A value of a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    Text(String),
    List(Vec<Value>),
}

impl Facts {
    /// Reads a run's files; one that is missing or damaged counts as empty.
    pub fn read(entry: &Entry) -> Self {
        let config = std::fs::read_to_string(entry.folder.config_toml()).ok().and_then(|text| config::stored_table(&text).ok());
        Self {
            id: entry.id.clone(),
            status: entry.status,
            record: entry.record.clone(),
            config: config.unwrap_or_default(),
            planned: None,
            metrics: entry.folder.summary().ok().flatten().map(|summary| summary.metrics).unwrap_or_default(),
        }
    }

    /// A run as its sweep plans it: row, category, and settings by key. It has no state and no metrics.
    pub fn planned(id: Id, row: &str, category: &str, settings: &BTreeMap<String, serde_json::Value>) -> Self {
        let mut config = toml::Table::new();
        for (key, value) in settings {
            let Ok(value) = toml::Value::try_from(value) else { continue };
            let (path, last) = key.rsplit_once('.').map_or((None, key.as_str()), |(path, last)| (Some(path), last));
            let place = path.into_iter().flat_map(|path| path.split('.')).try_fold(&mut config, |table, part| {
                table.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new())).as_table_mut()
            });
            place.map(|table| table.insert(last.to_owned(), value));
        }
        let planned = Some((row.to_owned(), category.to_owned()));
        Self { id, status: Status::Fresh, record: None, config, planned, metrics: BTreeMap::new() }
    }

    /// How its id was made; a run without a record counts as of today.
    pub fn schema(&self) -> u32 {
        self.record.as_ref().map_or(SCHEMA_VERSION, |record| record.schema)
    }

    /// The run's value of a key, if it has one.
    pub fn value(&self, key: &Key) -> Option<Value> {
        match key {
            Key::Field(field) => self.field(*field),
            Key::Config(path) => reference::lookup(&self.config, path).map(Value::of),
            Key::Metric(name) => self.metrics.get(name).copied().flatten().map(Value::Number),
        }
    }

    fn field(&self, field: Field) -> Option<Value> {
        let record = self.record.as_ref();
        match field {
            Field::Id => Some(Value::Text(self.id.to_string())),
            Field::Experiment => Some(Value::Text(self.id.experiment.clone())),
            Field::Hash => Some(Value::Text(self.id.hash10.clone())),
            Field::Seed => Some(Value::Number(self.id.seed as f64)),
            Field::State => Some(Value::Text(self.status.name().into())),
            Field::Category => {
                let planned = self.planned.as_ref().map(|(_, category)| category);
                record.map(|r| &r.category).or(planned).map(|category| Value::Text(category.clone()))
            }
            Field::Row => self.planned.as_ref().map(|(row, _)| Value::Text(row.clone())),
            Field::Started => record.map(|r| Value::Text(r.started.clone())),
            Field::Attempts => record.map(|r| Value::Number(f64::from(r.attempts))),
            Field::Tag => record.map(|r| Value::List(r.tags.iter().cloned().map(Value::Text).collect())),
            Field::Sweep => record.and_then(|r| r.sweep.clone()).map(Value::Text),
            Field::Note => record.and_then(|r| r.note.clone()).map(Value::Text),
        }
    }
}

impl Value {
    fn of(value: &toml::Value) -> Self {
        match value {
            toml::Value::Integer(number) => Self::Number(*number as f64),
            toml::Value::Float(number) => Self::Number(*number),
            toml::Value::String(text) => Self::Text(text.clone()),
            toml::Value::Array(entries) => Self::List(entries.iter().map(Self::of).collect()),
            other => Self::Text(other.to_string()),
        }
    }

    /// A total order: numbers, then text, then lists; a NaN behind all numbers.
    pub fn order(&self, other: &Self) -> Ordering {
        let rank = |value: &Self| match value {
            Self::Number(_) => 0,
            Self::Text(_) => 1,
            Self::List(_) => 2,
        };
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => {
                a.iter().zip(b).map(|(a, b)| a.order(b)).find(|o| o.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            (a, b) => rank(a).cmp(&rank(b)),
        }
    }
}

impl fmt::Display for Value {
    /// As it is typed; a list as `[a, b]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::List(entries) => {
                let entries: Vec<String> = entries.iter().map(Self::to_string).collect();
                write!(f, "[{}]", entries.join(", "))
            }
        }
    }
}
