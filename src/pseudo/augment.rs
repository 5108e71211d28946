//! Augmentation of images: before any pseudo anomaly, or, FCDD's, after it.

use super::color::{Jitter, brightness, contrast};
use super::uniform;
use crate::image::{Rgb, resize};
use crate::seed::normal_pair;
use rand::{Rng, RngExt};

/// Least side of the crop, as a share of the image's.
const LEAST_CROP: f64 = 0.94;

/// Strength of the jitter of brightness and contrast.
const JITTER: f64 = 0.04;

/// Crops to 94-100 % of both sides somewhere in the image, resizes back (antialiased bilinear) and jitters brightness and
/// contrast by up to 4 %. The result has the image's size.
pub fn light<R: Rng>(image: &Rgb, rng: &mut R) -> Rgb {
    let share = uniform(rng, LEAST_CROP, 1.0);
    let side = |whole: usize| ((share * whole as f64).ceil() as usize).clamp(1, whole);
    let (width, height) = (side(image.width), side(image.height));
    let (x, y) = (rng.random_range(0..=image.width - width), rng.random_range(0..=image.height - height));
    let mut out = resize::bilinear(&image.crop(x, y, width, height), image.width, image.height);
    brightness(&mut out, uniform(rng, 1.0 - JITTER, 1.0 + JITTER));
    contrast(&mut out, uniform(rng, 1.0 - JITTER, 1.0 + JITTER));
    out
}

/// Greatest shift, as a share of the image's side.
const SHIFT: f64 = 0.04;

/// Strength of the colour jitter that goes with a shift.
const SHIFT_JITTER: f64 = 0.1;

/// Shifts by up to 4 % of each side either way, whole pixels, what comes in being the image reflected about its outermost row
/// and column (not repeated), and jitters brightness, contrast, saturation and hue by up to 0.1. The result has the image's
/// size.
pub fn translate<R: Rng>(image: &Rgb, rng: &mut R) -> Rgb {
    let mut shift = |side: usize| {
        let most = (SHIFT * side as f64) as i64;
        rng.random_range(-most..=most)
    };
    let mut out = shifted(image, shift(image.width), shift(image.height));
    Jitter::draw(SHIFT_JITTER, rng).apply(&mut out);
    out
}

/// The image moved `dx` px to the right and `dy` px down, by less than its sides.
fn shifted(image: &Rgb, dx: i64, dy: i64) -> Rgb {
    let reflected = |i: i64, side: usize| {
        let last = side as i64 - 1;
        (last - (last - i.abs()).abs()) as usize
    };
    let mut out = image.clone();
    for y in 0..image.height {
        let row = reflected(y as i64 - dy, image.height);
        for x in 0..image.width {
            out.set(x, y, image.at(reflected(x as i64 - dx, image.width), row));
        }
    }
    out
}

/// Strengths of brightness, contrast, saturation and hue in FCDD's two jitters.
const FCDD_JITTERS: [[f64; 4]; 2] = [[0.04; 4], [0.005, 0.0005, 0.0005, 0.0005]];

/// Deviation of FCDD's noise, as a share of the deviation of the image's values.
const FCDD_NOISE: f64 = 0.1;

/// One of two jitters, drawn with equal chance; then, with probability 1/2, Gaussian noise of a tenth of the image's deviation on every
/// value. Rounded to grey levels once after each.
pub fn fcdd<R: Rng>(image: &Rgb, rng: &mut R) -> Rgb {
    let mut out = image.clone();
    let strengths = FCDD_JITTERS[usize::from(rng.random::<bool>())];
    Jitter::draw_each(strengths, rng).apply(&mut out);
    if rng.random::<bool>() {
        let std = FCDD_NOISE * deviation(&out.data);
        for pair in out.data.chunks_mut(2) {
            let noise = normal_pair(rng);
            pair.iter_mut().zip(noise).for_each(|(value, z)| *value = (f64::from(*value) + std * z).round() as u8);
        }
    }
    out
}

