//! The exact metrics of the same maps with other weights of their images, for the bootstrap over test images.
//!
//! An image drawn k times is one of weight k: each of its pixels counts k times, and each of its regions is k regions. So
//! pixels are sorted once, and the sorted ranking is read once for every [`LANES`] draws, with a weight for each image and draw.
//! What depends on no draw is settled beforehand: only the images of the negatives among the positives are kept, in order.
//! Counts are integers as in [`Accumulator`](super::Accumulator), so that weights and copies of images agree to the last digits.
//!
//! Cost: with 1,000 draws about 1 us a pixel: 2 s for 100 maps of 128 px and 8 s for 256 px on a small machine. Kept are 4 bytes a
//! normal pixel and 20 an anomalous one.

use rand::RngExt;
use rayon::prelude::*;

use super::accumulator::{Sample, check_image_score, checked_regions};
use super::components::Regions;
use super::key::{Scale, key};
use super::pro::{Overlap, limit_in_pixels};
use super::protocol::Protocol;
use super::radix;
use super::ranking::{Group, key_of, packed, tag_of};
use super::roc::{Separation, Tally};
use super::variant::Variant;
use crate::image::Map;
use crate::{Error, Result, seed};

/// Draws that share one pass.
const LANES: usize = 16;

/// Weights of one image in the draws of a pass.
type Weights = [u32; LANES];

/// The metrics of one draw; `None` where a class that a metric needs was not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reweighted {
    pub image: Separation,
    pub pixel: Separation,
    pub aupro: Option<f64>,
}

impl Reweighted {
    /// Every metric by its key under `protocol`, without the split, in the order of a table.
    pub fn metrics(&self, protocol: &Protocol) -> [(String, Option<f64>); 7] {
        [
            ("image_auroc".to_owned(), self.image.auroc),
            ("image_ap".to_owned(), self.image.ap),
            ("image_f1max".to_owned(), self.image.f1max),
            ("pixel_auroc".to_owned(), self.pixel.auroc),
            ("pixel_ap".to_owned(), self.pixel.ap),
            ("pixel_f1max".to_owned(), self.pixel.f1max),
            (protocol.aupro_key(), self.aupro),
        ]
    }
}

/// How often each image is drawn, for each of `count` draws with replacement: as many good and as many anomalous images as
/// there are, so that no draw lacks a class. Draw `d` comes from the stream (`seed`, "bootstrap/images", 0, d) and is the
/// same for all who have these labels.
pub fn draws(anomalous: &[bool], count: usize, seed: u64) -> Vec<Vec<u32>> {
    let of = |class: bool| -> Vec<usize> { (0..anomalous.len()).filter(|&i| anomalous[i] == class).collect() };
    let classes = [of(false), of(true)];
    let draw = |index: usize| {
        let mut stream = seed::stream(seed, "bootstrap/images", 0, index as u64);
        let mut counts = vec![0; anomalous.len()];
        for class in &classes {
            class.iter().for_each(|_| counts[class[stream.random_range(0..class.len())]] += 1);
        }
        counts
    };
    (0..count).map(draw).collect()
}

/// Takes images one at a time, as an [`Accumulator`](super::Accumulator) does. Holds 8 bytes a pixel; `finish` needs as much
/// again.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    protocol: Protocol,
    images: Unordered,
    pixels: Unordered,
    /// Pixels of the largest map.
    largest: u64,
}

/// What is ranked, before its sort: [`packed`] keys with the image of a negative, with the region of a positive.
#[derive(Debug, Clone, Default)]
struct Unordered {
    normal: Vec<u64>,
    positive: Vec<u64>,
    regions: Vec<Region>,
    /// Negatives of each image.
    normals: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Region {
    image: usize,
    area: u64,
}

impl Bootstrap {
    /// Nothing pushed yet. An error if the protocol makes no sense, or asks for a form of AUPRO that is not an exact one of all
    /// images: those have no such pass.
    pub fn new(protocol: &Protocol) -> Result<Self> {
        protocol.check()?;
        if !matches!(protocol.variant, Variant::Exact | Variant::Connectivity4) {
            let what = format!("the bootstrap over test images knows no {} form of AUPRO", protocol.variant);
            return Err(Error::config(what, "use eval.pro.variant = \"exact\""));
        }
        Ok(Self { protocol: protocol.clone(), images: Unordered::default(), pixels: Unordered::default(), largest: 0 })
    }

