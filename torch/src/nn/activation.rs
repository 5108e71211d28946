//! Activations that tch has only in part.

use tch::Tensor;

/// Leaky ReLU with a slope of its own below zero; tch's has 0.01.
pub fn leaky_relu(x: &Tensor, slope: f64) -> Tensor {
    x.prelu(&Tensor::full([1], slope, (x.kind(), x.device())))
}
