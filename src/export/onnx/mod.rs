//! A finished run as an ONNX file: from the bytes of an image to the map and the score that the run would give it.
//!
//! No tensor library: a graph is written node by node from the run's numbers, one file a detector, `detector` says which. Batch norms
//! are folded in f64, resampling and smoothing are products with constant matrices, resizing is the run's own to the grey level.

mod about;
mod backbone;
mod check;
mod cutpaste;
mod detector;
mod fcdd;
mod gaussian;
mod graph;
mod memory;
mod mlff;
mod nearest;
mod ops;
mod output;
mod padim;
mod parts;
mod pixels;
mod proto;
mod psvdd;
mod rd;
mod resample;
mod run;
mod supersimplenet;
mod us;
mod values;

pub use check::Check;
pub use parts::Tolerance;
pub use pixels::Input;
pub use run::Run;

use crate::config::{Precision, Resolution};
use crate::eval::MapName;
use crate::{Error, Result};
use graph::Graph;
use parts::Parts;
use values::Values;

/// A written model.
pub struct Model {
    /// The content of the file.
    pub bytes: Vec<u8>,
    /// Operators in it.
    pub nodes: usize,
    pub tolerance: Tolerance,
}

/// Writes the run's map `map`, or its image score alone, for one kind of input.
///
/// # Errors
/// What cannot be written: bf16 convolutions, a detector without a form, numbers that are in no file or too many for one.
pub fn export(run: Run, input: Input, map: MapName) -> Result<Model> {
    let Run { folder, cfg, summary } = run;
    if cfg.train.precision == Precision::Bf16 {
        return Err(Error::config(
            "train.precision: the run's convolutions are in bf16, whose rounding an ONNX file cannot repeat",
            "repeat the run with train.precision=fp32",
        ));
    }
    if !cfg.data.roi.is_none() {
        return Err(Error::config(
            "data.roi: an exported model scores whole images, and the run does not",
            "repeat the run without it, with images that are cut already, or with data.margin",
        ));
    }
    let (graph, values) = (Graph::new(), Values::open(folder, cfg, summary)?);
    let p = Parts::new(&graph, cfg, &values, summary.seed, &summary.backbone.stride_in);
    let image = pixels::read(&p, input);
    let given = detector::write(&p, &image)?;
    output::write(&p, &given, map, scored_size(run, input))?;
    let about = about::entries(&p, &run, input, map)?;
    let content = graph.finish();
    let bytes = proto::model(cfg.detector.name(), &content, &about)?;
    Ok(Model { bytes, nodes: content.nodes.len(), tolerance: given.tolerance })
}

/// Width and height at which an image is scored.
fn scored_size(run: Run, input: Input) -> [usize; 2] {
    let data = &run.cfg.data;
    let margin = if run.cfg.reads("data.margin") { data.margin } else { 0 };
    match (input, run.cfg.eval.resolution) {
        (Input::Image(width, height), Resolution::Original) => [width, height],
        _ => [data.size + 2 * margin; 2],
    }
}
