//! The feature constraint, Eq. (4): normal features to the centre of a sphere, anomalous ones away from it.
//!
//! `l_f = 1/(2 N1) sum_normal A + 1/(2 N2) sum_anomalous -ln(1 - exp(-A))`, `A = sqrt(|psi|^2 + 1) - 1`: the hypersphere
//! classifier (Ruff et al., "Rethinking assumptions in deep anomaly detection", 2021) with each class weighted by its size.
//! Cost: a dozen passes over the map.

use harness::config::{self, Scope};
use tch::{Kind, Tensor};

use super::maps::{real, sum};

/// Least argument of `-ln(1 - exp(-x))`: it only matters for `eps = 0`, where a distance of 0 would give infinity.
const LEAST: f64 = 1e-37;

/// Distance to the centre `A(psi) = sqrt(|psi|^2 + 1) - 1`, at least 0: psi [B, C, h, w] -> [B, 1, h, w].
///
/// Written as `u / (1 + sqrt(1 + u))`, `u = |psi|^2`: the direct form is 0 in float32 for u below 1.2e-7.
pub fn distance(psi: &Tensor) -> Tensor {
    let psi = real(psi);
    // A product: the gradient of `square` goes through a general power, at several times the cost.
    let u = (&psi * &psi).sum_dim_intlist([1].as_slice(), true, None); // [B, 1, h, w]
    let root: Tensor = (&u + 1.0).sqrt();
    u / (root + 1.0)
}

/// The feature constraint of distances `a` [B, 1, H, W] under `mask` [B, 1, H, W]: at least 0.
///
/// `norm_scope` says where N1 and N2 are counted; with `Image` it is the mean of the images' losses. Where one class is
/// missing the other weighs `single_class_weight` instead of 1/2. An empty batch gives 0.
pub fn feature(a: &Tensor, mask: &Tensor, cfg: &config::Feature) -> Tensor {
    let a = real(a);
    let y = mask.gt(0.5).to_kind(a.kind());
    // Normal pixels are taken out before the logarithm, or 0 times its infinite gradient would be NaN.
    let repelled = (&a + cfg.eps) * &y + (1.0 - &y);
    let dims: &[i64] = match cfg.norm_scope {
        Scope::Batch => &[0, 1, 2, 3],
        Scope::Image => &[1, 2, 3],
    };
    let n2 = sum(&y, dims); // [] or [B]
    let n1 = sum(&(1.0 - &y), dims);
    let both = n1.gt(0.0).logical_and(&n2.gt(0.0)).to_kind(Kind::Double);
    let weight = &both * 0.5 + (1.0 - &both) * cfg.single_class_weight;
    let pull = sum(&(&a * (1.0 - &y)), dims) / n1.clamp_min(1.0);
    let push = sum(&(minus_ln_one_minus_exp_minus(&repelled) * &y), dims) / n2.clamp_min(1.0);
    let loss = weight * (pull + push);
    match cfg.norm_scope {
        Scope::Batch => loss,
        Scope::Image => {
            let images = loss.size()[0].max(1) as f64;
            loss.sum(Kind::Double) / images
        }
    }
}

/// `-ln(1 - exp(-x))` for x >= 0, accurate and with finite gradients over the whole range.
///
/// Each of the two forms gets its argument clamped to its own side of ln 2, so that the one that isn't used has a finite
/// value and gradient: 0 times infinity would be NaN.
fn minus_ln_one_minus_exp_minus(x: &Tensor) -> Tensor {
    let ln2 = std::f64::consts::LN_2;
    let near = (-(-x.clamp(LEAST, ln2)).expm1()).log();
    let far = (-(-x.clamp_min(ln2)).exp()).log1p();
    let is_near = x.detach().lt(ln2).to_kind(x.kind());
    let log: Tensor = near * &is_near + far * (1.0 - is_near);
    -log
}
