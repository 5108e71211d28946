//! SuperSimpleNet: adapted features, a head that gives a map, and one that scores the image.

use super::backbone;
use super::graph::{Graph, Value};
use super::ops::Window;
use super::parts::{Given, Parts};
use super::pixels;
use crate::Result;
use crate::image::upsample::Align;

/// Slope of the map head's leaky ReLU below 0.
const SLOPE: f32 = 0.2;
/// Input pixels per cell of stage 2.
const STRIDE: usize = 8;

/// The map and, where there is the head, the score of the image x [1, 3, S, S] in 0..=1.
///
/// # Errors
/// What is missing.
pub fn write(p: &Parts, x: &Value) -> Result<Given> {
    let (g, keys) = (p.graph, &p.cfg.supersimplenet);
    let side = p.cfg.data.size / STRIDE * keys.upscale as usize;
    let [_, c2, c3] = backbone::stages(p, &pixels::normalized(p, x)?)?;
    let sized = [&c2, &c3].map(|stage| g.bilinear(stage, side, Align::Corners));
    let features = g.mean3(&g.concat(&[&sized[0], &sized[1]], 1));
    let adapted = p.conv(&features, "adaptor", Window::VALID)?;
    let hidden = g.leaky_relu(&p.conv_bn(&adapted, ["map.conv", "map.bn"], Window::VALID)?, SLOPE);
    let map = p.conv(&hidden, "map.last", Window::VALID)?; // [1, 1, h, w]
    let image = keys.decision.then(|| decision(p, &adapted, &map)).transpose()?;
    Ok(Given::of(vec![g.reshape(&map, &[1, side, side])], image))
}

/// `[1]` of adapted features [1, C, h, w] and the map [1, 1, h, w].
fn decision(p: &Parts, adapted: &Value, map: &Value) -> Result<Value> {
    let g = p.graph;
    let features = match p.cfg.supersimplenet.reduce {
        0 => adapted.clone(),
        _ => g.relu(&p.conv_bn(adapted, ["decision.reduce", "decision.reduce_bn"], Window::VALID)?),
    };
    let seen = g.relu(&p.conv_bn(&g.concat(&[&features, map], 1), ["decision.conv", "decision.bn"], Window::same(5))?);
    let summary =
        [summed(g, "ReduceMax", &seen), summed(g, "ReduceMean", &seen), summed(g, "ReduceMax", map), summed(g, "ReduceMean", map)];
    let logit = p.linear(&g.concat(&summary.iter().collect::<Vec<_>>(), 1), "decision.linear")?;
    Ok(g.reshape(&g.each("Sigmoid", &logit), &[1]))
}

/// `[1, C, h, w]` to `[1, C]`.
fn summed(g: &Graph, operator: &'static str, x: &Value) -> Value {
    g.reshape(&g.reduce(operator, x, &[2, 3]), &[1, x.size(1)])
}
