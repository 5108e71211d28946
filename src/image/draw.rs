//! Drawing on RGB images: rectangles, pasted images, text, outlines of masks, heat maps. Whatever leaves the image is cut off.

use super::{Map, Mask, Rgb};
use ab_glyph::{Font, FontRef, PxScale, PxScaleFont, ScaleFont, point};
use std::sync::OnceLock;

pub const BLACK: [u8; 3] = [0; 3];
pub const WHITE: [u8; 3] = [255; 3];

/// DejaVu Sans, the font of everything that is drawn; its licence stands beside it in assets/.
pub static FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");

/// Fills the rectangle whose upper left corner is (`x`, `y`).
pub fn fill_rect(canvas: &mut Rgb, x: i64, y: i64, width: usize, height: usize, colour: [u8; 3]) {
    let columns = cut(x, width, canvas.width);
    for row in cut(y, height, canvas.height) {
        for column in columns.clone() {
            canvas.set(column, row, colour);
        }
    }
}

/// Pastes an image with its upper left corner at (`x`, `y`).
pub fn blit(canvas: &mut Rgb, source: &Rgb, x: i64, y: i64) {
    let columns = cut(x, source.width, canvas.width);
    if columns.is_empty() {
        return;
    }
    for row in cut(y, source.height, canvas.height) {
        let from = 3 * ((row as i64 - y) as usize * source.width + (columns.start as i64 - x) as usize);
        let to = 3 * (row * canvas.width + columns.start);
        canvas.data[to..to + 3 * columns.len()].copy_from_slice(&source.data[from..from + 3 * columns.len()]);
    }
}

/// The part of `start .. start + length` inside `0 .. size`.
fn cut(start: i64, length: usize, size: usize) -> std::ops::Range<usize> {
    let inside = |i: i64| i.clamp(0, size as i64) as usize;
    inside(start)..inside(start.saturating_add(length as i64))
}

/// Writes one line of text in DejaVu Sans; (`x`, `y`) is the upper left corner of the line, `size_px` its height.
pub fn text(canvas: &mut Rgb, x: i64, y: i64, size_px: f32, colour: [u8; 3], line: &str) {
    let font = font(size_px);
    place(&font, line, |glyph, advance| {
        let glyph = glyph.with_scale_and_position(font.scale(), point(advance, font.ascent()));
        let Some(outlined) = font.outline_glyph(glyph) else { return };
        let bounds = outlined.px_bounds();
        outlined.draw(|gx, gy, coverage| {
            let (px, py) = (x + bounds.min.x as i64 + i64::from(gx), y + bounds.min.y as i64 + i64::from(gy));
            if (0..canvas.width as i64).contains(&px) && (0..canvas.height as i64).contains(&py) {
                let (px, py) = (px as usize, py as usize);
                canvas.set(px, py, blend(canvas.at(px, py), colour, coverage));
            }
        });
    });
}

/// A line of text on white that is read upwards, as wide as a line is high.
pub fn upright(line: &str, size_px: f32, colour: [u8; 3]) -> Rgb {
    let mut strip = Rgb::filled(text_width(line, size_px).max(1), text_height(size_px), WHITE);
    text(&mut strip, 0, 0, size_px, colour, line);
    let mut out = Rgb::filled(strip.height, strip.width, WHITE);
    for y in 0..strip.height {
        for x in 0..strip.width {
            out.set(y, strip.width - 1 - x, strip.at(x, y));
        }
    }
    out
}

/// Width of a line of text, px.
pub fn text_width(line: &str, size_px: f32) -> usize {
    place(&font(size_px), line, |_, _| ()).ceil() as usize
}

/// Height of a line of text, px.
pub fn text_height(size_px: f32) -> usize {
    font(size_px).height().ceil() as usize
}

/// The line if it fits into `width` px, else as much of its beginning as fits with an ellipsis.
pub fn fitted(line: &str, size_px: f32, width: usize) -> String {
    if text_width(line, size_px) <= width {
        return line.to_owned();
    }
    let shortened = (0..line.chars().count()).rev().map(|n| line.chars().take(n).chain(['…']).collect::<String>());
    shortened.into_iter().find(|s| text_width(s, size_px) <= width).unwrap_or_default()
}

