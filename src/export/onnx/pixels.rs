//! From an image's bytes to what a network takes: the run's own resizing, to the grey level.
//!
//! `image::resize` works in whole numbers: per axis, first along columns, then along rows, weights of a triangle as wide as the larger
//! of the two pixels, divided by their sum and rounded to `1 / 2^p`, p being the greatest precision at which all of them fit 16 bits; a
//! sum is rounded half up and clipped to a byte. In float32 that is `MatMul, Add 0.5, Floor, Clip`; a sum that
//! lies at the edge of rounding may fall to the next grey level, from 2448x2048 px to 256 px about one value of 200 000.

use super::graph::{Element, Graph, Value};
use super::parts::Parts;
use crate::config::{Normalize, Resize};
use crate::weights::{IMAGENET_MEAN, IMAGENET_STD, Tensor};
use crate::{Error, Result};

/// The image that a file is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A whole image of this width and height, px.
    Image(usize, usize),
    /// The network's own input, resized and cropped before.
    Network,
}

/// The input `image`, u8 [1, H, W, 3], as the network's input in 0..=1: [1, 3, S, S].
pub fn read(p: &Parts, input: Input) -> Value {
    let (g, data) = (p.graph, &p.cfg.data);
    let (width, height) = match input {
        Input::Image(width, height) => (width, height),
        Input::Network => (data.size, data.size),
    };
    let bytes = g.float(&g.input("image", Element::U8, &[1, height, width, 3]));
    let mut x = g.transpose(&bytes, &[0, 3, 1, 2]);
    if input != Input::Network {
        let reads = |key: &str, value: usize| if p.cfg.reads(key) { value } else { 0 };
        let (margin, loaded) = (reads("data.margin", data.margin), reads("data.crop", data.crop).max(data.size));
        x = resized(g, &x, loaded + 2 * margin, data.resize);
        if margin > 0 {
            x = g.slice(&g.slice(&x, 2, margin..margin + loaded, 1), 3, margin..margin + loaded, 1);
        }
        x = resized(g, &x, data.size, data.resize);
    }
    g.div(&x, &g.number(255.0))
}

/// An image [1, 3, H, W] of whole numbers 0..=255 at `side` x `side` px.
fn resized(g: &Graph, x: &Value, side: usize, how: Resize) -> Value {
    let (height, width) = (x.size(2), x.size(3));
    if (height, width) == (side, side) {
        return x.clone();
    }
    if how == Resize::Nearest {
        // The source pixel that contains the target's centre.
        let centres = |from: usize| (0..side).map(|i| ((2 * i + 1) * from / (2 * side)) as i64).collect::<Vec<_>>();
        return g.places(x, &centres(height), &centres(width));
    }
    let rounded = |x: Value| g.clip(&g.each("Floor", &g.add(&x, &g.number(0.5))), 0.0, 255.0);
    let down = if height == side { x.clone() } else { rounded(g.matmul(&g.constant(triangle(height, side)), x)) };
    let across = |x: &Value| rounded(g.matmul(x, &g.constant(super::parts::turned(&triangle(width, side)))));
    if width == side { down } else { across(&down) }
}

/// What each of `from` pixels in a row gives to each of `to`: [to, from], multiples of `1 / 2^p`.
fn triangle(from: usize, to: usize) -> Tensor {
    /// Bits of a weight with its sign, and the most that a sum of two bytes' products leaves of 32.
    const WEIGHT_BITS: u32 = 15;
    const MOST: u32 = 22;
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let mut weights = vec![0.0; to * from];
    for (place, row) in weights.chunks_exact_mut(from).enumerate() {
        let centre = (place as f64 + 0.5) * scale;
        let first = (centre - reach).floor().max(0.0) as usize;
        let end = ((centre + reach).ceil() as usize).min(from);
        let height = |pixel: usize| (1.0 - ((pixel as f64 - (centre - 0.5)) / reach).abs()).max(0.0);
        let sum: f64 = (first..end).map(height).sum();
        (first..end).for_each(|pixel| row[pixel] = height(pixel) / sum);
    }
    let greatest = weights.iter().copied().fold(0.0, f64::max);
    let fits = |p: u32| (greatest * f64::from(1u32 << p) + 0.5).floor() < f64::from(1u32 << WEIGHT_BITS);
    let precision = (0..MOST).rev().find(|&p| fits(p)).expect("no weight is above 1");
    let unit = f64::from(1u32 << precision);
    Tensor { shape: vec![to, from], data: weights.into_iter().map(|w| ((w * unit + 0.5).floor() / unit) as f32).collect() }
}

