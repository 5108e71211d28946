//! `[eval]`: from what a detector gives to metrics.

use serde::{Deserialize, Serialize};

use super::detector::Outputs;
use crate::{Error, Result};

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

impl Eval {
    /// An image score can only come from what the detector of that name gives.
    ///
    /// # Errors
    /// `Kind::Config` naming the key and the remedy.
    pub(super) fn check(&self, detector: &str, outputs: &Outputs) -> Result<()> {
        match self.image_score {
            ImageScore::Own if !outputs.image => Err(Error::config(
                format!("eval.image_score: {detector} has no image score of its own"),
                "use \"upsampled\", \"map\" or \"mean\", which come from its map",
            )),
            score if outputs.maps.is_empty() && score != ImageScore::Own => {
                Err(Error::config(format!("eval.image_score: {detector} gives no map"), "use \"own\""))
            }
            _ => Ok(()),
        }
    }
}
