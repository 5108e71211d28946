//! Confetti noise (Liznerski et al., FCDD, 2021): a few rotated squares, coloured and black, blurred and subtracted.
//!
//! Two layers are drawn over the image, coloured blobs and black-or-white ones; every pixel is a centre with the layer's
//! rate, given that there is at least one. Their sum is blurred, truncated to integers and added with clamping; where
//! darkening would hardly show, it brightens instead. Only the blobs' neighbourhoods are computed.
//! Cost: some 0.3 ms of one core for an image of 256x256.

use crate::config::Confetti;
use crate::image::blur::{Border, Kernel, separable};
use crate::image::{Map, Mask, Rgb};
use crate::pseudo::generator::{Beside, Generator};
use crate::pseudo::{differ, uniform};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// The border rule of FCDD's blur (kornia's default).
const BORDER: Border = Border::Mirror;

/// Mean absolute change, in grey levels over all pixels and channels, below which noise counts as invisible.
const INVISIBLE: f64 = 0.025;

/// A square before blurring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blob {
    /// Column and row of its centre, px.
    pub centre: (usize, usize),
    /// px, before rotation.
    pub side: u32,
    /// Rotation about the centre, radians.
    pub angle: f64,
    /// Change of each channel, grey levels, -256..=-1.
    pub change: [i32; 3],
}

impl Generator for Confetti {
    fn apply(&self, image: &Rgb, _: Beside, draws: &mut ChaCha8Rng) -> Option<(Rgb, Mask)> {
        Some(apply(image, self, draws)).filter(|(_, mask)| !mask.is_empty())
    }
}

/// Adds confetti noise to an image; the mask is 1 where any channel changed. A rate of 0 omits its layer.
pub fn apply<R: Rng>(image: &Rgb, cfg: &Confetti, rng: &mut R) -> (Rgb, Mask) {
    let layers = draw(image.width, image.height, cfg, rng);
    paint(image, &layers, cfg)
}

/// Draws the layers, coloured and black-or-white, each with at least one blob in row order. Later blobs cover earlier ones.
pub fn draw<R: Rng>(width: usize, height: usize, cfg: &Confetti, rng: &mut R) -> [Vec<Blob>; 2] {
    let (least, greatest) = (cfg.size[0].min(cfg.size[1]), cfg.size[0].max(cfg.size[1]));
    let mut layer = |rate: f64, change: fn(&mut R) -> [i32; 3]| -> Vec<Blob> {
        let places = centres(rate, width * height, rng);
        let blob = |place: usize| {
            let side = rng.random_range(least..=greatest);
            let angle = uniform(rng, -cfg.rotation, cfg.rotation).to_radians();
            Blob { centre: (place % width, place / width), side, angle, change: change(rng) }
        };
        places.into_iter().map(blob).collect()
    };
    [layer(cfg.color_rate, |rng| [0; 3].map(|_| rng.random_range(-256..=-1))), layer(cfg.bw_rate, |_| [-255; 3])]
}

/// Indices below `pixels`, each with probability `rate` and independent, given that there is one; ascending.
///
/// The gaps between centres are geometric, the first one cut off at `pixels`: the same law as redrawing all pixels
/// until one is a centre, at a cost of one draw a centre.
fn centres<R: Rng>(rate: f64, pixels: usize, rng: &mut R) -> Vec<usize> {
    if rate <= 0.0 || pixels == 0 {
        return Vec::new();
    }
    let log_miss = (-rate).ln_1p();
    let any = -(pixels as f64 * log_miss).exp_m1();
    let first = ((-rng.random::<f64>() * any).ln_1p() / log_miss) as usize;
    let mut found = vec![first.min(pixels - 1)];
    loop {
        let misses = ((-rng.random::<f64>()).ln_1p() / log_miss) as usize;
        match found[found.len() - 1].saturating_add(1).saturating_add(misses) {
            next if next < pixels => found.push(next),
            _ => return found,
        }
    }
}

