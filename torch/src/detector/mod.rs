//! The seam: what can be fitted to normal images and can score any image.
//!
//! The paper's method and every system that it is compared with stand behind [`Detector`]; they share the loader, the
//! evaluator, the run store and the reports. One folder a detector, one line in [`build`].

mod backbone;
mod features;
pub mod mlff;
pub mod nearest;
pub mod padim;
mod pass;

pub use backbone::stride_in;
pub use features::Features;
pub use mlff::Mlff;
pub use nearest::Nearest;
pub use padim::Padim;
pub use pass::{Aside, Pass, check_stop};

use std::sync::{Arc, OnceLock};

use harness::config::detector::Method;
use harness::config::{self, Config};
use harness::data::Source;
use harness::{Error, Result};
use tch::{Device, Tensor};

use crate::train::{Learner, Scored, Sink, Snapshot};

/// What fitting will take and leave, known before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FitEstimate {
    /// Passes over the training images that are counted; 0 for a detector that looks once.
    pub epochs: u64,
    /// Steps that the sink is told of.
    pub steps: u64,
    /// What [`Detector::state`] will weigh.
    pub kept_bytes: u64,
    /// Numbers in all that is stored of an image: its maps, and its own score as one.
    pub map_cells: u64,
}

/// Numbers in the weights of a detector's network, frozen ones included; statistics, memories and factors are not weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub parameters: u64,
    /// Those of them that an optimiser changes.
    pub trained: u64,
}

/// A detector as it stands, fitted or not.
pub trait Detector {
    /// What fitting to so many images means.
    fn estimate(&self, images: usize) -> FitEstimate;

    /// Fits to the normal images of `source`, from `start` or from the beginning, telling `sink` what happens.
    ///
    /// A trained detector prepares (statistics of the images or of a teacher), trains ([`crate::train::train`]) and finishes
    /// (Gaussians, memories, quantiles). What stands before and behind training is a pure function of images and weights: it
    /// is never part of a checkpoint, a resume computes it again.
    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()>;

    /// What it gives of images `[B, 3, S, S]` in 0..=1, in the order of its `config::Outputs`; without gradients.
    fn score(&self, images: &Tensor) -> Scored;

    /// What the loop trains, ready to be trained on `source`; `None` for a detector that looks once.
    ///
    /// # Errors
    /// An image that cannot be read.
    fn learner(&mut self, _source: &Source) -> Result<Option<&dyn Learner>> {
        Ok(None)
    }

    /// How large its network is.
    fn count(&self) -> Count;

    /// The tensors a finished run keeps: all that was learned, nothing that a file named by its hash can give back.
    fn state(&self) -> Vec<(String, Tensor)>;

    /// Puts back what [`Detector::state`] gave.
    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()>;
}

/// What a detector is built from.
pub struct Parts<'a> {
    pub cfg: &'a Config,
    pub seed: u64,
    pub device: Device,
    /// The backbone's weights; none where the configuration says "none", or the detector has no backbone.
    pub weights: Option<&'a harness::weights::File>,
}

/// Makes a detector, unfitted.
pub type Build = fn(&Parts) -> Result<Box<dyn Detector>>;

/// A detector that stands outside this package: both of its halves.
pub struct Brought {
    pub method: Method,
    pub build: Build,
}

static BROUGHT: OnceLock<&'static [Brought]> = OnceLock::new();

/// Makes more detectors known to this program; once, before anything reads a configuration.
///
/// # Panics
/// As [`config::detector::bring`].
pub fn bring(detectors: &'static [Brought]) {
    config::detector::bring(detectors.iter().map(|brought| &brought.method).collect());
    assert!(BROUGHT.set(detectors).is_ok(), "detectors are brought once");
}

/// Builds the configured detector, unfitted.
///
/// # Errors
/// A configuration, or weights, from which it cannot be built.
pub fn build(parts: &Parts) -> Result<Box<dyn Detector>> {
    match parts.cfg.detector.name() {
        "mlff" => Ok(Box::new(Mlff::new(parts)?)),
        "padim" => Ok(Box::new(Padim::new(parts)?)),
        "nearest" => Ok(Box::new(Nearest::new(parts)?)),
        other => match BROUGHT.get().and_then(|all| all.iter().find(|brought| brought.method.name == other)) {
            Some(brought) => (brought.build)(parts),
            None => Err(Error::config(format!("detector: {other} is not built into this program"), "use the program that brings it")),
        },
    }
}
