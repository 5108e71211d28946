//! `detector`, `[padim]` and `[nearest]`: the systems behind the seam and the settings of those that only look.

use serde::{Deserialize, Serialize};

use super::{BackboneName, Upsample};

/// What is fitted and scores images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// The paper's multi-level feature fusion network.
    Mlff,
    /// A Gaussian at each position (Defard et al. 2020).
    Padim,
    /// Distance to the nearest of a memory of patches (PatchCore, Roth et al. 2022).
    Nearest,
}

impl Detector {
    /// What this detector wants otherwise than `experiments/base.toml` has it; lies over the profile, under the experiment.
    pub(super) fn defaults(self) -> &'static str {
        match self {
            Detector::Mlff => "",
            Detector::Padim => include_str!("../../experiments/detectors/padim.toml"),
            Detector::Nearest => include_str!("../../experiments/detectors/nearest.toml"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Padim {
    /// Channels of stages 1 to 3 that are kept, drawn from the seed.
    pub channels: i64,
    /// How stages 2 and 3 reach the resolution of stage 1.
    pub upsample: Upsample,
    /// Added to the diagonal of each covariance.
    pub eps: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nearest {
    /// Stages of the backbone, ascending; the first gives the resolution.
    pub stages: Vec<usize>,
    /// Numbers of a stage's and of the joined patch feature; 0 = all channels of 3x3 means.
    pub dims: i64,
    /// Share of the training patches that is remembered.
    pub fraction: f64,
    /// Dimensions in which the coreset is chosen; 0 = those of the features.
    pub project: i64,
    /// Neighbours that the reweighted image score looks at; 0 = no reweighting.
    pub neighbours: i64,
}

/// Channels of stages 1 to 3 together.
pub(super) fn channels(name: BackboneName) -> i64 {
    match name {
        BackboneName::Resnet18 | BackboneName::Resnet34 => 64 + 128 + 256,
        BackboneName::Resnet50 | BackboneName::Resnet101 | BackboneName::WideResnet50x2 => 256 + 512 + 1024,
    }
}