    /// Takes one image. Errors: those of [`Accumulator::push`](super::Accumulator::push).
    pub fn push(&mut self, sample: Sample) -> Result<()> {
        let regions = checked_regions(&sample, self.protocol.connectivity())?;
        let Sample { name, map, image_score, anomalous, .. } = sample;
        let image = self.images.normals.len();
        self.largest = self.largest.max(map.data.len() as u64);
        // A draw may hold one image as often as there are images.
        if self.largest * (image as u64 + 1) > u64::from(u32::MAX) {
            let remedy = "evaluate fewer images at once, or set eval.resolution = \"input\"";
            return Err(Error::environment(format!("{name}: a draw of test images may hold more than 2^32 pixels"), remedy));
        }
        self.images.push_image(image_score, anomalous);
        self.pixels.push_map(map, &regions, image);
        Ok(())
    }

    /// Takes one image without a map: it counts at image level alone.
    ///
    /// # Errors
    /// A score that is not finite.
    pub fn push_image(&mut self, name: &str, image_score: f32, anomalous: bool) -> Result<()> {
        check_image_score(name, image_score)?;
        self.images.push_image(image_score, anomalous);
        self.pixels.normals.push(0);
        Ok(())
    }

    /// Sorts what was pushed.
    pub fn finish(self) -> Ordered {
        Ordered { limit: self.protocol.pro_limit, images: Sequence::new(self.images), pixels: Sequence::new(self.pixels) }
    }
}

impl Unordered {
    /// An image as one pixel.
    fn push_image(&mut self, score: f32, anomalous: bool) {
        let image = self.normals.len();
        self.normals.push(u64::from(!anomalous));
        match anomalous {
            true => {
                self.positive.push(packed(key(score), self.regions.len() as u32));
                self.regions.push(Region { image, area: 1 });
            }
            false => self.normal.push(packed(key(score), image as u32)),
        }
    }

    fn push_map(&mut self, map: &Map, regions: &Regions, image: usize) {
        let (first, before, mut done) = (self.regions.len(), self.normal.len(), 0);
        let normal = |at: usize| packed(key(map.data[at]), image as u32);
        let is_scored = |at: &usize| regions.scored.as_ref().is_none_or(|scored| scored[*at]);
        for run in &regions.runs {
            let (start, end) = (run.y * map.width + run.start, run.y * map.width + run.end);
            let tag = (first + run.region) as u32;
            self.normal.extend((done..start).filter(is_scored).map(normal));
            self.positive.extend(map.data[start..end].iter().map(|&s| packed(key(s), tag)));
            done = end;
        }
        self.normal.extend((done..map.data.len()).filter(is_scored).map(normal));
        self.regions.extend(regions.regions.iter().map(|r| Region { image, area: r.area as u64 }));
        self.normals.push((self.normal.len() - before) as u64);
    }
}

/// The images and pixels of a category in order, to be read with any weights.
#[derive(Debug, Clone)]
pub struct Ordered {
    /// FPR limit of AUPRO.
    limit: f64,
    images: Sequence,
    pixels: Sequence,
}

impl Ordered {
    /// The metrics of each draw: `draws[d][i]` is the weight of the i-th image that was pushed. In parallel on rayon's threads;
    /// the result does not depend on their number.
    ///
    /// # Panics
    /// If a draw has not one weight an image, or its weights make 2^32 pixels: those of [`draws`] never do.
    pub fn scores(&self, draws: &[Vec<u32>]) -> Vec<Reweighted> {
        let pass = |draws: &[Vec<u32>]| -> Vec<Reweighted> {
            let images = self.pixels.normals.len();
            let mut weights = vec![[0; LANES]; images];
            for (lane, draw) in draws.iter().enumerate() {
                assert_eq!(draw.len(), images, "a draw has one weight an image");
                draw.iter().zip(&mut weights).for_each(|(&w, weights)| weights[lane] = w);
            }
            let (image, pixel) = (self.images.read(&weights, 1.0), self.pixels.read(&weights, self.limit));
            let both = image.into_iter().zip(pixel).take(draws.len());
            both.map(|((image, _), (pixel, aupro))| Reweighted { image, pixel, aupro }).collect()
        };
        draws.par_chunks(LANES).flat_map_iter(pass).collect()
    }

