//! Transposed convolutions: the maps grow by the stride.

use harness::config::Precision;
use tch::{Kind, Tensor};

use super::conv::kind;
use super::first::First;

/// Sizes of a square transposed convolution, and its first values.
#[derive(Debug, Clone, Copy)]
pub struct TransposeShape {
    pub cin: i64,
    pub cout: i64,
    pub kernel: i64,
    pub stride: i64,
    /// Cells cut off at each side of the output.
    pub pad: i64,
    /// Cells added to the output's lower and right side, less than the stride.
    pub output_pad: i64,
    pub weight: First,
    /// `None` = no bias.
    pub bias: Option<First>,
}

impl TransposeShape {
    /// Nothing cut off or added, no bias, torch's default first values.
    pub fn new(cin: i64, cout: i64, kernel: i64, stride: i64) -> Self {
        Self { cin, cout, kernel, stride, pad: 0, output_pad: 0, weight: First::Uniform, bias: None }
    }

    pub fn pad(self, pad: i64) -> Self {
        Self { pad, ..self }
    }

    pub fn output_pad(self, output_pad: i64) -> Self {
        Self { output_pad, ..self }
    }

    /// With a bias that starts as `first`.
    pub fn bias(self, first: First) -> Self {
        Self { bias: Some(first), ..self }
    }

    /// The weight starts as `first`.
    pub fn first(self, first: First) -> Self {
        Self { weight: first, ..self }
    }
}

/// A transposed convolution: `[B, Cin, H, W]` of any kind to `[B, Cout, H', W']` in the kind in which it is computed,
/// `H' = (H - 1) stride - 2 pad + kernel + output_pad`.
#[derive(Debug)]
pub struct ConvTranspose2d {
    /// [Cin, Cout, k, k]
    pub weight: Tensor,
    /// `[Cout]`
    pub bias: Option<Tensor>,
    stride: i64,
    pad: i64,
    output_pad: i64,
    kind: Kind,
}

impl ConvTranspose2d {
    pub fn new(weight: Tensor, bias: Option<Tensor>, shape: &TransposeShape, precision: Precision) -> Self {
        let TransposeShape { stride, pad, output_pad, .. } = *shape;
        Self { weight, bias, stride, pad, output_pad, kind: kind(precision) }
    }

    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (x, weight) = (x.to_kind(self.kind), self.weight.to_kind(self.kind));
        let bias = self.bias.as_ref().map(|b| b.to_kind(self.kind));
        x.conv_transpose2d(&weight, bias.as_ref(), [self.stride; 2], [self.pad; 2], [self.output_pad; 2], 1, [1, 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn wave(shape: &[i64], pace: f64) -> Tensor {
        (Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu)) * pace).sin().to_kind(Kind::Float).reshape(shape)
    }

    /// Each input cell spreads its kernel over the output, as the definition says: one image, f64, row-major [Cout, H', W'].
    fn scattered(x: &Tensor, layer: &ConvTranspose2d, shape: &TransposeShape) -> Vec<f64> {
        let (h, w) = (x.size()[2], x.size()[3]);
        let side = |n: i64| (n - 1) * shape.stride - 2 * shape.pad + shape.kernel + shape.output_pad;
        let (height, width) = (side(h), side(w));
        let bias = |o| layer.bias.as_ref().map_or(0.0, |b| b.double_value(&[o]));
        let mut out: Vec<f64> = (0..shape.cout).flat_map(|o| vec![bias(o); (height * width) as usize]).collect();
        for (c, i, j) in (0..shape.cin).flat_map(|c| (0..h).flat_map(move |i| (0..w).map(move |j| (c, i, j)))) {
            let value = x.double_value(&[0, c, i, j]);
            for (o, ki, kj) in (0..shape.cout).flat_map(|o| (0..shape.kernel).flat_map(move |a| (0..shape.kernel).map(move |b| (o, a, b))))
            {
                let (y, z) = (i * shape.stride + ki - shape.pad, j * shape.stride + kj - shape.pad);
                if (0..height).contains(&y) && (0..width).contains(&z) {
                    out[((o * height + y) * width + z) as usize] += value * layer.weight.double_value(&[c, o, ki, kj]);
                }
            }
        }
        out
    }

    #[test]
    fn every_input_cell_spreads_its_kernel_over_the_output() {
        let shapes = [
            TransposeShape::new(3, 2, 2, 2),
            TransposeShape::new(3, 2, 3, 2).pad(1).output_pad(1),
            TransposeShape::new(2, 3, 4, 2).pad(1),
            TransposeShape::new(2, 3, 3, 1).pad(2),
            TransposeShape::new(1, 1, 5, 3).output_pad(2),
        ];
        for (shape, with_bias) in shapes.into_iter().zip([false, true, false, true, true]) {
            let weight = wave(&[shape.cin, shape.cout, shape.kernel, shape.kernel], 0.7);
            let layer = ConvTranspose2d::new(weight, with_bias.then(|| wave(&[shape.cout], 1.1)), &shape, Precision::Fp32);
            let x = wave(&[1, shape.cin, 4, 3], 0.3);
            let fast = layer.forward(&x);
            let slow = Tensor::from_slice(&scattered(&x, &layer, &shape)).reshape(fast.size());
            assert!((fast - slow).abs().max().double_value(&[]) < 1e-5, "{shape:?}");
        }
    }

    #[test]
    fn it_is_the_gradient_of_the_convolution_with_the_same_weight() {
        let shape = TransposeShape::new(3, 2, 3, 2).pad(1).output_pad(1);
        let weight = wave(&[3, 2, 3, 3], 0.7);
        let layer = ConvTranspose2d::new(weight.shallow_clone(), None, &shape, Precision::Fp32);
        let image = wave(&[1, 2, 8, 6], 0.5).set_requires_grad(true);
        let map = image.conv2d(&weight, None::<&Tensor>, [2, 2], [1, 1], [1, 1], 1); // [1, 3, 4, 3]
        let upstream = wave(&map.size(), 0.9);
        let gradient = &Tensor::run_backward(&[(map * &upstream).sum(Kind::Float)], &[&image], false, false)[0];
        assert!((layer.forward(&upstream) - gradient).abs().max().double_value(&[]) < 1e-5);
    }

    #[test]
    fn a_bf16_layer_answers_in_bf16() {
        let shape = TransposeShape::new(3, 2, 2, 2);
        let layer = ConvTranspose2d::new(wave(&[3, 2, 2, 2], 0.7), None, &shape, Precision::Bf16);
        let x = wave(&[1, 3, 4, 3], 0.3);
        let exact = ConvTranspose2d::new(layer.weight.shallow_clone(), None, &shape, Precision::Fp32).forward(&x);
        let y = layer.forward(&x);
        assert_eq!(y.kind(), Kind::BFloat16);
        assert!((y - &exact).abs().max().double_value(&[]) < 0.05 * exact.abs().max().double_value(&[]));
    }
}
