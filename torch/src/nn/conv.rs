//! Convolutions with their precision and memory layout.
//!
//! tch has no memory formats: a channels-last tensor is one whose `[B, H, W, C]` permutation is contiguous, which libtorch
//! recognises by its strides. On a CPU it makes convolutions up to twice as fast and gives `[B, H*W, C]` views for free.

use harness::config::{MemoryFormat, Precision};
use tch::{Kind, Tensor};

use super::first::First;

/// `x` [B, C, H, W] laid out in `format`; free if it already is.
pub fn arrange(x: &Tensor, format: MemoryFormat) -> Tensor {
    match format {
        MemoryFormat::ChannelsLast => x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]),
        MemoryFormat::Contiguous => x.contiguous(),
    }
}

/// Zeros around a map before it is convolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pad {
    /// Half the kernel at each side, times the dilation: with a stride of 1 an odd kernel keeps the map's size.
    Same,
    /// None.
    Valid,
    /// So many cells at each side.
    Cells(i64),
    /// As TensorFlow's "same" for maps whose side is a multiple of the stride, which it divides: kernel less stride in all, the odd
    /// one behind the map.
    Tensorflow,
}

/// Sizes of a square convolution, and its first values.
#[derive(Debug, Clone, Copy)]
pub struct ConvShape {
    pub cin: i64,
    pub cout: i64,
    pub kernel: i64,
    pub stride: i64,
    pub pad: Pad,
    /// Cells from one tap of the kernel to the next; 1 = neighbours.
    pub dilation: i64,
    /// Parts into which the channels fall, none of which sees another one; `cin` = one filter a channel (depthwise).
    pub groups: i64,
    pub weight: First,
    /// `None` = no bias.
    pub bias: Option<First>,
}

impl ConvShape {
    /// Stride 1, the same size, no bias, torch's default first values.
    pub fn new(cin: i64, cout: i64, kernel: i64) -> Self {
        Self { cin, cout, kernel, stride: 1, pad: Pad::Same, dilation: 1, groups: 1, weight: First::Uniform, bias: None }
    }

    pub fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    pub fn pad(self, pad: Pad) -> Self {
        Self { pad, ..self }
    }

    pub fn dilation(self, dilation: i64) -> Self {
        Self { dilation, ..self }
    }

    pub fn groups(self, groups: i64) -> Self {
        Self { groups, ..self }
    }

    /// With a bias that starts as torch's default.
    pub fn bias(self) -> Self {
        self.bias_from(First::Uniform)
    }

    /// With a bias that starts as `first`.
    pub fn bias_from(self, first: First) -> Self {
        Self { bias: Some(first), ..self }
    }

    /// The weight starts as `first`.
    pub fn first(self, first: First) -> Self {
        Self { weight: first, ..self }
    }

    /// Zeros before and behind each row and each column.
    fn padding(&self) -> [i64; 2] {
        match self.pad {
            Pad::Same => [self.dilation * (self.kernel / 2); 2],
            Pad::Valid => [0; 2],
            Pad::Cells(cells) => [cells; 2],
            Pad::Tensorflow => {
                let all = (self.dilation * (self.kernel - 1) + 1 - self.stride).max(0);
                [all / 2, all - all / 2]
            }
        }
    }
}

/// What a run computes its convolutions in.
pub(super) fn kind(precision: Precision) -> Kind {
    match precision {
        Precision::Fp32 => Kind::Float,
        Precision::Bf16 => Kind::BFloat16,
    }
}

/// The sum of maps, computed in place in the first one: autograd must not need any of them, and it does not need outputs of
/// convolutions.
pub fn sum(maps: impl IntoIterator<Item = Tensor>) -> Tensor {
    maps.into_iter().reduce(|mut sum, map| sum.g_add_(&map)).expect("at least one map")
}

/// A convolution: `[B, Cin, H, W]` of any kind to `[B, Cout, H', W']` in the kind in which it is computed,
/// `H' = floor((H + padding - dilation (kernel - 1) - 1) / stride) + 1`; with [`Pad::Same`] `H / stride`, rounded up, where the
/// kernel is odd.
#[derive(Debug)]
pub struct Conv2d {
    /// [Cout, Cin / groups, k, k]
    pub weight: Tensor,
    /// `[Cout]`
    pub bias: Option<Tensor>,
    stride: i64,
    /// Zeros before and behind.
    pad: [i64; 2],
    dilation: i64,
    groups: i64,
    /// What it is computed in: float32 or bf16.
    kind: Kind,
}

impl Conv2d {
    /// Of `shape`'s stride, padding, dilation and groups.
    pub fn new(weight: Tensor, bias: Option<Tensor>, shape: &ConvShape, precision: Precision) -> Self {
        let ConvShape { stride, dilation, groups, .. } = *shape;
        Self { weight, bias, stride, pad: shape.padding(), dilation, groups, kind: kind(precision) }
    }

    /// The same convolution in float32 whatever the run's precision is.
    pub fn in_float32(self) -> Self {
        Self { kind: Kind::Float, ..self }
    }

