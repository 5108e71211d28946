//! From what a detector gives to what a run scores: the map at its own and at the image's size, smoothed, and the image's score.

use super::graph::Value;
use super::parts::{Given, Parts};
use super::resample::{bilinear_weights, smoothed_weights};
use crate::config::ImageScore;
use crate::eval::{IMAGE, MapName};
use crate::image::upsample::Align;
use crate::{Error, Result};

/// Makes `map` at `width` x `height` px, `map_network` and `score` outputs of the graph.
///
/// # Errors
/// A score that the detector does not give.
pub fn write(p: &Parts, given: &Given, name: MapName, [width, height]: [usize; 2]) -> Result<()> {
    let (g, eval) = (p.graph, &p.cfg.eval);
    let place = p.cfg.detector.outputs(p.cfg).maps.iter().position(|map| *map == name);
    let map = place.filter(|_| name != IMAGE).map(|place| framed(p, &given.maps[place]));
    let whole = map.as_ref().map(|map| {
        let weights = |from, to| smoothed_weights(&bilinear_weights(from, to, Align::from(eval.align_corners)), eval.sigma(width, height));
        g.sandwich(map, &weights(map.size(1), height), &weights(map.size(2), width))
    });
    let over = |operator, map: &Value| g.reshape(&g.reduce(operator, map, &[1, 2]), &[1]);
    let score = match (eval.image_score, &map, &whole) {
        (ImageScore::Own, ..) | (_, None, _) | (_, _, None) => given.image.clone(),
        (ImageScore::Upsampled, _, Some(whole)) => Some(over("ReduceMax", whole)),
        (ImageScore::Map, Some(map), _) => Some(over("ReduceMax", map)),
        (ImageScore::Mean, Some(map), _) => Some(over("ReduceMean", map)),
    };
    let missing = || Error::config("eval.image_score: the detector gives no image score of its own", "export a map: --map NAME");
    let score = score.ok_or_else(missing)?;
    for (name, value) in [("map", &whole), ("map_network", &map), ("score", &Some(score))] {
        value.iter().for_each(|value| g.output(name, value));
    }
    Ok(())
}

/// A map [1, h, w] of the whole image, of which a margin was cut off: there it has the values of the nearest place inside.
fn framed(p: &Parts, map: &Value) -> Value {
    let data = &p.cfg.data;
    if !p.cfg.reads("data.margin") || data.margin == 0 {
        return map.clone();
    }
    let places = |side: usize| {
        let frame = side * data.margin / data.size;
        (0..side + 2 * frame).map(|at| at.saturating_sub(frame).min(side - 1) as i64).collect::<Vec<_>>()
    };
    p.graph.places(map, &places(map.size(1)), &places(map.size(2)))
}
