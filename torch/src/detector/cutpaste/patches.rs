//! From an image to its patches, and from their scores to a map.

use tch::{Device, Kind, Tensor};

/// All patches of side `window` px, `stride` px apart, of an image `x` [3, S, S]: [P, 3, window, window], row by row.
pub fn windows(x: &Tensor, window: i64, stride: i64) -> Tensor {
    let cut = x.unfold(1, window, stride).unfold(2, window, stride); // [3, p, p, window, window]
    cut.permute([1, 2, 0, 3, 4]).reshape([-1, 3, window, window])
}

/// What spreads the scores of patches over their pixels: a Gaussian as large as a patch, `[1, 1, window, window]`, which sums
/// to stride^2, so that in the middle of an image a map of equal scores keeps their value.
pub fn kernel(window: i64, stride: i64, sigma: f64, device: Device) -> Tensor {
    let place = Tensor::arange(window, (Kind::Double, Device::Cpu)) - (window - 1) as f64 / 2.0;
    let line = (place.square() / (-2.0 * sigma * sigma)).exp();
    let line = &line / line.sum(Kind::Double) * stride as f64;
    line.outer(&line).to_kind(Kind::Float).view([1, 1, window, window]).to_device(device)
}

/// Scores `[B, p, p]` of patches to maps [B, S, S], `S = (p - 1) stride + window`: each pixel is the sum over the patches that
/// hold it of score times kernel (a transposed convolution, as in FCDD). At the border fewer patches hold it: it is darker.
pub fn spread(scores: &Tensor, kernel: &Tensor, stride: i64) -> Tensor {
    scores.unsqueeze(1).conv_transpose2d(kernel, None::<&Tensor>, [stride; 2], [0, 0], [0, 0], 1, [1, 1]).squeeze_dim(1)
}