    /// The metrics with each image once: those of [`evaluate`](super::evaluate).
    pub fn plain(&self) -> Reweighted {
        self.scores(&[vec![1; self.pixels.normals.len()]])[0]
    }
}

/// A ranking without its scores.
#[derive(Debug, Clone)]
struct Sequence {
    /// The images of the negatives from the highest score down to that of the lowest positive.
    order: Vec<u32>,
    /// Groups of equal scores that hold a positive, from the highest down.
    steps: Vec<Step>,
    /// Ascending, as in a [`Ranking`](super::ranking::Ranking).
    positive: Vec<u64>,
    regions: Vec<Region>,
    /// All negatives of each image.
    normals: Vec<u64>,
}

/// One group.
#[derive(Debug, Clone, Copy)]
struct Step {
    key: u32,
    /// Negatives above it, and those not below it: places in `order`.
    above: u32,
    tied: u32,
    /// Where its positives start; they end where the step before starts.
    first: u32,
}

impl Sequence {
    fn new(Unordered { normal, positive, regions, normals }: Unordered) -> Self {
        let positive = radix::sort(positive);
        let normal = match positive.first() {
            Some(&least) => radix::sort_within(vec![normal], key_of(least), u32::MAX).0,
            None => vec![],
        };
        let order: Vec<u32> = normal.iter().rev().map(|&n| n as u32).collect();
        let (mut steps, mut end, mut passed) = (Vec::new(), positive.len(), 0);
        let key_at = |place: usize| key_of(normal[normal.len() - 1 - place]);
        while end > 0 {
            let key = key_of(positive[end - 1]);
            while passed < order.len() && key_at(passed) > key {
                passed += 1;
            }
            let above = passed;
            while passed < order.len() && key_at(passed) == key {
                passed += 1;
            }
            while end > 0 && key_of(positive[end - 1]) == key {
                end -= 1;
            }
            steps.push(Step { key, above: above as u32, tied: passed as u32, first: end as u32 });
        }
        Self { order, steps, positive, regions, normals }
    }

    /// Reads the ranking once; `limit` is a false positive rate.
    fn read(&self, weights: &[Weights], limit: f64) -> Vec<(Separation, Option<f64>)> {
        let lanes = 0..LANES;
        let total = |lane: usize, counts: &mut dyn Iterator<Item = (usize, u64)>| -> u64 {
            counts.map(|(image, count)| u64::from(weights[image][lane]) * count).sum()
        };
        let normals: Vec<u64> = lanes.clone().map(|l| total(l, &mut self.normals.iter().copied().enumerate())).collect();
        let positives: Vec<u64> = lanes.clone().map(|l| total(l, &mut self.regions.iter().map(|r| (r.image, r.area)))).collect();
        assert!(lanes.clone().all(|l| normals[l] + positives[l] <= u64::from(u32::MAX)), "a draw has fewer than 2^32 pixels");

        let mut tallies = vec![Tally::default(); LANES];
        let mut overlaps: Vec<Overlap> =
            normals.iter().map(|&n| Overlap::new(self.regions.iter().map(|r| r.area), limit_in_pixels(limit, n))).collect();
        let (mut fp, mut tp, mut done, mut end) = ([0_u32; LANES], [0_u32; LANES], 0, self.positive.len());
        for step in &self.steps {
            pass(&mut fp, &self.order[done..step.above as usize], weights);
            let fp_before = fp;
            pass(&mut fp, &self.order[step.above as usize..step.tied as usize], weights);
            let members = &self.positive[step.first as usize..end];
            (done, end) = (step.tied as usize, step.first as usize);
            let tp_before = tp;
            for &member in members {
                add(&mut tp, &weights[self.regions[tag_of(member)].image]);
            }
            // A draw without any of these images has no such group.
            for lane in lanes.clone().filter(|&l| tp[l] > tp_before[l]) {
                let [fp_before, fp, tp] = [fp_before[lane], fp[lane], tp[lane]].map(u64::from);
                let group = Group { key: step.key, fp_before, fp, tp, members };
                tallies[lane].add(&group, positives[lane]);
                overlaps[lane].add(&group);
            }
        }
        let weight = |lane: usize, tag: usize| f64::from(weights[self.regions[tag].image][lane]);
        let finish =
            |l: usize| (tallies[l].finish(normals[l], positives[l], &Scale::Float32), overlaps[l].weighted_area(|tag| weight(l, tag)));
        lanes.map(finish).collect()
    }
}

/// Counts negatives of these images.
#[inline]
fn pass(counts: &mut Weights, images: &[u32], weights: &[Weights]) {
    images.iter().for_each(|&image| add(counts, &weights[image as usize]));
}

#[inline]
fn add(counts: &mut Weights, weights: &Weights) {
    counts.iter_mut().zip(weights).for_each(|(count, weight)| *count += weight);
}