fn font(size_px: f32) -> PxScaleFont<&'static FontRef<'static>> {
    static PARSED: OnceLock<FontRef<'static>> = OnceLock::new();
    PARSED.get_or_init(|| FontRef::try_from_slice(FONT).expect("the built-in font is a font")).as_scaled(PxScale::from(size_px))
}

/// Calls `each` with every glyph and its distance from the start; returns the whole advance, px.
fn place(font: &PxScaleFont<&'static FontRef<'static>>, line: &str, mut each: impl FnMut(ab_glyph::GlyphId, f32)) -> f32 {
    let mut advance = 0.0;
    let mut last = None;
    for glyph in line.chars().map(|c| font.glyph_id(c)) {
        advance += last.map_or(0.0, |last| font.kern(last, glyph));
        each(glyph, advance);
        advance += font.h_advance(glyph);
        last = Some(glyph);
    }
    advance
}

/// Draws a line of `thickness` px just outside the anomalous region, so that the region itself stays visible; where the
/// region touches the image's edge the line runs inside it. The mask must have the image's size.
pub fn outline(canvas: &mut Rgb, mask: &Mask, colour: [u8; 3], thickness: usize) {
    assert_eq!((canvas.width, canvas.height), (mask.width, mask.height), "the mask has the image's size");
    let near = dilated(mask, thickness);
    for y in 0..mask.height {
        for x in 0..mask.width {
            let at_edge = x.min(y).min(mask.width - 1 - x).min(mask.height - 1 - y) < thickness;
            if near.at(x, y) != 0 && (mask.at(x, y) == 0 || at_edge) {
                canvas.set(x, y, colour);
            }
        }
    }
}

/// Everything within `radius` px (in the larger of the two directions) of an anomalous pixel.
fn dilated(mask: &Mask, radius: usize) -> Mask {
    let reach = |i: usize, size: usize| i.saturating_sub(radius)..(i + radius + 1).min(size);
    let mut across = Mask::filled(mask.width, mask.height, 0);
    let mut out = across.clone();
    for y in 0..mask.height {
        for x in (0..mask.width).filter(|&x| mask.at(x, y) != 0) {
            across.data[y * mask.width..][reach(x, mask.width)].fill(1);
        }
    }
    for y in 0..mask.height {
        for x in (0..mask.width).filter(|&x| across.at(x, y) != 0) {
            reach(y, mask.height).for_each(|row| out.set(x, row, 1));
        }
    }
    out
}

/// The colours of a map, `low` at the dark end of [`heat`] and `high` at the bright one.
pub fn heat_map(map: &Map, low: f32, high: f32) -> Rgb {
    let scale = if high > low { 1.0 / (high - low) } else { 0.0 };
    Rgb::from_vec(map.width, map.height, map.data.iter().flat_map(|v| heat((v - low) * scale)).collect())
}

/// A heat map laid over an image of its size; `opacity` 0..=1 is the map's share.
pub fn overlay(image: &Rgb, map: &Map, low: f32, high: f32, opacity: f32) -> Rgb {
    assert_eq!((image.width, image.height), (map.width, map.height), "the map has the image's size");
    let colours = heat_map(map, low, high);
    let data = image.data.iter().zip(&colours.data).map(|(&a, &b)| mix(a, b, opacity)).collect();
    Rgb::from_vec(image.width, image.height, data)
}

/// Colour of a value 0..=1: black over violet, red and orange to pale yellow, of strictly growing lightness, so that a
/// grey print keeps the order. Values outside are clipped; NaN is mid-grey.
pub fn heat(value: f32) -> [u8; 3] {
    const ANCHORS: [[u8; 3]; 9] = [
        [4, 4, 20],
        [34, 12, 78],
        [84, 16, 108],
        [132, 32, 106],
        [180, 50, 88],
        [218, 80, 58],
        [242, 126, 24],
        [250, 186, 50],
        [252, 250, 168],
    ];
    if value.is_nan() {
        return [128; 3];
    }
    let place = value.clamp(0.0, 1.0) * (ANCHORS.len() - 1) as f32;
    let low = (place as usize).min(ANCHORS.len() - 2);
    blend(ANCHORS[low], ANCHORS[low + 1], place - low as f32)
}

fn blend(a: [u8; 3], b: [u8; 3], share: f32) -> [u8; 3] {
    [0, 1, 2].map(|c| mix(a[c], b[c], share))
}

