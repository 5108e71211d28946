//! `[padim]`: a Gaussian at each position (Defard et al. 2020).

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::method::{Method, Outputs};
use crate::config::{Config, Family, Upsample};
use crate::{Error, Result, seed};

pub(super) const METHOD: Method = Method {
    name: "padim",
    defaults: include_str!("../../../experiments/detectors/padim.toml"),
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
        "padim",
        "train.precision",
        "train.memory_format",
        "eval",
    ],
    version: 1,
    outputs: |_| Outputs::of_maps(&["A"]),
    trained: false,
    backbones: |_| Family::STAGED,
    check,
    describe: |cfg| format!("PaDiM ({}), {} channels", cfg.model.backbone.name.title(), cfg.padim.channels),
};

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

/// The kept channels of each stage, ascending: `count` of them all, drawn from the seed.
pub fn padim_channels(widths: [i64; 3], count: i64, seed: u64) -> [Vec<i64>; 3] {
    let mut all: Vec<i64> = (0..widths.iter().sum()).collect();
    all.shuffle(&mut seed::stream(seed, "padim/channels", 0, 0));
    all.truncate(count as usize);
    all.sort_unstable();
    let mut below = 0;
    widths.map(|width| {
        let mine = all.iter().map(|c| c - below).filter(|c| (0..width).contains(c)).collect();
        below += width;
        mine
    })
}

fn check(cfg: &Config) -> Result<()> {
    let (kept, all) = (cfg.padim.channels, cfg.model.backbone.name.channels().iter().sum());
    if kept <= all {
        return Ok(());
    }
    Err(Error::config(format!("padim.channels: {kept} of the backbone's {all}"), "keep fewer: 100 is the published number for ResNet-18"))
}
