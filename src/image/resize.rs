//! Resizing of images and masks, without keeping the aspect ratio.

use super::{Mask, Rgb};
use crate::config::Resize;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

/// Brings an image to `size` x `size` px as `data.resize` says.
pub fn resize(image: &Rgb, size: usize, how: Resize) -> Rgb {
    match how {
        Resize::Bilinear => bilinear(image, size, size),
        Resize::Nearest => nearest_rgb(image, size, size),
    }
}

/// Antialiased bilinear resizing: a triangle as wide as the larger of the two pixels, as `PIL.Image.resize` with
/// `BILINEAR` does it, to within one grey level. Both sizes must have at least one pixel.
pub fn bilinear(image: &Rgb, width: usize, height: usize) -> Rgb {
    if (image.width, image.height) == (width, height) {
        return image.clone();
    }
    // Typed images: the untyped entry point compiles every pixel format there is, minutes of it.
    let source =
        TypedImageRef::<U8x3>::from_buffer(image.width as u32, image.height as u32, &image.data).expect("the buffer fits its size");
    let mut data = vec![0; 3 * width * height];
    let mut target = TypedImage::<U8x3>::from_buffer(width as u32, height as u32, &mut data).expect("the buffer fits its size");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize_typed(&source, &mut target, &options).expect("neither image is empty");
    Rgb::from_vec(width, height, data)
}

/// Nearest-neighbour resizing of an image, by the rule of [`nearest_mask`].
pub fn nearest_rgb(image: &Rgb, width: usize, height: usize) -> Rgb {
    let columns = centres(image.width, width);
    let mut data = Vec::with_capacity(3 * width * height);
    for y in centres(image.height, height) {
        let row = &image.data[3 * y * image.width..3 * (y + 1) * image.width];
        data.extend(columns.iter().flat_map(|&x| [row[3 * x], row[3 * x + 1], row[3 * x + 2]]));
    }
    Rgb::from_vec(width, height, data)
}

/// Nearest-neighbour resizing of a mask: a target pixel takes the source pixel that contains its centre,
/// `floor((i + 1/2) * from / to)`, as PIL's `NEAREST` does.
pub fn nearest_mask(mask: &Mask, width: usize, height: usize) -> Mask {
    let columns = centres(mask.width, width);
    let rows = centres(mask.height, height);
    let data = rows.iter().flat_map(|&y| columns.iter().map(move |&x| mask.at(x, y))).collect();
    Mask::from_vec(width, height, data)
}

/// Source index of each target index.
fn centres(from: usize, to: usize) -> Vec<usize> {
    (0..to).map(|i| (2 * i + 1) * from / (2 * to)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::codec;
    use crate::testing::root;
    use proptest::prelude::*;

    /// Files that tests/oracle/pil_resize.py wrote: the source, and each target by PIL's BILINEAR and NEAREST.
    fn golden(name: &str) -> Rgb {
        codec::decode(&root().join("tests/golden").join(name)).unwrap()
    }

    const SIZES: [(usize, usize); 5] = [(16, 16), (13, 29), (64, 64), (97, 41), (37, 1)];

    #[test]
    fn bilinear_is_within_one_grey_level_of_pil() {
        let source = golden("resize_source.png");
        for (width, height) in SIZES {
            let (ours, pil) = (bilinear(&source, width, height), golden(&format!("resize_bilinear_{width}x{height}.png")));
            let worst = ours.data.iter().zip(&pil.data).map(|(&a, &b)| a.abs_diff(b)).max();
            assert!(worst <= Some(1), "{width}x{height}: {worst:?}");
        }
    }

    #[test]
    fn nearest_takes_the_pixels_that_pil_takes() {
        let source = golden("resize_source.png");
        for (width, height) in SIZES {
            assert_eq!(nearest_rgb(&source, width, height), golden(&format!("resize_nearest_{width}x{height}.png")), "{width}x{height}");
        }
    }

    #[test]
    fn the_configuration_chooses_the_filter() {
        let source = golden("resize_source.png");
        assert_eq!(resize(&source, 16, Resize::Bilinear), bilinear(&source, 16, 16));
        assert_eq!(resize(&source, 16, Resize::Nearest), nearest_rgb(&source, 16, 16));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_resized_image_stays_within_the_source_range(w in 1..40_usize, h in 1..40_usize, to_w in 1..60_usize, to_h in 1..60_usize, seed: u64) {
            use rand::Rng;
            let mut stream = crate::seed::stream(seed, "test", 0, 0);
            let image = Rgb::from_vec(w, h, (0..3 * w * h).map(|_| 40 + (stream.next_u32() % 100) as u8).collect());
            let range = |image: &Rgb| (*image.data.iter().min().unwrap(), *image.data.iter().max().unwrap());
            let (low, high) = range(&image);
            for resized in [bilinear(&image, to_w, to_h), nearest_rgb(&image, to_w, to_h)] {
                let (least, greatest) = range(&resized);
                prop_assert!(least >= low && greatest <= high);
            }
        }

        #[test]
        fn enlarging_a_mask_a_whole_number_of_times_and_back_keeps_it(w in 1..12_usize, h in 1..12_usize, times in 1..5_usize, bits in proptest::collection::vec(0..2_u8, 144)) {
            let mask = Mask::from_vec(w, h, bits[..w * h].to_vec());
            let large = nearest_mask(&mask, w * times, h * times);
            prop_assert_eq!(large.area(), mask.area() * times * times);
            prop_assert_eq!(nearest_mask(&large, w, h), mask);
        }
    }
}
