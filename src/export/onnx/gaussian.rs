//! Distances to Gaussians that are kept as packed Cholesky factors.
//!
//! ONNX has no triangular solve: the factors L are inverted here, in f64, and `|L^-1 (x - mean)|` is a product. Relative to f64 it is
//! as near as the solve in f32 is: 2e-7 at 100 channels.

use super::graph::Value;
use super::parts::Parts;
use crate::weights::Tensor;
use crate::{Error, Result};

/// Bytes of factors that an ONNX file has room for.
const MOST: usize = 2_000_000_000;

/// Means [P, d, 1] and inverse factors [P, d, d], from `<name>.mean` [P, d] and `<name>.factor` [P, d (d + 1) / 2].
///
/// # Errors
/// Where they are missing, have other shapes, or are too large for a file.
pub fn read(p: &Parts, name: &str) -> Result<(Tensor, Tensor)> {
    let (mean, factor) = (p.values.get(&format!("{name}.mean"))?, p.values.get(&format!("{name}.factor"))?);
    let (groups, d) = match mean.shape[..] {
        [groups, d] if factor.shape == [groups, d * (d + 1) / 2] => (groups, d),
        _ => return Err(Error::environment(format!("`{name}.mean` and `{name}.factor` do not fit"), crate::error::AGAIN)),
    };
    if 4 * groups * d * d > MOST {
        return Err(Error::config(
            format!("{groups} Gaussians of {d} numbers need {:.1} GB, and an ONNX file holds 2 GB", 4e-9 * (groups * d * d) as f64),
            "repeat the run with fewer of them: a smaller data.size, for padim fewer padim.channels, for cutpaste a larger cutpaste.stride",
        ));
    }
    let inverses = factor.data.chunks_exact(d * (d + 1) / 2).flat_map(|packed| inverse(packed, d)).collect();
    Ok((Tensor { shape: vec![groups, d, 1], data: mean.data }, Tensor { shape: vec![groups, d, d], data: inverses }))
}

/// The inverse [d, d] of a lower triangle in packed rows, by forward substitution.
fn inverse(packed: &[f32], d: usize) -> Vec<f32> {
    let row = |i: usize| &packed[i * (i + 1) / 2..][..=i];
    let mut inverse = vec![0.0; d * d];
    for i in 0..d {
        let (done, rest) = inverse.split_at_mut(i * d);
        let current = &mut rest[..d];
        current[i] = 1.0;
        for (k, &factor) in row(i)[..i].iter().enumerate() {
            let factor = f64::from(factor);
            current[..=k].iter_mut().zip(&done[k * d..]).for_each(|(c, above)| *c -= factor * above);
        }
        let scale = 1.0 / f64::from(row(i)[i]);
        current.iter_mut().for_each(|c: &mut f64| *c *= scale);
    }
    inverse.into_iter().map(|v| v as f32).collect()
}

/// Distances [P, 1, 1] of x [P, d, 1] from the Gaussian of each position.
pub fn distances(p: &Parts, x: &Value, mean: Tensor, inverse: Tensor) -> Value {
    let g = p.graph;
    let apart = g.sub(x, &g.constant(mean));
    g.reduce("ReduceL2", &g.matmul(&g.constant(inverse), &apart), &[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_times_its_inverse_is_the_identity() {
        let d = 7;
        let packed: Vec<f32> = (0..d * (d + 1) / 2).map(|i| (i as f32 * 1.3).sin()).collect();
        let full = |i: usize, j: usize| if j > i { 0.0 } else { packed[i * (i + 1) / 2 + j] };
        let packed: Vec<f32> = (0..d).flat_map(|i| (0..=i).map(move |j| if i == j { 2.0 + i as f32 } else { full(i, j) })).collect();
        let full = |i: usize, j: usize| if j > i { 0.0 } else { f64::from(packed[i * (i + 1) / 2 + j]) };
        let inverse = inverse(&packed, d);
        for (i, j) in (0..d).flat_map(|i| (0..d).map(move |j| (i, j))) {
            let product: f64 = (0..d).map(|k| full(i, k) * f64::from(inverse[k * d + j])).sum();
            assert!((product - f64::from(u8::from(i == j))).abs() < 1e-6, "{i} {j}: {product}");
        }
    }
}
