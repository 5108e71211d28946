//! From maps and masks to scores: [`evaluate`] for all at once, [`Accumulator`] for one at a time.

use super::components::{self, Connectivity, Regions};
use super::curve::{Curves, Rising};
use super::image_level;
use super::key::{NOT_FINITE, Scale, check_finite, key};
use super::pro::{Overlap, limit_in_pixels};
use super::protocol::Protocol;
use super::ranking::{Population, Ranking, packed};
use super::roc::Tally;
use super::scores::{RECALL_FPR, Scores};
use super::variant::{self, Variant};
use crate::image::{Map, Mask, Plane};
use crate::{Error, Result};
use rayon::prelude::*;
use std::ops::Range;

/// One test image.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// For messages: the image's file.
    pub name: &'a str,
    /// Scores at the resolution of the evaluation, all finite.
    pub map: &'a Map,
    /// Same size as the map; `None` = no pixel is anomalous, and all are scored.
    pub mask: Option<&'a Mask>,
    /// Usually [`image_score`](super::image_score) of the map; finite.
    pub image_score: f32,
    /// The image's label. An anomalous image whose mask is empty counts at image level; it has no region, and its pixels
    /// are normal ones. A good image with an anomalous pixel is an error.
    pub anomalous: bool,
}

/// Evaluates samples of one category, as many at once as rayon has threads. Errors: see [`Accumulator::take`].
pub fn evaluate(samples: &[Sample], protocol: &Protocol) -> Result<(Scores, Curves)> {
    let mut accumulator = Accumulator::new(protocol)?;
    let keyed: Vec<Result<Keyed>> = samples.par_iter().map(|sample| Keyed::of(*sample, protocol)).collect();
    keyed.into_iter().try_for_each(|keyed| accumulator.take(keyed?))?;
    Ok(accumulator.finish())
}

/// A sample as it is ranked: all of the work of taking it that depends on no other sample. 4 bytes a normal and 8 an anomalous
/// pixel.
#[derive(Debug, Clone)]
pub struct Keyed {
    name: String,
    anomalous: bool,
    /// The key of its score.
    image: u32,
    /// Tags count from this sample's first region.
    pixels: Population,
    regions: Vec<Region>,
    dilated: Vec<u64>,
    aupro: Option<f64>,
}

impl Keyed {
    /// An image with a score and no map: it counts at image level alone.
    ///
    /// # Errors
    /// A score that is not finite.
    pub fn of_image(name: &str, image_score: f32, anomalous: bool) -> Result<Self> {
        check_image_score(name, image_score)?;
        let (pixels, image) = (Population::default(), key(image_score));
        Ok(Self { name: name.to_owned(), anomalous, image, pixels, regions: vec![], dilated: vec![], aupro: None })
    }

    /// An error if map and mask differ in size, a score is not finite, or a good image has an anomalous pixel.
    pub fn of(sample: Sample, protocol: &Protocol) -> Result<Self> {
        let regions = checked_regions(&sample, protocol.connectivity())?;
        let Sample { name, map, image_score, anomalous, .. } = sample;
        Ok(Self::by(map, &regions, key, &Scale::Float32, protocol).of_image_score(name, key(image_score), anomalous))
    }

    /// A map whose pixels have keys on a scale; its image is not known yet.
    pub(super) fn by<T: Copy>(
        map: &Plane<T>,
        regions: &Regions,
        key: impl Fn(T) -> u32 + Copy,
        scale: &Scale,
        protocol: &Protocol,
    ) -> Self {
        let size = map.data.len();
        let mut keyed = Self {
            name: String::new(),
            anomalous: false,
            image: 0,
            pixels: ranked(map, regions, key),
            regions: regions.regions.iter().map(|r| Region { area: r.area as u64, large: r.area * 100 >= size }).collect(),
            dilated: vec![],
            aupro: None,
        };
        match protocol.variant {
            Variant::Dilated5 => keyed.dilated = variant::dilated_hits(map, regions, key),
            Variant::RdPerImage if regions.count() > 0 => {
                let weights = weights(&keyed.regions);
                keyed.aupro = variant::binned((&keyed.pixels, scale), &keyed.pixels.positive, |tag| weights[tag], 200, protocol.pro_limit);
            }
            _ => {}
        }
        keyed
    }

    /// The same, of an image of this name, with the key of its score.
    pub(super) fn of_image_score(self, name: &str, image: u32, anomalous: bool) -> Self {
        Self { name: name.to_owned(), image, anomalous, ..self }
    }
}

