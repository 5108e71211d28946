//! The numbers of one evaluation.

use super::protocol::Protocol;
use serde::{Deserialize, Serialize};

/// The false positive rate at which recall of large and tiny regions is read.
pub const RECALL_FPR: f64 = 0.05;

/// The metrics of one category, as fractions; `None` where a class that a metric needs is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// How the numbers were computed.
    pub protocol: Protocol,
    pub image_auroc: Option<f64>,
    pub image_ap: Option<f64>,
    pub image_f1max: Option<f64>,
    /// Images that score this or more are anomalous at `image_f1max`.
    pub image_f1max_threshold: Option<f64>,
    pub pixel_auroc: Option<f64>,
    pub pixel_ap: Option<f64>,
    pub pixel_f1max: Option<f64>,
    /// Pixels that score this or more are anomalous at `pixel_f1max`.
    pub pixel_f1max_threshold: Option<f64>,
    /// Area under the per-region overlap up to the protocol's FPR limit, in the protocol's variant.
    pub aupro: Option<f64>,
    /// Mean covered fraction of regions of at least 1 % of their image's area, where 5 % of normal pixels are false alarms.
    #[serde(rename = "large_recall@fpr0.05")]
    pub large_recall: Option<f64>,
    /// The same of regions below 1 %.
    #[serde(rename = "tiny_recall@fpr0.05")]
    pub tiny_recall: Option<f64>,
    pub images: usize,
    pub anomalous_images: usize,
    pub regions: usize,
    pub large_regions: usize,
    pub tiny_regions: usize,
    /// Pixels of all maps.
    pub pixels: u64,
}

impl Scores {
    /// Every metric by its key, in the order of a table. Keys lack the split: `test/` and its like are the caller's.
    pub fn metrics(&self) -> Vec<(String, Option<f64>)> {
        let named = [
            ("image_auroc", self.image_auroc),
            ("image_ap", self.image_ap),
            ("image_f1max", self.image_f1max),
            ("image_f1max_threshold", self.image_f1max_threshold),
            ("pixel_auroc", self.pixel_auroc),
            ("pixel_ap", self.pixel_ap),
            ("pixel_f1max", self.pixel_f1max),
            ("pixel_f1max_threshold", self.pixel_f1max_threshold),
            (&self.protocol.aupro_key(), self.aupro),
            ("large_recall@fpr0.05", self.large_recall),
            ("tiny_recall@fpr0.05", self.tiny_recall),
        ];
        named.map(|(key, value)| (key.to_owned(), value)).to_vec()
    }
}