/// Adds drawn layers to an image.
pub fn paint(image: &Rgb, layers: &[Vec<Blob>; 2], cfg: &Confetti) -> (Rgb, Mask) {
    let kernel = Kernel::gaussian(cfg.blur_kernel as usize, cfg.blur_sigma);
    let regions = neighbourhoods(layers, kernel.radius(), image.width, image.height);
    let noise: Vec<(Region, Vec<i16>)> = regions.into_iter().map(|region| (region, noise(layers, region, &kernel))).collect();
    let sign = sign(image, &noise);
    let mut out = image.clone();
    let mut mask = Mask::filled(image.width, image.height, 0);
    for (y, region, row) in rows(&noise) {
        let (before, after) = (image.row(region.x, y, region.width), out.row_mut(region.x, y, region.width));
        after.iter_mut().zip(row).for_each(|(value, change)| *value = changed_by(*value, sign * change));
        differ(before, after, &mut mask.data[y * image.width + region.x..][..region.width]);
    }
    (out, mask)
}

/// The blurred sum of the layers in a region, row-major and interleaved as in [`Rgb`].
///
/// What the kernel reads beyond the region is zero, or lies beyond an edge of the image that the region shares.
fn noise(layers: &[Vec<Blob>; 2], region: Region, kernel: &Kernel) -> Vec<i16> {
    let [mut sum, bw] = [0, 1].map(|layer: usize| painted(&layers[layer], region));
    let mut noise = vec![0; 3 * region.width * region.height];
    for (c, (sum, bw)) in sum.iter_mut().zip(&bw).enumerate() {
        sum.data.iter_mut().zip(&bw.data).for_each(|(sum, bw)| *sum += bw);
        // A float cast truncates towards zero, and ends the blur's tail there.
        let blurred = separable(sum, kernel, BORDER);
        noise[c..].iter_mut().step_by(3).zip(&blurred.data).for_each(|(noise, &value)| *noise = value as i16);
    }
    noise
}

/// -1 where adding the noise is invisible and subtracting it changes more, else 1.
fn sign(image: &Rgb, noise: &[(Region, Vec<i16>)]) -> i16 {
    let (mut added, mut subtracted) = (0_u64, 0_u64);
    for (y, region, row) in rows(noise) {
        for (&value, &change) in image.row(region.x, y, region.width).iter().zip(row) {
            added += u64::from(changed_by(value, change).abs_diff(value));
            subtracted += u64::from(changed_by(value, -change).abs_diff(value));
        }
    }
    let mean = added as f64 / image.data.len().max(1) as f64;
    if mean < INVISIBLE && subtracted > added { -1 } else { 1 }
}

fn changed_by(value: u8, change: i16) -> u8 {
    (i16::from(value) + change).clamp(0, 255) as u8
}

/// Every row of every region: its place in the image, its region, its noise.
fn rows(noise: &[(Region, Vec<i16>)]) -> impl Iterator<Item = (usize, Region, &[i16])> {
    noise.iter().flat_map(|(region, noise)| (region.y..).zip(noise.chunks_exact(3 * region.width)).map(move |(y, row)| (y, *region, row)))
}

/// The channels of one layer in a region: the change of the last blob that covers a pixel, 0 where there is none.
fn painted(blobs: &[Blob], region: Region) -> [Map; 3] {
    let mut planes = [0; 3].map(|_| Map::filled(region.width, region.height, 0.0));
    let (right, bottom) = (region.x + region.width, region.y + region.height);
    // A blob lies in the region that holds its centre, whole.
    for blob in blobs.iter().filter(|b| (region.x..right).contains(&b.centre.0) && (region.y..bottom).contains(&b.centre.1)) {
        let (covers, area) = (blob.square(), blob.bounds(0, right, bottom));
        for y in area.y..area.y + area.height {
            for x in (area.x..area.x + area.width).filter(|&x| covers(x, y)) {
                for (plane, change) in planes.iter_mut().zip(blob.change) {
                    plane.set(x - region.x, y - region.y, change as f32);
                }
            }
        }
    }
    planes
}

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy)]
struct Region {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Blob {
    /// Nearest sampling of the rotated square: whether the centre of the pixel (x, y), turned back, lies in it.
    fn square(&self) -> impl Fn(usize, usize) -> bool {
        // An even square's middle lies between pixels, half a pixel after its centre pixel.
        let half = f64::from(self.side) / 2.0;
        let middle = if self.side.is_multiple_of(2) { 0.5 } else { 0.0 };
        let (left, top) = (self.centre.0 as f64, self.centre.1 as f64);
        let (sin, cos) = self.angle.sin_cos();
        move |x, y| {
            let (dx, dy) = (x as f64 - left - middle, y as f64 - top - middle);
            (dx * cos + dy * sin).abs() < half && (dy * cos - dx * sin).abs() < half
        }
    }

