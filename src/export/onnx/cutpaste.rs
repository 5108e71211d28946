//! CutPaste: features of an image or of its patches, and their squared distance from a Gaussian.

use super::backbone;
use super::gaussian;
use super::graph::{Graph, Value};
use super::parts::{Given, Parts};
use super::pixels;
use crate::Result;
use crate::config::CutPasteNetwork;
use crate::weights::Tensor;

/// Least length by which features are divided.
const LEAST: f32 = 1e-12;

/// The score and, where patches are scored, the map of the image x [1, 3, S, S] in 0..=1.
///
/// # Errors
/// What is missing, or too large for a file.
pub fn write(p: &Parts, x: &Value) -> Result<Given> {
    let (g, keys) = (p.graph, &p.cfg.cutpaste);
    let (side, window) = (keys.side(p.cfg.data.size), keys.window);
    let x = pixels::normalized(p, x)?;
    let seen = if keys.patch == 0 { x } else { windows(g, &x, side, [window, keys.stride]) };
    let distances = distances(p, &features(p, &seen)?)?; // [P, 1]
    let image = g.reshape(&g.reduce("ReduceMax", &distances, &[0]), &[1]);
    if keys.patch == 0 {
        return Ok(Given::of(vec![], Some(image)));
    }
    let kernel = kernel(window, keys.stride, keys.sigma);
    let map = g.conv_transpose(&g.reshape(&distances, &[1, 1, side, side]), &g.constant(kernel), None, keys.stride);
    Ok(Given::of(vec![g.reshape(&map, &[1, map.size(2), map.size(3)])], Some(image)))
}

/// All patches of x [1, 3, S, S], row by row: [P, 3, window, window].
fn windows(g: &Graph, x: &Value, side: usize, [window, stride]: [usize; 2]) -> Value {
    let places = (0..side).flat_map(|place| (place * stride..place * stride + window).map(|at| at as i64)).collect();
    let places = g.whole_in(&[side, window], places);
    let rows = g.gather(x, &places, 2); // [1, 3, p, window, S]
    let cut = g.gather(&rows, &places, 4); // [1, 3, p, window, p, window]
    g.reshape(&g.transpose(&cut, &[0, 2, 4, 1, 3, 5]), &[side * side, 3, window, window])
}

/// Features of length 1, [P, D], of normalised images [P, 3, h, w].
fn features(p: &Parts, x: &Value) -> Result<Value> {
    let g = p.graph;
    let stages = match p.cfg.cutpaste.network {
        CutPasteNetwork::Scratch => 4,
        CutPasteNetwork::Finetuned => 3,
    };
    let map = backbone::residual(p, x, stages)?.pop().expect("there are stages");
    let mean = g.reshape(&g.reduce("ReduceMean", &map, &[2, 3]), &[map.size(0), map.size(1)]);
    Ok(g.div(&mean, &g.at_least(&g.reduce("ReduceL2", &mean, &[1]), LEAST)))
}

/// Squared distances [P, 1] from the Gaussian of each position, or from the only one.
fn distances(p: &Parts, features: &Value) -> Result<Value> {
    let (g, [positions, d]) = (p.graph, [features.size(0), features.size(1)]);
    let (mean, inverse) = gaussian::read(p, "cutpaste")?;
    let squared = if mean.shape[0] == positions {
        g.square(&gaussian::distances(p, &g.reshape(features, &[positions, d, 1]), mean, inverse))
    } else {
        let apart = g.sub(features, &g.constant(Tensor { shape: vec![1, d], data: mean.data }));
        let white = super::parts::rows(g, &apart, &Tensor { shape: vec![d, d], data: inverse.data });
        g.reduce("ReduceSum", &g.square(&white), &[1])
    };
    Ok(g.reshape(&squared, &[positions, 1]))
}

/// A Gaussian as large as a patch that sums to stride^2: [1, 1, window, window].
fn kernel(window: usize, stride: usize, sigma: f64) -> Tensor {
    let height = |i: usize| (-(i as f64 - (window - 1) as f64 / 2.0).powi(2) / (2.0 * sigma * sigma)).exp();
    let sum: f64 = (0..window).map(height).sum();
    let line: Vec<f64> = (0..window).map(|i| height(i) / sum * stride as f64).collect();
    let data = (0..window * window).map(|i| (line[i / window] * line[i % window]) as f32).collect();
    Tensor { shape: vec![1, 1, window, window], data }
}