/// Standard deviation of all values, over n - 1 as torch's.
fn deviation(values: &[u8]) -> f64 {
    let (count, sum) = (values.len() as f64, values.iter().map(|&v| u64::from(v)).sum::<u64>() as f64);
    let squares: f64 = values.iter().map(|&v| (f64::from(v) - sum / count).powi(2)).sum();
    (squares / (count - 1.0).max(1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pseudo::tests::picture;
    use crate::seed::stream;

    #[test]
    fn light_augmentation_stays_light() {
        let grey = Rgb::filled(50, 40, [100; 3]);
        let image = picture(50, 40, 0);
        for index in 0..30 {
            let out = light(&grey, &mut stream(0, "test", 0, index));
            assert!(out.data.iter().all(|v| (96..=104).contains(v)));
            let out = light(&image, &mut stream(0, "test", 0, index));
            assert_eq!((out.width, out.height), (50, 40));
            assert_eq!(out, light(&image, &mut stream(0, "test", 0, index)));
            assert_ne!(out, light(&image, &mut stream(0, "test", 1, index)));
        }
    }

    #[test]
    fn any_size_can_be_augmented() {
        for (width, height) in [(1, 1), (2, 31), (64, 3)] {
            assert_eq!(light(&picture(width, height, 0), &mut stream(0, "test", 0, 0)).data.len(), 3 * width * height);
            assert_eq!(translate(&picture(width, height, 0), &mut stream(0, "test", 0, 0)).data.len(), 3 * width * height);
            assert_eq!(fcdd(&picture(width, height, 0), &mut stream(0, "test", 0, 0)).data.len(), 3 * width * height);
        }
    }

    #[test]
    fn fcdds_noise_is_there_half_the_time_and_a_tenth_of_the_images_deviation() {
        // Half 80, half 120: deviation 20, noise 2. Jitters move each half as a whole.
        let mut image = Rgb::filled(64, 64, [80; 3]);
        image.data[..3 * 64 * 32].fill(120);
        let spread = |out: &Rgb| deviation(&out.data[..3 * 64 * 32]);
        let spreads: Vec<f64> = (0..200).map(|index| spread(&fcdd(&image, &mut stream(0, "test", 0, index)))).collect();
        let noisy: Vec<f64> = spreads.iter().copied().filter(|&s| s > 0.0).collect();
        assert!((70..=130).contains(&noisy.len()), "{} of 200", noisy.len());
        // The jitter moves the deviation by 4 %, rounding adds 1/12 to the variance, and 6144 values give it to 1 %.
        assert!(noisy.iter().all(|s| (s - (4.0 + 1.0 / 12.0f64).sqrt()).abs() < 0.2), "{noisy:?}");
    }

    #[test]
    fn fcdds_jitters_are_a_light_one_and_one_that_hardly_shows() {
        let grey = Rgb::filled(8, 8, [200; 3]);
        let moved: Vec<i32> = (0..300).map(|index| i32::from(fcdd(&grey, &mut stream(0, "test", 0, index)).at(0, 0)[0]) - 200).collect();
        assert!(moved.iter().all(|m| m.abs() <= 8) && moved.iter().any(|m| m.abs() >= 7), "{moved:?}");
        // The light one stays within a level in one of eight draws, the other in all.
        let still = moved.iter().filter(|m| m.abs() <= 1).count();
        assert!((135..=205).contains(&still), "{still} of 300");
    }

    #[test]
    fn a_shift_moves_the_image_and_reflects_its_border() {
        let row = |values: [u8; 5]| Rgb::from_vec(5, 1, values.iter().flat_map(|&v| [v; 3]).collect());
        let image = row([10, 20, 30, 40, 50]);
        assert_eq!(shifted(&image, 0, 0), image);
        assert_eq!(shifted(&image, 2, 0), row([30, 20, 10, 20, 30]));
        assert_eq!(shifted(&image, -2, 0), row([30, 40, 50, 40, 30]));
        let column = Rgb::from_vec(1, 5, image.data.clone());
        assert_eq!(shifted(&column, 0, 1).data, row([20, 10, 20, 30, 40]).data);
    }

    #[test]
    fn a_translation_shifts_by_four_percent_at_most_and_is_drawn_again_each_epoch() {
        // A white line on black: the jitter cannot move it.
        let mut image = Rgb::filled(100, 50, [0; 3]);
        (0..50).for_each(|y| image.set(40, y, [255; 3]));
        (0..100).for_each(|x| image.set(x, 20, [255; 3]));
        let mut seen = std::collections::HashSet::new();
        for index in 0..200 {
            let out = translate(&image, &mut stream(0, "test", 0, index));
            let brightest = |bright: &dyn Fn(usize) -> bool, side: usize| (0..side).position(bright).unwrap() as i64;
            let dx = brightest(&|x| out.at(x, 0)[0] > 100, 100) - 40;
            let dy = brightest(&|y| out.at(0, y)[0] > 100, 50) - 20;
            assert!(dx.abs() <= 4 && dy.abs() <= 2, "{dx}, {dy}");
            seen.insert((dx, dy));
        }
        assert_ne!(translate(&image, &mut stream(0, "test", 0, 0)), translate(&image, &mut stream(0, "test", 1, 0)));
        assert!(
            seen.iter().any(|s| s.0 == -4)
                && seen.iter().any(|s| s.0 == 4)
                && seen.iter().any(|s| s.1 == -2)
                && seen.iter().any(|s| s.1 == 2)
        );
    }
}
