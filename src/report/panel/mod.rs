//! Panels of test images with ground truth and score map, as the paper's Fig. 8 has them: large and tiny defects apart.
//!
//! Images are chosen by mask area alone, so that none can be picked because it looks good, and all maps of the category share
//! one range of colours.

mod print;
mod select;
mod sheet;

pub use print::print;
pub use select::{by_area, ends};
pub use sheet::{Case, Section, Sheet, TILE};

use std::collections::BTreeMap;

use crate::config;
use crate::data::Source;
use crate::eval::{self, Evaluation, MapName};
use crate::image::{Map, Mask, Rgb, codec, draw, resize};
use crate::metric::RECALL_FPR;
use crate::ui::text::number;
use crate::{Error, Result};

/// From this share of the image on, a defect is large.
const LARGE: f64 = 0.01;

/// The shares of all pixels of the maps that lie below and not above the range of colours.
const LOWEST: f64 = 0.01;
const HIGHEST: f64 = 0.9995;

/// Colour of the ground truth's outline, which has a thin black edge so that it shows on light and dark images.
const OUTLINE: [u8; 3] = [240, 228, 66];

/// Index and mask area (share of the image) of a chosen test image; good ones have none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    pub index: usize,
    pub share: f64,
}

/// The test images that are shown: those of [`by_area`], and the first and last good ones.
///
/// # Errors
/// A mask that is missing or unreadable.
pub fn chosen(test: &Source, cfg: &config::Eval) -> Result<(Vec<Chosen>, Vec<Chosen>)> {
    let (good, defective): (Vec<usize>, Vec<usize>) = (0..test.len()).partition(|&i| test.items()[i].is_good());
    let share = |index: usize| {
        let mask = eval::mask(test, index, cfg)?;
        Ok(Chosen { index, share: mask.area() as f64 / mask.data.len().max(1) as f64 })
    };
    let defective = defective.into_iter().map(share).collect::<Result<Vec<Chosen>>>()?;
    let areas: Vec<(&str, f64)> = defective.iter().map(|c| (test.items()[c.index].defect.as_str(), c.share)).collect();
    let shown = by_area(&areas).into_iter().map(|i| defective[i]).collect();
    Ok((shown, ends(good.len()).into_iter().map(|i| Chosen { index: good[i], share: 0.0 }).collect()))
}

/// The panels of one map; `None` without a test image. `map_of` gives the map of a test image at any resolution.
///
/// # Errors
/// An image, mask or map that cannot be read.
pub fn panels(
    title: &str,
    test: &Source,
    cfg: &config::Eval,
    map: MapName,
    evaluation: &Evaluation,
    map_of: &dyn Fn(usize) -> Result<Map>,
) -> Result<Option<Rgb>> {
    if test.is_empty() {
        return Ok(None);
    }
    let (defective, good) = chosen(test, cfg)?;
    let range = colour_range(test.len(), map_of)?;
    let case = |chosen: &Chosen| case(test, cfg, evaluation, range, map_of, *chosen);
    let scores = &evaluation.scores;
    let groups = [
        ("Large defects, at least", "large", scores.large_recall, scores.large_regions),
        ("Tiny defects, below", "tiny", scores.tiny_recall, scores.tiny_regions),
    ];
    let mut sections = vec![];
    if !test.is_masked() {
        let heading = "With a defect, of which there are no masks".to_owned();
        sections.push(Section { heading, cases: defective.iter().map(case).collect::<Result<_>>()? });
    }
    for (large, (name, size, recall, regions)) in [true, false].into_iter().zip(groups).filter(|_| test.is_masked()) {
        let recall = recall.map_or_else(|| "—".into(), |r| format!("{r:.3}"));
        let of_group = defective.iter().filter(|c| (c.share >= LARGE) == large);
        sections.push(Section {
            heading: format!("{name} 1 % of the image: recall of {size} regions at FPR {RECALL_FPR} is {recall} (n = {regions} regions)"),
            cases: of_group.map(case).collect::<Result<_>>()?,
        });
    }
    sections.push(Section { heading: "Without defect".into(), cases: good.iter().map(case).collect::<Result<_>>()? });
    sections.retain(|s| !s.cases.is_empty());
    let (low, high) = range;
    let sheet = Sheet {
        title: title.to_owned(),
        bar: [format!("colours of map {map}:"), number(f64::from(low)), number(f64::from(high))],
        rows: vec!["image".into(), "ground truth".into(), format!("map {map}")],
        sections,
        caption: caption(map, evaluation, range, test.len()),
    };
    Ok(Some(sheet.draw()))
}

