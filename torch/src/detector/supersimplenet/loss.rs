//! The losses of the map and of the image score, from logits.

use tch::{Kind, Tensor};

/// How far on its own side of 0 a cell's logit has to be (SimpleNet, Liu et al. 2023, Eq. (7)).
const MARGIN: f64 = 0.5;
/// Focusing parameter of the focal loss (Lin et al. 2017, Eq. (4)); 2 there, 4 in DeSTSeg and SuperSimpleNet.
const FOCUS: f64 = 4.0;

/// The mean over normal cells of what a logit lies above -0.5, and the mean over anomalous ones of what it lies below 0.5. A class
/// without cells adds 0. `logits` and `labels` (1 = anomalous) have one shape; the result has none, f64.
pub fn hinge(logits: &Tensor, labels: &Tensor) -> Tensor {
    let (logits, labels) = (logits.to_kind(Kind::Double), labels.to_kind(Kind::Double));
    let mean = |short: Tensor, members: &Tensor| (short.relu() * members).sum(Kind::Double) / members.sum(Kind::Double).clamp_min(1.0);
    mean(&logits + MARGIN, &(1.0 - &labels)) + mean(MARGIN - &logits, &labels)
}

/// The focal loss without class weights: the mean of `-(1 - p)^4 ln p`, p the probability of the true class. Of any shape.
pub fn focal(logits: &Tensor, labels: &Tensor) -> Tensor {
    let (logits, labels) = (logits.to_kind(Kind::Double), labels.to_kind(Kind::Double));
    let towards_truth = logits * (labels * 2.0 - 1.0);
    let wrong = (-&towards_truth).sigmoid();
    (wrong.pow_tensor_scalar(FOCUS) * -towards_truth.log_sigmoid()).mean(Kind::Double)
}