/// `share` of `b` in `a`; a float cast to u8 saturates.
fn mix(a: u8, b: u8, share: f32) -> u8 {
    (f32::from(a) + share * (f32::from(b) - f32::from(a))).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_leaves_ink_only_within_its_box() {
        let (width, height) = (text_width("AUROC 0.97", 20.0), text_height(20.0));
        let mut canvas = Rgb::filled(width + 20, height + 20, WHITE);
        text(&mut canvas, 10, 10, 20.0, BLACK, "AUROC 0.97");
        let ink = |x0: usize, y0: usize, x1: usize, y1: usize| {
            (y0..y1).flat_map(|y| (x0..x1).map(move |x| (x, y))).filter(|&(x, y)| canvas.at(x, y) != WHITE).count()
        };
        let all = ink(0, 0, canvas.width, canvas.height);
        assert!(all > 200, "{all} px of ink");
        assert_eq!(all, ink(8, 9, width + 12, height + 11));
    }

    #[test]
    fn a_long_label_is_shortened_to_its_width() {
        assert_eq!(fitted("good", 14.0, 200), "good");
        let short = fitted("a very long label indeed", 14.0, 80);
        assert!(short.ends_with('…') && short.starts_with("a very") && text_width(&short, 14.0) <= 80);
        assert_eq!(fitted("label", 14.0, 1), "");
    }

    #[test]
    fn an_outline_runs_outside_the_region_and_inside_the_edge() {
        let mut mask = Mask::filled(7, 7, 0);
        (0..3).for_each(|y| (2..5).for_each(|x| mask.set(x, y, 1)));
        let mut canvas = Rgb::filled(7, 7, BLACK);
        outline(&mut canvas, &mask, WHITE, 1);
        let rows: Vec<String> = (0..5).map(|y| (0..7).map(|x| if canvas.at(x, y) == WHITE { '#' } else { '.' }).collect()).collect();
        assert_eq!(rows, [".#####.", ".#...#.", ".#...#.", ".#####.", "......."]);
    }

    #[test]
    fn heat_grows_lighter_at_every_step() {
        let light =
            |c: [u8; 3]| 0.2126 * f32::from(c[0]).powf(2.2) + 0.7152 * f32::from(c[1]).powf(2.2) + 0.0722 * f32::from(c[2]).powf(2.2);
        let steps: Vec<f32> = (0..=100).map(|i| light(heat(i as f32 / 100.0))).collect();
        assert!(steps.windows(2).all(|w| w[0] < w[1]));
        assert_eq!((heat(-1.0), heat(2.0), heat(f32::NAN)), (heat(0.0), heat(1.0), [128; 3]));
    }

    #[test]
    fn an_overlay_mixes_image_and_map() {
        let image = Rgb::filled(2, 1, [100; 3]);
        let map = Map::from_vec(2, 1, vec![-3.0, 5.0]);
        assert_eq!(overlay(&image, &map, -3.0, 5.0, 0.0), image);
        assert_eq!(overlay(&image, &map, -3.0, 5.0, 1.0), heat_map(&map, -3.0, 5.0));
        assert_eq!(heat_map(&map, 1.0, 1.0).at(0, 0), heat(0.0), "an empty range is all dark");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn drawing_is_cut_off_at_the_edges(x in -30..30_i64, y in -30..30_i64, w in 0..25_usize, h in 0..25_usize) {
            let inside = |px: usize, py: usize| (x..x + w as i64).contains(&(px as i64)) && (y..y + h as i64).contains(&(py as i64));
            let (mut filled, mut pasted) = (Rgb::filled(16, 12, BLACK), Rgb::filled(16, 12, BLACK));
            fill_rect(&mut filled, x, y, w, h, WHITE);
            let source = Rgb::from_vec(w, h, (0..3 * w * h).map(|i| (i % 251 + 1) as u8).collect());
            blit(&mut pasted, &source, x, y);
            text(&mut pasted.clone(), x, y, 12.0, WHITE, "cut");
            for py in 0..12 {
                for px in 0..16 {
                    prop_assert_eq!(filled.at(px, py), if inside(px, py) { WHITE } else { BLACK });
                    let want = if inside(px, py) { source.at((px as i64 - x) as usize, (py as i64 - y) as usize) } else { BLACK };
                    prop_assert_eq!(pasted.at(px, py), want);
                }
            }
        }
    }
}
