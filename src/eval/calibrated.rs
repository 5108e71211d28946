//! From what is stored of normal images to a calibration.

use super::{OutputStore, inside, names, scored_within, size, within};
use crate::Result;
use crate::calibration::{self, Calibration, Image, Origin, PixelLevel};
use crate::config::Config;
use crate::data::Source;
use crate::image::Map;

/// The calibration of run `run` by the images of `source`, of which `stored` has what a detector gave that was not fitted on them.
///
/// # Errors
/// An output that is missing or unreadable, an image that cannot be read.
pub fn calibrated(source: &Source, stored: &OutputStore, cfg: &Config, run: &str, origin: Origin) -> Result<Calibration> {
    let outputs = cfg.detector.outputs(cfg);
    let headline = names(&outputs)[0];
    // Of a map the pixels that are scored.
    let scored = |index: usize| -> Result<(Option<Map>, f32)> {
        let (size, inside) = (size(source, index, &cfg.eval)?, inside(source, index, &cfg.eval)?);
        let output = stored.read(headline, &source.items()[index].key)?;
        let (map, score) = scored_within(&output, size, inside.as_ref(), &cfg.eval)?;
        Ok((map.map(|map| within(&map, inside.as_ref()).map(std::borrow::Cow::into_owned)).transpose()?, score))
    };
    let image = |index: usize| -> Result<Image> {
        let (map, score) = scored(index)?;
        let highest = map.map(|map| map.data.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        Ok(Image { key: source.items()[index].key.clone(), score, highest })
    };
    let map = |index: usize| Ok(scored(index)?.0.expect("a detector with a map gives one of each image"));
    Ok(Calibration {
        format: calibration::FORMAT,
        run: run.to_owned(),
        origin,
        map: outputs.maps.first().map(|name| (*name).to_owned()),
        images: (0..source.len()).map(image).collect::<Result<_>>()?,
        pixels: if outputs.maps.is_empty() { vec![] } else { PixelLevel::of(source.len(), &map)? },
    })
}
