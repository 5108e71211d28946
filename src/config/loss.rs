//! `[loss]`: Eqs. (3) to (8).

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Weight of the feature constraint.
    pub alpha: f64,
    /// Weight of the score constraint.
    pub beta: f64,
    /// Weight of the consistency constraint.
    pub xi: f64,
    pub label_resolution: LabelResolution,
    /// Corner alignment of the bilinear upsampling of maps to the masks' size.
    pub align_corners: bool,
    pub feature: Feature,
    pub score: Score,
    pub consistency: Consistency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelResolution {
    /// Maps are upsampled to the input's size.
    Input,
    /// Masks are max-pooled to the map's size.
    Feature,
}

/// Over what pixels are counted or paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Batch,
    Image,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Added to A in the anomalous term only; bounds its gradient by 1/sqrt(2 eps).
    pub eps: f64,
    /// Weight of the one class that is there when the other is missing.
    pub single_class_weight: f64,
    pub norm_scope: Scope,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    pub enabled: bool,
    /// Scores of normal pixels above it are penalised.
    pub gamma: f64,
    /// Wanted margin between anomalous and normal scores.
    pub lambda: f64,
    pub pair_mode: PairMode,
    pub pair_scope: Scope,
    pub activation: Activation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairMode {
    AllPairs,
    Random,
    Mean,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    Identity,
    Abs,
    Softplus,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    pub enabled: bool,
    /// Patch height and width in cells of F.
    pub patch: [i64; 2],
    pub patch_repr: PatchRepr,
    pub scope: ConsistencyScope,
    pub similarity: Similarity,
    pub kl: KlDirection,
    /// Temperature of both softmaxes.
    pub tau: f64,
    pub normalize: DistanceNormalize,
    pub exclude_diagonal: bool,
    pub detach: Detach,
    /// Relate the patches of the whole batch instead of one image's.
    pub across_images: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatchRepr {
    Flatten,
    Mean,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsistencyScope {
    NormalPatches,
    NormalImages,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    NegDistance,
    Distance,
}

/// `q_p` = KL(sigma(Q) || sigma(P)), Q from scores, P from features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlDirection {
    QP,
    PQ,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DistanceNormalize {
    None,
    MeanDistance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detach {
    None,
    Features,
}
