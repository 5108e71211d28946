//! The detectors: their mathematics against slow twins, and themselves on procedural images.

mod behaviour;
mod coreset;
mod cutpaste;
mod fcdd;
mod gaussian;
mod memory;
mod patch;
mod psvdd;
mod rd;
mod supersimplenet;
mod trained;
mod us;

use harness::seed::stream;
use rand::RngExt;
use tch::{Kind, Tensor};

/// Tests run side by side, each on one core. To be called first: the setting belongs to the calling thread.
pub fn one_thread() {
    tch::set_num_threads(1);
}

/// Numbers of a roughly normal distribution, f32.
pub fn noise(shape: &[i64], seed: u64) -> Tensor {
    let mut draws = stream(seed, "test", 0, 0);
    let count = shape.iter().product::<i64>();
    let one = |_| (0..4).map(|_| draws.random_range(-1.0..1.0f32)).sum::<f32>();
    Tensor::from_slice(&(0..count).map(one).collect::<Vec<f32>>()).reshape(shape)
}

/// Row-major values in f64.
pub fn values(x: &Tensor) -> Vec<f64> {
    Vec::try_from(x.to_kind(Kind::Double).contiguous().view(-1)).unwrap()
}

/// The rows of a matrix in f64.
pub fn rows(x: &Tensor) -> Vec<Vec<f64>> {
    (0..x.size()[0]).map(|i| values(&x.get(i))).collect()
}

pub fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

pub fn never() -> impl FnMut() -> harness::Result<()> {
    || Ok(())
}
