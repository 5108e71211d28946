//! `[nearest]`: distance to the nearest of a memory of patches (PatchCore, Roth et al. 2022).

use serde::{Deserialize, Serialize};

use super::method::{Method, Outputs};
use crate::config::{Config, Family};
use crate::{Error, Result};

pub(super) const METHOD: Method = Method {
    name: "nearest",
    defaults: include_str!("../../../experiments/detectors/nearest.toml"),
    reads: &[
        "run",
        "data.root",
        "data.categories",
        "data.size",
        "data.margin",
        "data.normalize",
        "data.resize",
        "data.workers",
        "data.cache_mb",
        "model.backbone.name",
        "model.backbone.weights",
        "model.backbone.stride_in",
        "nearest",
        "train.precision",
        "train.memory_format",
        "eval",
    ],
    version: 1,
    // S: the distances times the weight of the image.
    outputs: |cfg| Outputs::of_maps(if cfg.nearest.neighbours > 0 { &["A", "S"] } else { &["A"] }),
    trained: false,
    backbones: |_| Family::STAGED,
    check,
    describe: |cfg| format!("nearest of {} % of the patches ({})", 100.0 * cfg.nearest.fraction, cfg.model.backbone.name.title()),
};

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

fn check(cfg: &Config) -> Result<()> {
    if cfg.nearest.stages.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    let what = format!("nearest.stages: {:?} is not in ascending order", cfg.nearest.stages);
    Err(Error::config(what, "list each stage once, the finest first, as in [2, 3]"))
}