    /// A rectangle inside the image that holds the rotated square and `margin` px around it.
    fn bounds(&self, margin: usize, width: usize, height: usize) -> Region {
        let reach = (f64::from(self.side) / std::f64::consts::SQRT_2).ceil() as usize + 1 + margin;
        let (x, y) = (self.centre.0.saturating_sub(reach), self.centre.1.saturating_sub(reach));
        let (right, bottom) = ((self.centre.0 + reach + 1).min(width), (self.centre.1 + reach + 1).min(height));
        Region { x, y, width: right - x, height: bottom - y }
    }
}

/// Disjoint regions outside which blurred noise is zero. Reflection at a border only ever reaches what lies within the
/// kernel's radius of the blob itself.
fn neighbourhoods(layers: &[Vec<Blob>; 2], radius: usize, width: usize, height: usize) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for blob in layers.iter().flatten() {
        let mut region = blob.bounds(radius, width, height);
        while let Some(i) = regions.iter().position(|r| overlap(r, &region)) {
            region = union(&regions.swap_remove(i), &region);
        }
        regions.push(region);
    }
    regions
}

fn overlap(a: &Region, b: &Region) -> bool {
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

fn union(a: &Region, b: &Region) -> Region {
    let (x, y) = (a.x.min(b.x), a.y.min(b.y));
    Region { x, y, width: (a.x + a.width).max(b.x + b.width) - x, height: (a.y + a.height).max(b.y + b.height) - y }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::pseudo::changed;
    use crate::pseudo::tests::picture;
    use crate::seed::stream;
    use proptest::prelude::*;

    fn default() -> Confetti {
        Config::default().pseudo.confetti
    }

    /// The steps of docs/method.md over the whole image.
    fn slow(image: &Rgb, layers: &[Vec<Blob>; 2], cfg: &Confetti) -> Rgb {
        let kernel = Kernel::gaussian(cfg.blur_kernel as usize, cfg.blur_sigma);
        let channel = |c: usize| -> Vec<i32> {
            let at = |x, y| layers.iter().map(|l| l.iter().rev().find(|b| b.square()(x, y)).map_or(0, |b| b.change[c])).sum::<i32>() as f32;
            let data = (0..image.height).flat_map(|y| (0..image.width).map(move |x| (x, y))).map(|(x, y)| at(x, y)).collect();
            separable(&Map::from_vec(image.width, image.height, data), &kernel, BORDER).data.iter().map(|&v| v as i32).collect()
        };
        let noise = [channel(0), channel(1), channel(2)];
        let with = |sign: i32| -> Vec<u8> {
            (0..image.data.len()).map(|i| (i32::from(image.data[i]) + sign * noise[i % 3][i / 3]).clamp(0, 255) as u8).collect()
        };
        let mean = |out: &[u8]| out.iter().zip(&image.data).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / out.len() as f64;
        let (plus, minus) = (with(1), with(-1));
        let negate = mean(&plus) < 0.025 && mean(&minus) > mean(&plus);
        Rgb::from_vec(image.width, image.height, if negate { minus } else { plus })
    }

    #[test]
    fn an_unrotated_blob_is_a_square_of_its_side() {
        for side in [1, 8, 9, 30] {
            let blob = Blob { centre: (40, 40), side, angle: 0.0, change: [-7; 3] };
            let whole = Region { x: 0, y: 0, width: 80, height: 80 };
            let [plane, ..] = painted(&[blob], whole);
            assert_eq!(plane.data.iter().filter(|&&v| v == -7.0).count(), (side * side) as usize);
            let turned = Blob { angle: 0.6, ..blob };
            let area = painted(&[turned], whole)[0].data.iter().filter(|&&v| v == -7.0).count() as f64;
            assert!((area - f64::from(side * side)).abs() <= f64::from(2 * side), "side {side}: {area} px");
        }
    }

    #[test]
    fn noise_darkens_and_brightens_only_what_is_black() {
        let (cfg, mut grown) = (default(), 0);
        for index in 0..20 {
            let grey = Rgb::filled(96, 96, [90; 3]);
            let (out, mask) = apply(&grey, &cfg, &mut stream(0, "test", 0, index));
            assert!(out.data.iter().all(|&v| v <= 90) && !mask.is_empty());
            let (out, mask) = apply(&Rgb::filled(96, 96, [0; 3]), &cfg, &mut stream(0, "test", 0, index));
            grown += usize::from(!mask.is_empty() && out.data.iter().any(|&v| v > 100));
        }
        assert_eq!(grown, 20);
    }

    #[test]
    fn noise_that_darkens_by_exactly_the_limit_counts_as_visible_and_by_less_it_brightens() {
        // 20x20 px are 1200 values, of which 0.025 is 30: one pixel of three times 10 grey levels made black.
        let cfg = Confetti { blur_sigma: 0.0, ..default() };
        let blob = Blob { centre: (7, 11), side: 1, angle: 0.0, change: [-255; 3] };
        for (colour, want) in [([10, 10, 11], 0), ([10; 3], 0), ([10, 10, 9], 255)] {
            let (out, mask) = paint(&Rgb::filled(20, 20, colour), &[vec![blob], vec![]], &cfg);
            assert_eq!((out.at(7, 11), mask.area()), ([want; 3], 1), "{colour:?}");
        }
    }

    #[test]
    fn angles_are_uniform_within_the_rotation_either_way() {
        for rotation in [45.0, 10.0] {
            let cfg = Confetti { rotation, ..default() };
            let mut angles: Vec<f64> = (0..3000)
                .flat_map(|i| draw(256, 256, &cfg, &mut stream(2, "test", 0, i)))
                .flatten()
                .map(|b| b.angle.to_degrees())
                .collect();
            angles.sort_by(f64::total_cmp);
            let n = angles.len() as f64;
            // The distance of Kolmogorov and Smirnov; 1.63 / sqrt(n) is exceeded by one uniform sample in a hundred.
            let distance = |(i, angle): (usize, &f64)| ((angle + rotation) / (2.0 * rotation) - (i as f64 + 0.5) / n).abs();
            let worst = angles.iter().enumerate().map(distance).fold(0.0, f64::max);
            assert!(worst < 1.63 / n.sqrt(), "{rotation} degrees: {worst} of {n} angles");
        }
        let upright = Confetti { rotation: 0.0, ..default() };
        assert!(draw(256, 256, &upright, &mut stream(2, "test", 0, 0)).iter().flatten().all(|b| b.angle == 0.0));
    }

    #[test]
    fn a_blob_is_turned_by_its_angle() {
        // An eighth of a turn makes a square of 9 px a diamond, whose corners reach 9 / sqrt(2) px along the axes.
        let covers = |angle: f64, dx: i64, dy: i64| {
            let blob = Blob { centre: (40, 40), side: 9, angle, change: [-7; 3] };
            blob.square()((40 + dx) as usize, (40 + dy) as usize)
        };
        let eighth = std::f64::consts::FRAC_PI_4;
        assert_eq!([covers(0.0, 4, 4), covers(0.0, 6, 0)], [true, false]);
        assert_eq!([covers(eighth, 4, 4), covers(eighth, 6, 0), covers(eighth, 0, 6), covers(eighth, 7, 0)], [false, true, true, false]);
        // A small positive angle turns it clockwise, as rows go down: the upper right corner moves out to the right.
        assert_eq!([covers(0.3, 5, -1), covers(-0.3, 5, -1)], [true, false]);
    }

    #[test]
    fn the_number_of_blobs_follows_the_rates_given_one() {
        // Expectation P p / (1 - (1 - p)^P): 1.70 and 1.44 at 256 px with FCDD's rates.
        let (draws, mut counts, mut sides) = (4000, [0.0; 2], Vec::new());
        for index in 0..draws {
            let layers = draw(256, 256, &default(), &mut stream(1, "test", 0, index));
            for (count, layer) in counts.iter_mut().zip(&layers) {
                *count += layer.len() as f64 / draws as f64;
                sides.extend(layer.iter().map(|b| f64::from(b.side)));
            }
        }
        for (count, rate) in counts.iter().zip([1.8e-5, 1.2e-5]) {
            let pixels = 65536.0_f64;
            let want = pixels * rate / (1.0 - (1.0 - rate).powf(pixels));
            assert!((count - want).abs() < 0.08, "{count} against {want}");
        }
        let mean = sides.iter().sum::<f64>() / sides.len() as f64;
        assert!((mean - 31.0).abs() < 0.6, "mean side {mean}");
    }

    #[test]
    fn centres_follow_the_law_of_redrawing_until_there_is_one() {
        // The slow twin draws a grid of 12 pixels again and again; both laws of the first centre and of the count agree.
        let (rate, pixels, draws) = (0.08, 12, 6000);
        let mut rng = stream(5, "test", 0, 0);
        let mut slow = || loop {
            let found: Vec<usize> = (0..pixels).filter(|_| rng.random::<f64>() < rate).collect();
            if !found.is_empty() {
                return found;
            }
        };
        let mut fast_rng = stream(6, "test", 0, 0);
        let mut fast = || centres(rate, pixels, &mut fast_rng);
        let statistics = |draw: &mut dyn FnMut() -> Vec<usize>| {
            let mut sums = [0.0; 3];
            for _ in 0..draws {
                let found = draw();
                assert!(found.windows(2).all(|w| w[0] < w[1]) && found[found.len() - 1] < pixels);
                let values = [found[0] as f64, found.len() as f64, found.iter().sum::<usize>() as f64 / found.len() as f64];
                sums.iter_mut().zip(values).for_each(|(s, v)| *s += v / draws as f64);
            }
            sums
        };
        let (a, b) = (statistics(&mut fast), statistics(&mut slow));
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 0.25, "{a} against {b}");
        }
    }

    #[test]
    fn a_layer_is_forced_at_any_positive_rate_and_absent_at_zero() {
        let mut cfg = Confetti { color_rate: 1e-12, bw_rate: 0.0, ..default() };
        let layers = draw(64, 64, &cfg, &mut stream(0, "test", 0, 0));
        assert_eq!([layers[0].len(), layers[1].len()], [1, 0]);
        cfg.color_rate = 0.0;
        let image = picture(32, 32, 0);
        let (out, mask) = apply(&image, &cfg, &mut stream(0, "test", 0, 0));
        assert!(out == image && mask.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn neighbourhoods_give_what_the_whole_image_gives(w in 8..90_usize, h in 8..90_usize, seed: u64, rate in 1e-5..2e-3, sigma in 0.0..7.0, dark: bool) {
            let cfg = Confetti { color_rate: rate, bw_rate: rate / 2.0, blur_sigma: sigma, size: [3, 30], ..default() };
            let image = if dark { Rgb::filled(w, h, [2; 3]) } else { picture(w, h, seed % 1000) };
            let layers = draw(w, h, &cfg, &mut stream(seed, "test", 0, 0));
            let (fast, mask) = paint(&image, &layers, &cfg);
            prop_assert_eq!(&fast, &slow(&image, &layers, &cfg));
            prop_assert_eq!(mask, changed(&image, &fast));
        }

        #[test]
        fn every_layer_has_a_blob_and_every_blob_its_range(w in 1..300_usize, h in 1..300_usize, seed: u64) {
            let layers = draw(w, h, &default(), &mut stream(seed, "test", 0, 0));
            for (layer, least) in layers.iter().zip([-256, -255]) {
                prop_assert!(!layer.is_empty());
                for blob in layer {
                    prop_assert!((8..=54).contains(&blob.side) && blob.angle.abs() <= std::f64::consts::FRAC_PI_4);
                    prop_assert!(blob.centre.0 < w && blob.centre.1 < h);
                    prop_assert!(blob.change.iter().all(|&c| (least..0).contains(&c)));
                }
            }
        }
    }
}
