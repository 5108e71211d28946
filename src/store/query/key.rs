//! Keys of conditions: a run's own fields, configuration keys, metrics.

use std::collections::BTreeSet;

use crate::config::reference;
use crate::{Error, names};

/// What can be asked of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Field(Field),
    /// A key of experiments/base.toml.
    Config(String),
    /// A metric with its split: `test/image_auroc`.
    Metric(String),
}

/// What a run is beside its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Id,
    Experiment,
    Hash,
    Seed,
    State,
    Category,
    /// Of a planned run alone.
    Row,
    Started,
    Attempts,
    Tag,
    Sweep,
    Note,
}

/// The fields by name.
pub const FIELDS: [(&str, Field); 12] = [
    ("id", Field::Id),
    ("experiment", Field::Experiment),
    ("hash", Field::Hash),
    ("seed", Field::Seed),
    ("state", Field::State),
    ("category", Field::Category),
    ("row", Field::Row),
    ("started", Field::Started),
    ("attempts", Field::Attempts),
    ("tag", Field::Tag),
    ("sweep", Field::Sweep),
    ("note", Field::Note),
];

/// A name that is not a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub name: String,
    pub remedy: String,
}

/// What a key's values are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number,
    Text,
    /// Times as text that sorts.
    Time,
    List,
}

impl Key {
    /// The key of that name; `metrics` as in [`super::Query::parse`].
    pub fn parse(name: &str, metrics: &BTreeSet<String>) -> Result<Self, Unknown> {
        if let Some((_, field)) = FIELDS.iter().find(|(n, _)| *n == name) {
            return Ok(Self::Field(*field));
        }
        if let Some(key) = reference::key(name) {
            return Ok(Self::Config(key.path.clone()));
        }
        if metrics.contains(name) || metrics.is_empty() && name.contains('/') {
            return Ok(Self::Metric(name.to_owned()));
        }
        let remedy = suggestion(name, metrics).map_or_else(
            || "`harness config explain` lists configuration keys, `harness runs show ID` metrics".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        Err(Unknown { name: name.to_owned(), remedy })
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Field(Field::Seed | Field::Attempts) | Self::Metric(_) => Kind::Number,
            Self::Field(Field::Started) => Kind::Time,
            Self::Field(Field::Tag) => Kind::List,
            Self::Field(_) => Kind::Text,
            Self::Config(path) => match reference::key(path).map(|key| &key.default) {
                Some(toml::Value::Integer(_) | toml::Value::Float(_)) => Kind::Number,
                Some(toml::Value::Array(_)) => Kind::List,
                _ => Kind::Text,
            },
        }
    }
}

impl Unknown {
    pub fn error(&self) -> Error {
        Error::config(self.what(), self.remedy.as_str())
    }

    pub fn what(&self) -> String {
        format!("`{}` is not a configuration key, a metric or a field of a run", names::quoted(&self.name))
    }
}

/// What a misspelt name most likely means: a metric without its split first.
fn suggestion(name: &str, metrics: &BTreeSet<String>) -> Option<String> {
    let near = |other: &str| {
        let distance = strsim::osa_distance(name, other);
        (distance <= (name.chars().count() / 3).max(1)).then_some(distance)
    };
    // The headline map's name is the shortest.
    let without_split = metrics.iter().filter(|m| m.rsplit('/').next() == Some(name)).min_by_key(|m| m.len());
    let plain = FIELDS.iter().map(|(field, _)| *field).chain(metrics.iter().map(String::as_str));
    let closest = plain.filter_map(|other| Some((near(other)?, other))).min_by_key(|(distance, _)| *distance);
    without_split.cloned().or_else(|| closest.map(|(_, other)| other.to_owned())).or_else(|| reference::suggestion(name).map(str::to_owned))
}
