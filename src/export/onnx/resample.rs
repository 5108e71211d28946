//! Maps at another size, as products with constant matrices: one meaning in every engine, and the weights are those of the functions
//! that computed the run's own maps.

use super::graph::{Graph, Value};
use crate::image::upsample::{self, Align};
use crate::image::{Map, Map64, blur};
use crate::weights::Tensor;

/// What each of `from` cells in a row gives to each of `to`, bilinearly: [to, from].
pub fn bilinear_weights(from: usize, to: usize, align: Align) -> Tensor {
    let units = Map::from_vec(from, from, (0..from * from).map(|i| f32::from(u8::from(i / from == i % from))).collect());
    // Along x nothing changes: there the sizes are equal.
    Tensor { shape: vec![to, from], data: upsample::bilinear(&units, from, to, align).data }
}

/// The same with a Gaussian behind it, whose border rule is the evaluation's; computed in f64.
pub fn smoothed_weights(weights: &Tensor, sigma: f64) -> Tensor {
    if sigma <= 0.0 {
        return weights.clone();
    }
    let (to, from) = (weights.shape[0], weights.shape[1]);
    let mut data = vec![0.0; to * from];
    for column in 0..from {
        let one = Map64::from_vec(1, to, (0..to).map(|row| f64::from(weights.data[row * from + column])).collect());
        let blurred = blur::gaussian64(&one, sigma);
        (0..to).for_each(|row| data[row * from + column] = blurred.data[row] as f32);
    }
    Tensor { shape: vec![to, from], data }
}

/// Means over blocks of `block` cells, the last one smaller where they do not fit: [ceil(from / block), from].
fn block_weights(from: usize, block: usize) -> Tensor {
    let to = from.div_ceil(block);
    let weight = |i: usize| {
        let (row, column) = (i / from, i % from);
        if column / block == row { 1.0 / (((row + 1) * block).min(from) - row * block) as f32 } else { 0.0 }
    };
    Tensor { shape: vec![to, from], data: (0..to * from).map(weight).collect() }
}

impl Graph {
    /// `down x across'` of the last two dimensions.
    pub fn sandwich(&self, x: &Value, down: &Tensor, across: &Tensor) -> Value {
        let across = self.constant(super::parts::turned(across));
        self.matmul(&self.matmul(&self.constant(down.clone()), x), &across)
    }

    /// A square map [.., h, h] at `side` x `side` cells, bilinear.
    pub fn bilinear(&self, x: &Value, side: usize, align: Align) -> Value {
        let own = x.size(x.shape().len() - 1);
        if own == side {
            return x.clone();
        }
        let weights = bilinear_weights(own, side, align);
        self.sandwich(x, &weights, &weights)
    }

    /// A square map at another size: bilinear with aligned corners where it grows, block means where it shrinks.
    pub fn resized(&self, x: &Value, side: usize) -> Value {
        let own = x.size(x.shape().len() - 1);
        if own > side { self.block_means(x, own / side) } else { self.bilinear(x, side, Align::Corners) }
    }

    /// Means over blocks of cells; those at the far edges may be smaller.
    pub fn block_means(&self, x: &Value, block: usize) -> Value {
        let weights = block_weights(x.size(x.shape().len() - 1), block);
        self.sandwich(x, &weights, &weights)
    }

    /// A map [B, C, h, h] at `side` x `side` cells, each that of the nearest place: `floor(i h / side)`, in float32 as libtorch has it.
    pub fn nearest(&self, x: &Value, side: usize) -> Value {
        let own = x.size(2);
        if own == side {
            return x.clone();
        }
        let scale = own as f32 / side as f32;
        let places: Vec<i64> = (0..side).map(|i| ((i as f32 * scale) as usize).min(own - 1) as i64).collect();
        self.places(x, &places, &places)
    }

    /// The rows and columns of a map [.., h, w] that are named.
    pub fn places(&self, x: &Value, rows: &[i64], columns: &[i64]) -> Value {
        let rank = x.shape().len();
        self.gather(&self.gather(x, &self.whole(rows), rank - 2), &self.whole(columns), rank - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::eval;

    fn product(down: &Tensor, map: &Map, across: &Tensor) -> Vec<f64> {
        let (h, w) = (map.height, map.width);
        let mut out = vec![];
        for row in down.data.chunks_exact(h) {
            for column in across.data.chunks_exact(w) {
                let cell = |i: usize| f64::from(row[i / w]) * f64::from(map.data[i]) * f64::from(column[i % w]);
                out.push((0..h * w).map(cell).sum());
            }
        }
        out
    }

    #[test]
    fn the_matrices_scale_and_smooth_as_the_evaluation_does() {
        let map = Map::from_vec(5, 7, (0..35).map(|i| (i as f32 * 0.7).sin()).collect());
        for (width, height, sigma, align_corners) in [(31, 40, 0.0, true), (31, 40, 1.5, false), (9, 8, 4.0, true), (5, 7, 2.0, false)] {
            let cfg = config_of(sigma, align_corners);
            let wanted = eval::full(&map, width, height, &cfg);
            let weights = |from, to| smoothed_weights(&bilinear_weights(from, to, Align::from(align_corners)), sigma);
            let got = product(&weights(7, height), &map, &weights(5, width));
            for (a, b) in got.iter().zip(&wanted.data) {
                assert!((a - f64::from(*b)).abs() < 1e-6, "{width}x{height}: {a} {b}");
            }
        }
    }

    fn config_of(sigma: f64, align_corners: bool) -> crate::config::Eval {
        crate::config::Eval { gaussian_sigma: sigma, align_corners, ..Config::default().eval }
    }

    #[test]
    fn blocks_that_do_not_fit_are_averaged_over_what_is_there() {
        assert_eq!(block_weights(5, 2).data, [0.5, 0.5, 0., 0., 0., 0., 0., 0.5, 0.5, 0., 0., 0., 0., 0., 1.]);
    }
}
