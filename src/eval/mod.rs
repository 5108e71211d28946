//! From score maps at the network's resolution to metrics at each image's own.
//!
//! Everything that turns a stored map into what is scored, drawn or written stands here, once, so that evaluation,
//! `predict`, `score` and the panels agree to the bit. No tensors: maps are float32 planes.

mod calibrated;
mod foreign;
mod paired;
mod store;
mod table;

pub use calibrated::calibrated;
pub use foreign::Foreign;
pub use paired::{DRAWS, PairedDifference, paired};
pub use store::{MapStore, OutputStore, samples};
pub use table::table;

use std::borrow::Cow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::config::{self, Config, ImageScore, Outputs, Resolution};
use crate::data::Source;
use crate::image::upsample::{self, Align};
use crate::image::{Map, Mask, NOT_SCORED, Plane, blur, resize};
use crate::metric::{self, Curves, Keyed, Protocol, Sample, Scores, Variant};
use crate::{Error, Result};

/// The name of a detector's map: a folder of a run's `maps`, and a part of the names of its metrics.
pub type MapName = &'static str;

/// The name under which a detector's own image scores stand beside its maps.
pub const IMAGE: MapName = "image";

/// The names of everything that a detector gives, the headline first: its maps, then its own image score if it has one.
pub fn names(outputs: &Outputs) -> Vec<MapName> {
    outputs.maps.iter().copied().chain(outputs.image.then_some(IMAGE)).collect()
}

/// What a detector gave of one image: a map at its own resolution, a score of its own, or both.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    pub map: Option<Map>,
    pub own: Option<f32>,
}

impl Output {
    /// A map alone.
    pub fn of_map(map: Map) -> Self {
        Self { map: Some(map), own: None }
    }
}

/// The score of one test image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageResult<S = f32> {
    /// `test/<defect>/<stem>`.
    pub key: String,
    pub anomalous: bool,
    pub score: S,
}

/// What evaluating one map of one category gives.
#[derive(Debug, Clone)]
pub struct Evaluation<S = f32> {
    pub scores: Scores,
    pub curves: Curves,
    pub images: Vec<ImageResult<S>>,
    pub protocol: Protocol,
}

/// The protocol that a configuration asks for, or a named variant of it.
pub fn protocol(cfg: &Config, variant: Option<Variant>) -> Result<Protocol> {
    let protocol = Protocol::new(&cfg.eval, cfg.train.checkpoint)?;
    Ok(Protocol { variant: variant.unwrap_or(protocol.variant), ..protocol })
}

/// The map as it is scored: upsampled to `width` x `height`, then smoothed.
pub fn full(map: &Map, width: usize, height: usize, cfg: &config::Eval) -> Map {
    let up = upsample::bilinear(map, width, height, Align::from(cfg.align_corners));
    if cfg.gaussian_sigma > 0.0 { blur::gaussian(&up, cfg.sigma(width, height)) } else { up }
}

/// What is scored of one image: its map at the size of the evaluation, if it has one, and its score by `eval.image_score`.
///
/// # Errors
/// `Kind::Config` where the score is to be one that the detector did not give.
pub fn scored(output: &Output, width: usize, height: usize, cfg: &config::Eval) -> Result<(Option<Map>, f32)> {
    scored_within(output, (width, height), None, cfg)
}

/// The same where the image's score is that of the pixels `inside` alone, a mask of the evaluation's size; the map is whole.
///
/// # Errors
/// As [`scored`], and where no cell of the detector's own map is inside.
pub fn scored_within(
    output: &Output,
    (width, height): (usize, usize),
    inside: Option<&Mask>,
    cfg: &config::Eval,
) -> Result<(Option<Map>, f32)> {
    let whole = output.map.as_ref().map(|map| full(map, width, height, cfg));
    let score = match (cfg.image_score, &output.map, &whole) {
        (ImageScore::Own, ..) | (_, None, _) | (_, _, None) => output.own,
        (ImageScore::Upsampled, _, Some(whole)) => metric::image_score(&*within(whole, inside)?),
        (ImageScore::Map, Some(map), _) => metric::image_score(&*within(map, inside)?),
        (ImageScore::Mean, Some(map), _) => metric::mean_score(&*within(map, inside)?),
    };
    let missing =
        || Error::config("eval.image_score: the detector gave no image score of its own", "use \"upsampled\", \"map\" or \"mean\"");
    Ok((whole, score.ok_or_else(missing)?))
}

