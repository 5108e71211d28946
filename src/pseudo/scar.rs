//! Scars (CutPaste, Li et al. 2021, appendix A.2): a thin upright rectangle of the image, its colours jittered, turned and pasted
//! elsewhere in the same image. What the turned rectangle does not cover of its canvas is transparent.

use super::color::Jitter;
use super::generator::{Beside, Generator};
use super::{differ, uniform};
use crate::config::Scar;
use crate::image::{Mask, Rgb};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// Scars that may come out empty before the image is given up as normal.
const TRIES: usize = 10;

/// Side of the image that the configured lengths are for, px.
const REFERENCE: f64 = 256.0;

impl Generator for Scar {
    fn apply(&self, image: &Rgb, _: Beside, draws: &mut ChaCha8Rng) -> Option<(Rgb, Mask)> {
        apply(image, self, image.width.min(image.height), draws)
    }
}

/// Pastes a scar; `None` if ten draws in a row changed nothing (a flat image) or did not fit (one of a few pixels).
///
/// `whole` is the side of the picture that `image` is, or was cut from, px: a scar in a crop is as long as in the picture. The
/// mask is 1 where a channel changed.
pub fn apply<R: Rng>(image: &Rgb, cfg: &Scar, whole: usize, rng: &mut R) -> Option<(Rgb, Mask)> {
    (0..TRIES).find_map(|_| once(image, cfg, whole, rng))
}

/// `None` where nothing changed, or the turned scar is larger than the image.
fn once<R: Rng>(image: &Rgb, cfg: &Scar, whole: usize, rng: &mut R) -> Option<(Rgb, Mask)> {
    let (width, length) = size(image, cfg, whole, rng);
    let from = (rng.random_range(0..=image.width - width), rng.random_range(0..=image.height - length));
    let mut patch = image.crop(from.0, from.1, width, length);
    Jitter::draw(cfg.jitter, rng).apply(&mut patch);
    let angle = uniform(rng, -cfg.rotation, cfg.rotation).to_radians();
    let turned = Turned::new(width, length, angle);
    if turned.width > image.width || turned.height > image.height {
        return None;
    }
    let (x, y) = (rng.random_range(0..=image.width - turned.width), rng.random_range(0..=image.height - turned.height));

    let (mut pasted, mut mask) = (image.clone(), Mask::filled(image.width, image.height, 0));
    for row in 0..turned.height {
        for column in 0..turned.width {
            if let Some((u, v)) = turned.source(column, row) {
                pasted.set(x + column, y + row, patch.at(u, v));
            }
        }
        let marks = &mut mask.data[(y + row) * image.width + x..][..turned.width];
        differ(image.row(x, y + row, turned.width), pasted.row(x, y + row, turned.width), marks);
    }
    (!mask.is_empty()).then_some((pasted, mask))
}

/// Width and length before the turn, px: uniform in the configured ranges, scaled by `whole` / 256, rounded; at least 1 and
/// inside the image.
fn size<R: Rng>(image: &Rgb, cfg: &Scar, whole: usize, rng: &mut R) -> (usize, usize) {
    let mut side = |[least, greatest]: [f64; 2], most: usize| {
        let length = uniform(rng, least, greatest) * whole as f64 / REFERENCE;
        (length.round() as usize).clamp(1, most)
    };
    (side(cfg.width, image.width), side(cfg.length, image.height))
}

/// A rectangle turned about its middle, on the smallest canvas that holds it.
struct Turned {
    /// Of the canvas, px.
    width: usize,
    height: usize,
    /// Of the rectangle before the turn, px.
    from: (usize, usize),
    sin: f64,
    cos: f64,
}

impl Turned {
    fn new(width: usize, length: usize, angle: f64) -> Self {
        let (sin, cos) = angle.sin_cos();
        let (w, l) = (width as f64, length as f64);
        // Rounding errors of a turn by a right angle must not add a pixel.
        let canvas = |side: f64| ((side - 1e-9).ceil() as usize).max(1);
        let (across, down) = (w * cos.abs() + l * sin.abs(), w * sin.abs() + l * cos.abs());
        Self { width: canvas(across), height: canvas(down), from: (width, length), sin, cos }
    }

