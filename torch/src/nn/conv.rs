//! Convolutions with their precision and memory layout.
//!
//! tch has no memory formats: a channels-last tensor is one whose `[B, H, W, C]` permutation is contiguous, which libtorch
//! recognises by its strides. On a CPU it makes convolutions up to twice as fast and gives `[B, H*W, C]` views for nothing.

use harness::config::{MemoryFormat, Precision};
use tch::{Kind, Tensor};

/// `x` [B, C, H, W] laid out in `format`; free where it is already.
pub fn arrange(x: &Tensor, format: MemoryFormat) -> Tensor {
    match format {
        MemoryFormat::ChannelsLast => x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]),
        MemoryFormat::Contiguous => x.contiguous(),
    }
}

/// Sizes of a square convolution; the padding is half the kernel, so a stride of 1 keeps the map's size.
#[derive(Debug, Clone, Copy)]
pub struct ConvShape {
    pub cin: i64,
    pub cout: i64,
    pub kernel: i64,
    pub stride: i64,
    pub bias: bool,
}

impl ConvShape {
    /// Stride 1, no bias.
    pub fn new(cin: i64, cout: i64, kernel: i64) -> Self {
        Self { cin, cout, kernel, stride: 1, bias: false }
    }

    pub fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    pub fn bias(self) -> Self {
        Self { bias: true, ..self }
    }
}

/// The sum of maps, made in the first one: none may be kept for a gradient, as outputs of convolutions are not.
pub fn sum(maps: impl IntoIterator<Item = Tensor>) -> Tensor {
    maps.into_iter().reduce(|mut sum, map| sum.g_add_(&map)).expect("a map at least")
}

/// A convolution: `[B, Cin, H, W]` of any kind to `[B, Cout, H/stride, W/stride]` in the kind in which it is computed.
#[derive(Debug)]
pub struct Conv2d {
    /// [Cout, Cin, k, k]
    pub weight: Tensor,
    /// `[Cout]`
    pub bias: Option<Tensor>,
    stride: i64,
    pad: i64,
    /// What it is computed in: float32 or bf16.
    kind: Kind,
}

impl Conv2d {
    pub fn new(weight: Tensor, bias: Option<Tensor>, stride: i64, precision: Precision) -> Self {
        let pad = weight.size()[2] / 2;
        let kind = match precision {
            Precision::Fp32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        };
        Self { weight, bias, stride, pad, kind }
    }

    /// The same convolution in float32 whatever the run's precision is.
    pub fn in_float32(self) -> Self {
        Self { kind: Kind::Float, ..self }
    }

    /// The same convolution without gradients, its weights cast once.
    pub fn frozen(self) -> Self {
        let weight = self.weight.detach().to_kind(self.kind);
        let bias = self.bias.as_ref().map(|b| b.detach().to_kind(self.kind));
        Self { weight, bias, ..self }
    }

    pub fn cout(&self) -> i64 {
        self.weight.size()[0]
    }

    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.apply(x, &self.weight, self.bias.as_ref(), self.pad)
    }

    /// The convolution of the concatenation of `parts` along channels, as a sum over them: nothing is concatenated.
    pub fn forward_parts(&self, parts: &[Tensor]) -> Tensor {
        let weights = self.split(parts);
        let mut bias = self.bias.as_ref();
        sum(parts.iter().zip(&weights).map(|(part, weight)| self.apply(part, weight, bias.take(), self.pad)))
    }

    /// The convolution of one of those parts, without bias; `weight` is from [`Conv2d::split`].
    pub fn forward_part(&self, part: &Tensor, weight: &Tensor) -> Tensor {
        self.apply(part, weight, None, self.pad)
    }

    /// A 1x1 convolution by `weight` [Cout, Cin, 1, 1] in this one's precision.
    pub fn forward_pointwise(&self, x: &Tensor, weight: &Tensor) -> Tensor {
        self.apply(x, weight, None, 0)
    }

    /// The weight's slices for the channels of `parts`: [Cout, Ci, k, k] each.
    pub fn split(&self, parts: &[Tensor]) -> Vec<Tensor> {
        let widths: Vec<i64> = parts.iter().map(|p| p.size()[1]).collect();
        assert_eq!(widths.iter().sum::<i64>(), self.weight.size()[1], "the parts' channels are the convolution's");
        self.weight.split_with_sizes(&widths, 1)
    }

    fn apply(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, pad: i64) -> Tensor {
        let (x, weight, bias) = (x.to_kind(self.kind), weight.to_kind(self.kind), bias.map(|b| b.to_kind(self.kind)));
        x.conv2d(&weight, bias.as_ref(), [self.stride; 2], [pad; 2], [1, 1], 1)
    }
}

