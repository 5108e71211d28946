//! Patch SVDD: descriptions of patches of two sizes, and their distance from the nearest remembered one.

use super::graph::Value;
use super::memory::Memory;
use super::ops::Window;
use super::parts::{Given, Parts, Tolerance};
use crate::Result;
use crate::weights::Tensor;

/// Slope of the activations below zero.
const SLOPE: f32 = 0.1;
/// Input pixels from one cell of a whole image's map to the next.
const CELL: usize = 2;
/// Sides of patches, and px from one scored patch to the next.
const PATCHES: [(usize, usize); 2] = [(32, 4), (64, 16)];

/// Descriptions lie closely together, and the few candidates that are measured again are found by products in f32: rounding decides which
/// of many that are as near. Trained and untrained runs were seen to differ by up to 8e-4 of the range.
const BOUND: f64 = 5e-3;

/// The product of the maps of both sizes and either, of the image x [1, 3, S, S] in 0..=1.
///
/// # Errors
/// What is missing.
pub fn write(p: &Parts, x: &Value) -> Result<Given> {
    let (g, [(small, step), (_, leap)]) = (p.graph, PATCHES);
    let mut cells = g.sub(x, &p.constant("psvdd.mean")?);
    for number in 1..=8 {
        let window = if number == 1 { Window::VALID.stride(CELL) } else { Window::VALID };
        let conv = p.conv(&cells, &format!("k32.conv{number}"), window)?;
        cells = if number == 8 { g.each("Tanh", &conv) } else { g.leaky_relu(&conv, SLOPE) };
    }
    let (side, every) = (cells.size(2), step / CELL);
    let own = g.slice(&g.slice(&cells, 2, 0..side, every), 3, 0..side, every);
    let apart = Window::VALID.dilation(small / CELL).stride(leap / CELL);
    let joined = g.leaky_relu(&p.conv(&cells, "k64.conv1", apart)?, SLOPE);
    let joined = g.each("Tanh", &p.conv(&joined, "k64.conv2", Window::VALID)?);
    let one = map(p, &own, PATCHES[0])?;
    let other = map(p, &joined, PATCHES[1])?;
    let maps = vec![g.mul(&one, &other), one, other];
    Ok(Given { tolerance: Tolerance { bound: BOUND, ..Tolerance::default() }, ..Given::of_maps(maps) })
}

/// Descriptions [1, 64, n, n] of the patches of one size to a map [1, S, S].
fn map(p: &Parts, described: &Value, (patch, stride): (usize, usize)) -> Result<Value> {
    let (g, [width, grid]) = (p.graph, [described.size(1), described.size(2)]);
    let rows = g.transpose(&g.reshape(described, &[width, grid * grid]), &[1, 0]);
    let about = g.sub(&rows, &p.constant(&format!("psvdd.centre{patch}"))?);
    let memory = Memory::new(g, p.values.get(&format!("psvdd.members{patch}"))?);
    let distances = g.reshape(&memory.nearest(&about).distance, &[1, grid, grid]);
    let shares = shares(p.cfg.data.size, grid, [patch, stride]);
    Ok(g.sandwich(&distances, &shares, &shares))
}

/// The share that each patch of a row of `grid` has in each of `size` pixels, the mean of those that hold it: [S, g].
fn shares(size: usize, grid: usize, [patch, stride]: [usize; 2]) -> Tensor {
    let holds = |pixel: usize, place: usize| (place * stride..place * stride + patch).contains(&pixel);
    let row = |pixel: usize| {
        let holders = (0..grid).filter(|&place| holds(pixel, place)).count();
        (0..grid).map(move |place| if holds(pixel, place) { 1.0 / holders as f32 } else { 0.0 })
    };
    Tensor { shape: vec![size, grid], data: (0..size).flat_map(row).collect() }
}