/// The pixels of a map that are inside, as one row; the mask may be of another resolution.
///
/// # Errors
/// Where none is.
pub fn within<'a, T: Copy>(map: &'a Plane<T>, inside: Option<&Mask>) -> Result<Cow<'a, Plane<T>>> {
    let Some(inside) = inside else { return Ok(Cow::Borrowed(map)) };
    let inside = resize::nearest_mask(inside, map.width, map.height);
    let pixels: Vec<T> = map.data.iter().zip(&inside.data).filter(|(_, inside)| **inside != 0).map(|(value, _)| *value).collect();
    if pixels.is_empty() {
        let what = format!("data.roi: no cell of a map of {}x{} is inside of it", map.width, map.height);
        return Err(Error::config(what, "use eval.image_score = \"upsampled\", or a larger region"));
    }
    Ok(Cow::Owned(Plane::from_vec(pixels.len(), 1, pixels)))
}

/// Where image `index` is scored, at the size at which it is; `None` = everywhere.
///
/// # Errors
/// As [`Source::inside`].
pub fn inside(source: &Source, index: usize, cfg: &config::Eval) -> Result<Option<Mask>> {
    let inside = source.inside(index)?;
    Ok(match cfg.resolution {
        Resolution::Original => inside,
        Resolution::Input => inside.map(|mask| resize::nearest_mask(&mask, source.whole_size(), source.whole_size())),
    })
}

/// What a metric takes as the ground truth of image `index`: `None` where every pixel is normal and scored.
///
/// # Errors
/// As [`mask`].
fn truth(source: &Source, index: usize, inside: Option<&Mask>, cfg: &config::Eval) -> Result<Option<Mask>> {
    let anomalous = !source.items()[index].is_good();
    let mask = if anomalous { Some(mask(source, index, cfg)?) } else { None };
    let Some(inside) = inside else { return Ok(mask) };
    let mut mask = mask.unwrap_or_else(|| Mask::filled(inside.width, inside.height, 0));
    let outside = mask.data.iter_mut().zip(&inside.data).filter(|(_, inside)| **inside == 0);
    outside.for_each(|(value, _)| *value = NOT_SCORED);
    Ok(Some(mask))
}

/// Size at which image `index` is scored: its own, or the network's input.
pub fn size(source: &Source, index: usize, cfg: &config::Eval) -> Result<(usize, usize)> {
    match cfg.resolution {
        Resolution::Original => source.dimensions(index),
        Resolution::Input => Ok((source.whole_size(), source.whole_size())),
    }
}

/// The ground truth of image `index` at the size at which it is scored; empty for a good image.
///
/// # Errors
/// A missing or unreadable mask, or one whose size is not its image's.
pub fn mask(source: &Source, index: usize, cfg: &config::Eval) -> Result<Mask> {
    let mask = source.mask(index)?;
    Ok(match cfg.resolution {
        Resolution::Original => mask,
        Resolution::Input => resize::nearest_mask(&mask, source.whole_size(), source.whole_size()),
    })
}

/// Computes every metric of one category from what a detector gave; `output_of` has that of a test image, its map at any
/// resolution. Images without a map have image-level metrics alone, and so have all where no defective image has a mask.
///
/// Maps are upsampled and keyed a few at a time, one a thread, so that only sort keys stay in memory: 4 bytes a normal and 8 an
/// anomalous pixel, and as much again while they are sorted.
pub fn evaluate(test: &Source, cfg: &config::Eval, protocol: &Protocol, output_of: &dyn Fn(usize) -> Result<Output>) -> Result<Evaluation> {
    let mut accumulator = metric::Accumulator::new(protocol)?;
    let mut images = Vec::with_capacity(test.len());
    let keyed = |(index, output): (usize, Output)| -> Result<(Keyed, ImageResult)> {
        let item = &test.items()[index];
        let anomalous = !item.is_good();
        let (width, height) = size(test, index, cfg)?;
        let inside = inside(test, index, cfg)?;
        let (map, score) = scored_within(&output, (width, height), inside.as_ref(), cfg)?;
        let keyed = match map {
            Some(map) if test.is_masked() => {
                let mask = truth(test, index, inside.as_ref(), cfg)?;
                Keyed::of(Sample { name: &item.key, map: &map, mask: mask.as_ref(), image_score: score, anomalous }, protocol)?
            }
            _ => Keyed::of_image(&item.key, score, anomalous)?,
        };
        Ok((keyed, ImageResult { key: item.key.clone(), anomalous, score }))
    };
    let all: Vec<usize> = (0..test.len()).collect();
    for few in all.chunks(rayon::current_num_threads()) {
        let outputs = few.iter().map(|&index| Ok((index, output_of(index)?))).collect::<Result<Vec<_>>>()?;
        let few: Vec<Result<_>> = outputs.into_par_iter().map(keyed).collect();
        for one in few {
            let (keyed, image) = one?;
            accumulator.take(keyed)?;
            images.push(image);
        }
    }
    let (scores, curves) = accumulator.finish();
    Ok(Evaluation { scores, curves, images, protocol: protocol.clone() })
}
