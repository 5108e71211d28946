//! The seam: what can be fitted to normal images and can score any image.
//!
//! The paper's method and every system that it is compared with stand behind [`Detector`]; they share the loader, the
//! evaluator, the run store and the reports. One folder a detector, one line in [`build`].

mod backbone;
mod contract;
pub mod cutpaste;
pub mod fcdd;
mod features;
pub mod mlff;
pub mod nearest;
pub mod noise;
mod normalization;
pub mod padim;
mod pass;
pub mod psvdd;
pub mod rd;
pub mod supersimplenet;
pub mod us;

pub use backbone::stride_in;
pub use contract::{Count, Detector, FitEstimate, Parts};
pub use cutpaste::CutPaste;
pub use fcdd::Fcdd;
pub use features::Features;
pub use mlff::Mlff;
pub use nearest::Nearest;
pub use padim::Padim;
pub use pass::{Aside, Pass, check_stop};
pub use psvdd::Psvdd;
pub use rd::Rd;
pub use supersimplenet::SuperSimpleNet;
pub use us::Us;

use std::sync::OnceLock;

use harness::config;
use harness::config::detector::Method;
use harness::{Error, Result};

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
        "rd" => Ok(Box::new(Rd::new(parts)?)),
        "fcdd" => Ok(Box::new(Fcdd::new(parts)?)),
        "supersimplenet" => Ok(Box::new(SuperSimpleNet::new(parts)?)),
        "cutpaste" => Ok(Box::new(CutPaste::new(parts)?)),
        "psvdd" => Ok(Box::new(Psvdd::new(parts)?)),
        "us" => Ok(Box::new(Us::new(parts)?)),
        other => match BROUGHT.get().and_then(|all| all.iter().find(|brought| brought.method.name == other)) {
            Some(brought) => (brought.build)(parts),
            None => Err(Error::config(format!("detector: {other} is not built into this program"), "use the program that brings it")),
        },
    }
}
