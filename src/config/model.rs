//! `[model]`: the network, in the order in which an image passes through it.

use serde::{Deserialize, Serialize};

use super::Backbone;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Self-calibration of stage 3 on or off.
    pub self_calibration: bool,
    /// STLNet texture branch on or off.
    pub stlnet: bool,
    /// Factor of the learning rate for the backbone.
    pub backbone_lr: f64,
    pub backbone_norms: Norms,
    pub head_init: HeadInit,
    pub backbone: Backbone,
    pub low: Low,
    pub stl: Stl,
    pub qco: Qco,
    pub tem: Tem,
    pub ptfem: Ptfem,
    pub sc: SelfCalibration,
    pub fusion: Fusion,
    pub score: ScoreHead,
    pub noise: FeatureNoise,
    pub ablation: AblationHead,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Low {
    /// Input pixels per cell of the low-level map: 4 or 8.
    pub stride: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stl {
    pub join: Join,
    /// Channels of the reduced low-level map X0.
    pub width: i64,
}

/// How the texture branch meets stages 1 and 2 in the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// Its maps take their place.
    Replace,
    /// They come beside them, by a convolution that starts at zero.
    Add,
}

/// What the batch norms of a trained backbone use in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norms {
    /// The batch's statistics.
    Train,
    /// Those that came with the weights.
    Fixed,
}

/// First values of the head's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadInit {
    /// Within 1 / sqrt(fan-in).
    Uniform,
    /// Normal, variance 2 / fan-in (He et al. 2015).
    He,
    /// Normal, variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010).
    Xavier,
    /// Normal, variance 1 / (18 fan-in): a sixth of that of `Uniform`, whose own is a sixth of He's.
    Small,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qco {
    pub levels: Levels,
    pub window: Window,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Levels {
    Midpoint,
    Endpoint,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// A full step each side: a pixel fires one or two levels.
    Full,
    /// Half a step each side: plain binning.
    Half,
    /// A full step each side, and what is fired falls to 0 at its ends.
    Hat,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tem {
    /// Quantization levels N.
    pub levels: i64,
    /// Channels after the 3x3 convolution.
    pub mid: i64,
    /// Channels C of Y and of the statistic D.
    pub channels: i64,
    /// Hidden channels of the counting map's MLP.
    pub hidden: i64,
    /// Channels of the texture map T1.
    pub out: i64,
    /// Divide the re-assignment by the sum of a pixel's encodings.
    pub normalize_assign: bool,
    pub attention_scale: AttentionScale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionScale {
    None,
    /// 1 / sqrt(channels).
    InvSqrt,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ptfem {
    /// Quantization levels per axis.
    pub levels: i64,
    /// Regions per side, one branch each.
    pub scales: Vec<i64>,
    pub offset: Offset,
    /// Channels of the map V that is described.
    #[serde(rename = "in")]
    pub input: i64,
    /// Hidden channels of the co-occurrence MLP.
    pub hidden: i64,
    /// Channels of a region's description.
    pub mid: i64,
    /// Channels of the texture map T2.
    pub out: i64,
}

/// Displacement of the second pixel of a pair, `[dy, dx]`, or the mean of right and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Offset {
    One([i64; 2]),
    Mean(OffsetMean),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OffsetMean {
    Mean,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfCalibration {
    /// Down-sampling rate of the small-scale path.
    pub r: i64,
    pub upsample: Upsample,
    /// Kernel of the last convolution: 1 or 3.
    pub k4: i64,
    /// Output channels.
    pub out: i64,
    /// Channels of a 1x1 conv-BN-ReLU before the module; 0 = none.
    pub reduce: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upsample {
    Nearest,
    Bilinear,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fusion {
    /// Input pixels per cell of the feature map F: 4, 8 or 16.
    pub stride: usize,
    /// Channels between the head's two convolutions.
    pub mid: i64,
    /// Channels C of the feature map F.
    pub channels: i64,
    pub mid_activation: MidActivation,
    pub bias: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MidActivation {
    None,
    BnRelu,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreHead {
    /// Hidden channels of an MLP score head; 0 = one linear map.
    pub hidden: i64,
    /// Add the distance of F to its centre.
    pub residual: bool,
}

/// Pseudo anomalies in the backbone's maps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureNoise {
    /// Share of the images without a pseudo anomaly that get it; 0 = none do.
    pub share: f64,
    /// Standard deviation, in the unit of each channel's own.
    pub std: f64,
    /// Perlin noise above it is anomalous.
    pub threshold: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AblationHead {
    pub head: BaselineHead,
}

/// What row 1 of Table 4 puts behind the fused map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineHead {
    /// The same head as the full method.
    Same,
    /// The fused map itself is F.
    Raw,
}
