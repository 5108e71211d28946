//! A patch of another normal image, resized and blended in without a seam: natural synthetic anomalies (NSA, Schlüter et al. 2022).
//!
//! The patch's gradients are kept and its border takes the values of the image around it (Poisson image editing, Pérez et al. 2003): inside
//! the patch the discrete Laplacian of the result is that of the patch. A patch is a rectangle, so the equation is solved exactly, by the
//! sine transform that makes the Laplacian diagonal. Cost: 4 products of matrices of the patch's sides, for each channel.

use super::generator::{Beside, Generator};
use super::{changed, uniform};
use crate::config::{Gradients, Nsa};
use crate::image::{Mask, Rgb, resize};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// Draws of a whole sample that may change nothing before the image is given up as normal.
const TRIES: usize = 10;

/// A side of a patch has so many pixels at least: a border and something in it.
const LEAST: usize = 3;

impl Generator for Nsa {
    fn takes_another(&self) -> bool {
        true
    }

    fn apply(&self, image: &Rgb, beside: Beside, draws: &mut ChaCha8Rng) -> Option<(Rgb, Mask)> {
        let other = beside.other;
        if image.width < LEAST || image.height < LEAST || (other.width, other.height) != (image.width, image.height) {
            return None;
        }
        (0..TRIES).find_map(|_| {
            let mut out = self.patch(image, other, draws);
            for _ in 1..self.patches {
                if draws.random::<bool>() {
                    out = self.patch(&out, other, draws);
                }
            }
            let mask = if self.least_change > 0.0 { changed_by(self.least_change, image, &out) } else { changed(image, &out) };
            (!mask.is_empty()).then_some((out, mask))
        })
    }
}

impl Nsa {
    /// The image with one patch of the other blended in.
    fn patch(&self, image: &Rgb, other: &Rgb, draws: &mut ChaCha8Rng) -> Rgb {
        let (width, height) = (self.side(image.width, draws), self.side(image.height, draws));
        let (x, y) = (draws.random_range(0..=image.width - width), draws.random_range(0..=image.height - height));
        let source = other.crop(x, y, width, height);
        let scale = normal(1.0, self.resize_deviation, draws).clamp(self.resize[0], self.resize[1]);
        let scaled = |side: usize, most: usize| ((side as f64 * scale).round() as usize).clamp(LEAST, most);
        let (width, height) = (scaled(width, image.width), scaled(height, image.height));
        let source = resize::bilinear(&source, width, height);
        let (x, y) = (draws.random_range(0..=image.width - width), draws.random_range(0..=image.height - height));
        blended(image, &source, [x, y], self.gradients)
    }

    /// A side: its share of the image's side is the least one plus a Gamma variate of shape 2, at most the greatest.
    fn side(&self, whole: usize, draws: &mut ChaCha8Rng) -> usize {
        // The sum of two exponential variates.
        let gamma = -self.scale * (1.0 - draws.random::<f64>()).ln() - self.scale * (1.0 - draws.random::<f64>()).ln();
        let share = (self.size[0] + gamma).min(self.size[1]);
        ((share * whole as f64).round() as usize).clamp(LEAST, whole)
    }
}

/// 1 where the mean over the channels of the change is `least` grey levels or more: where the authors' label, a logistic function of the
/// change, is a half or more if `least` is its middle. The losses here need a yes or no.
fn changed_by(least: f64, before: &Rgb, after: &Rgb) -> Mask {
    let change = |(a, b): (&[u8], &[u8])| a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / 3.0;
    let mut mask = Mask::filled(before.width, before.height, 0);
    for (mark, pixels) in mask.data.iter_mut().zip(before.data.chunks_exact(3).zip(after.data.chunks_exact(3))) {
        *mark = u8::from(change(pixels) >= least);
    }
    mask
}

/// A normal variate (Box and Muller 1958).
fn normal<R: Rng>(mean: f64, deviation: f64, draws: &mut R) -> f64 {
    let radius = (-2.0 * (1.0 - draws.random::<f64>()).ln()).sqrt();
    mean + deviation * radius * (uniform(draws, 0.0, 1.0) * std::f64::consts::TAU).cos()
}

