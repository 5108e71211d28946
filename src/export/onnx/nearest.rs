//! The nearest neighbour: patch features of some stages, and their distance from the nearest remembered one.

use super::backbone;
use super::graph::Value;
use super::memory::Memory;
use super::ops::Window;
use super::parts::{Given, Parts};
use super::pixels;
use crate::Result;
use crate::image::upsample::Align;
use crate::weights::Tensor;

/// Map A, and S where the run has it, of the image x [1, 3, S, S] in 0..=1.
///
/// # Errors
/// What is missing.
pub fn write(p: &Parts, x: &Value) -> Result<Given> {
    let (g, keys) = (p.graph, &p.cfg.nearest);
    let stages = backbone::stages(p, &pixels::normalized(p, x)?)?;
    let side = stages[keys.stages[0] - 1].size(2);
    let patches = features(p, &stages, side);
    let memory = Memory::new(g, p.values.get("nearest.members")?);
    let found = memory.nearest(&patches);
    let as_map = |distances: &Value| g.reshape(distances, &[1, side, side]);
    let mut maps = vec![as_map(&found.distance)];
    if keys.neighbours > 0 {
        let weight = memory.weight(&patches, &found, keys.neighbours as usize);
        maps.push(as_map(&g.mul(&found.distance, &weight)));
    }
    Ok(Given::of_maps(maps))
}

/// Patch features [P, D] at `side` x `side` positions.
fn features(p: &Parts, stages: &[Value; 3], side: usize) -> Value {
    let (g, keys) = (p.graph, &p.cfg.nearest);
    let dims = keys.dims as usize;
    let part = |&stage: &usize| {
        let map = &stages[stage - 1];
        let local = if dims == 0 { g.mean3(map) } else { neighbourhoods(p, map, dims) };
        let local = g.bilinear(&local, side, Align::Edges);
        let width = local.size(1);
        g.transpose(&g.reshape(&local, &[width, side * side]), &[1, 0]) // [P, D_i]
    };
    let parts: Vec<Value> = keys.stages.iter().map(part).collect();
    let joined = g.concat(&parts.iter().collect::<Vec<_>>(), 1);
    if dims == 0 || parts.len() == 1 {
        return joined;
    }
    // As many numbers of each stage: adaptive averaging takes them by so many.
    let grouped = g.reshape(&joined, &[side * side, dims, parts.len()]);
    g.reshape(&g.reduce("ReduceMean", &grouped, &[2]), &[side * side, dims])
}

/// `[1, C, s, s]` to `[1, dims, s, s]`: channels and 3x3 neighbourhood in a row, averaged adaptively. It is a convolution; bins and
/// channels fall into as many groups as the two numbers have in common.
fn neighbourhoods(p: &Parts, map: &Value, dims: usize) -> Value {
    let channels = map.size(1);
    let groups = common(channels, dims);
    let (cells, bins) = (9 * channels / groups, dims / groups);
    let row = (0..bins).flat_map(|bin| {
        let (first, end) = (bin * cells / bins, ((bin + 1) * cells).div_ceil(bins));
        (0..cells).map(move |cell| if (first..end).contains(&cell) { 1.0 / (end - first) as f32 } else { 0.0 })
    });
    let one: Vec<f32> = row.collect();
    let weight = Tensor { shape: vec![dims, channels / groups, 3, 3], data: one.repeat(groups) };
    p.graph.conv(map, &p.graph.constant(weight), None, Window::same(3).groups(groups))
}

/// The greatest common divisor.
fn common(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common(b, a % b) }
}
