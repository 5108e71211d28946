//! `[calibrate]`: normal images that give scores a meaning.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibrate {
    pub mode: CalibrateMode,
    /// Of the normal training images, in (0, 1).
    pub share: f64,
    /// Fits, each without one part of the images.
    pub folds: usize,
    /// False-alarm rate whose threshold is printed, in (0, 1); never changes a result.
    pub rate: f64,
}

/// Where scores of normal images come from that the fit has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrateMode {
    None,
    /// From images that are held out of the fit.
    Holdout,
    /// From further fits, each without the images that it scores.
    Folds,
}
