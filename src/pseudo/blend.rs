//! A texture blended into the image under Perlin noise: the pseudo anomaly of DRAEM (Zavrtanik et al. 2021).

use super::color::{Jitter, grey};
use super::generator::{Beside, Generator};
use super::{changed, perlin, photograph, shuffle, texture, uniform};
use crate::config::{Perlin, Texture};
use crate::image::{Mask, Rgb};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Blots that may leave nothing before the image is given up as normal.
const TRIES: usize = 10;

/// The image's own texture is cut into so many tiles along an axis (MemSeg, Yang et al. 2023).
const TILES: usize = 8;

/// Strength of the jitter of their colours.
const TONE: f64 = 0.3;

impl Generator for Perlin {
    fn apply(&self, image: &Rgb, beside: Beside, draws: &mut ChaCha8Rng) -> Option<(Rgb, Mask)> {
        let foreground = self.foreground.then(|| foreground(image));
        (0..TRIES).find_map(|_| {
            let mut blots = perlin::blots_turned(image.width, image.height, self.threshold, self.rotation, draws);
            if let Some(foreground) = &foreground {
                blots.data.iter_mut().zip(&foreground.data).for_each(|(blot, inside)| *blot &= inside);
            }
            let texture = match self.texture {
                Texture::Procedural => texture::texture(image.width, image.height, draws),
                Texture::Own => tiles(image, draws),
                Texture::Photographs => {
                    let photograph = beside.photograph.expect("photographs are opened wherever textures are taken from them");
                    photograph::texture(photograph, [image.width, image.height], draws)
                }
            };
            let opacity = uniform(draws, self.opacity[0], self.opacity[1]);
            let out = blended(image, &texture, &blots, opacity);
            let mask = changed(image, &out);
            (!mask.is_empty()).then_some((out, mask))
        })
    }
}

/// `(1 - opacity) image + opacity texture` where the mask is 1.
fn blended(image: &Rgb, texture: &Rgb, mask: &Mask, opacity: f64) -> Rgb {
    let mut out = image.clone();
    for (i, inside) in mask.data.iter().enumerate() {
        if *inside != 0 {
            for at in 3 * i..3 * i + 3 {
                let (own, other) = (f64::from(image.data[at]), f64::from(texture.data[at]));
                out.data[at] = ((1.0 - opacity) * own + opacity * other).round() as u8;
            }
        }
    }
    out
}

/// The image's tiles in another order, their colours jittered.
fn tiles<R: Rng>(image: &Rgb, draws: &mut R) -> Rgb {
    let n = TILES.min(image.width).min(image.height);
    let mut jittered = image.clone();
    Jitter::draw(TONE, draws).apply(&mut jittered);
    let mut order: Vec<usize> = (0..n * n).collect();
    shuffle(draws, &mut order);
    let (wide, high) = (image.width / n, image.height / n);
    let mut out = jittered.clone();
    for (place, from) in order.into_iter().enumerate() {
        for (y, x) in (0..high).flat_map(|y| (0..wide).map(move |x| (y, x))) {
            let pixel = jittered.at(from % n * wide + x, from / n * high + y);
            out.set(place % n * wide + x, place / n * high + y, pixel);
        }
    }
    out
}

/// 1 where an object is: the side of Otsu's threshold (1979) on grey values that the image's border is mostly not on. All 1 where that
/// leaves less than a twentieth, as on textures.
fn foreground(image: &Rgb) -> Mask {
    let values: Vec<u8> = image.data.chunks_exact(3).map(|p| grey([p[0], p[1], p[2]])).collect();
    let threshold = otsu(&values);
    let bright: Vec<u8> = values.iter().map(|&v| u8::from(v > threshold)).collect();
    let (w, h) = (image.width, image.height);
    let on_border = |i: usize| [0, w - 1].contains(&(i % w)) || [0, h - 1].contains(&(i / w));
    let border: Vec<u8> = (0..w * h).filter(|&i| on_border(i)).map(|i| bright[i]).collect();
    let background = u8::from(2 * border.iter().filter(|b| **b == 1).count() > border.len());
    let object: Vec<u8> = bright.iter().map(|&b| u8::from(b != background)).collect();
    let enough = 20 * object.iter().filter(|o| **o == 1).count() >= w * h;
    Mask::from_vec(w, h, if enough { object } else { vec![1; w * h] })
}