/// A linear map over the last dimension (a 1x1 convolution on channels-last rows), without bias, in float32.
#[derive(Debug)]
pub struct Linear {
    /// [Cout, Cin]
    pub weight: Tensor,
}

impl Linear {
    /// `[..., Cin]` to `[..., Cout]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, None::<&Tensor>)
    }

    /// The same over the channels of a map: `[B, Cin, H, W]` to `[B, Cout, H, W]`, as a 1x1 convolution.
    ///
    /// On a CPU it is the faster way to a gradient where there are few input channels.
    pub fn forward_map(&self, x: &Tensor) -> Tensor {
        x.conv2d(&self.weight.unsqueeze(2).unsqueeze(3), None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1)
    }

    /// The maps of the first `width` inputs and of the others: their sum is this map of the concatenation.
    pub fn split(&self, width: i64) -> (Linear, Linear) {
        let rest = self.weight.size()[1] - width;
        let [first, second] = self.weight.split_with_sizes([width, rest], 1).try_into().expect("two sizes give two parts");
        (Linear { weight: first }, Linear { weight: second })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn wave(shape: &[i64]) -> Tensor {
        (Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu)) * 0.7).sin().to_kind(Kind::Float).reshape(shape)
    }

    fn distance(a: &Tensor, b: &Tensor) -> f64 {
        (a - b).abs().max().double_value(&[])
    }

    #[test]
    fn a_sum_over_parts_is_the_convolution_of_their_concatenation() {
        let conv = Conv2d::new(wave(&[4, 6, 3, 3]), Some(wave(&[4])), 1, Precision::Fp32);
        let x = wave(&[2, 6, 5, 7]);
        let parts = x.split_with_sizes([1, 3, 2], 1);
        assert!(distance(&conv.forward(&x), &conv.forward_parts(&parts)) < 1e-5);
    }

    #[test]
    fn a_split_linear_map_is_the_map_of_the_concatenation() {
        let linear = Linear { weight: wave(&[4, 5]) };
        let x = wave(&[3, 5]);
        let (a, b) = linear.split(2);
        let sum = a.forward(&x.narrow(1, 0, 2)) + b.forward(&x.narrow(1, 2, 3));
        assert!(distance(&linear.forward(&x), &sum) < 1e-6);
    }

    #[test]
    fn channels_last_is_a_view_of_rows_and_changes_no_value() {
        let x = wave(&[2, 3, 4, 5]);
        let y = arrange(&x, MemoryFormat::ChannelsLast);
        assert_eq!(y.stride(), [60, 1, 15, 3]);
        assert!(x.equal(&y));
        assert_eq!(arrange(&y, MemoryFormat::ChannelsLast).data_ptr(), y.data_ptr());
    }

    #[test]
    fn a_bf16_convolution_is_near_the_exact_one_and_stays_in_bf16_unless_it_is_told_not_to() {
        let (weight, x) = (wave(&[4, 6, 3, 3]), wave(&[2, 6, 5, 7]));
        let exact = Conv2d::new(weight.shallow_clone(), None, 1, Precision::Fp32).forward(&x);
        let rough = Conv2d::new(weight, None, 1, Precision::Bf16);
        let y = rough.forward(&x);
        assert_eq!(y.kind(), Kind::BFloat16);
        let error = distance(&exact, &y);
        assert!(error > 0.0 && error < 0.05 * exact.abs().max().double_value(&[]), "{error}");
        assert!(rough.in_float32().forward(&x.to_kind(Kind::BFloat16)).kind() == Kind::Float);
    }
}