fn caption(map: MapName, evaluation: &Evaluation, (low, high): (f32, f32), maps: usize) -> String {
    let (low, high) = (number(f64::from(low)), number(f64::from(high)));
    format!(
        "Of each kind of defect the images with the smallest, the median and the largest mask area are shown: chosen by mask area alone, \
         never by score; without defect, the first and the last by name. Images are grouped by their whole mask area, which stands above \
         them in per cent of the image; a region counts as large or tiny by its own area. Ground truth is outlined in yellow. The score is \
         the image score on map {map}. All maps share one range of colours: {low} is the 1st, {high} the 99.95th percentile of the pixels \
         of all {maps} test maps before upsampling; values beyond are clipped. Protocol: {}.",
        evaluation.protocol.describe()
    )
}

/// An image with its ground truth and its map, each fitted into a tile.
fn case(
    test: &Source,
    cfg: &config::Eval,
    evaluation: &Evaluation,
    (low, high): (f32, f32),
    map_of: &dyn Fn(usize) -> Result<Map>,
    Chosen { index, share }: Chosen,
) -> Result<Case> {
    let item = &test.items()[index];
    let [image, truth] = subject(test, cfg, index)?;
    let heat = heat(test, cfg, index, &map_of(index)?, (low, high))?;

    let score = evaluation.images.get(index).map_or_else(|| "—".into(), |result| number(f64::from(result.score)));
    let figures =
        if item.is_good() || !test.is_masked() { format!("score {score}") } else { format!("{} %, score {score}", percent(share)) };
    let name = item.key.strip_prefix("test/").unwrap_or(&item.key).to_owned();
    Ok(Case { name, figures, tiles: vec![image, truth, heat] })
}

/// An image, and again with its ground truth outlined, each fitted into a tile.
pub(in crate::report) fn subject(test: &Source, cfg: &config::Eval, index: usize) -> Result<[Rgb; 2]> {
    let image = test.picture(index)?;
    let (width, height) = fitted(image.width, image.height);
    let image = resize::bilinear(&image, width, height);
    let mut truth = image.clone();
    let mask = covered(&eval::mask(test, index, cfg)?, width, height);
    draw::outline(&mut truth, &mask, draw::BLACK, 3);
    draw::outline(&mut truth, &mask, OUTLINE, 2);
    Ok([image, truth])
}

/// The colours of an image's map, as it is scored, fitted into a tile.
pub(in crate::report) fn heat(test: &Source, cfg: &config::Eval, index: usize, map: &Map, (low, high): (f32, f32)) -> Result<Rgb> {
    if map.data.is_empty() {
        return Err(Error::run(format!("the score map of {} is empty", test.items()[index].key), crate::error::AGAIN));
    }
    let (width, height) = test.dimensions(index)?;
    let (width, height) = fitted(width, height);
    let (w, h) = eval::size(test, index, cfg)?;
    let map = eval::full(map, w, h, cfg);
    Ok(resize::bilinear(&draw::heat_map(&map, low, high), width, height))
}

/// A share in per cent with two digits or so.
pub(in crate::report) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        p if p >= 9.95 => format!("{p:.0}"),
        p if p >= 0.995 => format!("{p:.1}"),
        p if p >= 0.0995 || p == 0.0 => format!("{p:.2}"),
        p => format!("{p:.3}"),
    }
}

/// The greatest size of the same shape that fits into a tile; at least one pixel.
pub(in crate::report) fn fitted(width: usize, height: usize) -> (usize, usize) {
    let scale = TILE as f64 / width.max(height).max(1) as f64;
    let side = |length: usize| ((length as f64 * scale).round() as usize).clamp(1, TILE);
    (side(width), side(height))
}

