//! The consistency constraint, Eqs. (6) and (7): patches that look alike should score alike.
//!
//! P and Q are the Euclidean distances between the patches of one image in features and in scores; the loss is the mean
//! row-wise KL divergence of their softmaxes (cross-image relational distillation, Yang et al. 2022, has the same form).
//! Cost: K^2 distances an image for K patches, from a float64 Gram matrix: as exact as differences in float32, without
//! their K^2 D values. `across_images` needs (B K)^2 of them.

use harness::config::{self, ConsistencyScope, Detach, DistanceNormalize, KlDirection, PatchRepr, Similarity};
use harness::{Error, Result};
use tch::{Kind, Tensor};

use super::{mean_of_counted, real, sizes, sum};

/// Logit of a patch that is no candidate. Finite, because 0 times a difference of infinities would be NaN.
const CLOSED: f64 = -1e9;

/// A squared distance below this part of the squared norms is rounding of the Gram matrix: the distance is 0.
const ZERO_PART: f64 = 1e-13;

/// Squared distances below this are 0 in any case: the square root's gradient stays finite in float32.
const ZERO: f64 = 1e-30;

/// Mean entropy of the rows of both softmaxes as a part of the greatest possible, 0..=1; detached, 0-dimensional.
/// Near 0 a row has collapsed onto one patch and the loss no longer teaches anything.
#[derive(Debug)]
pub struct RowEntropies {
    pub features: Tensor,
    pub scores: Tensor,
}

/// The consistency constraint of features `f` [B, C, h, w] and raw scores `z` [B, 1, h, w]: at least 0.
///
/// A patch is normal if no anomalous pixel of `mask` [B, 1, H, W] lies in its part of the input. Rows and columns of other
/// patches take no part, not even in the gradient. Images with fewer than two patches left are skipped; 0 if none is left.
///
/// # Errors
/// A patch that does not divide the map, or a mask that is no whole multiple of it.
pub fn consistency(f: &Tensor, z: &Tensor, mask: &Tensor, cfg: &config::Consistency) -> Result<(Tensor, RowEntropies)> {
    let valid = valid_patches(f, mask, cfg)?; // [B, K]
    let f = real(f);
    let f = match cfg.detach {
        Detach::None => f,
        Detach::Features => f.detach(),
    };
    let (f, z) = (patches(&f, cfg), patches(&real(z), cfg)); // [B, K, D], [B, K, D']
    let (f, z, valid) = match cfg.across_images {
        false => (f, z, valid),
        true => (f.flatten(0, 1).unsqueeze(0), z.flatten(0, 1).unsqueeze(0), valid.flatten(0, 1).unsqueeze(0)),
    };
    let closed = closed_columns(&valid, f.kind(), cfg); // [G, 1 or K, K]
    let p = log_softmax_rows(&distances(&f, &valid), &valid, &closed, cfg); // [G, K, K]
    let q = log_softmax_rows(&distances(&z, &valid), &valid, &closed, cfg);
    let (from, to) = match cfg.kl {
        KlDirection::QP => (&q, &p),
        KlDirection::PQ => (&p, &q),
    };
    let kl = (from.exp() * (from - to)).sum_dim_intlist([2].as_slice(), false, None); // [G, K]
    let entropies = tch::no_grad(|| RowEntropies { features: entropy(&p, &valid, cfg), scores: entropy(&q, &valid, cfg) });
    Ok((mean_over_rows(&kl, &valid), entropies))
}

/// Cuts a map [B, C, h, w] into non-overlapping patches: [B, K, ph pw C], or their means [B, K, C].
fn patches(map: &Tensor, cfg: &config::Consistency) -> Tensor {
    let ([b, c, h, w], [ph, pw]) = (sizes(map), cfg.patch);
    let (rows, columns) = (h / ph, w / pw);
    let cut = map.reshape([b, c, rows, ph, columns, pw]);
    match cfg.patch_repr {
        // The order within a patch doesn't matter; this one copies long runs where the map is channels-last.
        PatchRepr::Flatten => cut.permute([0, 2, 4, 3, 5, 1]).reshape([b, rows * columns, ph * pw * c]),
        PatchRepr::Mean => cut.mean_dim([3, 5].as_slice(), false, None).permute([0, 2, 3, 1]).reshape([b, rows * columns, c]),
    }
}

/// Which patches take part, bool [B, K].
fn valid_patches(f: &Tensor, mask: &Tensor, cfg: &config::Consistency) -> Result<Tensor> {
    let ([_, _, h, w], [b, _, height, width], [ph, pw]) = (sizes(f), sizes(mask), cfg.patch);
    if h % ph != 0 || w % pw != 0 {
        return Err(Error::config(
            format!("loss.consistency.patch = [{ph}, {pw}] does not divide the feature map of {h} x {w} cells"),
            "choose a patch that divides it, or another data.size or model.fusion.stride",
        ));
    }
    if height % h != 0 || width % w != 0 {
        return Err(Error::config(
            format!("the mask of {height} x {width} px is no whole multiple of the feature map of {h} x {w} cells"),
            "choose a data.size that is a multiple of model.fusion.stride",
        ));
    }
    let cell = [height / h * ph, width / w * pw]; // px of one patch
    let normal = |anomalous: Tensor| anomalous.le(0.5);
    let mask = real(mask);
    let patches = normal(mask.max_pool2d(cell, cell, [0, 0], [1, 1], false)).reshape([b, h / ph * (w / pw)]); // [B, K]
    Ok(match cfg.scope {
        ConsistencyScope::NormalPatches => patches,
        ConsistencyScope::NormalImages => patches.logical_and(&normal(mask.amax([1, 2, 3].as_slice(), false)).unsqueeze(1)),
    })
}

