//! `[train]`: the loop.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Images a step.
    pub batch: usize,
    pub epochs: usize,
    /// Steps in all, whatever `epochs` says; 0 = by epochs.
    pub steps: usize,
    pub checkpoint: Checkpoint,
    /// Longest time between two checkpoints, s; never changes a result.
    pub checkpoint_every_s: f64,
    pub precision: Precision,
    /// Leave out an epoch's last, smaller batch.
    pub drop_last: bool,
    /// Greatest gradient norm; 0 = no clipping.
    pub clip_norm: f64,
    pub average: Average,
    /// What a step leaves of the moving average.
    pub average_decay: f64,
    /// The part of the steps of which `Average::Tail` is the mean.
    pub average_tail: f64,
    pub memory_format: MemoryFormat,
}

/// Of which steps the weights that are evaluated are a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// Of the last alone.
    None,
    /// Of all, the later the more.
    Ema,
    /// Of the last part.
    Tail,
}

/// Which weights are evaluated and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checkpoint {
    Last,
    /// Best pixel AUROC on pseudo anomalies over held-out normal training images.
    BestPseudoVal,
    /// Selected on the test set: leaky, named so wherever it is printed.
    BestTest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    Fp32,
    /// Convolutions in bf16; QCO, the head's 1x1 convolutions and losses in float32.
    Bf16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryFormat {
    ChannelsLast,
    Contiguous,
}
