//! FCDD: one number for each cell, its pseudo-Huber norm, and a sum of Gaussians as the map.

use super::backbone;
use super::graph::{Graph, Value};
use super::ops::Window;
use super::parts::{Given, Parts};
use super::pixels;
use crate::Result;
use crate::config::{Family, FcddBorder, FcddNetwork};
use crate::weights::Tensor;

/// What a batch norm of the small network adds to variances.
const CNN_EPS: f64 = 1e-4;
/// Pixels from one cell to the next.
const JUMP: usize = 8;
/// Deviation of the Gaussian, px of an input of [`REFERENCE`] px.
const STD: f64 = 12.0;
const REFERENCE: f64 = 224.0;

/// How cells lie on the input: taps of the kernel, centre of the first cell, and taps of the kernel that is as strong.
type Reception = (usize, usize, usize);

/// The map and the score of the image x [1, 3, S, S] in 0..=1.
///
/// # Errors
/// What is missing.
pub fn write(p: &Parts, x: &Value) -> Result<Given> {
    let g = p.graph;
    let (features, reception) = encode(p, &pixels::normalized(p, x)?)?;
    let u = p.conv(&features, "head", Window::VALID)?; // [1, 1, S/8, S/8]
    let (squared, one) = (g.square(&u), g.number(1.0));
    let norm = g.div(&squared, &g.add(&g.each("Sqrt", &g.add(&squared, &one)), &one));
    let cells = g.reshape(&norm, &[1, u.size(2), u.size(3)]);
    let own = g.reshape(&g.reduce("ReduceMean", &cells, &[1, 2]), &[1]);
    Ok(Given::of(vec![upsampled(p, &cells, reception)], Some(own)))
}

/// The network's map of 8 px a cell.
fn encode(p: &Parts, x: &Value) -> Result<(Value, Reception)> {
    let g = p.graph;
    if p.cfg.fcdd.network == FcddNetwork::Cnn {
        return Ok((cnn(&p.with_eps(CNN_EPS), x)?, (59, 0, 59)));
    }
    if p.cfg.model.backbone.name.family() != Family::Vgg {
        let last = backbone::residual(p, x, 2)?.pop().expect("two stages");
        return Ok((last, (61, 0, 62)));
    }
    // Index in torchvision's `features`, and whether a pooling follows.
    let plan = [(0, true), (4, true), (8, false), (11, true), (15, false), (18, false)];
    let map = plan.into_iter().try_fold(x.clone(), |x, (index, pooled)| -> Result<Value> {
        let names = [index, index + 1].map(|i| format!("backbone.features.{i}"));
        let y = g.relu(&p.conv_bn(&x, [&names[0], &names[1]], Window::same(3))?);
        Ok(if pooled { g.max_pool(&y, 2, Window::VALID.stride(2)) } else { y })
    })?;
    Ok((map, (62, 3, 62)))
}

fn cnn(p: &Parts, x: &Value) -> Result<Value> {
    let plan = [(1, 5, true), (2, 5, true), (3, 3, false), (4, 3, true)];
    let map = plan.into_iter().try_fold(x.clone(), |x, (number, kernel, pooled)| -> Result<Value> {
        let names = ["conv", "bn"].map(|kind| format!("{kind}{number}"));
        let y = p.graph.leaky_relu(&p.conv_bn(&x, [&names[0], &names[1]], Window::same(kernel))?, 0.01);
        Ok(if pooled { p.graph.max_pool(&y, 3, Window::same(3).stride(2)) } else { y })
    })?;
    p.conv(&map, "conv5", Window::same(3))
}

/// Cells [1, S/8, S/8] as a map [1, S, S].
fn upsampled(p: &Parts, cells: &Value, reception: Reception) -> Value {
    let (g, size) = (p.graph, p.cfg.data.size);
    let kernel = kernel(reception, STD * size as f64 / REFERENCE);
    let (taps, shift, _) = reception;
    // The first tap that is not cut off.
    let first = (taps - 1) / 2 - shift;
    let tap = |y: usize, cell: usize| (y + first).checked_sub(JUMP * cell).and_then(|tap| kernel.get(tap)).copied().unwrap_or(0.0);
    let count = size / JUMP;
    let rows: Vec<f64> = (0..size * count).map(|i| tap(i / count, i % count)).collect();
    let weights = Tensor { shape: vec![size, count], data: rows.iter().map(|&v| v as f32).collect() };
    let sum = g.sandwich(cells, &weights, &weights);
    match p.cfg.fcdd.border {
        FcddBorder::Published => sum,
        FcddBorder::Normalized => g.mul(&sum, &correction(g, &rows, size, kernel.iter().sum::<f64>() / JUMP as f64)),
    }
}

/// What brings the sum to the middle's gain everywhere, [S, S].
fn correction(g: &Graph, rows: &[f64], size: usize, side: f64) -> Value {
    let sums: Vec<f64> = rows.chunks_exact(rows.len() / size).map(|row| row.iter().sum()).collect();
    let data = (0..size * size).map(|i| (side * side / (sums[i / size] * sums[i % size])) as f32).collect();
    g.constant(Tensor { shape: vec![size, size], data })
}

fn kernel((taps, _, as_much_as): Reception, std: f64) -> Vec<f64> {
    let own = gaussian(taps, std);
    let scale = gaussian(as_much_as, STD).iter().sum::<f64>() / own.iter().sum::<f64>();
    own.into_iter().map(|tap| scale * tap).collect()
}

/// A Gaussian of height 1; with an even number of taps the centre is repeated and every tap halved.
fn gaussian(taps: usize, std: f64) -> Vec<f64> {
    let height = |distance: usize| (-0.5 * (distance as f64 / std).powi(2)).exp();
    let reach = (taps - 1) / 2;
    match taps % 2 {
        1 => (0..=2 * reach).map(|i| height(i.abs_diff(reach))).collect(),
        _ => (0..=reach).rev().chain(0..=reach).map(|distance| height(distance) / 2.0).collect(),
    }
}