/// What is added to the logits: 0 for the columns that a row may put weight on, [`CLOSED`] for the others.
/// [G, 1, K], or [G, K, K] without the diagonal. A closed column has probability 0 exactly, and so has its gradient.
fn closed_columns(valid: &Tensor, kind: Kind, cfg: &config::Consistency) -> Tensor {
    let open = valid.to_kind(kind).unsqueeze(1);
    let open = match cfg.exclude_diagonal {
        false => open,
        true => open * (1.0 - Tensor::eye(valid.size()[1], (kind, valid.device()))),
    };
    (1.0 - open) * CLOSED
}

/// Euclidean distances between the valid rows of x [G, K, D]: [G, K, K], in the kind of x.
/// A distance of 0 has gradient 0; entries of other rows carry no meaning and no gradient.
///
/// Masks are multiplied in rather than filled in: on the CPU that is ten times faster.
fn distances(x: &Tensor, valid: &Tensor) -> Tensor {
    let v = valid.to_kind(Kind::Double).unsqueeze(2); // [G, K, 1]
    // Distances don't change under a common shift; without the common part there is less to cancel.
    let x64 = x.to_kind(Kind::Double) * &v;
    let number = v.sum_dim_intlist([1].as_slice(), true, None).clamp_min(1.0); // [G, 1, 1]
    let x64 = (&x64 - x64.detach().sum_dim_intlist([1].as_slice(), true, None) / number) * &v;
    // Only the first of a pair gets a gradient here ...
    let norms = (&x64 * &x64).sum_dim_intlist([2].as_slice(), true, None); // [G, K, 1]
    let sums = &norms + norms.detach().transpose(1, 2); // [G, K, K]
    let squares: Tensor = &sums - x64.bmm(&x64.detach().transpose(1, 2)) * 2.0;
    let apart = squares.detach().gt_tensor(&(sums.detach() * ZERO_PART).clamp_min(ZERO)).to_kind(x.kind());
    // An entry that is 0 becomes sqrt(1) * 0: no infinite gradient is ever formed.
    let masked: Tensor = squares.to_kind(x.kind()) * &apart + (1.0 - &apart);
    let distances = masked.sqrt() * &apart;
    // ... and the second gets its own here, by adding a zero: the matrix is symmetric, so this saves one of three products.
    let transposed = distances.transpose(1, 2);
    &distances + (&transposed - transposed.detach())
}

/// Row-wise log-softmax of the similarities: distances [G, K, K], closed [G, 1 or K, K] -> [G, K, K].
fn log_softmax_rows(distances: &Tensor, valid: &Tensor, closed: &Tensor, cfg: &config::Consistency) -> Tensor {
    let sign = match cfg.similarity {
        Similarity::NegDistance => -1.0,
        Similarity::Distance => 1.0,
    };
    let scaled = match cfg.normalize {
        DistanceNormalize::None => distances * (sign / cfg.tau),
        DistanceNormalize::MeanDistance => distances * (sign / cfg.tau) / mean_distance(distances, valid),
    };
    (scaled + closed).log_softmax(2, None)
}

/// Mean distance between two different valid patches, [G, 1, 1], with its gradient; tiny, not 0, where all are equal.
fn mean_distance(distances: &Tensor, valid: &Tensor) -> Tensor {
    let v = valid.to_kind(distances.kind());
    let n = v.sum_dim_intlist([1].as_slice(), false, None).reshape([-1, 1, 1]);
    let pairs = (&n * (&n - 1.0)).clamp_min(1.0);
    (distances * v.unsqueeze(2) * v.unsqueeze(1)).sum_dim_intlist([1, 2].as_slice(), true, None).clamp_min(1e-30) / pairs
}

/// Mean over an image's valid rows, then over the images with at least two: [G, K] -> [].
fn mean_over_rows(rows: &Tensor, valid: &Tensor) -> Tensor {
    let v = valid.to_kind(rows.kind());
    let n = sum(&v, &[1]); // [G]
    mean_of_counted(&(sum(&(rows * v), &[1]) / n.clamp_min(1.0)), &n.ge(2.0).to_kind(Kind::Double))
}

/// Mean row entropy of log-probabilities [G, K, K] relative to the uniform distribution over the candidates: 0-dimensional.
fn entropy(log: &Tensor, valid: &Tensor, cfg: &config::Consistency) -> Tensor {
    let own = if cfg.exclude_diagonal { 1.0 } else { 0.0 };
    let choices = valid.to_kind(log.kind()).sum_dim_intlist([1].as_slice(), true, None) - own; // [G, 1]
    let nats = -(log.exp() * log).sum_dim_intlist([2].as_slice(), false, None); // [G, K]
    // One candidate has entropy 0, whatever it is divided by.
    mean_over_rows(&(nats / choices.clamp_min(2.0).log()), valid)
}
