//! Colour jitter by torchvision's definitions: brightness, contrast, saturation and hue. Results are rounded to the
//! nearest grey level (torchvision truncates), so that neutral factors change nothing.

use super::{shuffle, uniform};
use crate::image::Rgb;
use rand::Rng;

/// Scales every channel by `factor` (1 = unchanged).
pub fn brightness(image: &mut Rgb, factor: f64) {
    by_value(image, |v| blend(0.0, v, factor));
}

/// Moves every channel away from the image's mean grey level, itself rounded; `factor` 1 = unchanged, 0 = flat grey.
pub fn contrast(image: &mut Rgb, factor: f64) {
    let sum: u64 = image.data.chunks_exact(3).map(|p| u64::from(grey([p[0], p[1], p[2]]))).sum();
    let mean = (sum as f64 / (image.data.len() / 3).max(1) as f64).round();
    by_value(image, |v| blend(mean, v, factor));
}

/// Moves every channel away from the pixel's own grey level; `factor` 1 = unchanged, 0 = a grey image.
pub fn saturation(image: &mut Rgb, factor: f64) {
    by_pixel(image, |p| p.map(|v| blend(f64::from(grey(p)), v, factor)));
}

/// Turns the hue by `turn`, a fraction of the colour circle; greatest and least channel stay what they are.
pub fn hue(image: &mut Rgb, turn: f64) {
    by_pixel(image, |p| turned(p, turn));
}

/// Luma of ITU-R BT.601 in 16-bit fixed point, rounded: PIL's conversion to grey.
pub fn grey([r, g, b]: [u8; 3]) -> u8 {
    ((19595 * u32::from(r) + 38470 * u32::from(g) + 7471 * u32::from(b) + 32768) >> 16) as u8
}

/// One drawn jitter: factors, hue shift and the order in which they apply.
#[derive(Debug, Clone, PartialEq)]
pub struct Jitter {
    steps: [Step; 4],
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Brightness(f64),
    Contrast(f64),
    Saturation(f64),
    Hue(f64),
}

impl Jitter {
    /// Factors uniform in [1 - strength, 1 + strength), the hue's shift in [-strength, strength) turns, in random order.
    pub fn draw<R: Rng>(strength: f64, rng: &mut R) -> Self {
        Self::draw_each([strength; 4], rng)
    }

    /// The same with a strength for each of brightness, contrast, saturation and hue.
    pub fn draw_each<R: Rng>(strengths: [f64; 4], rng: &mut R) -> Self {
        let [brightness, contrast, saturation] = [0, 1, 2].map(|i| uniform(rng, 1.0 - strengths[i], 1.0 + strengths[i]));
        let hue = uniform(rng, -strengths[3], strengths[3]);
        let mut steps = [Step::Brightness(brightness), Step::Contrast(contrast), Step::Saturation(saturation), Step::Hue(hue)];
        shuffle(rng, &mut steps);
        Self { steps }
    }

    pub fn apply(&self, image: &mut Rgb) {
        for step in self.steps {
            match step {
                Step::Brightness(factor) => brightness(image, factor),
                Step::Contrast(factor) => contrast(image, factor),
                Step::Saturation(factor) => saturation(image, factor),
                Step::Hue(turn) => hue(image, turn),
            }
        }
    }
}

/// Replaces every value by `of` it, computed once for each that there is.
pub(super) fn by_value(image: &mut Rgb, of: impl Fn(u8) -> u8) {
    let table: [u8; 256] = std::array::from_fn(|v| of(v as u8));
    image.data.iter_mut().for_each(|v| *v = table[usize::from(*v)]);
}

fn by_pixel(image: &mut Rgb, colour: impl Fn([u8; 3]) -> [u8; 3]) {
    image.data.chunks_exact_mut(3).for_each(|p| p.copy_from_slice(&colour([p[0], p[1], p[2]])));
}

/// `factor` of the value and the rest of `base`, rounded.
fn blend(base: f64, value: u8, factor: f64) -> u8 {
    rounded(factor * f64::from(value) + (1.0 - factor) * base)
}

/// `value.round() as u8` of what fits an i32, without the call that rounding is on processors before SSE 4.1.
fn rounded(value: f64) -> u8 {
    let whole = value as i32;
    (whole + i32::from(value - f64::from(whole) >= 0.5)).clamp(0, 255) as u8
}

