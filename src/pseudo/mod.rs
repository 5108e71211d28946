//! Pseudo anomalies: confetti noise, CutPaste, scars, textures under Perlin noise, simplex noise, NSA, and their mix (docs/method.md, "Data and pseudo anomalies"). Pure, on u8
//! images.
//!
//! Every function draws from the stream that it is given, in a fixed order; the stream of a training item is
//! [`item_stream`], so that an item looks the same whichever thread makes it and when.
//!
//! **Adding a generator** touches one file here, with its `impl Generator`; in [`mod@generator`] a name and its line in the match;
//! its weight and its section in `experiments/base.toml` and in `src/config/pseudo.rs`. With a weight of 0 by default it changes
//! no number.

pub mod augment;
mod blend;
pub mod color;
pub mod confetti;
pub mod cutpaste;
pub mod generator;
mod mix;
mod nsa;
pub mod perlin;
mod photograph;
pub mod scar;
pub mod simplex;
mod texture;
mod turn;

pub use generator::{Beside, Generator, Name, generator};
pub use mix::{Sample, chosen, item_stream, needs_other, pseudo, stream_epoch};

use crate::image::{Mask, Rgb};
use rand::{Rng, RngExt};

/// 1 where any channel of two images of one size differs.
pub fn changed(before: &Rgb, after: &Rgb) -> Mask {
    let mut mask = Mask::filled(before.width, before.height, 0);
    differ(&before.data, &after.data, &mut mask.data);
    mask
}

/// Marks the pixels, three bytes each, that are not the same: 1, else 0.
fn differ(before: &[u8], after: &[u8], marks: &mut [u8]) {
    for ((a, b), mark) in before.chunks_exact(3).zip(after.chunks_exact(3)).zip(marks) {
        *mark = u8::from(a != b);
    }
}

/// Uniform in [low, high).
fn uniform<R: Rng>(rng: &mut R, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// From `a` to `b` as `weight` goes from 0 to 1.
fn between(a: f64, b: f64, weight: f64) -> f64 {
    a + (b - a) * weight
}

/// A random permutation in place (Fisher-Yates). By hand, because rand's `SliceRandom::shuffle` draws other numbers: the items
/// that are chosen, and with them every result, would change.
fn shuffle<T, R: Rng>(rng: &mut R, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.random_range(0..=i));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Combine, Config, CutPasteMask, Pseudo, Weight};
    use crate::seed::stream;
    use proptest::prelude::*;

    /// A picture with smooth parts, edges and noise.
    pub(super) fn picture(width: usize, height: usize, seed: u64) -> Rgb {
        let mut rng = stream(seed, "picture", 0, 0);
        let mut image = Rgb::filled(width, height, [0; 3]);
        for y in 0..height {
            for x in 0..width {
                let wave = 110.0 + 90.0 * (x as f64 / 9.0 + seed as f64).sin() * (y as f64 / 14.0).cos();
                let step = if (x / 17 + y / 23) % 2 == 0 { 20 } else { 0 };
                image.set(x, y, [0, 1, 2].map(|c| (wave as i64 + step + 9 * c + rng.random_range(-6..=6_i64)).clamp(0, 255) as u8));
            }
        }
        image
    }

    /// Every item, confetti with this share of the weights, on one another where `combine` says so.
    fn configuration(confetti: f64, combine: Combine) -> Pseudo {
        Pseudo {
            ratio: 1.0,
            combine,
            weight: Weight { confetti, cutpaste: 1.0 - confetti, ..Config::default().pseudo.weight },
            ..Config::default().pseudo
        }
    }

    #[test]
    fn an_item_is_the_same_in_any_thread_and_differs_between_epochs() {
        use rayon::prelude::*;
        let cfg = configuration(0.5, Combine::One);
        let image = picture(72, 64, 3);
        let make = |epoch: u64, index: u64| pseudo(&image, Beside::image(&image), &cfg, &mut item_stream(&cfg, 7, epoch, index));
        let forwards: Vec<Sample> = (0..12).map(|i| make(2, i)).collect();
        let mut backwards: Vec<Sample> = (0..12).rev().map(|i| make(2, i)).collect();
        backwards.reverse();
        let parallel: Vec<Sample> = (0..12_u64).into_par_iter().map(|i| make(2, i)).collect();
        assert_eq!(forwards, backwards);
        assert_eq!(forwards, parallel);
        let next: Vec<Sample> = (0..12).map(|i| make(3, i)).collect();
        assert!(forwards.iter().zip(&next).all(|(a, b)| a.image != b.image));
    }

    #[test]
    fn the_samples_are_those_of_the_first_release() {
        // A change here changes every result: it needs a new METHOD_VERSION.
        let hash = |cfg: &Pseudo| {
            let mut hasher = blake3::Hasher::new();
            for index in 0..4 {
                let sample = pseudo(&picture(64, 48, 1), Beside::image(&picture(64, 48, 1)), cfg, &mut item_stream(cfg, 0, 0, index));
                hasher.update(&sample.image.data).update(&sample.mask.data);
            }
            hasher.finalize().to_hex()[..16].to_owned()
        };
        let [confetti, cutpaste] = [1.0, 0.0].map(|p| hash(&configuration(p, Combine::One)));
        let both = hash(&configuration(0.5, Combine::All));
        assert_eq!([confetti, cutpaste, both], GOLDEN);
    }

    const GOLDEN: [&str; 3] = ["8ec4e065167f06b9", "44f19ec47d2a1598", "1cb2371548e0a780"];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_mask_is_exactly_where_a_channel_changed(w in 8..80_usize, h in 8..80_usize, seed: u64, weights in proptest::array::uniform6(0.0..1.0), all: bool) {
            let image = picture(w, h, seed % 1000);
            let [confetti, cutpaste, scar, perlin, simplex, nsa] = weights;
            let other = picture(w, h, 1 + seed % 1000);
            let combine = if all { Combine::All } else { Combine::One };
            let cfg = Pseudo { weight: Weight { confetti, cutpaste, scar, perlin, simplex, nsa }, ..configuration(0.5, combine) };
            let sample = pseudo(&image, Beside::image(&other), &cfg, &mut item_stream(&cfg, seed, 0, 0));
            prop_assert_eq!(&sample.mask, &changed(&image, &sample.image));
            prop_assert_eq!(sample.mask.is_empty(), sample.by.is_empty());
        }

        #[test]
        fn a_rectangle_label_covers_every_change(seed: u64, all: bool) {
            let image = picture(48, 56, seed % 1000);
            let mut cfg = configuration(0.3, if all { Combine::All } else { Combine::One });
            cfg.cutpaste.mask = CutPasteMask::Rect;
            let sample = pseudo(&image, Beside::image(&image), &cfg, &mut item_stream(&cfg, seed, 0, 0));
            let change = changed(&image, &sample.image);
            prop_assert!(change.data.iter().zip(&sample.mask.data).all(|(c, m)| c <= m));
        }
    }
}
