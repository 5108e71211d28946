//! The configuration: closed plain data with one door in.
//!
//! `experiments/base.toml` names every key with its meaning, unit, range and default, and is compiled in: it *is* the
//! default configuration and the reference that `harness config explain` prints. A profile, the detector's own defaults, an
//! experiment file and `key=value` overrides are laid over it, in that order; the result is checked against the same file's ranges.

mod backbone;
mod calibrate;
mod check;
mod data;
pub mod detector;
mod eval;
mod layer;
mod loss;
mod model;
mod optim;
mod profile;
mod pseudo;
pub mod reference;
mod run;
mod spec;
mod stored;
mod text;
mod train;
pub mod upgrade;

pub use backbone::*;
pub use calibrate::{Calibrate, CalibrateMode};
pub use check::check;
pub use data::*;
pub use detector::{
    Aligned, AlignedBy, Compact, CutPasteDetector, CutPasteNetwork, Detector, Fcdd, FcddBorder, FcddMask, FcddNetwork, Nearest, Noise,
    NoiseMask, Outputs, Padim, Psvdd, Rd, RdLoss, RdMap, RdWidth, Shrink, ShrinkBy, SuperSimpleNet, Teaching, US_FIELDS, Us, check_batch,
    check_rd_batch, padim_channels,
};
pub use eval::*;
pub use layer::{Layer, Request, Resolved};
pub use loss::*;
pub use model::*;
pub use optim::*;
pub use profile::Profile;
pub use pseudo::*;
pub use run::*;
pub use stored::{stored, stored_table};
pub use text::{check_depth, flatten, parse_override};
pub use train::*;

use serde::{Deserialize, Serialize};

/// A whole configuration, resolved and checked. Field docs here are short; `experiments/base.toml` is the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub detector: Detector,
    pub run: Run,
    pub data: Data,
    pub pseudo: Pseudo,
    pub model: Model,
    pub padim: Padim,
    pub nearest: Nearest,
    pub rd: Rd,
    pub fcdd: Fcdd,
    pub supersimplenet: SuperSimpleNet,
    pub cutpaste: CutPasteDetector,
    pub psvdd: Psvdd,
    pub us: Us,
    pub loss: Loss,
    pub optim: Optim,
    pub train: Train,
    pub eval: Eval,
    pub calibrate: Calibrate,
}

impl Config {
    /// As the file that reads back to the same configuration.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration is TOML")
    }

    /// The folder of photographs that a run's pseudo anomalies show, where any do.
    pub fn textures(&self) -> Option<&str> {
        self.pseudo.textures().filter(|_| self.reads("pseudo.perlin.textures"))
    }
}

impl Default for Config {
    /// `experiments/base.toml`, the paper's profile.
    fn default() -> Self {
        toml::from_str(include_str!("../../experiments/base.toml")).expect("the built-in defaults parse")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn the_defaults_parse() {
        assert_eq!(Config::default().data.size, 256);
    }
}