/// HSV with hue in sixths of a turn and saturation times value as the channels' range, in grey levels throughout.
fn turned(p: [u8; 3], turn: f64) -> [u8; 3] {
    let [r, g, b] = p.map(f64::from);
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let range = high - low;
    if range == 0.0 {
        return p;
    }
    let hue = if high == r {
        (g - b) / range
    } else if high == g {
        2.0 + (b - r) / range
    } else {
        4.0 + (r - g) / range
    };
    // The remainder without its call, which is exact too: most turns are small.
    let hue = match hue + 6.0 * turn {
        h if (0.0..6.0).contains(&h) => h,
        h if (6.0..12.0).contains(&h) => h - 6.0,
        h if (-6.0..0.0).contains(&h) => h + 6.0,
        h => h.rem_euclid(6.0),
    };
    let part = hue - f64::from(hue as u8);
    let (rising, falling) = (low + range * part, high - range * part);
    let turned = match hue as u8 {
        0 => [high, rising, low],
        1 => [falling, high, low],
        2 => [low, high, rising],
        3 => [low, falling, high],
        4 => [rising, low, high],
        5 => [high, low, falling],
        // rem_euclid may round up to 6 itself: red again.
        _ => [high, low, low],
    };
    turned.map(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pseudo::tests::picture;
    use crate::{image::codec, testing::root};

    #[test]
    fn neutral_factors_change_nothing() {
        // All hues and saturations in steps of 15.
        let levels: Vec<u8> = (0..=17).map(|i| i * 15).collect();
        let data: Vec<u8> =
            levels.iter().flat_map(|&r| levels.iter().flat_map(move |&g| (0..=17).flat_map(move |b| [r, g, b * 15]))).collect();
        let image = Rgb::from_vec(18 * 18, 18, data);
        let mut same = image.clone();
        brightness(&mut same, 1.0);
        contrast(&mut same, 1.0);
        saturation(&mut same, 1.0);
        [0.0, 1.0, -2.0].into_iter().for_each(|turn| hue(&mut same, turn));
        Jitter::draw(0.0, &mut crate::seed::stream(0, "test", 0, 0)).apply(&mut same);
        assert_eq!(same, image);
    }

    #[test]
    fn pil_and_colorsys_agree_within_one_grey_level() {
        // tests/oracle/color_jitter.py
        let golden = |name: &str| codec::decode(&root().join("tests/golden").join(name)).unwrap();
        let source = golden("resize_source.png");
        type Change = fn(&mut Rgb, f64);
        let kinds: [(&str, Change, [f64; 2]); 4] = [
            ("brightness", brightness, [1.3, 0.6]),
            ("contrast", contrast, [1.4, 0.5]),
            ("saturation", saturation, [1.4, 0.5]),
            ("hue", hue, [0.1, -0.3]),
        ];
        for (kind, change, strength) in kinds.into_iter().flat_map(|(kind, change, both)| both.map(|s| (kind, change, s))) {
            let (name, mut ours) = (format!("color_{kind}_{strength}.png"), source.clone());
            change(&mut ours, strength);
            let worst = ours.data.iter().zip(&golden(&name).data).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst <= Some(1), "{name}: {worst:?}");
        }
    }

    #[test]
    fn a_jitter_is_drawn_within_its_strength_in_every_order() {
        let mut first = std::collections::HashSet::new();
        for index in 0..60 {
            let jitter = Jitter::draw(0.1, &mut crate::seed::stream(0, "test", 0, index));
            first.insert(std::mem::discriminant(&jitter.steps[0]));
            for step in jitter.steps {
                match step {
                    Step::Brightness(f) | Step::Contrast(f) | Step::Saturation(f) => assert!((0.9..=1.1).contains(&f)),
                    Step::Hue(t) => assert!((-0.1..=0.1).contains(&t)),
                }
            }
        }
        assert_eq!(first.len(), 4);
        let image = picture(20, 20, 1);
        let mut jittered = image.clone();
        Jitter::draw(0.1, &mut crate::seed::stream(0, "test", 0, 0)).apply(&mut jittered);
        assert_ne!(jittered, image);
    }

    #[test]
    fn rounding_and_the_hue_s_remainder_are_those_of_the_standard_library() {
        let below_half = 0.5 - f64::EPSILON / 4.0;
        for value in (-2000..2000).map(|i| f64::from(i) * 0.25).chain([below_half, -below_half, 254.5 - 1e-13, 1e6, -1e6, f64::NAN]) {
            assert_eq!(rounded(value), value.round() as u8, "{value}");
        }
        for (i, turn) in (0..4000_u32).map(|i| (i, f64::from(i) * 0.00173 - 3.4)) {
            let p = [i * 7, i * 31, i * 57 + 9].map(|v| (v % 256) as u8);
            let [r, g, b] = p.map(f64::from);
            let (high, low) = (r.max(g).max(b), r.min(g).min(b));
            let sector = if high == r {
                (g - b) / (high - low)
            } else if high == g {
                2.0 + (b - r) / (high - low)
            } else {
                4.0 + (r - g) / (high - low)
            };
            let hue = (sector + 6.0 * turn).rem_euclid(6.0);
            // Each channel as a trapezium of the hue.
            let at = |shift: f64| {
                let distance = ((hue - shift).rem_euclid(6.0) - 3.0).abs();
                low + (high - low) * (2.0 - (3.0 - distance)).clamp(0.0, 1.0)
            };
            let worst = turned(p, turn).into_iter().zip([0.0, 2.0, 4.0].map(at)).map(|(a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
            assert!(high == low || worst <= 0.5 + 1e-9, "{p:?} by {turn}: {worst}");
        }
    }
}
