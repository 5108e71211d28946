//! Light augmentation of normal images, before any pseudo anomaly.

use super::color::{brightness, contrast};
use super::uniform;
use crate::image::{Rgb, resize};
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;
    use crate::synth::tests::picture;

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
        }
    }
}