    /// The pixel of the rectangle that lies under the middle of a pixel of the canvas; `None` beside the rectangle.
    fn source(&self, x: usize, y: usize) -> Option<(usize, usize)> {
        let (dx, dy) = (x as f64 + 0.5 - self.width as f64 / 2.0, y as f64 + 0.5 - self.height as f64 / 2.0);
        let u = dx * self.cos + dy * self.sin + self.from.0 as f64 / 2.0;
        let v = dy * self.cos - dx * self.sin + self.from.1 as f64 / 2.0;
        let inside = u >= 0.0 && v >= 0.0 && u < self.from.0 as f64 && v < self.from.1 as f64;
        inside.then_some((u as usize, v as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::pseudo::changed;
    use crate::pseudo::tests::picture;
    use crate::seed::stream;
    use proptest::prelude::*;
    use std::ops::RangeInclusive;

    fn default() -> Scar {
        Config::default().pseudo.scar
    }

    #[test]
    fn a_flat_image_is_given_up() {
        let cfg = Scar { jitter: 0.0, ..default() };
        assert_eq!(apply(&Rgb::filled(64, 64, [120; 3]), &cfg, 64, &mut stream(0, "test", 0, 0)), None);
        assert_eq!(apply(&Rgb::filled(64, 64, [0; 3]), &default(), 64, &mut stream(0, "test", 0, 0)), None);
    }

    #[test]
    fn widths_and_lengths_spread_over_their_ranges_and_scale_with_the_image() {
        for (side, scale) in [(256, 1.0), (128, 0.5), (512, 2.0)] {
            let (image, n) = (Rgb::filled(side, side, [0; 3]), 2000);
            let made: Vec<_> = (0..n).map(|i| size(&image, &default(), side, &mut stream(0, "test", 0, i))).collect();
            let mean = |of: fn(&(usize, usize)) -> usize| made.iter().map(|m| of(m) as f64).sum::<f64>() / n as f64;
            // Means of U[2, 16] and U[10, 25]; standard errors 0.09 and 0.1.
            assert!((mean(|m| m.0) / scale - 9.0).abs() < 0.4 && (mean(|m| m.1) / scale - 17.5).abs() < 0.4, "{side} px");
            let ends = |of: fn(&(usize, usize)) -> usize| (made.iter().map(of).min().unwrap(), made.iter().map(of).max().unwrap());
            // The upper end itself is never drawn.
            let want = |low: f64, high: f64| ((low * scale).round() as usize, (high * scale - 1e-6).round() as usize);
            assert_eq!((ends(|m| m.0), ends(|m| m.1)), (want(2.0, 16.0), want(10.0, 25.0)), "{side} px");
        }
    }

    #[test]
    fn a_scar_in_a_crop_is_as_large_as_in_the_picture() {
        let (crop, picture) = (Rgb::filled(64, 64, [0; 3]), Rgb::filled(256, 256, [0; 3]));
        for index in 0..50 {
            let of = |image| size(image, &default(), 256, &mut stream(0, "test", 0, index));
            assert_eq!(of(&crop), of(&picture));
        }
    }

    #[test]
    fn without_turn_and_jitter_a_scar_is_a_part_of_the_image() {
        let image = picture(96, 80, 2);
        let cfg = Scar { jitter: 0.0, rotation: 0.0, ..default() };
        for index in 0..20 {
            let (pasted, mask) = apply(&image, &cfg, 256, &mut stream(0, "test", 0, index)).unwrap();
            let (width, length) = size(&image, &cfg, 256, &mut stream(0, "test", 0, index));
            let parts: Vec<Rgb> = places(0..=96 - width, 0..=80 - length).map(|(x, y)| image.crop(x, y, width, length)).collect();
            // Every place where a scar of this size would cover all that changed.
            let (x, y) = extent(&mask);
            let targets =
                places((x.1 + 1).saturating_sub(width)..=x.0.min(96 - width), (y.1 + 1).saturating_sub(length)..=y.0.min(80 - length));
            assert!(targets.into_iter().any(|(x, y)| parts.contains(&pasted.crop(x, y, width, length))), "item {index}");
        }
    }

    fn places(x: RangeInclusive<usize>, y: RangeInclusive<usize>) -> impl Iterator<Item = (usize, usize)> {
        y.flat_map(move |y| x.clone().map(move |x| (x, y)))
    }

    /// First and last column and row with an anomalous pixel.
    fn extent(mask: &Mask) -> ((usize, usize), (usize, usize)) {
        let at: Vec<_> = (0..mask.data.len()).filter(|&i| mask.data[i] != 0).map(|i| (i % mask.width, i / mask.width)).collect();
        let ends = |of: fn(&(usize, usize)) -> usize| (at.iter().map(of).min().unwrap(), at.iter().map(of).max().unwrap());
        (ends(|p| p.0), ends(|p| p.1))
    }

    #[test]
    fn a_turned_rectangle_keeps_its_area_and_touches_all_sides_of_its_canvas() {
        for (width, length) in [(2, 10), (16, 25), (1, 25), (7, 12)] {
            let upright = Turned::new(width, length, 0.0);
            assert_eq!((upright.width, upright.height), (width, length));
            assert!((0..length).all(|y| (0..width).all(|x| upright.source(x, y) == Some((x, y)))));
            for degrees in [-45.0, -20.0, 3.0, 45.0] {
                let turned = Turned::new(width, length, f64::to_radians(degrees));
                let at: Vec<_> = (0..turned.height)
                    .flat_map(|y| (0..turned.width).map(move |x| (x, y)))
                    .filter(|&(x, y)| turned.source(x, y).is_some())
                    .collect();
                let (area, edge) = ((width * length) as f64, (width + length) as f64);
                assert!((at.len() as f64 - area).abs() <= edge, "{width}x{length} by {degrees}: {} px", at.len());
                let spread = |of: fn(&(usize, usize)) -> usize| at.iter().map(of).max().unwrap() - at.iter().map(of).min().unwrap() + 1;
                // A corner's last pixel may have its middle outside.
                assert!(spread(|p| p.0) + 2 >= turned.width && spread(|p| p.1) + 2 >= turned.height, "{width}x{length} by {degrees}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn only_what_changed_is_marked_and_all_of_it_lies_within_the_turned_canvas(side in 64..160_usize, seed: u64) {
            let image = picture(side, side, seed % 1000);
            let Some((pasted, mask)) = apply(&image, &default(), side, &mut stream(seed, "test", 0, 0)) else {
                return Err(TestCaseError::fail("a scar shows on a picture"));
            };
            prop_assert_eq!(&mask, &changed(&image, &pasted));
            let (x, y) = extent(&mask);
            // The diagonal of the largest scar, which no turn exceeds.
            let most = (16.0_f64.hypot(25.0) * side as f64 / 256.0).ceil() as usize + 2;
            prop_assert!(x.1 - x.0 < most && y.1 - y.0 < most);
            prop_assert!(mask.area() as f64 <= (17.0 * 26.0) * (side as f64 / 256.0).powi(2) + 42.0);
        }

        #[test]
        fn any_size_of_image_and_any_setting_works(w in 1..24_usize, h in 1..24_usize, width in 0.1..400.0, length in 0.1..400.0, rotation in 0.0..90.0, seed: u64) {
            let cfg = Scar { width: [0.1, width], length: [0.1, length], rotation, jitter: 0.5 };
            let image = picture(w, h, 1);
            let made = apply(&image, &cfg, 256, &mut stream(seed, "test", 0, 0));
            prop_assert_eq!(&made, &apply(&image, &cfg, 256, &mut stream(seed, "test", 0, 0)));
            if let Some((pasted, mask)) = made {
                prop_assert_eq!(mask, changed(&image, &pasted));
            }
        }
    }
}