/// The grey value that splits a picture into two classes of the greatest variance between them.
fn otsu(grey: &[u8]) -> u8 {
    let mut counts = [0_u64; 256];
    grey.iter().for_each(|&v| counts[v as usize] += 1);
    let all: u64 = counts.iter().sum();
    let total: u64 = counts.iter().enumerate().map(|(v, n)| v as u64 * n).sum();
    let (mut below, mut sum, mut best) = (0_u64, 0_u64, (0.0, 0));
    for (value, count) in counts.iter().enumerate() {
        (below, sum) = (below + count, sum + value as u64 * count);
        let above = all - below;
        if below == 0 || above == 0 {
            continue;
        }
        let apart = sum as f64 / below as f64 - (total - sum) as f64 / above as f64;
        let between = below as f64 * above as f64 * apart * apart;
        if between > best.0 {
            best = (between, value as u8);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::pseudo::tests::picture;
    use crate::seed::stream;
    use proptest::prelude::*;

    fn default() -> Perlin {
        Config::default().pseudo.perlin
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn only_what_changed_is_marked(width in 1..90_usize, height in 1..90_usize, seed: u64, from in 0..3_usize, foreground: bool) {
            let image = picture(width, height, seed % 100);
            let cfg = Perlin { texture: [Texture::Procedural, Texture::Own, Texture::Photographs][from], foreground, ..default() };
            let made = cfg.apply(&image, Beside { other: &image, photograph: Some(&image) }, &mut stream(seed, "test", 0, 0));
            prop_assert_eq!(&made, &cfg.apply(&image, Beside { other: &image, photograph: Some(&image) }, &mut stream(seed, "test", 0, 0)));
            if let Some((out, mask)) = made {
                prop_assert_eq!(&mask, &changed(&image, &out));
            }
        }

        #[test]
        fn tiles_keep_every_tile_once(side in 1..70_usize, seed: u64) {
            let image = Rgb::from_vec(side, side, (0..3 * side * side).map(|i| (i * 7 % 251) as u8).collect());
            let made = tiles(&image, &mut stream(seed, "test", 0, 0));
            prop_assert_eq!((made.width, made.height), (side, side));
        }
    }

    #[test]
    fn opacity_goes_from_the_image_to_the_texture() {
        let (image, texture) = (Rgb::filled(4, 1, [100; 3]), Rgb::filled(4, 1, [200; 3]));
        let mask = Mask::from_vec(4, 1, vec![0, 1, 1, 0]);
        let at = |opacity| [0, 3, 6, 9].map(|i| blended(&image, &texture, &mask, opacity).data[i]);
        assert_eq!([at(0.0), at(0.25), at(1.0)], [[100; 4], [100, 125, 125, 100], [100, 200, 200, 100]]);
    }

    #[test]
    fn an_object_on_a_ground_is_found_and_a_texture_is_all_foreground() {
        for (ground, object) in [(20, 200), (230, 60)] {
            let mut image = Rgb::filled(40, 40, [ground; 3]);
            (10..30).for_each(|y| (10..30).for_each(|x| image.set(x, y, [object; 3])));
            let found = foreground(&image);
            assert!((0..1600).all(|i| (found.data[i] == 1) == ((10..30).contains(&(i % 40)) && (10..30).contains(&(i / 40)))));
            let cfg = Perlin { foreground: true, ..default() };
            for index in 0..10 {
                let (_, mask) =
                    cfg.apply(&image, Beside { other: &image, photograph: Some(&image) }, &mut stream(0, "test", 0, index)).unwrap();
                assert!(mask.data.iter().zip(&found.data).all(|(m, f)| m <= f));
            }
        }
        assert!(foreground(&Rgb::filled(9, 9, [7; 3])).data.iter().all(|&f| f == 1));
    }

    #[test]
    fn otsus_threshold_splits_two_heaps() {
        // The slow form: the variance within both classes is least.
        let grey: Vec<u8> = (0..400).map(|i| if i % 5 == 0 { 180 + (i % 7) as u8 } else { 40 + (i % 11) as u8 }).collect();
        let within = |t: u8| {
            let parts: [Vec<f64>; 2] =
                [false, true].map(|above| grey.iter().filter(|&&v| (v > t) == above).map(|&v| f64::from(v)).collect());
            parts
                .iter()
                .map(|p| {
                    let m = p.iter().sum::<f64>() / p.len().max(1) as f64;
                    p.iter().map(|v| (v - m).powi(2)).sum::<f64>()
                })
                .sum::<f64>()
        };
        let least = (0..=255).map(within).fold(f64::MAX, f64::min);
        assert!((within(otsu(&grey)) - least).abs() < 1e-6 && (50..180).contains(&otsu(&grey)));
    }
}
