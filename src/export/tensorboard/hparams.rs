//! The HParams plugin: configurations side by side with the metrics they reached.
//!
//! A run is a session; sessions with one `group_name`, the hash of the configuration, are the seeds of one configuration,
//! and the dashboard shows their mean. Messages and field numbers: `tensorboard/plugins/hparams/{plugin_data,api}.proto`.

use std::collections::BTreeSet;

use toml::Value;

use super::message;
use crate::config::reference::{self, Key};
use crate::config::{self, Config};
use crate::eval;
use crate::export::protobuf::Message;
use crate::run::{Id, Outcome, summary};

/// The name by which TensorBoard finds the plugin.
pub const PLUGIN: &str = "hparams";

const STRING: u64 = 1;
const BOOL: u64 = 2;
const FLOAT64: u64 = 3;

/// Which hyperparameters and metrics there are: the same for every run of a configuration, and TensorBoard takes one run's. Keys in which
/// the rows of the run's sweep differ (`varied`) come first, then those whose value is not that of base.toml, then all others, because
/// another run may differ in them. `differs` stands at the first kind, or without a sweep at the second: TensorBoard 2.21 sorts by it and
/// then by name (`backend_context.py`), and shows the first five. Seeds of one configuration are one group, and the
/// category stands for itself: their keys are left out.
pub fn experiment(cfg: &Config, varied: &BTreeSet<String>) -> Message {
    let table = table(cfg);
    let place = |key: &&Key| match () {
        () if varied.contains(&key.path) => 0,
        () if reference::lookup(&table, &key.path).is_some_and(|value| *value != key.default) => 1,
        () => 2,
    };
    let mut keys: Vec<&Key> = reference::keys().iter().filter(|key| key.is_shared()).collect();
    keys.sort_by_key(place);
    let last = i32::from(varied.is_empty());
    let info = |key: &&Key| {
        let info = Message::new().text(1, &key.path).text(3, &key.doc).int(4, kind(&key.default));
        info.int(7, u64::from(place(key) <= last))
    };
    let category = Message::new().text(1, "category").int(4, STRING).int(7, 1);
    let metrics = metrics(cfg).into_iter().map(|tag| {
        let name = Message::new().text(2, &tag);
        Message::new().message(1, &name).text(3, &tag)
    });
    plugin("experiment", 2, &Message::new().message(4, &category).each(4, keys.iter().map(info)).each(5, metrics))
}

/// The run's own values; `began` in seconds since 1970.
pub fn session_start(id: &Id, category: &str, cfg: &Config, began: f64) -> Message {
    let table = table(cfg);
    let entry = |key: &str, value: &Value| Message::new().text(1, key).message(2, &plain(value));
    let own = entry("category", &Value::String(category.into()));
    let keys = reference::keys().iter().filter(|key| key.is_shared());
    let values = keys.filter_map(|key| Some(entry(&key.path, reference::lookup(&table, &key.path)?)));
    let start = Message::new().message(1, &own).each(1, values).text(4, &id.hash10).double(5, began);
    plugin("session_start_info", 3, &start)
}

/// How the run ended, in seconds since 1970; `None` for one that will be resumed.
pub fn session_end(outcome: Outcome, at: f64) -> Option<Message> {
    let status = match outcome {
        Outcome::Finished => 1,
        Outcome::Failed => 2,
        Outcome::Running | Outcome::Stopped => return None,
    };
    Some(plugin("session_end_info", 4, &Message::new().int(1, status).double(2, at)))
}

fn plugin(what: &str, field: u32, content: &Message) -> Message {
    message::plugin(&format!("_hparams_/{what}"), PLUGIN, &Message::new().message(field, content))
}

/// Tags of the metrics worth a column.
fn metrics(cfg: &Config) -> Vec<String> {
    let split = summary::split(cfg.train.checkpoint);
    let mut names: Vec<String> = ["image_auroc", "pixel_auroc"].map(str::to_owned).into();
    // A protocol that cannot be computed is the evaluation's error to tell.
    names.extend(eval::protocol(cfg, None).ok().map(|protocol| protocol.aupro_key()));
    names.extend(["image_ap", "pixel_ap"].map(str::to_owned));
    names.into_iter().map(|name| format!("{split}/{name}")).collect()
}

fn table(cfg: &config::Config) -> toml::Table {
    toml::Table::try_from(cfg).expect("a configuration is TOML")
}

fn kind(value: &Value) -> u64 {
    match value {
        Value::Boolean(_) => BOOL,
        Value::Integer(_) | Value::Float(_) => FLOAT64,
        _ => STRING,
    }
}

/// `google.protobuf.Value`; lists as their TOML.
fn plain(value: &Value) -> Message {
    match value {
        Value::Boolean(value) => Message::new().int(4, u64::from(*value)),
        Value::Integer(value) => Message::new().double(2, *value as f64),
        Value::Float(value) => Message::new().double(2, *value),
        Value::String(value) => Message::new().text(3, value),
        other => Message::new().text(3, &other.to_string()),
    }
}
