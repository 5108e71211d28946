//! A contact sheet of a data set: some images of every folder, defects outlined.
//!
//! One block per category, one row per folder, tiles spread evenly over the folder's images. An image of any size and shape is scaled
//! to fit its tile; a mask keeps its thinnest line, because a pixel is anomalous where any that it covers is. A file that
//! cannot be read, or a mask that is missing, shows as such: the sheet is there to find faults.

use rayon::prelude::*;

use crate::Result;
use crate::config::Reading;
use crate::data::dataset::category::Category;
use crate::data::dataset::item::{GOOD, Item, Truth};
use crate::image::draw::{blit, fill_rect, fitted, outline, text, text_height};
use crate::image::{Mask, Rgb, codec, resize::bilinear, truth};

/// Side of a tile, px.
const TILE: usize = 160;
/// Tiles of a row.
const COLUMNS: usize = 6;
/// Space between tiles and around the sheet, px.
const GAP: usize = 8;
/// Width of the column of folder names, px.
const MARGIN: usize = 150;
/// Heights of text, px.
const SMALL: f32 = 13.0;
const LARGE: f32 = 22.0;

const BACKGROUND: [u8; 3] = [250; 3];
const EMPTY: [u8; 3] = [225; 3];
const INK: [u8; 3] = [30; 3];
const ALARM: [u8; 3] = [225, 0, 60];

/// A sheet of the given categories.
pub fn sheet(categories: &[Category]) -> Rgb {
    let blocks: Vec<(&str, Vec<Row>)> = categories.iter().map(|category| (category.name.as_str(), rows(category))).collect();
    let (heading, caption) = (text_height(LARGE) + GAP, text_height(SMALL));
    let row_height = TILE + caption + GAP;
    let height = GAP + blocks.iter().map(|(_, rows)| heading + rows.len() * row_height + GAP).sum::<usize>();
    let mut canvas = Rgb::filled(MARGIN + COLUMNS * (TILE + GAP) + GAP, height, BACKGROUND);

    let mut y = GAP;
    for (name, rows) in &blocks {
        text(&mut canvas, GAP as i64, y as i64, LARGE, INK, name);
        y += heading;
        for row in rows {
            let label = fitted(&row.label, SMALL, MARGIN - 2 * GAP);
            text(&mut canvas, GAP as i64, y as i64, SMALL, INK, &label);
            text(&mut canvas, GAP as i64, (y + caption) as i64, SMALL, INK, &format!("{} of {}", row.tiles.len(), row.images));
            for (column, tile) in row.tiles.iter().enumerate() {
                let x = (MARGIN + column * (TILE + GAP)) as i64;
                tile.draw(&mut canvas, x, y as i64);
            }
            y += row_height;
        }
        y += GAP;
    }
    canvas
}

/// The tiles of one folder.
struct Row {
    label: String,
    /// Images in the folder.
    images: usize,
    tiles: Vec<Tile>,
}

/// Train before test, good before defective.
fn rows(category: &Category) -> Vec<Row> {
    let mut folders = category.folders();
    folders.sort_by_key(|(split, name)| (*split == "test", name != GOOD, name.clone()));
    let row = |(split, name): (&str, String)| {
        let here = |item: &&Item| item.defect == name && item.key.split('/').next() == Some(split);
        let items: Vec<&Item> = category.items().filter(here).collect();
        let tiles = spread(items.len(), COLUMNS).into_par_iter().map(|i| Tile::of(items[i])).collect();
        Row { label: format!("{split}/{name}"), images: items.len(), tiles }
    };
    folders.into_iter().map(row).collect()
}

/// Up to `most` of `0..n`, spread evenly, the first included.
fn spread(n: usize, most: usize) -> Vec<usize> {
    let k = n.min(most);
    (0..k).map(|i| i * n / k).collect()
}

/// One image, ready to be pasted.
struct Tile {
    /// `None` where the file cannot be read.
    image: Option<Rgb>,
    /// The image's name, and what is wrong with it.
    caption: String,
    fault: Option<&'static str>,
}

