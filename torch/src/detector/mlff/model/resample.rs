//! Maps at another size; and the 3x3 convolution of a bilinearly upsampled map, without the upsampled map.
//!
//! Convolution and interpolation are both linear: `conv(up(x)) = sum over taps t of shift_t(up(W_t x))`. The taps' 1x1
//! convolutions run at the map's own, coarse size; what remains, interpolation with shifts, is separable and is two small
//! batched products. From 8x8 to 32x32 that is a sixteenth of the multiplications, and more from 16x16 to 64x64.

use tch::{Device, Kind, Tensor};

use crate::nn::conv::Conv2d;

/// `x` [B, C, h, w] at `side` x `side` cells: bilinear with aligned corners where it grows, block means where it shrinks.
/// `side` is a multiple or a divisor of the map's own side.
pub fn resize(x: &Tensor, side: i64) -> Tensor {
    let own = x.size()[2];
    match own.cmp(&side) {
        std::cmp::Ordering::Equal => x.shallow_clone(),
        std::cmp::Ordering::Less => x.upsample_bilinear2d([side, side], true, None, None),
        std::cmp::Ordering::Greater => x.avg_pool2d([own / side; 2], [own / side; 2], [0, 0], false, true, None),
    }
}

/// The 3x3 convolution with padding 1 by `weight` [Cout, Cin, 3, 3], without bias, of the square `x` [B, Cin, h, h] brought
/// to `side` x `side` cells (bilinear, corners aligned): [B, Cout, side, side] f32. The taps are computed in the precision of `conv`.
pub fn convolve(conv: &Conv2d, weight: &Tensor, x: &Tensor, side: i64) -> Tensor {
    let (batch, _, h, _) = x.size4().expect("a map has four dimensions");
    let (cout, cin, _, _) = weight.size4().expect("a kernel has four dimensions");
    let taps = weight.permute([2, 3, 0, 1]).reshape([9 * cout, cin, 1, 1]);
    let mapped = conv.forward_pointwise(x, &taps).to_kind(Kind::Float); // [B, 9 * Cout, h, h]
    let mapped = mapped.permute([0, 2, 3, 1]).reshape([batch, h, h, 3, 3, cout]).permute([0, 3, 1, 4, 2, 5]); // [B, 3, h, 3, h, Cout]
    let bands = shifted_interpolation(h, side, x.device()); // [side, 3 * h]
    let down = bands.expand([batch, side, 3 * h], false);
    let rows = down.bmm(&mapped.reshape([batch, 3 * h, 3 * h * cout])); // [B, side, 3 * h * Cout]
    let across = bands.expand([batch * side, side, 3 * h], false);
    let cells = across.bmm(&rows.view([batch * side, 3 * h, cout])); // [B * side, side, Cout]
    cells.view([batch, side, side, cout]).permute([0, 3, 1, 2])
}

/// Interpolation weights from `own` to `side` cells as seen by each of three taps, zero beyond the border: [side, 3 * own].
fn shifted_interpolation(own: i64, side: i64, device: Device) -> Tensor {
    let units = Tensor::eye(own, (Kind::Float, device)).unsqueeze(0); // [1, own, own]
    let weights = units.upsample_linear1d([side], true, None).squeeze_dim(0).tr().constant_pad_nd([0, 0, 1, 1]); // [side + 2, own]
    Tensor::cat(&[weights.narrow(0, 0, side), weights.narrow(0, 1, side), weights.narrow(0, 2, side)], 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::conv::ConvShape;
    use harness::config::Precision;

    fn wave(shape: &[i64], pace: f64) -> Tensor {
        (Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu)) * pace).sin().to_kind(Kind::Float).reshape(shape)
    }

    #[test]
    fn it_is_the_convolution_of_the_upsampled_map_in_value_and_gradient() {
        for (own, side) in [(1, 4), (2, 8), (4, 8), (3, 12)] {
            let leaf = |shape: &[i64], pace| wave(shape, pace).set_requires_grad(true);
            let (x, weight) = (leaf(&[2, 5, own, own], 0.7), leaf(&[3, 5, 3, 3], 1.3));
            let conv = Conv2d::new(weight.shallow_clone(), None, &ConvShape::new(5, 3, 3), Precision::Fp32);
            let fast = convolve(&conv, &weight, &x, side);
            let slow = conv.forward(&x.upsample_bilinear2d([side, side], true, None, None));
            assert!((&fast - &slow).abs().max().double_value(&[]) < 1e-5, "{own} to {side}");
            let upstream = wave(&[2, 3, side, side], 0.9);
            let gradients = |y: Tensor| Tensor::run_backward(&[(y * &upstream).sum(Kind::Float)], &[&x, &weight], false, false);
            for (a, b) in gradients(fast).iter().zip(gradients(slow)) {
                assert!((a - b).abs().max().double_value(&[]) < 1e-4, "{own} to {side}");
            }
        }
    }
}
