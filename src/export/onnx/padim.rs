//! PaDiM: kept channels of three stages at each position, and their distance from a Gaussian.

use super::backbone;
use super::gaussian;
use super::graph::Value;
use super::parts::{Given, Parts};
use super::pixels;
use crate::Result;
use crate::config::{Upsample, padim_channels};
use crate::image::upsample::Align;

/// Map A of the image x [1, 3, S, S] in 0..=1.
///
/// # Errors
/// What is missing, or too large for a file.
pub fn write(p: &Parts, x: &Value) -> Result<Given> {
    let (g, keys) = (p.graph, &p.cfg.padim);
    let (mean, inverse) = gaussian::read(p, "padim")?;
    let stages = backbone::stages(p, &pixels::normalized(p, x)?)?;
    let side = stages[0].size(2);
    let chosen = padim_channels(p.cfg.model.backbone.name.channels(), keys.channels, p.seed);
    let drawn = stages.iter().zip(&chosen).filter(|(_, channels)| !channels.is_empty());
    let parts: Vec<Value> = drawn
        .map(|(stage, channels)| {
            let kept = g.gather(stage, &g.whole(channels), 1);
            match keys.upsample {
                Upsample::Nearest => g.nearest(&kept, side),
                Upsample::Bilinear => g.bilinear(&kept, side, Align::Edges),
            }
        })
        .collect();
    let joined = g.concat(&parts.iter().collect::<Vec<_>>(), 1); // [1, d, s, s]
    let (d, positions) = (joined.size(1), side * side);
    let columns = g.transpose(&g.reshape(&joined, &[1, d, positions]), &[2, 1, 0]); // [P, d, 1]
    let distances = gaussian::distances(p, &columns, mean, inverse);
    Ok(Given::of_maps(vec![g.reshape(&distances, &[1, side, side])]))
}
