//! CutPaste (Li et al., 2021): a rectangle of the image, its colours jittered, pasted elsewhere in the same image.

use super::color::Jitter;
use super::generator::{Beside, Generator};
use super::{differ, uniform};
use crate::config::{CutPaste, CutPasteMask};
use crate::image::{Mask, Rgb, draw::blit};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// Pastes that may come out empty before the image is given up as normal.
const TRIES: usize = 10;

impl Generator for CutPaste {
    fn apply(&self, image: &Rgb, _: Beside, draws: &mut ChaCha8Rng) -> Option<(Rgb, Mask)> {
        apply(image, self, draws)
    }

    fn marks_region(&self) -> bool {
        self.mask == CutPasteMask::Rect
    }
}

/// Cuts and pastes once; `None` if ten draws in a row changed nothing (a flat image).
///
/// The mask is 1 where a channel changed, or over the whole pasted rectangle, as `cfg.mask` says.
pub fn apply<R: Rng>(image: &Rgb, cfg: &CutPaste, rng: &mut R) -> Option<(Rgb, Mask)> {
    (0..TRIES).find_map(|_| once(image, cfg, rng))
}

/// `None` where the mask is empty.
fn once<R: Rng>(image: &Rgb, cfg: &CutPaste, rng: &mut R) -> Option<(Rgb, Mask)> {
    let (width, height) = size(image.width, image.height, cfg, rng);
    let corner = |rng: &mut R| (rng.random_range(0..=image.width - width), rng.random_range(0..=image.height - height));
    let from = corner(rng);
    let mut patch = image.crop(from.0, from.1, width, height);
    Jitter::draw(cfg.jitter, rng).apply(&mut patch);
    let (x, y) = corner(rng);

    let mut mask = Mask::filled(image.width, image.height, 0);
    for row in 0..height {
        let marks = &mut mask.data[(y + row) * image.width + x..][..width];
        match cfg.mask {
            CutPasteMask::Diff => differ(image.row(x, y + row, width), patch.row(0, row, width), marks),
            CutPasteMask::Rect => marks.fill(1),
        }
    }
    if mask.is_empty() {
        return None;
    }
    let mut pasted = image.clone();
    blit(&mut pasted, &patch, x as i64, y as i64);
    Some((pasted, mask))
}

/// Width and height of the rectangle, px: an area uniform in the configured range, an aspect ratio log-uniform between
/// the configured one and its inverse; at least 1, and less than the image wherever that leaves a pixel.
fn size<R: Rng>(width: usize, height: usize, cfg: &CutPaste, rng: &mut R) -> (usize, usize) {
    let area = uniform(rng, cfg.area[0], cfg.area[1]) * (width * height) as f64;
    let aspect = uniform(rng, cfg.aspect.ln(), -cfg.aspect.ln()).exp();
    let side = |length: f64, whole: usize| (length.round() as usize).clamp(1, whole.saturating_sub(1).max(1));
    (side((area * aspect).sqrt(), width), side((area / aspect).sqrt(), height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::pseudo::changed;
    use crate::pseudo::tests::picture;
    use crate::seed::stream;
    use proptest::prelude::*;

    fn default() -> CutPaste {
        Config::default().pseudo.cutpaste
    }

    #[test]
    fn a_flat_image_is_given_up() {
        let cfg = CutPaste { jitter: 0.0, ..default() };
        assert_eq!(apply(&Rgb::filled(64, 64, [120; 3]), &cfg, &mut stream(0, "test", 0, 0)), None);
        // Brightness cannot change black.
        assert_eq!(apply(&Rgb::filled(64, 64, [0; 3]), &default(), &mut stream(0, "test", 0, 0)), None);
        let rect = CutPaste { mask: CutPasteMask::Rect, ..cfg };
        assert!(apply(&Rgb::filled(64, 64, [120; 3]), &rect, &mut stream(0, "test", 0, 0)).is_some());
    }

    #[test]
    fn without_jitter_the_rectangle_is_a_part_of_the_image() {
        let image = picture(40, 30, 2);
        let cfg = CutPaste { jitter: 0.0, mask: CutPasteMask::Rect, ..default() };
        for index in 0..20 {
            let (pasted, mask) = apply(&image, &cfg, &mut stream(0, "test", 0, index)).unwrap();
            let (x, y, width, height) = bounds(&mask);
            let patch = pasted.crop(x, y, width, height);
            let found = (0..=30 - height).any(|y| (0..=40 - width).any(|x| image.crop(x, y, width, height) == patch));
            assert!(found, "item {index}");
        }
    }

    #[test]
    fn areas_and_aspects_spread_over_their_ranges() {
        let (n, mut area, mut wide) = (2000, 0.0, 0);
        for index in 0..n {
            let (w, h) = size(256, 256, &default(), &mut stream(0, "test", 0, index));
            area += (w * h) as f64 / 65536.0 / n as f64;
            wide += usize::from(w > h);
        }
        assert!((area - 0.085).abs() < 0.004, "mean area {area}");
        assert!((900..1100).contains(&wide), "{wide} of {n} are wide");
    }

    /// x, y, width and height of the anomalous rectangle; all of it must be anomalous.
    fn bounds(mask: &Mask) -> (usize, usize, usize, usize) {
        let at: Vec<(usize, usize)> =
            (0..mask.data.len()).filter(|&i| mask.data[i] != 0).map(|i| (i % mask.width, i / mask.width)).collect();
        let (x0, x1) = (at.iter().map(|p| p.0).min().unwrap(), at.iter().map(|p| p.0).max().unwrap());
        let (y0, y1) = (at.iter().map(|p| p.1).min().unwrap(), at.iter().map(|p| p.1).max().unwrap());
        assert_eq!(at.len(), (x1 + 1 - x0) * (y1 + 1 - y0));
        (x0, y0, x1 + 1 - x0, y1 + 1 - y0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn area_and_aspect_are_in_range_and_the_rectangle_inside(side in 32..140_usize, seed: u64) {
            let cfg = CutPaste { mask: CutPasteMask::Rect, ..default() };
            let (pasted, mask) = apply(&picture(side, side, 0), &cfg, &mut stream(seed, "test", 0, 0)).unwrap();
            prop_assert_eq!((pasted.width, pasted.height), (side, side));
            let (_, _, w, h) = bounds(&mask);
            let (w, h, whole) = (w as f64, h as f64, (side * side) as f64);
            prop_assert!((w + 0.5) * (h + 0.5) >= 0.02 * whole && (w - 0.5) * (h - 0.5) <= 0.15 * whole);
            prop_assert!((w + 0.5) / (h - 0.5) >= 0.3 && (w - 0.5) / (h + 0.5) <= 3.34);
        }

        #[test]
        fn any_size_of_image_and_any_setting_works(w in 1..20_usize, h in 1..20_usize, area in 0.001..1.0, aspect in 0.01..1.0, seed: u64) {
            let cfg = CutPaste { area: [area, 1.0], aspect, jitter: 0.5, ..default() };
            if let Some((pasted, mask)) = apply(&picture(w, h, 1), &cfg, &mut stream(seed, "test", 0, 0)) {
                prop_assert_eq!(mask, changed(&picture(w, h, 1), &pasted));
            }
        }
    }
}
