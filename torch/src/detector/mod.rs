//! The seam: what can be fitted to normal images and can score any image.
//!
//! The paper's method and every system that it is compared with stand behind [`Detector`]; they share the loader, the
//! evaluator, the run store and the reports.

mod backbone;
mod features;
pub mod mlff;
pub mod nearest;
pub mod padim;
mod pass;

pub use backbone::stride_in;
pub use mlff::Mlff;
pub use nearest::Nearest;
pub use padim::Padim;

use std::sync::Arc;

use harness::config::Config;
use harness::data::Source;
use harness::eval::MapKind;
use harness::{Error, Result};
use tch::{Device, Tensor};

use crate::train::{Sink, Snapshot};

/// What fitting will take and leave, known before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// Passes over the training images that are counted; 0 for a detector that looks once.
    pub epochs: u64,
    /// Steps that the sink is told of.
    pub steps: u64,
    /// What [`Detector::state`] will weigh.
    pub kept_bytes: u64,
    /// Numbers in all the maps of an image.
    pub map_cells: u64,
}

/// Numbers in the weights of a detector's network, frozen ones included; statistics, memories and factors are no weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub parameters: u64,
    /// Those of them that an optimiser changes.
    pub trained: u64,
}

/// A detector as it stands, fitted or not.
pub trait Detector {
    /// What fitting to so many images means.
    fn outlook(&self, images: usize) -> Outlook;

    /// Fits to the normal images of `source`, from `start` or from the beginning, telling `sink` what happens.
    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()>;

    /// Score maps of images `[B, 3, S, S]` in 0..=1: each `[B, h, w]` in f32, higher is more anomalous.
    fn score(&self, images: &Tensor) -> Vec<(MapKind, Tensor)>;

    /// The map that the paper uses for this configuration.
    fn headline(&self) -> MapKind;

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
    /// The backbone's weights, unless the configuration says "none".
    pub weights: Option<&'a harness::weights::File>,
}

/// Builds the configured detector, unfitted.
pub fn build(parts: &Parts) -> Result<Box<dyn Detector>> {
    match parts.cfg.detector.name() {
        "mlff" => Ok(Box::new(Mlff::new(parts)?)),
        "padim" => Ok(Box::new(Padim::new(parts)?)),
        "nearest" => Ok(Box::new(Nearest::new(parts)?)),
        other => Err(Error::config(format!("detector: {other} is known by name only"), "build it into the program that runs it")),
    }
}
