//! The consistency constraint, Eqs. (6) and (7): patches that look alike should score alike.
//!
//! P and Q are the Euclidean distances between the patches of one image in features and in scores; the loss is the mean
//! row-wise KL divergence of their softmaxes (cross-image relational distillation, Yang et al. 2022, has the same form).
//! Cost: K^2 distances an image for K patches, from a float64 Gram matrix: as exact as differences in float32, without
//! their K^2 D values. `across_images` needs (B K)^2 of them.

use harness::config::{self, ConsistencyScope, Detach, DistanceNormalize, KlDirection, PatchRepr, Similarity};
use harness::{Error, Result};
use tch::{Kind, Tensor};

use super::maps::{mean_of_counted, real, sizes, sum};

/// Logit of a patch that is not a candidate. Finite, because 0 times a difference of infinities would be NaN.
const CLOSED: f64 = -1e9;

/// A squared distance below this part of the greatest squared norm is rounding of the Gram matrix: the distance is 0.
/// That is a distance of 1e-7 of the norm, the resolution of float32.
const ZERO: f64 = 1e-14;

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
/// A patch that does not divide the map, or a mask that is not a whole multiple of it.
pub fn consistency(f: &Tensor, z: &Tensor, mask: &Tensor, cfg: &config::Consistency) -> Result<(Tensor, RowEntropies)> {
    let valid = valid_patches(f, mask, cfg)?; // [B, K]
    let f = real(f);
    let f = match cfg.detach {
        Detach::None => f,
        Detach::Features => f.detach(),
    };
    let (f, z) = (patches(&f, cfg), patches(&real(z), cfg)); // [B, K, D], [B, K, D']
    // An empty batch stays zero groups of K patches: one group of zero patches has no greatest norm.
    let (f, z, valid) = match cfg.across_images && valid.size()[0] > 0 {
        false => (f, z, valid),
        true => (f.flatten(0, 1).unsqueeze(0), z.flatten(0, 1).unsqueeze(0), valid.flatten(0, 1).unsqueeze(0)),
    };
    let closed = closed_columns(&valid, f.kind(), cfg); // [G, 1 or K, K]
    let log_p = log_softmax_rows(&Distances::new(&f), &valid, &closed, cfg); // [G, K, K]
    let log_q = log_softmax_rows(&Distances::new(&z), &valid, &closed, cfg);
    let (p, q) = (log_p.exp(), log_q.exp());
    let divergence = match cfg.kl {
        KlDirection::QP => &q * (&log_q - &log_p),
        KlDirection::PQ => &p * (&log_p - &log_q),
    };
    let kl = divergence.sum_dim_intlist([2].as_slice(), false, None); // [G, K]
    let entropies = tch::no_grad(|| RowEntropies { features: entropy(&p, &log_p, &valid, cfg), scores: entropy(&q, &log_q, &valid, cfg) });
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
            format!("the mask of {height} x {width} px is not a whole multiple of the feature map of {h} x {w} cells"),
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

/// Euclidean distances between the patches of each group, as `scale` times `relative`.
struct Distances {
    /// [G, K, K], at most 2; a distance of 0 has gradient 0.
    relative: Tensor,
    /// The power of two at or above the greatest norm of a patch, [G, 1, 1], without gradient.
    scale: Tensor,
}

impl Distances {
    /// Of patches x [G, K, D], in the kind of x. What costs here is passes over float64 memory, so there are few.
    fn new(x: &Tensor) -> Self {
        let x64 = x.to_kind(Kind::Double);
        let fixed = x64.detach();
        let norms = (&x64 * &fixed).sum_dim_intlist([2].as_slice(), true, None); // [G, K, 1], with half the gradient
        let norms = &norms * 2.0 - norms.detach(); // the same value, with the whole of it
        // Scaling by a power of two is exact: no patch changes the rounding of the others' distances.
        let scale = (norms.detach().amax([1].as_slice(), true).clamp_min(1e-200).log2() * 0.5).ceil().exp2(); // [G, 1, 1]
        let unit = scale.square().reciprocal();
        // |a|^2 + |b|^2 - 2 a b in that unit; only the first of each pair gets a gradient here,
        let sums = &norms * &unit + (norms.detach() * &unit).transpose(1, 2); // [G, K, K]
        let squares = sums.baddbmm(&x64, &(fixed * (unit * -2.0)).transpose(1, 2), 1.0, 1.0);
        // Below the threshold it is a constant: that has no gradient, and is as good as 0 after the root.
        let relative = squares.to_kind(x.kind()).threshold(ZERO, 1e-36).sqrt();
        // and the second gets its own by adding a zero: the matrix is symmetric, so this saves one product of three.
        let transposed = relative.transpose(1, 2);
        Self { relative: &relative + (&transposed - transposed.detach()), scale: scale.to_kind(x.kind()) }
    }
}

/// Row-wise log-softmax of the similarities [G, K, K]; closed [G, 1 or K, K] is added to the logits.
fn log_softmax_rows(distances: &Distances, valid: &Tensor, closed: &Tensor, cfg: &config::Consistency) -> Tensor {
    let sign = match cfg.similarity {
        Similarity::NegDistance => -1.0,
        Similarity::Distance => 1.0,
    };
    let unit = match cfg.normalize {
        DistanceNormalize::None => &distances.scale * (sign / cfg.tau),
        DistanceNormalize::MeanDistance => mean_distance(&distances.relative, valid).reciprocal() * (sign / cfg.tau),
    };
    (&distances.relative * unit + closed).log_softmax(2, None)
}

/// Mean distance between two different valid patches, [G, 1, 1], with its gradient; not 0 where all are equal.
fn mean_distance(distances: &Tensor, valid: &Tensor) -> Tensor {
    let v = valid.to_kind(distances.kind());
    let n = v.sum_dim_intlist([1].as_slice(), false, None).reshape([-1, 1, 1]);
    let pairs = (&n * (&n - 1.0)).clamp_min(1.0);
    let sum = (distances * v.unsqueeze(2) * v.unsqueeze(1)).sum_dim_intlist([1, 2].as_slice(), true, None);
    // Equal patches have distances of 1e-18: relative to 1e-6 they stay 0.
    (sum / pairs).clamp_min(1e-6)
}

/// Mean over an image's valid rows, then over the images with at least two: [G, K] -> [].
fn mean_over_rows(rows: &Tensor, valid: &Tensor) -> Tensor {
    let v = valid.to_kind(rows.kind());
    let n = sum(&v, &[1]); // [G]
    mean_of_counted(&(sum(&(rows * v), &[1]) / n.clamp_min(1.0)), &n.ge(2.0).to_kind(Kind::Double))
}

/// Mean row entropy of probabilities p [G, K, K] relative to the uniform distribution over the candidates: 0-dimensional.
fn entropy(p: &Tensor, log_p: &Tensor, valid: &Tensor, cfg: &config::Consistency) -> Tensor {
    let own = if cfg.exclude_diagonal { 1.0 } else { 0.0 };
    let choices = valid.to_kind(p.kind()).sum_dim_intlist([1].as_slice(), true, None) - own; // [G, 1]
    let nats = -(p * log_p).sum_dim_intlist([2].as_slice(), false, None); // [G, K]
    // One candidate has entropy 0, whatever it is divided by.
    mean_over_rows(&(nats / choices.clamp_min(2.0).log()), valid)
}