/// Takes samples one at a time, so that a map can be dropped once it was pushed. Holds 4 bytes a normal and 8 an
/// anomalous pixel; `finish` needs as much again.
#[derive(Debug, Clone)]
pub struct Accumulator {
    protocol: Protocol,
    /// What the keys of pixels, and those of images, stand for.
    scales: [Scale; 2],
    /// Key and label of each image.
    images: Vec<(u32, bool)>,
    pixels: Population,
    regions: Vec<Region>,
    /// `Variant::Dilated5`: the regions' pixels with their dilated scores.
    dilated: Vec<u64>,
    /// `Variant::RdPerImage`: the AUPRO of each image.
    per_image: Vec<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Region {
    area: u64,
    /// At least 1 % of its image.
    large: bool,
}

impl Accumulator {
    /// Nothing pushed yet. An error if the protocol makes no sense.
    pub fn new(protocol: &Protocol) -> Result<Self> {
        Self::on(Default::default(), protocol)
    }

    /// The same, with the scales of pixels and of images.
    pub(super) fn on(scales: [Scale; 2], protocol: &Protocol) -> Result<Self> {
        protocol.check()?;
        Ok(Self {
            protocol: protocol.clone(),
            scales,
            images: Vec::new(),
            pixels: Population::default(),
            regions: Vec::new(),
            dilated: Vec::new(),
            per_image: Vec::new(),
        })
    }

    /// The rules that samples are keyed by.
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Takes one image. Errors: those of [`Keyed::of`] and [`Accumulator::take`]; nothing of the image was taken then.
    pub fn push(&mut self, sample: Sample) -> Result<()> {
        self.take(Keyed::of(sample, &self.protocol)?)
    }

    /// Takes one image that was keyed under the same protocol. An error if the pixels of all images would reach 2^32.
    pub fn take(&mut self, keyed: Keyed) -> Result<()> {
        let Keyed { name, anomalous, image, pixels, regions, dilated, aupro } = keyed;
        check_count(&name, self.pixels.count() + pixels.count())?;
        self.images.push((image, anomalous));
        let first = self.regions.len() as u64; // tags are the low half
        self.pixels.normal.extend(pixels.normal);
        self.pixels.positive.extend(pixels.positive.into_iter().map(|p| p + first));
        self.dilated.extend(dilated.into_iter().map(|p| p + first));
        self.regions.extend(regions);
        self.per_image.extend(aupro);
        Ok(())
    }

    /// The scores and curves of what was pushed. Cost: one sort, then work per anomalous pixel.
    pub fn finish(mut self) -> (Scores, Curves) {
        let mut images = image_level::population(self.images.iter().copied());
        if self.protocol.variant == Variant::Squashed {
            let [of_pixels, of_images] = &mut self.scales;
            variant::squash(&mut self.pixels, of_pixels);
            variant::squash(&mut images, of_images);
        }
        let anomalous_images = images.positive.len();
        let (image, image_roc) = image_level::separation(images, &self.scales[1]);

        let pixels = self.pixels.count() as u64;
        let normals = self.pixels.normals() as u64;
        let binned = self.binned_aupro();
        let limit = match self.protocol.variant {
            Variant::ReachedFpr => variant::reached_limit(self.pixels.normal.concat(), self.protocol.pro_limit),
            _ => limit_in_pixels(self.protocol.pro_limit, normals),
        };
        let weights = weights(&self.regions);
        let ranking = Ranking::new(std::mem::take(&mut self.pixels));
        let positives = ranking.positives();

        let areas = self.regions.iter().map(|r| r.area);
        let mut tally = Tally::default();
        let mut pro = Overlap::new(areas.clone(), limit);
        let mut recall = Overlap::new(areas, limit_in_pixels(RECALL_FPR, normals));
        let mut roc_curve = Rising::new(normals, positives, None, self.protocol.pro_limit);
        let mut pro_curve = Rising::new(normals, positives, Some(&weights), self.protocol.pro_limit);
        for group in ranking.groups() {
            tally.add(&group, positives);
            pro.add(&group);
            recall.add(&group);
            roc_curve.add(&group);
            pro_curve.add(&group);
        }

        let pixel = tally.finish(normals, positives, &self.scales[0]);
        let (large, tiny): (Vec<_>, Vec<_>) = recall.covered().zip(&self.regions).partition(|(_, region)| region.large);
        let mean = |covered: &[(f64, &Region)]| {
            let sum: f64 = covered.iter().map(|(fraction, _)| fraction).sum();
            (!covered.is_empty() && normals > 0).then(|| sum / covered.len() as f64)
        };
        let scores = Scores {
            image_auroc: image.auroc,
            image_ap: image.ap,
            image_f1max: image.f1max,
            image_f1max_threshold: image.f1max_threshold,
            pixel_auroc: pixel.auroc,
            pixel_ap: pixel.ap,
            pixel_f1max: pixel.f1max,
            pixel_f1max_threshold: pixel.f1max_threshold,
            aupro: binned.unwrap_or_else(|| pro.area()),
            large_recall: mean(&large),
            tiny_recall: mean(&tiny),
            images: self.images.len(),
            anomalous_images,
            regions: self.regions.len(),
            large_regions: large.len(),
            tiny_regions: tiny.len(),
            pixels,
            protocol: self.protocol,
        };
        (scores, Curves { pixel_roc: roc_curve.finish(), pro: pro_curve.finish(), image_roc })
    }

