//! Score maps from elsewhere: found, checked, and evaluated in as many bits as they have.
//!
//! One rule for a category: where float32 holds every number of every map, they are evaluated as a run's own are; where it would
//! round one, all are upsampled, smoothed and ranked in float64.

use std::path::Path;

use rayon::prelude::*;

use super::{Evaluation, ImageResult, MapStore, Output, inside, size, truth, within};
use crate::config::{self, ImageScore};
use crate::data::Source;
use crate::image::numbers::Numbers;
use crate::image::{Map64, Mask, blur, npy, upsample};
use crate::metric::{self, Protocol, Sample64};
use crate::{Error, Result};

/// The maps of one category below `MAPS_ROOT`.
pub struct Foreign {
    store: MapStore,
    category: String,
}

impl Foreign {
    /// The folder `root/category`.
    pub fn at(root: &Path, category: &str) -> Self {
        Self { store: MapStore::at(root), category: category.to_owned() }
    }

    /// Whether any map of the images of `test` holds a number that float32 would round.
    ///
    /// # Errors
    /// A map that is missing, there twice, unreadable, not finite or of a size that is not its image's.
    pub fn need_float64(&self, test: &Source) -> Result<bool> {
        let one = |index: usize| -> Result<bool> {
            let path = self.store.find(&self.category, &test.items()[index].key)?;
            Ok(npy::may_need_float64(&path)? && matches!(self.numbers(test, index)?, Numbers::Double(_)))
        };
        let each: Vec<bool> = (0..test.len()).into_par_iter().map(one).collect::<Result<_>>()?;
        Ok(each.contains(&true))
    }

    /// The map of image `index`, of a category whose maps float32 holds.
    ///
    /// # Errors
    /// As [`Foreign::need_float64`].
    pub fn output(&self, test: &Source, index: usize) -> Result<Output> {
        match self.numbers(test, index)? {
            Numbers::Single(map) => Ok(Output::of_map(map)),
            Numbers::Double(_) => {
                Err(Error::environment(format!("{} changed while it was read", test.items()[index].key), "repeat the command"))
            }
        }
    }

    /// Every metric of the category in float64; the maps of all its images are in memory at once.
    ///
    /// # Errors
    /// As [`Foreign::need_float64`] and [`super::evaluate`].
    pub fn evaluate64(&self, test: &Source, cfg: &config::Eval, protocol: &Protocol) -> Result<Evaluation<f64>> {
        let one = |index: usize| -> Result<Sample64> {
            let item = &test.items()[index];
            let inside = inside(test, index, cfg)?;
            let (map, image_score) = scored(&self.numbers(test, index)?.double(), size(test, index, cfg)?, inside.as_ref(), cfg)?;
            let mask = truth(test, index, inside.as_ref(), cfg)?;
            Ok(Sample64 { name: item.key.clone(), map, mask, image_score, anomalous: !item.is_good() })
        };
        let samples: Vec<Sample64> = (0..test.len()).into_par_iter().map(one).collect::<Result<_>>()?;
        let (scores, curves) = metric::evaluate64(&samples, protocol)?;
        let image = |s: Sample64| ImageResult { key: s.name, anomalous: s.anomalous, score: s.image_score };
        Ok(Evaluation { scores, curves, images: samples.into_iter().map(image).collect(), protocol: protocol.clone() })
    }

    fn numbers(&self, test: &Source, index: usize) -> Result<Numbers> {
        let path = self.store.find(&self.category, &test.items()[index].key)?;
        let numbers = npy::read_numbers(&path)?;
        if let Some((value, x, y)) = numbers.odd() {
            let value = if value.is_nan() { "NaN".into() } else { value.to_string() };
            let what = format!("{} has {value} at x = {x}, y = {y}", path.display());
            return Err(Error::environment(what, "scores must be finite: look at what wrote this map"));
        }
        let (width, height) = test.dimensions(index)?;
        if let Some(why) = misfit(numbers.size(), [width, height]) {
            let [w, h] = numbers.size();
            let what = format!("{} has {w}x{h} px, its image {width}x{height}: {why}", path.display());
            return Err(Error::environment(what, "a map has its image's shape (height, width) at any resolution, or is square"));
        }
        Ok(numbers)
    }
}

/// What is scored of one map, as [`super::scored_within`] does.
fn scored(map: &Map64, (width, height): (usize, usize), inside: Option<&Mask>, cfg: &config::Eval) -> Result<(Map64, f64)> {
    let up = upsample::bilinear(map, width, height, cfg.align_corners.into());
    let whole = if cfg.gaussian_sigma > 0.0 { blur::gaussian64(&up, cfg.sigma(width, height)) } else { up };
    let score = match cfg.image_score {
        ImageScore::Upsampled => metric::image_score64(&*within(&whole, inside)?),
        ImageScore::Map => metric::image_score64(&*within(map, inside)?),
        ImageScore::Mean => metric::mean_score64(&*within(map, inside)?),
        ImageScore::Own => None,
    };
    let missing =
        || Error::config("eval.image_score: maps alone have no image score of their own", "use \"upsampled\", \"map\" or \"mean\"");
    Ok((whole, score.ok_or_else(missing)?))
}

/// Why a map of this width and height cannot be its image's. Networks see images at their own shape or as squares; sides are
/// rounded to whole pixels on the way.
fn misfit(map: [usize; 2], image: [usize; 2]) -> Option<&'static str> {
    let [[w, h], [width, height]] = [map, image];
    let square = w == h;
    let same = (w * height).abs_diff(h * width) <= width + height;
    match () {
        () if square || same => None,
        () if [h, w] == image || (h * height).abs_diff(w * width) <= width + height => Some("it is transposed"),
        () => Some("it is of another shape"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_another_shape_is_told_from_one_of_another_resolution() {
        for map in [[900, 700], [29, 22], [28, 22], [256, 256], [1, 1], [450, 350], [1800, 1400]] {
            assert_eq!(misfit(map, [900, 700]), None, "{map:?}");
        }
        assert_eq!(misfit([700, 900], [900, 700]), Some("it is transposed"));
        assert_eq!(misfit([22, 29], [900, 700]), Some("it is transposed"));
        assert_eq!(misfit([320, 100], [900, 700]), Some("it is of another shape"));
        assert_eq!(misfit([33, 32], [32, 32]), None);
        assert_eq!(misfit([64, 32], [32, 32]), Some("it is of another shape"));
    }
}