    /// The same convolution with other values.
    pub fn with(self, weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias, ..self }
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
        self.apply(x, weight, None, [0; 2])
    }

    /// The weight's slices for the channels of `parts`: [Cout, Ci, k, k] each.
    pub fn split(&self, parts: &[Tensor]) -> Vec<Tensor> {
        let widths: Vec<i64> = parts.iter().map(|p| p.size()[1]).collect();
        assert_eq!(widths.iter().sum::<i64>(), self.weight.size()[1], "the parts' channels are the convolution's");
        self.weight.split_with_sizes(&widths, 1)
    }

    fn apply(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, [before, behind]: [i64; 2]) -> Tensor {
        let (x, weight, bias) = (x.to_kind(self.kind), weight.to_kind(self.kind), bias.map(|b| b.to_kind(self.kind)));
        // libtorch's own padding is the same at both sides.
        let (x, pad) = if before == behind { (x, before) } else { (x.constant_pad_nd([before, behind, before, behind]), 0) };
        x.conv2d(&weight, bias.as_ref(), [self.stride; 2], [pad; 2], [self.dilation; 2], self.groups)
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

    /// The convolution by its definition, f64, row-major.
    fn looped(x: &Tensor, conv: &Conv2d, shape: &ConvShape) -> Vec<f64> {
        let (batch, _, h, w) = x.size4().expect("a map has four dimensions");
        let [before, behind] = shape.padding();
        let side = |n: i64| (n + before + behind - shape.dilation * (shape.kernel - 1) - 1) / shape.stride + 1;
        let (inner, outer) = (shape.cin / shape.groups, shape.cout / shape.groups);
        let cell = |b, o, i, j| {
            let mut sum = conv.bias.as_ref().map_or(0.0, |bias| bias.double_value(&[o]));
            for (c, ki, kj) in (0..inner).flat_map(|c| (0..shape.kernel).flat_map(move |a| (0..shape.kernel).map(move |b| (c, a, b)))) {
                let (y, z) = (i * shape.stride + ki * shape.dilation - before, j * shape.stride + kj * shape.dilation - before);
                if (0..h).contains(&y) && (0..w).contains(&z) {
                    sum += x.double_value(&[b, o / outer * inner + c, y, z]) * conv.weight.double_value(&[o, c, ki, kj]);
                }
            }
            sum
        };
        let rows = (0..batch).flat_map(|b| (0..shape.cout).flat_map(move |o| (0..side(h)).map(move |i| (b, o, i))));
        rows.flat_map(|(b, o, i)| (0..side(w)).map(move |j| (b, o, i, j))).map(|(b, o, i, j)| cell(b, o, i, j)).collect()
    }

    #[test]
    fn strides_paddings_dilations_and_groups_are_those_of_the_definition() {
        let base = ConvShape::new(2, 3, 3);
        for shape in [
            base,
            base.stride(2),
            base.pad(Pad::Valid),
            base.pad(Pad::Valid).dilation(2),
            base.dilation(2).bias(),
            base.pad(Pad::Cells(3)).stride(2).dilation(3),
            ConvShape::new(2, 3, 4).bias(),
            ConvShape::new(2, 3, 5).pad(Pad::Valid).stride(3),
            ConvShape::new(2, 2, 3).groups(2),
            ConvShape::new(2, 4, 5).groups(2).stride(2).pad(Pad::Tensorflow).bias(),
            base.stride(2).pad(Pad::Tensorflow),
            base.pad(Pad::Tensorflow).dilation(2),
        ] {
            let bias = shape.bias.map(|_| wave(&[shape.cout]));
            let weight = wave(&[shape.cout, shape.cin / shape.groups, shape.kernel, shape.kernel]);
            let conv = Conv2d::new(weight, bias, &shape, Precision::Fp32);
            let x = wave(&[2, 2, 9, 7]);
            let fast = conv.forward(&x);
            let slow = Tensor::from_slice(&looped(&x, &conv, &shape)).reshape(fast.size());
            assert!(distance(&fast, &slow) < 1e-5, "{shape:?}");
        }
        let same = Conv2d::new(wave(&[3, 2, 3, 3]), None, &base.dilation(4), Precision::Fp32);
        assert_eq!(same.forward(&wave(&[1, 2, 9, 7])).size(), [1, 3, 9, 7]);
        // TensorFlow's: (ceil(n / stride) - 1) stride + kernel - n in all, of which half, rounded down, stands before.
        for (kernel, stride, zeros) in [(3, 1, [1, 1]), (3, 2, [0, 1]), (5, 1, [2, 2]), (5, 2, [1, 2]), (1, 1, [0, 0])] {
            assert_eq!(ConvShape::new(2, 3, kernel).stride(stride).pad(Pad::Tensorflow).padding(), zeros);
        }
    }

    #[test]
    fn a_sum_over_parts_is_the_convolution_of_their_concatenation() {
        let conv = Conv2d::new(wave(&[4, 6, 3, 3]), Some(wave(&[4])), &ConvShape::new(6, 4, 3), Precision::Fp32);
        let x = wave(&[2, 6, 5, 7]);
        let parts = x.split_with_sizes([1, 3, 2], 1);
        assert!(distance(&conv.forward(&x), &conv.forward_parts(&parts)) < 1e-5);
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
        let shape = ConvShape::new(6, 4, 3);
        let exact = Conv2d::new(weight.shallow_clone(), None, &shape, Precision::Fp32).forward(&x);
        let rough = Conv2d::new(weight, None, &shape, Precision::Bf16);
        let y = rough.forward(&x);
        assert_eq!(y.kind(), Kind::BFloat16);
        let error = distance(&exact, &y);
        assert!(error > 0.0 && error < 0.05 * exact.abs().max().double_value(&[]), "{error}");
        assert!(rough.in_float32().forward(&x.to_kind(Kind::BFloat16)).kind() == Kind::Float);
    }
}