/// The image with `source` at `[x, y]`, its border that of the image.
fn blended(image: &Rgb, source: &Rgb, [x, y]: [usize; 2], gradients: Gradients) -> Rgb {
    let (w, h) = (source.width, source.height);
    let target = image.crop(x, y, w, h);
    let mut out = image.clone();
    let transform = [w - 2, h - 2].map(sines);
    for c in 0..3 {
        let of = |picture: &Rgb| -> Vec<f64> { picture.data.iter().skip(c).step_by(3).map(|&v| f64::from(v)).collect() };
        let solved = poisson(&of(&source.clone()), &of(&target), [w, h], gradients, &transform);
        for (j, i) in (1..h - 1).flat_map(|j| (1..w - 1).map(move |i| (j, i))) {
            let mut pixel = out.at(x + i, y + j);
            pixel[c] = solved[(j - 1) * (w - 2) + i - 1].round().clamp(0.0, 255.0) as u8;
            out.set(x + i, y + j, pixel);
        }
    }
    out
}

/// Inner values, row by row, whose Laplacian is the divergence of the wanted gradients and whose border is that of `target`.
fn poisson(source: &[f64], target: &[f64], [w, h]: [usize; 2], gradients: Gradients, [across, down]: &[Vec<f64>; 2]) -> Vec<f64> {
    let (inner_w, inner_h) = (w - 2, h - 2);
    let mut right = Vec::with_capacity(inner_w * inner_h);
    for (j, i) in (1..h - 1).flat_map(|j| (1..w - 1).map(move |i| (j, i))) {
        let here = j * w + i;
        let mut sum = 0.0;
        for (there, on_border) in [(here - 1, i == 1), (here + 1, i == w - 2), (here - w, j == 1), (here + w, j == h - 2)] {
            let (own, kept) = (source[here] - source[there], target[here] - target[there]);
            sum += if gradients == Gradients::Mixed && kept.abs() > own.abs() { kept } else { own };
            sum += if on_border { target[there] } else { 0.0 };
        }
        right.push(sum);
    }
    // 4 f - (neighbours) = right: in sines along both axes it is a product with 4 - 2 cos - 2 cos.
    let mut f = product(&product(down, &right, [inner_h, inner_h, inner_w]), across, [inner_h, inner_w, inner_w]);
    let eigenvalue = |k: usize, n: usize| 2.0 - 2.0 * (std::f64::consts::PI * (k + 1) as f64 / (n + 1) as f64).cos();
    for (k, l) in (0..inner_h).flat_map(|k| (0..inner_w).map(move |l| (k, l))) {
        f[k * inner_w + l] /= eigenvalue(k, inner_h) + eigenvalue(l, inner_w);
    }
    product(&product(down, &f, [inner_h, inner_h, inner_w]), across, [inner_h, inner_w, inner_w])
}

/// The orthogonal, symmetric sine transform of `n` values, [n, n].
fn sines(n: usize) -> Vec<f64> {
    let norm = (2.0 / (n + 1) as f64).sqrt();
    let at = |k: usize, i: usize| norm * (std::f64::consts::PI * ((k + 1) * (i + 1)) as f64 / (n + 1) as f64).sin();
    (0..n).flat_map(|k| (0..n).map(move |i| at(k, i))).collect()
}

