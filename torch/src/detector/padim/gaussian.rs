//! A Gaussian at each position, and the Mahalanobis distance to it.
//!
//! The covariance is that of n - 1 with `eps` added to its diagonal, so that it has an inverse however few images there are.
//! Means, covariances and their Cholesky factors are computed in f64. What stays is f32: the mean and the packed lower
//! triangle of the factor L, d (d + 1) / 2 numbers a position. The distance is `|L^-1 (x - mean)|`, by forward substitution:
//! an inverse is never formed. Its relative error is that of the factor's rounding, about 1e-5 at the condition numbers that
//! eps allows.

use harness::Result;
use tch::{Kind, Tensor};

/// Bytes of scratch that a batch of positions may take.
const SCRATCH: i64 = 1 << 28;

#[derive(Debug)]
pub struct Gaussians {
    /// [P, d]
    pub mean: Tensor,
    /// [P, d (d + 1) / 2], rows of the lower triangles one after the other.
    pub factor: Tensor,
    /// Where each entry of a full `[d, d]` matrix stands in its packed row; what is above the diagonal is never read.
    places: Tensor,
}

impl Gaussians {
    /// Fits to `features` [N, d, P] f32, some positions at a time; `between` is asked before each batch of them.
    ///
    /// # Errors
    /// What `between` returns.
    pub fn fit(features: &Tensor, eps: f64, batch: i64, between: &mut dyn FnMut() -> Result<()>) -> Result<Self> {
        let (n, d, positions) = features.size3().expect("features are [N, d, P]");
        let on = features.device();
        let mean = Tensor::zeros([positions, d], (Kind::Float, on));
        let factor = Tensor::zeros([positions, d * (d + 1) / 2], (Kind::Float, on));
        let triangle = Tensor::tril_indices(d, d, 0, (Kind::Int64, on));
        let triangle = triangle.get(0) * d + triangle.get(1); // [d (d + 1) / 2]
        let ridge = Tensor::eye(d, (Kind::Double, on)) * eps; // [d, d]
        for first in (0..positions).step_by(batch.max(1) as usize) {
            between()?;
            let count = batch.max(1).min(positions - first);
            let x = features.narrow(2, first, count).permute([2, 0, 1]).to_kind(Kind::Double); // [count, N, d]
            let centre = x.mean_dim([1i64].as_slice(), true, Kind::Double); // [count, 1, d]
            let x = x - &centre; // [count, N, d]
            let covariance = x.transpose(1, 2).matmul(&x) / (n - 1).max(1) as f64 + &ridge; // [count, d, d]
            let lower = covariance.linalg_cholesky(false); // [count, d, d]
            mean.narrow(0, first, count).copy_(&centre.squeeze_dim(1));
            factor.narrow(0, first, count).copy_(&lower.reshape([count, d * d]).index_select(1, &triangle));
        }
        Ok(Self::new(mean, factor))
    }

    /// What was fitted before.
    pub fn new(mean: Tensor, factor: Tensor) -> Self {
        let d = mean.size()[1];
        let place = |i: i64| if i % d <= i / d { (i / d) * (i / d + 1) / 2 + i % d } else { 0 };
        let places = Tensor::from_slice(&(0..d * d).map(place).collect::<Vec<_>>()).to_device(mean.device());
        Self { mean, factor, places }
    }

    /// Distances `[B, P]` f32 of `x` [B, d, P], `batch` positions at a time.
    pub fn distance(&self, x: &Tensor, batch: i64) -> Tensor {
        let (_, d, positions) = x.size3().expect("features are [B, d, P]");
        let distances: Vec<Tensor> = (0..positions)
            .step_by(batch.max(1) as usize)
            .map(|first| {
                let count = batch.max(1).min(positions - first);
                let lower = self.factor.narrow(0, first, count).index_select(1, &self.places).view([count, d, d]);
                let mean = self.mean.narrow(0, first, count).unsqueeze(2); // [count, d, 1]
                let apart = x.narrow(2, first, count).permute([2, 1, 0]) - mean; // [count, d, B]
                let white = lower.linalg_solve_triangular(&apart, false, true, false); // [count, d, B]
                white.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Double).sqrt() // [count, B]
            })
            .collect();
        Tensor::cat(&distances, 0).tr().to_kind(Kind::Float).contiguous() // [B, P]
    }
}

/// Positions at a time for `d` channels: three f64 matrices each while fitting.
pub fn positions_at_once(d: i64) -> i64 {
    (SCRATCH / (24 * d * d)).max(1)
}
