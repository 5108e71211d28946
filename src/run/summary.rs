//! summary.json: the result of a run with the protocol of its metrics. Written last; its presence means finished.

use super::event::{SPLITS, nan_for_null};
use crate::config::Checkpoint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format of summary.json.
pub const FORMAT: u32 = 1;

/// summary.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub format: u32,
    /// `<experiment>/<hash10>-s<seed>`.
    pub id: String,
    pub category: String,
    pub seed: u64,
    pub detector: String,
    /// Which score map the plain keys of `metrics` are computed on: `"S"` (scores) or `"A"` (distances).
    pub headline: String,
    /// Keyed `split/metric` on the headline map (`test/image_auroc`, `test/aupro@0.3`) and `split/map/metric` on each
    /// (`test/A/image_auroc`); ratios 0..=1, `None` where a metric has no value.
    pub metrics: BTreeMap<String, Option<f64>>,
    /// How they were computed: FPR limit, connectivity, resolution, aggregation, smoothing, which checkpoint.
    pub protocol: serde_json::Value,
    pub backbone: Lineage,
    /// Content hash of the data.
    pub data_hash: String,
    /// Means of the last epoch; empty where nothing was trained.
    #[serde(deserialize_with = "nan_for_null")]
    pub losses: BTreeMap<String, f64>,
    /// Mean gradient norm of the last epoch, before clipping.
    pub grad_norm: Option<f64>,
    /// Images by split and kind, steps, parameters.
    pub counts: BTreeMap<String, u64>,
    pub timing: TimeSpent,
}

/// The split that a run's metrics stand under: never `test` where the test set chose the epoch.
pub fn split(rule: Checkpoint) -> &'static str {
    match rule {
        Checkpoint::Last | Checkpoint::BestPseudoVal => SPLITS[0],
        Checkpoint::BestTest => SPLITS[1],
    }
}

/// Where the backbone came from; stands below every table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lineage {
    /// The network, such as `resnet50`.
    pub name: String,
    /// Who trained the weights, as their file says; `"none"` for random ones.
    pub lineage: String,
    /// Which convolution carries the stride: `conv1` or `conv2`.
    pub stride_in: String,
    /// Content hash of the weights; none for random ones.
    pub weights_hash: Option<String>,
}

/// Times, which no two runs share.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TimeSpent {
    /// Seconds of all attempts, work that was lost left out.
    pub wall_s: f64,
    /// Seconds of it by part, such as `train` and `eval`.
    #[serde(default)]
    pub parts_s: BTreeMap<String, f64>,
    /// Attempts that it took.
    pub attempts: u32,
}

impl Summary {
    /// A metric of the run; `map` is empty for the headline map, else such as `A/`. A metric that was selected on the test set
    /// stands under another split and is not found here.
    pub fn metric(&self, map: &str, name: &str) -> Option<f64> {
        self.metrics.get(&format!("test/{map}{name}")).copied().flatten()
    }

    /// Canonical JSON of everything but `timing`: equal for two runs exactly if their results are, bit for bit.
    pub fn comparable(&self) -> String {
        let mut value = serde_json::to_value(self).expect("a summary is plain data");
        value.as_object_mut().expect("a summary is a table").remove("timing");
        super::canonical(&value)
    }
}

#[cfg(test)]
pub(crate) fn example(id: &super::Id) -> Summary {
    Summary {
        metrics: BTreeMap::from([("test/image_auroc".into(), Some(0.1 + 0.2)), ("test/aupro@0.3".into(), None)]),
        protocol: serde_json::json!({ "limit": 0.3 }),
        losses: BTreeMap::from([("total".into(), f64::NAN)]),
        ..crate::testing::summary(id, "bottle")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_compare_without_their_times_and_to_the_last_bit() {
        let one = example(&crate::run::Id::new("x", "0123456789", 3).unwrap());
        let mut other = one.clone();
        other.timing.wall_s = 9.0;
        assert_eq!(one.comparable(), other.comparable());
        other.metrics.insert("test/image_auroc".into(), Some(0.3));
        assert_ne!(one.comparable(), other.comparable());
    }

    #[test]
    fn a_metric_is_found_by_map_and_name_and_never_where_the_test_set_chose() {
        let mut one = example(&crate::run::Id::new("x", "0123456789", 3).unwrap());
        one.metrics = [("test/image_auroc", Some(0.9)), ("test/A/image_auroc", Some(0.8)), ("best_on_test/pixel_auroc", Some(0.7))]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        assert_eq!((one.metric("", "image_auroc"), one.metric("A/", "image_auroc")), (Some(0.9), Some(0.8)));
        assert_eq!((one.metric("", "pixel_auroc"), one.metric("", "aupro@0.3")), (None, None));
    }

    #[test]
    fn a_summary_reads_back_even_where_numbers_are_missing() {
        let one = example(&crate::run::Id::new("x", "0123456789", 3).unwrap());
        let back: Summary = serde_json::from_str(&serde_json::to_string_pretty(&one).unwrap()).unwrap();
        assert_eq!(back.comparable(), one.comparable());
        assert!(back.losses["total"].is_nan() && back.metrics["test/aupro@0.3"].is_none());
    }
}