/// How the run resized, in words.
pub fn rule(p: &Parts) -> String {
    match p.cfg.data.resize {
        Resize::Nearest => "nearest: source pixel floor((i + 1/2) from / to)".into(),
        Resize::Bilinear => "bilinear, antialiased, in whole numbers: columns first, then rows; triangle as wide as the larger pixel, \
                             weights in 16 bits, rounded half up"
            .into(),
    }
}

/// Mean and deviation of the network's input, RGB in 0..=1; none where it is normalised by its own contrast.
pub fn statistics(p: &Parts) -> Option<([f64; 3], [f64; 3])> {
    if p.cfg.reads("data.normalize") && p.cfg.data.normalize == Normalize::Lcn {
        return None;
    }
    Some(p.values.backbone.as_ref().map_or((IMAGENET_MEAN, IMAGENET_STD), |file| (file.meta.input_mean, file.meta.input_std)))
}

/// x [1, 3, S, S] in 0..=1 as networks behind `data.normalize` take it.
///
/// # Errors
/// A range that the run does not hold.
pub fn normalized(p: &Parts, x: &Value) -> Result<Value> {
    match statistics(p) {
        Some((mean, std)) => Ok(standardized(p.graph, x, mean, std)),
        None => local_contrast(p, x),
    }
}

/// `(x - mean) / std` of each channel.
pub fn standardized(g: &Graph, x: &Value, mean: [f64; 3], std: [f64; 3]) -> Value {
    let channels = |values: [f64; 3]| g.constant(Tensor { shape: vec![1, 3, 1, 1], data: values.map(|v| v as f32).to_vec() });
    g.div(&g.sub(x, &channels(mean)), &channels(std))
}

/// FCDD's: less the image's mean, by its mean absolute value, then to the training set's range in each channel.
fn local_contrast(p: &Parts, x: &Value) -> Result<Value> {
    const LEAST: f32 = 1e-6;
    let g = p.graph;
    let (min, max) = (p.values.get("input.min")?, p.values.get("input.max")?);
    if min.shape != [1, 3, 1, 1] || max.shape != min.shape {
        return Err(Error::environment("the run's range of its input is not one of three channels", crate::error::AGAIN));
    }
    let range = min.data.iter().zip(&max.data).map(|(min, max)| (max - min).max(LEAST)).collect();
    let centred = g.sub(x, &g.reduce("ReduceMean", x, &[1, 2, 3]));
    let scale = g.at_least(&g.reduce("ReduceMean", &g.each("Abs", &centred), &[1, 2, 3]), LEAST);
    let low = g.sub(&g.div(&centred, &scale), &g.constant(min.clone()));
    Ok(g.div(&low, &g.constant(Tensor { shape: min.shape, data: range })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Rgb, resize};

    /// The rounding steps in f32, as an engine computes them.
    fn pass(rows: &[Vec<f32>], weights: &Tensor) -> Vec<Vec<f32>> {
        let one = |weights: &[f32], x: usize| {
            let sum: f32 = weights.iter().zip(rows).map(|(w, row)| w * row[x]).sum();
            (sum + 0.5).floor().clamp(0.0, 255.0)
        };
        weights.data.chunks_exact(rows.len()).map(|w| (0..rows[0].len()).map(|x| one(w, x)).collect()).collect()
    }

    fn flipped(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
        (0..rows[0].len()).map(|x| rows.iter().map(|row| row[x]).collect()).collect()
    }

    #[test]
    fn the_matrices_resize_as_the_loader_does() {
        for (width, height, side) in [(97, 61, 32), (32, 100, 32), (20, 40, 64), (300, 7, 33), (64, 64, 31)] {
            let noise = |i: usize| (i as u32).wrapping_mul(2_654_435_761).wrapping_shr(13) as u8;
            let image = Rgb::from_vec(width, height, (0..3 * width * height).map(noise).collect());
            let wanted = resize::bilinear(&image, side, side);
            for channel in 0..3 {
                let row = |y| (0..width).map(|x| f32::from(image.at(x, y)[channel])).collect();
                let mut rows: Vec<Vec<f32>> = (0..height).map(row).collect();
                if height != side {
                    rows = pass(&rows, &triangle(height, side));
                }
                if width != side {
                    rows = flipped(&pass(&flipped(&rows), &triangle(width, side)));
                }
                let off =
                    (0..side * side).filter(|i| rows[i / side][i % side] != f32::from(wanted.at(i % side, i / side)[channel])).count();
                assert_eq!(off, 0, "{width}x{height} to {side}, channel {channel}");
            }
        }
    }
}
