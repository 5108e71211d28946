//! In what two runs differ: configuration, environment, metrics.

use super::Entry;
use crate::config::{self, flatten};
use crate::run::env;
use crate::{Result, file};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One thing in which two runs differ; none where one lacks it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair<T> {
    pub key: String,
    pub a: Option<T>,
    pub b: Option<T>,
}

/// Everything in which two runs differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// State, category and seed.
    pub run: Vec<Pair<String>>,
    /// Keys of config.toml, as TOML.
    pub config: Vec<Pair<String>>,
    /// Members of env.json.
    pub environment: Vec<Pair<String>>,
    /// Ratios, to the last bit.
    pub metrics: Vec<Pair<f64>>,
}

impl Difference {
    /// Reads both runs. A file that is missing counts as empty.
    ///
    /// # Errors
    /// A file that is there and cannot be understood.
    pub fn of(a: &Entry, b: &Entry) -> Result<Self> {
        let [a, b] = [Sides::read(a)?, Sides::read(b)?];
        Ok(Self {
            run: pairs(&a.run, &b.run),
            config: pairs(&a.config, &b.config),
            environment: pairs(&a.environment, &b.environment),
            metrics: pairs(&a.metrics, &b.metrics),
        })
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.run.is_empty() && self.config.is_empty() && self.environment.is_empty() && self.metrics.is_empty()
    }
}

/// One run as flat tables.
struct Sides {
    run: BTreeMap<String, String>,
    config: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    metrics: BTreeMap<String, f64>,
}

impl Sides {
    fn read(entry: &Entry) -> Result<Self> {
        let mut run = BTreeMap::from([("seed".into(), entry.id.seed.to_string()), ("state".into(), entry.status.name().into())]);
        run.extend(entry.record.as_ref().map(|record| ("category".into(), record.category.clone())));
        let config = match std::fs::read_to_string(entry.folder.config_toml()) {
            Ok(text) => config::stored_table(&text).map_err(|e| {
                let what = format!("{}: {e}", entry.folder.config_toml().display());
                crate::Error::environment(what, "the file was changed or damaged")
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => toml::Table::new(),
            Err(error) => return Err(crate::Error::io("read", &entry.folder.config_toml(), &error)),
        };
        let mut environment = BTreeMap::new();
        if let Some(value) = file::read_json::<Value>(&entry.folder.env_json(), env::FORMAT)? {
            leaves("", &value, &mut environment);
        }
        let metrics = entry.folder.summary()?.map(|summary| summary.metrics).unwrap_or_default();
        Ok(Self {
            run,
            config: flatten(&config).into_iter().map(|(key, value)| (key, value.to_string())).collect(),
            environment,
            metrics: metrics.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        })
    }
}

/// Dotted paths of everything but tables; text without its quotes.
fn leaves(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                leaves(&if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value, found);
            }
        }
        Value::Null => {}
        Value::String(text) => drop(found.insert(path.to_owned(), text.clone())),
        other => drop(found.insert(path.to_owned(), other.to_string())),
    }
}

fn pairs<T: Clone + PartialEq>(a: &BTreeMap<String, T>, b: &BTreeMap<String, T>) -> Vec<Pair<T>> {
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differing = keys.into_iter().filter(|key| a.get(*key) != b.get(*key));
    differing.map(|key| Pair { key: key.clone(), a: a.get(key).cloned(), b: b.get(key).cloned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pairs_are_what_differs_and_swap_with_the_sides(
            a in proptest::collection::btree_map("[a-d]", 0u8..3, 0..4),
            b in proptest::collection::btree_map("[a-d]", 0u8..3, 0..4),
        ) {
            let forth = pairs(&a, &b);
            prop_assert_eq!(forth.is_empty(), a == b);
            prop_assert!(forth.iter().all(|p| p.a != p.b && p.a.as_ref() == a.get(&p.key) && p.b.as_ref() == b.get(&p.key)));
            let back: Vec<_> = pairs(&b, &a).into_iter().map(|p| Pair { key: p.key, a: p.b, b: p.a }).collect();
            prop_assert_eq!(forth, back);
        }
    }

    #[test]
    fn nested_members_are_named_by_their_path() {
        let mut found = BTreeMap::new();
        leaves("", &serde_json::json!({ "cpu": { "model": "x", "cores": 2 }, "git": null, "flags": ["a"] }), &mut found);
        let expected = [("cpu.cores", "2"), ("cpu.model", "x"), ("flags", "[\"a\"]")];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }
}