/// The product of a [n, m] and b [m, p].
fn product(a: &[f64], b: &[f64], [n, m, p]: [usize; 3]) -> Vec<f64> {
    let mut out = vec![0.0; n * p];
    for (row, out) in a.chunks_exact(m).zip(out.chunks_exact_mut(p)) {
        for (&factor, line) in row.iter().zip(b.chunks_exact(p)) {
            out.iter_mut().zip(line).for_each(|(sum, value)| *sum += factor * value);
        }
    }
    debug_assert_eq!(out.len(), n * p);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::pseudo::tests::picture;
    use crate::seed::stream;
    use proptest::prelude::*;

    fn default() -> Nsa {
        Config::default().pseudo.nsa
    }

    /// The same equation by Gauss and Seidel's iteration, until nothing moves.
    fn slow(source: &[f64], target: &[f64], [w, h]: [usize; 2], gradients: Gradients) -> Vec<f64> {
        let mut f = target.to_vec();
        for _ in 0..20_000 {
            let mut moved: f64 = 0.0;
            for (j, i) in (1..h - 1).flat_map(|j| (1..w - 1).map(move |i| (j, i))) {
                let here = j * w + i;
                let mut sum = 0.0;
                for there in [here - 1, here + 1, here - w, here + w] {
                    let (own, kept) = (source[here] - source[there], target[here] - target[there]);
                    sum += f[there] + if gradients == Gradients::Mixed && kept.abs() > own.abs() { kept } else { own };
                }
                moved = moved.max((f[here] - sum / 4.0).abs());
                f[here] = sum / 4.0;
            }
            if moved < 1e-11 {
                break;
            }
        }
        (1..h - 1).flat_map(|j| (1..w - 1).map(move |i| (j, i))).map(|(j, i)| f[j * w + i]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_sine_transform_solves_what_an_iteration_does(w in 3..14_usize, h in 3..14_usize, seed: u64, mixed: bool) {
            let mut draws = stream(seed, "test", 0, 0);
            let values = |draws: &mut ChaCha8Rng| (0..w * h).map(|_| uniform(draws, 0.0, 255.0)).collect::<Vec<_>>();
            let (source, target) = (values(&mut draws), values(&mut draws));
            let gradients = if mixed { Gradients::Mixed } else { Gradients::Source };
            let fast = poisson(&source, &target, [w, h], gradients, &[w - 2, h - 2].map(sines));
            for (fast, slow) in fast.iter().zip(slow(&source, &target, [w, h], gradients)) {
                prop_assert!((fast - slow).abs() < 1e-6, "{fast} {slow}");
            }
        }

        #[test]
        fn only_what_changed_is_marked(width in 1..80_usize, height in 1..80_usize, seed: u64, patches in 1..5_u32) {
            let (image, other) = (picture(width, height, seed % 100), picture(width, height, 1 + seed % 99));
            let cfg = Nsa { patches, ..default() };
            let made = cfg.apply(&image, Beside::image(&other), &mut stream(seed, "test", 0, 0));
            prop_assert_eq!(&made, &cfg.apply(&image, Beside::image(&other), &mut stream(seed, "test", 0, 0)));
            if let Some((out, mask)) = made {
                prop_assert_eq!(mask, changed(&image, &out));
            }
        }
    }

    #[test]
    fn a_least_change_marks_the_pixels_whose_mean_change_reaches_it_and_draws_the_same_patches() {
        let (image, other) = (picture(60, 50, 3), picture(60, 50, 4));
        let apply =
            |least_change| Nsa { least_change, ..default() }.apply(&image, Beside::image(&other), &mut stream(1, "test", 0, 0)).unwrap();
        let ((any_image, any), (strong_image, strong)) = (apply(0.0), apply(20.0));
        assert_eq!(any_image, strong_image);
        for (at, (any, strong)) in any.data.iter().zip(&strong.data).enumerate() {
            let total: u32 = (3 * at..3 * at + 3).map(|i| u32::from(image.data[i].abs_diff(strong_image.data[i]))).sum();
            assert_eq!((*any, *strong), (u8::from(total > 0), u8::from(total >= 60)), "{at}");
        }
        assert!(strong.area() > 0 && strong.area() < any.area());
        // Where no pixel changes so much, there is no anomaly.
        assert!(Nsa { least_change: 255.0, ..default() }.apply(&image, Beside::image(&image), &mut stream(1, "test", 0, 0)).is_none());
    }

    #[test]
    fn an_image_blended_into_itself_at_its_place_stays_as_it_is() {
        let image = picture(40, 30, 2);
        for gradients in [Gradients::Source, Gradients::Mixed] {
            let out = blended(&image, &image.crop(5, 6, 20, 12), [5, 6], gradients);
            assert!(image.data.iter().zip(&out.data).all(|(a, b)| a == b), "{gradients:?}");
        }
        // A brighter copy too: its gradients are the same, and its border is taken from the image.
        let image = Rgb::from_vec(40, 30, image.data.iter().map(|v| v / 2).collect());
        let brighter = Rgb::from_vec(40, 30, image.data.iter().map(|v| v + 60).collect());
        assert_eq!(blended(&image, &brighter.crop(5, 6, 20, 12), [5, 6], Gradients::Source), image);
    }

    #[test]
    fn sides_lie_in_their_range_about_the_mean_of_the_gamma_variate() {
        let sides: Vec<usize> = (0..4000).map(|i| default().side(1000, &mut stream(0, "test", 0, i))).collect();
        assert!(sides.iter().all(|s| (30..=400).contains(s)));
        // 0.03 plus a mean of 2 * 0.05, its standard error 0.0011; what is cut at 0.4 is a part in two hundred.
        let mean = sides.iter().sum::<usize>() as f64 / 4_000_000.0;
        assert!((mean - 0.13).abs() < 0.006, "{mean}");
    }
}
