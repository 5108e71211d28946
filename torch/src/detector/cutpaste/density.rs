//! Gaussians of features whose covariance is shrunk, so that it has an inverse where there are fewer samples than features.
//!
//! Moments and factors are computed in f64. A covariance is that of n, as Ledoit and Wolf's formula has it. What is kept, and
//! the distance, is PaDiM's: means and packed Cholesky factors in f32.

use harness::Result;
use harness::config::Shrink;
use tch::{Kind, Tensor};

use crate::detector::padim::{Gaussians, positions_at_once};

/// Rows that are made f64 at a time.
const ROWS: i64 = 1 << 14;

/// Added to the diagonal: below any variance of features of length 1, and what is left where nothing varies, or where Ledoit and
/// Wolf's share is 0 although there are fewer samples than features (two samples).
const FLOOR: f64 = 1e-10;

/// What shrinking needs to know of samples, all f64.
#[derive(Debug)]
pub struct Moments {
    /// `[D]`
    pub mean: Tensor,
    /// [D, D], over n.
    pub covariance: Tensor,
    /// The mean of `|x - mean|^4`.
    pub fourth: f64,
    /// n.
    pub samples: i64,
}

impl Moments {
    /// Of samples [n, D], n at least 1.
    pub fn of(samples: &Tensor) -> Self {
        let (n, d) = samples.size2().expect("samples are [n, D]");
        let parts = || (0..n).step_by(ROWS as usize).map(|first| samples.narrow(0, first, ROWS.min(n - first)).to_kind(Kind::Double));
        let on = (Kind::Double, samples.device());
        let mean =
            parts().fold(Tensor::zeros([d], on), |sum, x| sum + x.sum_dim_intlist([0i64].as_slice(), false, None::<Kind>)) / n as f64;
        let (mut scatter, mut fourth) = (Tensor::zeros([d, d], on), Tensor::zeros([0i64; 0], on));
        for part in parts() {
            let apart = part - &mean; // [rows, D]
            scatter += apart.tr().matmul(&apart);
            fourth += apart.square().sum_dim_intlist([1i64].as_slice(), false, None::<Kind>).square().sum(Kind::Double);
        }
        Self { mean, covariance: scatter / n as f64, fourth: fourth.double_value(&[]) / n as f64, samples: n }
    }

    /// Ledoit and Wolf's share of the identity, 0..=1 (*A well-conditioned estimator for large-dimensional covariance matrices*,
    /// 2004): with S the covariance, `d2 = |S - m I|^2`, `b2 = (mean |x|^4 - |S|^2) / n`, the share is `min(b2, d2) / d2`.
    /// 0 where S is a multiple of the identity already.
    pub fn ledoit_wolf(&self) -> f64 {
        let d = self.mean.size()[0] as f64;
        let (size, m) = (self.covariance.square().sum(Kind::Double).double_value(&[]), self.scale());
        let (d2, b2) = (size - d * m * m, (self.fourth - size) / self.samples as f64);
        let bounded = b2.min(d2);
        if bounded <= 0.0 { 0.0 } else { bounded / d2 }
    }

    /// m, the mean variance of a feature.
    fn scale(&self) -> f64 {
        self.covariance.trace().double_value(&[]) / self.mean.size()[0] as f64
    }

    /// The covariance that has an inverse, [D, D].
    pub fn shrunk(&self, shrink: Shrink) -> Tensor {
        let identity = Tensor::eye(self.mean.size()[0], (Kind::Double, self.mean.device()));
        match shrink {
            Shrink::Eps(eps) => &self.covariance + identity * eps,
            Shrink::By(_) => {
                let share = self.ledoit_wolf();
                &self.covariance * (1.0 - share) + identity * (share * self.scale())
            }
        }
    }
}

/// A Gaussian of each group of features [n, G, D]; `between` is asked before each.
///
/// # Errors
/// What `between` returns.
pub fn fit(features: &Tensor, shrink: Shrink, between: &mut dyn FnMut() -> Result<()>) -> Result<Gaussians> {
    let (_, groups, d) = features.size3().expect("features are [n, G, D]");
    let on = features.device();
    let lower = Tensor::tril_indices(d, d, 0, (Kind::Int64, on));
    let lower = lower.get(0) * d + lower.get(1); // [D (D + 1) / 2]
    let floor = Tensor::eye(d, (Kind::Double, on)) * FLOOR;
    let (mut means, mut factors) = (vec![], vec![]);
    for group in 0..groups {
        between()?;
        let moments = Moments::of(&features.select(1, group));
        let factor = (moments.shrunk(shrink) + &floor).linalg_cholesky(false).reshape([-1]).index_select(0, &lower);
        means.push(moments.mean.to_kind(Kind::Float));
        factors.push(factor.to_kind(Kind::Float));
    }
    Ok(Gaussians::new(Tensor::stack(&means, 0), Tensor::stack(&factors, 0)))
}

/// `(x - mean)' C^-1 (x - mean)`, `[B, P]` f32, of features [B, P, D]: by the Gaussian of each position, or the only one.
pub fn distances(gaussians: &Gaussians, features: &Tensor) -> Tensor {
    let (batch, positions, d) = features.size3().expect("features are [B, P, D]");
    let at_once = positions_at_once(d);
    let roots = match gaussians.mean.size()[0] {
        1 => gaussians.distance(&features.reshape([batch * positions, d, 1]), at_once).view([batch, positions]),
        _ => gaussians.distance(&features.transpose(1, 2), at_once),
    };
    roots.square()
}
