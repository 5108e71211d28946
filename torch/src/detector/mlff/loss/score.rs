//! The score constraint, Eq. (5), first term; `pair` has the second.
//!
//! `l_s = mean_normal max(0, S - gamma) + pair term`. Both take scores after [`activate`], which the detector applies too.

use harness::config::Activation;
use tch::Tensor;

use super::maps::{real, sum};

/// The activation of scores, on the map as the network gives it, before any upsampling; any shape.
pub fn activate(scores: &Tensor, activation: Activation) -> Tensor {
    let scores = real(scores);
    match activation {
        Activation::Identity => scores,
        Activation::Abs => scores.abs(),
        Activation::Softplus => scores.softplus(),
    }
}

/// Mean over the batch's normal pixels of `max(0, s - gamma)`: at least 0, and 0 if there is no normal pixel.
/// `s` and `mask`: [B, 1, H, W].
pub fn normal_hinge(s: &Tensor, mask: &Tensor, gamma: f64) -> Tensor {
    let s = real(s);
    let normal = mask.le(0.5).to_kind(s.kind());
    let all = [0, 1, 2, 3];
    sum(&((s - gamma).relu() * &normal), &all) / sum(&normal, &all).clamp_min(1.0)
}
