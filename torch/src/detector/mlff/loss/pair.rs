//! The pair term of the score constraint, Eq. (5): an anomalous score should exceed a normal one by lambda.
//!
//! For anomalous scores a_j and normal scores n_i, with `t_j = a_j - lambda`, a pair costs `max(0, n_i - t_j)`: it is
//! *active* if `n_i > t_j`. Once it is known how many active pairs a pixel is in, the sum over pairs is linear in the
//! scores, so value and gradient are exact without ever forming the pairs:
//!
//! `sum_pairs = sum_i k_i n_i - sum_j c_j t_j`, `k_i = #{j: t_j < n_i}`, `c_j = #{i: n_i > t_j}`.
//!
//! At ties the gradient is that of the inactive side, as relu'(0) = 0. All in float64.

use harness::config::{self, PairMode, Scope};
use rand::Rng;
use rand::seq::SliceRandom;
use tch::{Kind, Tensor};

use super::maps::{mean_of_counted, sizes};
use super::rank;
use crate::tensors;

/// The pair term of activated scores `s` under `mask`, both [B, 1, H, W]: at least 0, and 0 if a class is missing.
///
/// With `Scope::Image` it is the mean over the images that have both classes. `draw` is read by `PairMode::Random` only:
/// as many disjoint pairs as the smaller class has pixels. Cost: see `rank`.
pub fn pair_hinge(s: &Tensor, mask: &Tensor, cfg: &config::Score, draw: &mut impl Rng) -> Tensor {
    let [images, channels, height, width] = sizes(s);
    let (rows, columns) = match cfg.pair_scope {
        Scope::Batch => (1, images * channels * height * width),
        Scope::Image => (images, channels * height * width),
    };
    let anomalous = mask.gt(0.5).reshape([rows, columns]);
    let y = anomalous.to_kind(Kind::Double);
    // n at normal, t at anomalous pixels
    let x = s.to_kind(Kind::Double).reshape([rows, columns]) - &y * cfg.lambda;
    match cfg.pair_mode {
        PairMode::AllPairs => {
            let weight = tch::no_grad(|| rank::active_pairs(&x, &anomalous));
            let a = y.sum_dim_intlist([1].as_slice(), false, None); // [R]
            let pairs = (columns as f64 - &a) * a;
            mean_over_pairs(&x, &weight, &pairs)
        }
        PairMode::Random => {
            let (weight, pairs) = tch::no_grad(|| random_pairs(&x, &anomalous, draw));
            mean_over_pairs(&x, &weight, &pairs)
        }
        PairMode::Mean => hinge_of_means(&x, &y),
    }
}

/// `sum(weight * x) / pairs` of each row, averaged over the rows that have pairs: x and weight [R, P], pairs [R].
fn mean_over_pairs(x: &Tensor, weight: &Tensor, pairs: &Tensor) -> Tensor {
    // The weights of a row sum to exactly 0, so any shift may be taken from x; its mean removes most of the cancellation.
    let shift = x.detach().sum_dim_intlist([1].as_slice(), true, None) / x.size()[1].max(1) as f64;
    let total = (weight * (x - shift)).sum_dim_intlist([1].as_slice(), false, None); // [R]
    mean_of_counted(&(total / pairs.clamp_min(1.0)), &pairs.gt(0.0).to_kind(Kind::Double))
}

/// `max(0, lambda - (mean a - mean n))` of each row, averaged over the rows with both classes: x and y [R, P].
fn hinge_of_means(x: &Tensor, y: &Tensor) -> Tensor {
    let along = [1].as_slice();
    let a = y.sum_dim_intlist(along, false, None); // [R]
    let normal: Tensor = 1.0 - y;
    let n = normal.sum_dim_intlist(along, false, None);
    let both = a.gt(0.0).logical_and(&n.gt(0.0)).to_kind(Kind::Double);
    let mean_t = (x * y).sum_dim_intlist(along, false, None) / a.clamp_min(1.0);
    let mean_n = (x * normal).sum_dim_intlist(along, false, None) / n.clamp_min(1.0);
    mean_of_counted(&(mean_n - mean_t).relu(), &both)
}

/// Random disjoint pairs of each row, min(Na, Nn) of them: which pixels are in an active one (+1 normal, -1 anomalous,
/// else 0) [R, P], and the number of pairs [R].
///
/// One permutation of the row's pixels orders both classes at random, and the j-th anomalous pixel in that order meets
/// the j-th normal one. Shapes do not depend on values, so nothing waits for a GPU.
fn random_pairs(x: &Tensor, anomalous: &Tensor, draw: &mut impl Rng) -> (Tensor, Tensor) {
    let (rows, columns) = (x.size()[0], x.size()[1]);
    let mut order: Vec<i64> = Vec::with_capacity((rows * columns) as usize);
    for _ in 0..rows {
        let mut row: Vec<i64> = (0..columns).collect();
        row.shuffle(draw);
        order.extend(row);
    }
    let order = tensors::upload(&Tensor::from_slice(&order), x.device()).reshape([rows, columns]);
    let anomalous = anomalous.gather(1, &order, false);
    let half = columns / 2; // no more pairs than that
    // Pixels of one class in their random order, the first `half` of them; column `half` takes those that stay unpaired.
    let first = |class: &Tensor| {
        let place = (class.cumsum(1, Kind::Int64) - 1).where_scalarother(class, half).clamp_max(half);
        Tensor::zeros([rows, half + 1], (Kind::Int64, x.device())).scatter(1, &place, &order).narrow(1, 0, half)
    };
    let (normal_at, anomalous_at) = (first(&anomalous.logical_not()), first(&anomalous)); // [R, P/2] each
    let a = anomalous.to_kind(Kind::Double).sum_dim_intlist([1].as_slice(), false, None); // [R]
    let pairs = a.minimum(&(columns as f64 - &a));
    let paired = Tensor::arange(half, (Kind::Double, x.device())).unsqueeze(0).lt_tensor(&pairs.unsqueeze(1));
    let active = x.gather(1, &normal_at, false).gt_tensor(&x.gather(1, &anomalous_at, false)).logical_and(&paired);
    let active = active.to_kind(Kind::Double);
    let weight = x.zeros_like().scatter_add(1, &normal_at, &active).scatter_add(1, &anomalous_at, &-active);
    (weight, pairs)
}
