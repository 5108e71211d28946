//! Colour jitter by torchvision's definitions: brightness, contrast, saturation and hue. Results are rounded to the
//! nearest grey level (torchvision truncates), so that neutral factors change nothing.

use super::{shuffle, uniform};
use crate::image::Rgb;
use rand::Rng;

/// Scales every channel by `factor` (1 = unchanged).
pub fn brightness(image: &Rgb, factor: f64) -> Rgb {
    mapped(image, |p| p.map(|v| blend(0.0, v, factor)))
}

/// Moves every channel away from the image's mean grey level, itself rounded; `factor` 1 = unchanged, 0 = flat grey.
pub fn contrast(image: &Rgb, factor: f64) -> Rgb {
    let sum: u64 = image.data.chunks_exact(3).map(|p| u64::from(grey([p[0], p[1], p[2]]))).sum();
    let mean = (sum as f64 / (image.data.len() / 3).max(1) as f64).round();
    mapped(image, |p| p.map(|v| blend(mean, v, factor)))
}

/// Moves every channel away from the pixel's own grey level; `factor` 1 = unchanged, 0 = a grey image.
pub fn saturation(image: &Rgb, factor: f64) -> Rgb {
    mapped(image, |p| p.map(|v| blend(f64::from(grey(p)), v, factor)))
}

/// Turns the hue by `turn`, a fraction of the colour circle; greatest and least channel stay what they are.
pub fn hue(image: &Rgb, turn: f64) -> Rgb {
    mapped(image, |p| turned(p, turn))
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
        let [brightness, contrast, saturation] = std::array::from_fn(|_| uniform(rng, 1.0 - strength, 1.0 + strength));
        let hue = uniform(rng, -strength, strength);
        let mut steps = [Step::Brightness(brightness), Step::Contrast(contrast), Step::Saturation(saturation), Step::Hue(hue)];
        shuffle(rng, &mut steps);
        Self { steps }
    }

    pub fn apply(&self, image: &Rgb) -> Rgb {
        self.steps.iter().fold(image.clone(), |image, step| match *step {
            Step::Brightness(factor) => brightness(&image, factor),
            Step::Contrast(factor) => contrast(&image, factor),
            Step::Saturation(factor) => saturation(&image, factor),
            Step::Hue(turn) => hue(&image, turn),
        })
    }
}

fn mapped(image: &Rgb, colour: impl Fn([u8; 3]) -> [u8; 3]) -> Rgb {
    let data = image.data.chunks_exact(3).flat_map(|p| colour([p[0], p[1], p[2]])).collect();
    Rgb::from_vec(image.width, image.height, data)
}

/// `factor` of the value and the rest of `base`; the cast to u8 saturates.
fn blend(base: f64, value: u8, factor: f64) -> u8 {
    (factor * f64::from(value) + (1.0 - factor) * base).round() as u8
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
    let hue = (hue + 6.0 * turn).rem_euclid(6.0);
    let part = hue.fract();
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
    turned.map(|v| v.round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::tests::picture;
    use crate::{image::codec, testing::root};

    #[test]
    fn neutral_factors_change_nothing() {
        // All hues and saturations in steps of 15.
        let levels: Vec<u8> = (0..=17).map(|i| i * 15).collect();
        let data: Vec<u8> =
            levels.iter().flat_map(|&r| levels.iter().flat_map(move |&g| (0..=17).flat_map(move |b| [r, g, b * 15]))).collect();
        let image = Rgb::from_vec(18 * 18, 18, data);
        for same in
            [brightness(&image, 1.0), contrast(&image, 1.0), saturation(&image, 1.0), hue(&image, 0.0), hue(&image, 1.0), hue(&image, -2.0)]
        {
            assert_eq!(same, image);
        }
        let mut rng = crate::seed::stream(0, "test", 0, 0);
        assert_eq!(Jitter::draw(0.0, &mut rng).apply(&image), image);
    }

    #[test]
    fn pil_and_colorsys_agree_within_one_grey_level() {
        // tests/oracle/color_jitter.py
        let golden = |name: &str| codec::decode(&root().join("tests/golden").join(name)).unwrap();
        let source = golden("resize_source.png");
        for (name, ours) in [
            ("color_brightness_1.3.png", brightness(&source, 1.3)),
            ("color_brightness_0.6.png", brightness(&source, 0.6)),
            ("color_contrast_1.4.png", contrast(&source, 1.4)),
            ("color_contrast_0.5.png", contrast(&source, 0.5)),
            ("color_saturation_1.4.png", saturation(&source, 1.4)),
            ("color_saturation_0.5.png", saturation(&source, 0.5)),
            ("color_hue_0.1.png", hue(&source, 0.1)),
            ("color_hue_-0.3.png", hue(&source, -0.3)),
        ] {
            let worst = ours.data.iter().zip(&golden(name).data).map(|(a, b)| a.abs_diff(*b)).max();
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
        assert_ne!(Jitter::draw(0.1, &mut crate::seed::stream(0, "test", 0, 0)).apply(&image), image);
    }
}
