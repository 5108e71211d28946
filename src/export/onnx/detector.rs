//! Which detectors are exported, and how: one line each.
//!
//! A detector that cannot be a graph has a line too, with a function that says why and what to do instead.

use super::graph::Value;
use super::parts::{Given, Parts};
use super::{cutpaste, fcdd, mlff, nearest, padim, psvdd, rd, supersimplenet, us};
use crate::{Error, Result};

/// Writes what a detector gives of the image [1, 3, S, S] in 0..=1, in the order of its `config::Outputs`.
type Write = fn(&Parts, &Value) -> Result<Given>;

const DETECTORS: &[(&str, Write)] = &[
    ("mlff", mlff::write),
    ("padim", padim::write),
    ("nearest", nearest::write),
    ("rd", rd::write),
    ("fcdd", fcdd::write),
    ("supersimplenet", supersimplenet::write),
    ("cutpaste", cutpaste::write),
    ("psvdd", psvdd::write),
    ("us", us::write),
];

/// What the configured detector gives of the image.
///
/// # Errors
/// A detector of another program, and what the detector's own function refuses.
pub fn write(p: &Parts, image: &Value) -> Result<Given> {
    let name = p.cfg.detector.name();
    let (_, write) = DETECTORS.iter().find(|(known, _)| *known == name).ok_or_else(|| {
        Error::config(format!("detector: {name} has no ONNX form here"), "it takes a file and a line in src/export/onnx/")
    })?;
    write(p, image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Detector;

    #[test]
    fn each_detector_has_a_line() {
        let lines: Vec<&str> = DETECTORS.iter().map(|(name, _)| *name).collect();
        assert_eq!(lines, Detector::all().map(Detector::name).collect::<Vec<_>>());
    }
}
