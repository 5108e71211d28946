//! From score maps at the network's resolution to metrics at each image's own.
//!
//! Everything that turns a stored map into what is scored, drawn or written stands here, once, so that evaluation,
//! `predict`, `score` and the panels agree to the bit. No tensors: maps are float32 planes.

mod paired;
mod store;

pub use paired::{DRAWS, PairedDifference, paired};
pub use store::MapStore;

use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::config::{self, Config, ImageScore, Resolution};
use crate::data::Source;
use crate::image::upsample::{self, Align};
use crate::image::{Map, Mask, blur, resize};
use crate::metric::{self, Curves, Keyed, Protocol, Sample, Scores, Variant};

/// Which of a detector's maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MapKind {
    /// The score map: eta(F), Eq. (9); for the nearest neighbour, distances times the weight of the image.
    S,
    /// The distance map: distance to the centre, or whatever else a detector measures from normal images.
    A,
}

impl fmt::Display for MapKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            MapKind::S => "S",
            MapKind::A => "A",
        })
    }
}

/// The score of one test image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageResult {
    /// `test/<defect>/<stem>`.
    pub key: String,
    pub anomalous: bool,
    pub score: f32,
}

/// What evaluating one map of one category gives.
#[derive(Debug, Clone)]
pub struct Evaluation {
    pub scores: Scores,
    pub curves: Curves,
    pub images: Vec<ImageResult>,
    pub protocol: Protocol,
}

/// The protocol that a configuration asks for, or a named variant of it.
pub fn protocol(cfg: &Config, variant: Option<Variant>) -> Result<Protocol> {
    let protocol = Protocol::new(&cfg.eval, cfg.train.checkpoint)?;
    Ok(Protocol { variant: variant.unwrap_or(protocol.variant), ..protocol })
}

/// The map as it is scored: upsampled to `width` x `height`, then smoothed; and the image's score, its maximum.
pub fn full(map: &Map, width: usize, height: usize, cfg: &config::Eval) -> (Map, f32) {
    let mut up = upsample::bilinear(map, width, height, Align::from(cfg.align_corners));
    if cfg.gaussian_sigma > 0.0 {
        up = blur::gaussian(&up, cfg.gaussian_sigma);
    }
    let scored = match cfg.image_score {
        ImageScore::Upsampled => &up,
        ImageScore::Map => map,
    };
    let score = metric::image_score(scored).expect("a map has pixels");
    (up, score)
}

/// Size at which image `index` is scored: its own, or the network's input.
pub fn size(source: &Source, index: usize, cfg: &config::Eval) -> Result<(usize, usize)> {
    match cfg.resolution {
        Resolution::Original => source.dimensions(index),
        Resolution::Input => Ok((source.size(), source.size())),
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
        Resolution::Input => resize::nearest_mask(&mask, source.size(), source.size()),
    })
}

/// Computes every metric of one category from its maps; `map_of` gives the map of a test image at any resolution.
///
/// Maps are upsampled and keyed a few at a time, one a thread, so that only sort keys stay in memory: 4 bytes a normal and 8 an
/// anomalous pixel, and as much again while they are sorted.
pub fn evaluate(test: &Source, cfg: &config::Eval, protocol: &Protocol, map_of: &dyn Fn(usize) -> Result<Map>) -> Result<Evaluation> {
    let mut accumulator = metric::Accumulator::new(protocol)?;
    let mut images = Vec::with_capacity(test.len());
    let keyed = |(index, map): (usize, Map)| -> Result<(Keyed, ImageResult)> {
        let item = &test.items()[index];
        let (width, height) = size(test, index, cfg)?;
        let (map, score) = full(&map, width, height, cfg);
        let mask = if item.is_good() { None } else { Some(mask(test, index, cfg)?) };
        let sample = Sample { name: &item.key, map: &map, mask: mask.as_ref(), image_score: score, anomalous: !item.is_good() };
        Ok((Keyed::of(sample, protocol)?, ImageResult { key: item.key.clone(), anomalous: !item.is_good(), score }))
    };
    let all: Vec<usize> = (0..test.len()).collect();
    for few in all.chunks(rayon::current_num_threads()) {
        let maps = few.iter().map(|&index| Ok((index, map_of(index)?))).collect::<Result<Vec<_>>>()?;
        let few: Vec<Result<_>> = maps.into_par_iter().map(keyed).collect();
        for one in few {
            let (keyed, image) = one?;
            accumulator.take(keyed)?;
            images.push(image);
        }
    }
    let (scores, curves) = accumulator.finish();
    Ok(Evaluation { scores, curves, images, protocol: protocol.clone() })
}