/// About how many bytes the panels will take: by how well one image of each kind is compressed at the size of its tiles.
///
/// # Errors
/// An image that cannot be read.
pub fn expected_bytes(test: &Source) -> Result<u64> {
    let mut kinds = BTreeMap::<&str, (usize, u64)>::new();
    for (index, item) in test.items().iter().enumerate() {
        kinds.entry(item.defect.as_str()).or_insert((index, 0)).1 += 1;
    }
    let of = |&(index, count): &(usize, u64)| {
        let item = &test.items()[index];
        let image = test.picture(index)?;
        let (width, height) = fitted(image.width, image.height);
        let shown = count.min(if item.is_good() { 2 } else { 3 });
        // The image, the same with its mask outlined, and the map over it.
        Ok(3 * shown * codec::encode_png(&resize::bilinear(&image, width, height)).len() as u64)
    };
    kinds.values().map(of).sum()
}

/// The mask at another size: a pixel is anomalous if any pixel below it is, so that nothing tiny is lost.
fn covered(mask: &Mask, width: usize, height: usize) -> Mask {
    let below = |i: usize, from: usize, to: usize| i * from / to..((i + 1) * from).div_ceil(to).max(i * from / to + 1);
    let mut out = Mask::filled(width, height, 0);
    for y in 0..height {
        let rows = below(y, mask.height, height);
        for x in 0..width {
            let any = |row: usize| mask.data[row * mask.width..][below(x, mask.width, width)].iter().any(|&p| p != 0);
            out.set(x, y, u8::from(rows.clone().any(any)));
        }
    }
    out
}

/// The percentiles [`LOWEST`] and [`HIGHEST`] of the finite pixels of all maps.
pub(in crate::report) fn colour_range(maps: usize, map_of: &dyn Fn(usize) -> Result<Map>) -> Result<(f32, f32)> {
    let mut values = vec![];
    for index in 0..maps {
        values.extend(map_of(index)?.data.into_iter().filter(|v| v.is_finite()));
    }
    if values.is_empty() {
        return Ok((0.0, 1.0));
    }
    let mut at = |share: f64| {
        let place = (share * (values.len() - 1) as f64).round() as usize;
        *values.select_nth_unstable_by(place, f32::total_cmp).1
    };
    Ok((at(LOWEST), at(HIGHEST)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_are_written_with_two_digits() {
        let written = [0.5, 0.0996, 0.0994, 0.00996, 0.0042, 0.00012, 0.0].map(percent);
        assert_eq!(written, ["50", "10", "9.9", "1.0", "0.42", "0.012", "0.00"]);
    }

    #[test]
    fn the_range_of_colours_is_that_of_sorting() {
        let maps: Vec<Map> =
            (0..5).map(|i| Map::from_vec(40, 50, (0..2000).map(|p| ((p * 7919 + i * 31) % 10_007) as f32).collect())).collect();
        let mut sorted: Vec<f32> = maps.iter().flat_map(|m| m.data.clone()).collect();
        sorted.sort_by(f32::total_cmp);
        assert_eq!(colour_range(5, &|i| Ok(maps[i].clone())).unwrap(), (sorted[100], sorted[9994]));
        assert_eq!(colour_range(1, &|_| Ok(Map::filled(2, 2, f32::NAN))).unwrap(), (0.0, 1.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_shape_fits_its_tile(width in 1..5000_usize, height in 1..5000_usize) {
            let (w, h) = fitted(width, height);
            prop_assert!(w.max(h) == TILE && w.min(h) >= 1);
            let (a, b) = (w as f64 * height as f64, h as f64 * width as f64);
            prop_assert!(w.min(h) == 1 || (a - b).abs() <= width.max(height) as f64, "{width}x{height} became {w}x{h}");
        }

        #[test]
        fn no_anomalous_pixel_is_lost(w in 1..60_usize, h in 1..60_usize, to_w in 1..40_usize, to_h in 1..40_usize, at in 0..3600_usize) {
            let mut mask = Mask::filled(w, h, 0);
            prop_assert!(covered(&mask, to_w, to_h).is_empty());
            let (x, y) = (at % w, at / w % h);
            mask.set(x, y, 1);
            let small = covered(&mask, to_w, to_h);
            prop_assert_eq!(small.at(((2 * x + 1) * to_w) / (2 * w), ((2 * y + 1) * to_h) / (2 * h)), 1);
        }
    }
}
