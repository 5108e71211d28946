//! The paper's method: backbone, texture branch, self-calibration, head and scores, whichever of them a run has.

mod calibration;
mod pyramid;
mod quantize;
mod texture;

use super::backbone;
use super::graph::{Graph, Value};
use super::ops::Window;
use super::parts::{Folded, Given, Parts, Tolerance, columns};
use super::pixels;
use crate::Result;
use crate::config::{Activation, BaselineHead, Join, MidActivation};

/// Pixels of an image whose quantization level rounding may decide: a similarity in the middle of a step fires that level and one
/// neighbour, one at its edge that level alone. 128 levels at 256 px were seen to lose one in every fifth image at most.
const FLIPS: usize = 4;

/// Maps S and A of the image x [1, 3, S, S] in 0..=1, as far as the run has them.
///
/// # Errors
/// A parameter that is in no file.
pub fn write(p: &Parts, x: &Value) -> Result<Given> {
    let (model, loss) = (&p.cfg.model, &p.cfg.loss);
    let [c1, c2, c3] = backbone::stages(p, &pixels::normalized(p, x)?)?;
    let mut low = vec![c1, c2];
    let mut beside = vec![];
    if model.stlnet {
        let maps = texture_maps(p, &low)?;
        match model.stl.join {
            Join::Replace => low = maps,
            Join::Add => beside = maps,
        }
    }
    let high = if model.self_calibration { calibration::write(p, &c3)? } else { c3 };
    let features = head(p, &[low, vec![high]].concat(), &beside)?;
    let distance = distance(p.graph, &features);
    let scores = if loss.score.enabled || loss.consistency.enabled { Some(scores(p, &features, &distance)?) } else { None };
    let named = |name: &&str| {
        let scores = || scores.clone().expect("a map of scores comes from a score head");
        match *name {
            "S" => Ok(scores()),
            "Z" => joined(p, [scores(), distance.clone()]),
            _ => Ok(distance.clone()),
        }
    };
    let maps = p.cfg.detector.outputs(p.cfg).maps.iter().map(named).collect::<Result<Vec<_>>>()?;
    let loose_cells = if model.stlnet { FLIPS * cells_of_a_flip(p) } else { 0 };
    Ok(Given { tolerance: Tolerance { loose_cells, ..Tolerance::default() }, ..Given::of_maps(maps) })
}

/// Cells of the map that see a pixel of X0: those of the head's 3x3 convolution, around as many as the pixel is interpolated to.
fn cells_of_a_flip(p: &Parts) -> usize {
    let model = &p.cfg.model;
    (2 * model.low.stride.div_ceil(model.fusion.stride) + 1).pow(2)
}

/// T2, T1 and X0 of the first two stages.
fn texture_maps(p: &Parts, stages: &[Value]) -> Result<Vec<Value>> {
    let x0 = reduced(p, stages)?;
    let t1 = texture::write(p, &x0)?;
    let t2 = pyramid::write(p, &t1, &x0)?;
    Ok(vec![t2, t1, x0])
}

/// X0: each stage mapped at the smaller of its own and the common size, as a sum over stages.
fn reduced(p: &Parts, stages: &[Value]) -> Result<Value> {
    let g = p.graph;
    let side = p.cfg.data.size / p.cfg.model.low.stride;
    let Folded { weight, bias } = p.folded(["low.reduce.conv", "low.reduce.bn"], 0)?;
    let (mut from, mut sum) = (0, g.constant(crate::weights::Tensor { shape: vec![1, bias.data.len(), 1, 1], data: bias.data }));
    for stage in stages {
        let weight = g.constant(columns(&weight, from, stage.size(1)));
        from += stage.size(1);
        let mapped = if stage.size(2) <= side {
            g.resized(&g.conv(stage, &weight, None, Window::VALID), side)
        } else {
            g.conv(&g.resized(stage, side), &weight, None, Window::VALID)
        };
        sum = g.add(&mapped, &sum);
    }
    Ok(g.relu(&sum))
}

/// F [1, C, h, w] of the parts of Z, each at its own size, and of what comes beside them.
fn head(p: &Parts, parts: &[Value], beside: &[Value]) -> Result<Value> {
    let (g, model) = (p.graph, &p.cfg.model);
    let side = p.cfg.data.size / model.fusion.stride;
    let joined = |parts: &[Value]| {
        let sized: Vec<Value> = parts.iter().map(|part| g.resized(part, side)).collect();
        g.concat(&sized.iter().collect::<Vec<_>>(), 1)
    };
    let fused = joined(parts);
    if model.ablation.head == BaselineHead::Raw && !p.cfg.loss.score.enabled {
        return Ok(fused);
    }
    let normed = model.fusion.mid_activation == MidActivation::BnRelu;
    let mut mid = if normed {
        p.conv_bn(&fused, ["head.mid.conv", "head.mid.bn"], Window::same(3))?
    } else {
        p.conv(&fused, "head.mid.conv", Window::same(3))?
    };
    if !beside.is_empty() {
        // The norm's shift is in the other sum already.
        let weight = if normed {
            g.constant(p.folded(["head.texture.conv", "head.mid.bn"], 0)?.weight)
        } else {
            p.constant("head.texture.conv.weight")?
        };
        mid = g.add(&mid, &g.conv(&joined(beside), &weight, None, Window::same(3)));
    }
    let mid = if normed { g.relu(&mid) } else { mid };
    p.conv(&mid, "head.feature", Window::VALID)
}

/// S [1, h, w] of F and its `distance`.
fn scores(p: &Parts, features: &Value, distance: &Value) -> Result<Value> {
    let g = p.graph;
    let raw = if p.cfg.model.score.hidden == 0 {
        p.conv(features, "score", Window::VALID)?
    } else {
        p.conv(&g.relu(&p.conv(features, "score.0", Window::VALID)?), "score.1", Window::VALID)?
    };
    let raw = g.reshape(&raw, &[1, raw.size(2), raw.size(3)]);
    let raw = if p.cfg.model.score.residual { g.add(&raw, distance) } else { raw };
    Ok(match p.cfg.loss.score.activation {
        Activation::Identity => raw,
        Activation::Abs => g.each("Abs", &raw),
        Activation::Softplus => g.each("Softplus", &raw),
    })
}

/// Z [1, h, w]: the mean of S and A in units of their deviations.
fn joined(p: &Parts, maps: [Value; 2]) -> Result<Value> {
    let g = p.graph;
    let of = |name: &str| Ok::<_, crate::Error>(p.values.get(name)?.data);
    let (mean, deviation) = (of("standard.mean")?, of("standard.deviation")?);
    let standardised = |i: usize| g.div(&g.sub(&maps[i], &g.number(mean[i])), &g.number(deviation[i]));
    Ok(g.mul(&g.add(&standardised(0), &standardised(1)), &g.number(0.5)))
}

/// A [1, h, w]: `sqrt(u + 1) - 1` with `u = |F|^2`, as `u / (sqrt(u + 1) + 1)`.
fn distance(g: &Graph, features: &Value) -> Value {
    let one = g.number(1.0);
    let u = g.reduce("ReduceSum", &g.square(features), &[1]);
    let root = g.each("Sqrt", &g.add(&u, &one));
    let distance = g.div(&u, &g.add(&root, &one));
    g.reshape(&distance, &[1, features.size(2), features.size(3)])
}
