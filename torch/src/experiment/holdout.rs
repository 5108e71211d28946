//! Validation without a single test image: normal training images held out, half of them with one fixed pseudo anomaly.

use std::sync::Arc;

use harness::config::{Checkpoint, Config};
use harness::data::{Item, Source};
use harness::eval::protocol;
use harness::image::{Mask, Rgb, upsample};
use harness::metric::{Accumulator, Keyed, Sample};
use harness::pseudo::{self, Beside};
use harness::{Error, Result, seed};
use rand::seq::SliceRandom;
use tch::Device;

use super::quality::{Quality, Score};
use crate::eval::ImageScored;
use crate::input;

/// Least number of images that are held out.
const LEAST: usize = 4;

/// Images for `train.checkpoint = "best_pseudo_val"`.
pub struct Holdout {
    images: Vec<(Rgb, Mask)>,
}

/// The images that a run is fitted on, by its rule of selection: those to train on, and those held out, which may be none.
pub fn images(cfg: &Config, fit: Vec<Item>, seed: u64) -> Result<(Vec<Item>, Vec<Item>)> {
    match cfg.train.checkpoint {
        Checkpoint::BestPseudoVal => split(&fit, seed),
        Checkpoint::Last | Checkpoint::BestTest => Ok((fit, vec![])),
    }
}

/// Splits the training items: those to train on, and a tenth (at least four), seeded, to hold out.
fn split(items: &[Item], seed: u64) -> Result<(Vec<Item>, Vec<Item>)> {
    let held = (items.len() as f64 / 10.0).round().max(LEAST as f64) as usize;
    if items.len() < held + 2 {
        return Err(Error::environment(
            format!("{} training images are too few to hold {held} out", items.len()),
            "use train.checkpoint=last, or give more normal images",
        ));
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.shuffle(&mut seed::stream(seed, "holdout", 0, 0));
    let (out, keep) = order.split_at(held);
    let pick = |indices: &[usize]| {
        let mut sorted = indices.to_vec();
        sorted.sort_unstable();
        sorted.into_iter().map(|i| items[i].clone()).collect()
    };
    Ok((pick(keep), pick(out)))
}

impl Holdout {
    /// Draws the pseudo anomalies of every second held-out image, once.
    pub fn new(source: Source, cfg: &Config, seed: u64) -> Result<Self> {
        let images = (0..source.len()).map(|i| {
            let image: Arc<Rgb> = source.get(i)?;
            if i % 2 == 1 {
                let clean = Mask::filled(image.width, image.height, 0);
                return Ok(((*image).clone(), clean));
            }
            let other = if pseudo::needs_other(&cfg.pseudo) { source.get((i + 1) % source.len())? } else { image.clone() };
            let photograph = source.photograph(&mut seed::stream(seed, "holdout", 2, i as u64))?;
            let beside = Beside { other: &other, photograph: photograph.as_deref() };
            let sample = pseudo::pseudo(&image, beside, &cfg.pseudo, &mut seed::stream(seed, "holdout", 1, i as u64));
            Ok((sample.image, sample.mask))
        });
        Ok(Self { images: images.collect::<Result<_>>()? })
    }

    /// Pixel AUROC of the headline map on the held-out images, at the input's size; image AUROC of a detector without a map.
    pub fn quality(&self, score: &Score, cfg: &Config, device: Device) -> Result<Quality> {
        let mut accumulator = Accumulator::new(&protocol(cfg, None)?)?;
        let maps = !cfg.detector.outputs(cfg).maps.is_empty();
        for (i, (image, mask)) in self.images.iter().enumerate() {
            let output = ImageScored::of(&score(&input::unit(&image.data, 1, image.width, device)), 0).headline();
            let (name, anomalous) = (format!("held out {i}"), !mask.is_empty());
            let keyed = match (output.map, output.own) {
                (Some(map), _) => {
                    let map = upsample::bilinear(&map, mask.width, mask.height, cfg.eval.align_corners.into());
                    let sample = Sample { name: &name, map: &map, mask: Some(mask), image_score: 0.0, anomalous };
                    Keyed::of(sample, accumulator.protocol())?
                }
                (None, own) => Keyed::of_image(&name, own.expect("a detector gives a map or a score"), anomalous)?,
            };
            accumulator.take(keyed)?;
        }
        let scores = accumulator.finish().0;
        Ok(if maps { ("pixel_auroc", scores.pixel_auroc) } else { ("image_auroc", scores.image_auroc) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(n: usize) -> Vec<Item> {
        (0..n)
            .map(|i| Item { path: format!("{i}.png").into(), key: format!("train/good/{i:03}"), defect: "good".into(), mask: None })
            .collect()
    }

    #[test]
    fn a_tenth_is_held_out_and_nothing_is_lost() {
        for (n, held) in [(6, 4), (40, 4), (60, 6), (213, 21)] {
            let (keep, out) = split(&items(n), 7).unwrap();
            assert_eq!((keep.len(), out.len()), (n - held, held));
            let mut all: Vec<_> = keep.iter().chain(&out).map(|i| i.key.clone()).collect();
            all.sort();
            assert_eq!(all, items(n).into_iter().map(|i| i.key).collect::<Vec<_>>());
        }
        assert!(split(&items(5), 7).unwrap_err().remedy.contains("train.checkpoint=last"));
        assert_ne!(split(&items(60), 1).unwrap().1, split(&items(60), 2).unwrap().1);
    }
}
