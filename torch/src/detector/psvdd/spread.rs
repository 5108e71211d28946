//! From a value a patch to a value a pixel: the mean of the values of the patches that hold the pixel.

use tch::{Device, Kind, Tensor};

use super::network::Patch;

/// [S, g]: the share that each patch of a row of patches has in each of `size` pixels.
///
/// Rows and columns are alike, and as many patches hold a pixel as hold its row times as hold its column: a map [g, g] of patches
/// is spread by this matrix from the left and its transpose from the right.
pub fn shares(patch: Patch, size: i64, device: Device) -> Tensor {
    let (side, stride, grid) = (patch.side(), patch.stride(), patch.grid(size));
    let holds = |pixel: i64, place: i64| (place * stride..place * stride + side).contains(&pixel);
    let cells: Vec<f32> = (0..size)
        .flat_map(|pixel| {
            let holders = (0..grid).filter(|&place| holds(pixel, place)).count();
            (0..grid).map(move |place| if holds(pixel, place) { 1.0 / holders as f32 } else { 0.0 })
        })
        .collect();
    Tensor::from_slice(&cells).view([size, grid]).to_kind(Kind::Float).to_device(device)
}

/// Values [B, g, g] of patches to values [B, S, S] of pixels, by the `shares` [S, g] of the patches.
pub fn spread(values: &Tensor, shares: &Tensor) -> Tensor {
    shares.matmul(values).matmul(&shares.tr())
}
