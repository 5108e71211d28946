//! `[run]`, `[optim]`, `[train]` and `[eval]`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// One run a seed and category.
    pub seeds: Vec<u64>,
    /// libtorch's intra-op threads; part of the result on a CPU.
    pub threads: usize,
    /// `"auto"`, `"cpu"`, `"cuda"` or `"cuda:N"`.
    pub device: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optim {
    pub kind: OptimKind,
    /// Initial learning rate.
    pub lr: f64,
    /// SGD's momentum.
    pub momentum: f64,
    pub nesterov: bool,
    /// L2 weight added to the gradient of every trained parameter; with AdamW the share that a parameter loses per step and
    /// unit of learning rate.
    pub weight_decay: f64,
    /// Adam's decay rates.
    pub betas: [f64; 2],
    pub schedule: Schedule,
    /// Factor per epoch of the exponential schedule.
    pub schedule_gamma: f64,
    /// Shares of the run at which the step schedule changes the rate, ascending.
    pub milestones: Vec<f64>,
    /// Factor of the step schedule at each milestone.
    pub milestone_factor: f64,
    /// Epochs of linear warm-up before the schedule starts; 0 = none.
    pub warmup_epochs: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimKind {
    Sgd,
    Adam,
    /// Adam with decoupled weight decay.
    Adamw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    Constant,
    Exp,
    Cosine,
    Step,
}

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
    pub memory_format: MemoryFormat,
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eval {
    pub resolution: Resolution,
    /// Corner alignment of the bilinear upsampling of score maps.
    pub align_corners: bool,
    /// Smoothing of the upsampled map, px of that map; 0 = none.
    pub gaussian_sigma: f64,
    pub image_score: ImageScore,
    /// Images a forward pass.
    pub batch: usize,
    pub pro: Pro,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Each image's own size.
    Original,
    /// `data.size`, masks reduced by nearest.
    Input,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageScore {
    /// Maximum of the upsampled map.
    Upsampled,
    /// Maximum of the map as the network gives it.
    Map,
    /// Mean of the map as the network gives it.
    Mean,
    /// What the detector gives beside its maps, or instead of any.
    Own,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pro {
    pub variant: ProVariant,
    /// Greatest false positive rate of the integral, 0 < limit <= 1.
    pub limit: f64,
    /// Neighbours that join two pixels into one region: 4 or 8.
    pub connectivity: u8,
}

/// How the area under the PRO curve is computed (`metric::Variant` says who uses what).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProVariant {
    /// One point per distinct score; the reference.
    Exact,
    /// Per image, 200 linear thresholds, then averaged (reverse distillation).
    RdPerImage,
    /// 200 linear thresholds over the category, FPR rescaled by its own maximum.
    Grid,
}