    /// AUPRO where the variant is not a form of the exact one; its value may be missing all the same.
    fn binned_aupro(&self) -> Option<Option<f64>> {
        let (hits, steps) = match self.protocol.variant {
            Variant::Linear200 => (&self.pixels.positive, 200),
            Variant::Linear100 => (&self.pixels.positive, 100),
            Variant::Dilated5 => (&self.dilated, 200),
            Variant::RdPerImage => return Some(crate::num::mean(&self.per_image)),
            Variant::Exact | Variant::Connectivity4 | Variant::ReachedFpr | Variant::Squashed => return None,
        };
        let weights = weights(&self.regions);
        let aupro = || variant::binned((&self.pixels, &self.scales[0]), hits, |tag| weights[tag], steps, self.protocol.pro_limit);
        Some(if self.regions.is_empty() { None } else { aupro() })
    }
}

/// Refuses as many pixels as cannot be counted.
pub(super) fn check_count(name: &str, pixels: usize) -> Result<()> {
    if pixels <= u32::MAX as usize {
        return Ok(());
    }
    let remedy = "evaluate fewer images at once, or set eval.resolution = \"input\"";
    Err(Error::environment(format!("{name}: more than 2^32 pixels to rank"), remedy))
}

pub(super) fn check_image_score(name: &str, score: f32) -> Result<()> {
    if score.is_finite() {
        return Ok(());
    }
    Err(Error::environment(format!("the image score of {name} is {score}"), NOT_FINITE))
}

/// The regions of a sample that is fit to be taken. Errors: see [`Accumulator::push`].
pub(super) fn checked_regions(sample: &Sample, connectivity: Connectivity) -> Result<Regions> {
    let Sample { name, map, mask, image_score, anomalous } = *sample;
    check_finite(name, map)?;
    check_image_score(name, image_score)?;
    regions_of(name, [map.width, map.height], (mask, anomalous), connectivity)
}

/// The regions of a map's mask, which has its size; `anomalous` is the image's label. Errors: see [`Keyed::of`].
pub(super) fn regions_of(
    name: &str,
    [width, height]: [usize; 2],
    (mask, anomalous): (Option<&Mask>, bool),
    connectivity: Connectivity,
) -> Result<Regions> {
    let Some(mask) = mask else {
        return Ok(Regions { width, height, runs: Vec::new(), regions: Vec::new(), scored: None });
    };
    if (width, height) != (mask.width, mask.height) {
        let sizes = format!("{width}x{height} and its mask {}x{} pixels", mask.width, mask.height);
        return Err(Error::environment(format!("{name}: the score map has {sizes}"), "a mask has its image's size; check the data set"));
    }
    let regions = components::label(mask, connectivity);
    if !anomalous && regions.count() > 0 {
        let what = format!("{name} is labelled good, but its mask has {} anomalous pixels", mask.area());
        return Err(Error::environment(what, "check the label and the mask of this image"));
    }
    Ok(regions)
}

/// What a pixel of each region adds to the mean overlap: `1/(|r| R)`.
fn weights(regions: &[Region]) -> Vec<f64> {
    regions.iter().map(|r| 1.0 / (r.area as f64 * regions.len() as f64)).collect()
}

/// The pixels of a map, those of regions with their index as tag.
fn ranked<T: Copy>(map: &Plane<T>, regions: &Regions, key: impl Fn(T) -> u32) -> Population {
    let area = regions.regions.iter().map(|r| r.area).sum();
    let (mut normal, mut positive) = (Vec::with_capacity(map.data.len() - area), Vec::with_capacity(area));
    let mut done = 0;
    let mut take = |range: Range<usize>| match &regions.scored {
        None => normal.extend(map.data[range].iter().map(|&s| key(s))),
        Some(scored) => normal.extend(range.filter(|&at| scored[at]).map(|at| key(map.data[at]))),
    };
    for run in &regions.runs {
        let (start, end) = (run.y * map.width + run.start, run.y * map.width + run.end);
        take(done..start);
        positive.extend(map.data[start..end].iter().map(|&s| packed(key(s), run.region as u32)));
        done = end;
    }
    take(done..map.data.len());
    Population { normal: vec![normal], positive }
}