impl Tile {
    fn of(item: &Item) -> Self {
        let caption = item.key.rsplit('/').next().unwrap_or_default().to_owned();
        let decoded = codec::read(&item.path).and_then(|bytes| codec::decode_as(&bytes, &item.path, Reading::default()));
        let Ok(codec::Decoded { rgb: image, .. }) = decoded else {
            return Self { image: None, caption, fault: Some("unreadable") };
        };
        let (width, height) = fit(image.width, image.height);
        let mut small = bilinear(&image, width, height);
        let mask = item.mask.as_ref().map(marked);
        let fault = match &mask {
            Some(Err(_)) => Some("mask unreadable"),
            Some(Ok(mask)) if (mask.width, mask.height) != (image.width, image.height) => Some("mask of another size"),
            Some(Ok(mask)) if mask.is_empty() => Some("mask empty"),
            None if !item.is_good() => Some("no mask"),
            _ => None,
        };
        if let Some(Ok(mask)) = mask {
            outline(&mut small, &cover(&mask, width, height), ALARM, 1);
        }
        Self { image: Some(small), caption, fault }
    }

    fn draw(&self, canvas: &mut Rgb, x: i64, y: i64) {
        match &self.image {
            Some(image) => blit(canvas, image, x + ((TILE - image.width) / 2) as i64, y + ((TILE - image.height) / 2) as i64),
            None => fill_rect(canvas, x, y, TILE, TILE, EMPTY),
        }
        let (line, colour) = match self.fault {
            Some(fault) => (format!("{}: {fault}", self.caption), ALARM),
            None => (self.caption.clone(), INK),
        };
        text(canvas, x, y + TILE as i64, SMALL, colour, &fitted(&line, SMALL, TILE));
    }
}

/// All that the files of a ground truth mark; where they are of several sizes, what the first one does.
fn marked(truth: &Truth) -> Result<Mask> {
    let rule = truth.rule.unwrap_or_default();
    let mut masks = truth.files.iter().map(|path| truth::decode_mask(path, rule)).collect::<Result<Vec<Mask>>>()?.into_iter();
    let mut all = masks.next().expect("a ground truth has at least one file");
    masks.for_each(|mask| all.data.iter_mut().zip(mask.data).for_each(|(all, one)| *all |= one));
    Ok(all)
}

/// The greatest size of the same shape within a tile, at least one pixel each way.
fn fit(width: usize, height: usize) -> (usize, usize) {
    let longest = width.max(height).max(1);
    let scaled = |side: usize| ((side * TILE + longest / 2) / longest).clamp(1, TILE);
    (scaled(width), scaled(height))
}

/// The mask at another size: a pixel is anomalous where any source pixel that it overlaps is.
fn cover(mask: &Mask, width: usize, height: usize) -> Mask {
    let span = |i: usize, from: usize, to: usize| i * from / to..((i + 1) * from).div_ceil(to);
    let mut out = Mask::filled(width, height, 0);
    for y in 0..height {
        for x in 0..width {
            let (columns, rows) = (span(x, mask.width, width), span(y, mask.height, height));
            let any = rows.into_iter().any(|v| mask.data[v * mask.width..][columns.clone()].iter().any(|&p| p != 0));
            out.set(x, y, u8::from(any));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tiles_are_spread_over_the_folder() {
        assert!(spread(0, 6).is_empty());
        assert_eq!(spread(3, 6), [0, 1, 2]);
        assert_eq!(spread(12, 6), [0, 2, 4, 6, 8, 10]);
        assert_eq!(spread(213, 6), [0, 35, 71, 106, 142, 177]);
    }

    #[test]
    fn every_shape_fits_its_tile() {
        assert_eq!(fit(1024, 1024), (TILE, TILE));
        assert_eq!(fit(200, 100), (TILE, TILE / 2));
        assert_eq!(fit(5000, 1), (TILE, 1));
        assert_eq!(fit(1, 16384), (1, TILE));
        assert_eq!(fit(8, 16), (TILE / 2, TILE));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_anomalous_pixel_is_covered_and_no_normal_area_is(
            w in 1..40usize, h in 1..40usize, width in 1..20usize, height in 1..20usize, x in 0..40usize, y in 0..40usize,
        ) {
            let (x, y) = (x % w, y % h);
            let mut mask = Mask::filled(w, h, 0);
            mask.set(x, y, 1);
            let small = cover(&mask, width, height);
            for v in 0..height {
                for u in 0..width {
                    // Overlap of the open intervals (u, u+1)/width and (x, x+1)/w, in whole numbers.
                    let meets = |i: usize, to: usize, p: usize, from: usize| i * from < (p + 1) * to && p * to < (i + 1) * from;
                    prop_assert_eq!(small.at(u, v) == 1, meets(u, width, x, w) && meets(v, height, y, h));
                }
            }
        }
    }
}
