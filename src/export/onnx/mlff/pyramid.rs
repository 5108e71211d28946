//! PTFEM: which levels stand beside which, in regions of several sizes.

use super::quantize;
use crate::Result;
use crate::config::Offset;
use crate::export::onnx::graph::{Graph, Value};
use crate::export::onnx::ops::Window;
use crate::export::onnx::parts::{Folded, Parts, columns, rows};
use crate::image::upsample::Align;
use crate::weights::Tensor;

/// T1 and X0 to T2 [1, out, H, W].
pub fn write(p: &Parts, t1: &Value, x0: &Value) -> Result<Value> {
    let (g, keys) = (p.graph, &p.cfg.model.ptfem);
    let map = p.conv(&g.concat(&[t1, x0], 1), "ptfem.in", Window::VALID)?; // V [1, C, H, H]
    let Folded { weight, bias } = p.folded(["ptfem.fuse.conv", "ptfem.fuse.bn"], 0)?;
    let (mid, out) = (keys.mid as usize, keys.out as usize);
    let mut sum = g.constant(Tensor { shape: vec![1, out, 1, 1], data: bias.data });
    for (place, &scale) in keys.scales.iter().enumerate() {
        let scale = scale as usize;
        let described = describe(p, &map, scale)?; // [R, mid]
        // Mapped first, then upsampled: both are linear.
        let mapped = rows(g, &described, &columns(&weight, place * mid, mid)); // [R, out]
        let mapped = g.reshape(&g.transpose(&mapped, &[1, 0]), &[1, out, scale, scale]);
        let mapped = if scale == 1 { mapped } else { g.bilinear(&mapped, map.size(2), Align::Corners) };
        sum = g.add(&sum, &mapped);
    }
    let whole = g.expand(&sum, &[1, out, map.size(2), map.size(3)]);
    Ok(g.relu(&whole))
}

/// The regions of `map` [1, C, H, H], `scale` a side: descriptions [R, mid].
fn describe(p: &Parts, map: &Value, scale: usize) -> Result<Value> {
    let (g, keys) = (p.graph, &p.cfg.model.ptfem);
    let prefix = format!("ptfem.branch{scale}");
    let (channels, cells, regions, n) = (map.size(1), map.size(2) / scale, scale * scale, keys.levels as usize);
    let parted = g.reshape(map, &[1, channels, scale, cells, scale, cells]);
    let pixels = g.reshape(&g.transpose(&parted, &[0, 2, 4, 3, 5, 1]), &[regions, cells * cells, channels]);
    let mean = g.reduce("ReduceMean", &pixels, &[1]); // [R, 1, C]
    let encoded = quantize::encode(g, &quantize::similarities(g, &pixels, &mean), n, &p.cfg.model.qco);
    let together = co_occurrence(g, &g.reshape(&encoded.encoding, &[regions, cells, cells, n]), keys.offset);
    let shares = quantize::shares(g, &together, &[1, 2]); // [R, N, N]
    let pairs = |shape: &[usize]| {
        let levels = g.expand(&g.reshape(&encoded.levels, shape), &[regions, n, n]);
        g.reshape(&levels, &[regions, n * n, 1])
    };
    let column = g.reshape(&shares, &[regions, n * n, 1]);
    let pairs = g.concat(&[&pairs(&[regions, n, 1]), &pairs(&[regions, 1, n]), &column], 2); // [R, N N, 3]
    let raised = p.linear(&g.leaky_relu(&p.linear(&pairs, &format!("{prefix}.mlp.0"))?, 0.01), &format!("{prefix}.mlp.1"))?;
    let Folded { weight, bias } = p.folded([&format!("{prefix}.join.0.conv"), &format!("{prefix}.join.0.bn")], 0)?;
    let on_mean = rows(g, &mean, &columns(&weight, 0, channels));
    let on_pairs = rows(g, &g.relu(&raised), &columns(&weight, channels, keys.mid as usize));
    let joined = g.relu(&g.add(&g.add(&on_pairs, &on_mean), &g.constant(bias)));
    // The mean over the pairs first: what follows is linear.
    let mean = g.reshape(&g.reduce("ReduceMean", &joined, &[1]), &[regions, keys.mid as usize]);
    p.linear_bn(&mean, [&format!("{prefix}.join.1.conv"), &format!("{prefix}.join.1.bn")])
}

/// How often levels u and v are `offset` apart: `encoding` [R, h, h, N] to [R, N, N].
fn co_occurrence(g: &Graph, encoding: &Value, offset: Offset) -> Value {
    match offset {
        Offset::One(offset) => shifted_product(g, encoding, offset),
        Offset::Mean(_) => {
            let [right, down] = [[0, 1], [1, 0]].map(|offset| shifted_product(g, encoding, offset));
            g.mul(&g.add(&right, &down), &g.number(0.5))
        }
    }
}

fn shifted_product(g: &Graph, encoding: &Value, [dy, dx]: [i64; 2]) -> Value {
    let (regions, cells, n) = (encoding.size(0), encoding.size(1), encoding.size(3));
    let left = |shift: i64| cells.saturating_sub(shift.unsigned_abs() as usize);
    let (height, width) = (left(dy), left(dx));
    if height == 0 || width == 0 {
        return g.constant(Tensor { shape: vec![regions, n, n], data: vec![0.0; regions * n * n] });
    }
    let from = |shift: i64| usize::try_from(shift).unwrap_or(0);
    let window = |y: usize, x: usize| {
        let cut = g.slice(&g.slice(encoding, 1, y..y + height, 1), 2, x..x + width, 1);
        g.reshape(&cut, &[regions, height * width, n])
    };
    let (first, second) = (window(from(-dy), from(-dx)), window(from(dy), from(dx)));
    g.matmul(&g.transpose(&first, &[0, 2, 1]), &second)
}
