//! Linear maps over the last dimension.

use tch::Tensor;

use super::first::First;

/// Sizes of a linear map, and its first values.
#[derive(Debug, Clone, Copy)]
pub struct LinearShape {
    pub cin: i64,
    pub cout: i64,
    pub weight: First,
    /// `None` = no bias.
    pub bias: Option<First>,
}

impl LinearShape {
    /// No bias, torch's default first values.
    pub fn new(cin: i64, cout: i64) -> Self {
        Self { cin, cout, weight: First::Uniform, bias: None }
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

/// A linear map over the last dimension (a 1x1 convolution on channels-last rows), in float32.
#[derive(Debug)]
pub struct Linear {
    /// [Cout, Cin]
    pub weight: Tensor,
    /// `[Cout]`
    pub bias: Option<Tensor>,
}

impl Linear {
    /// `[..., Cin]` to `[..., Cout]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, self.bias.as_ref())
    }

    /// The same over the channels of a map: `[B, Cin, H, W]` to `[B, Cout, H, W]`, as a 1x1 convolution.
    ///
    /// On a CPU it is the faster way to a gradient where there are few input channels.
    pub fn forward_map(&self, x: &Tensor) -> Tensor {
        x.conv2d(&self.weight.unsqueeze(2).unsqueeze(3), self.bias.as_ref(), [1, 1], [0, 0], [1, 1], 1)
    }

    /// The maps of the first `width` inputs, which keeps the bias, and of the others: their sum is this map of the
    /// concatenation.
    pub fn split(&self, width: i64) -> (Linear, Linear) {
        let rest = self.weight.size()[1] - width;
        let [first, second] = self.weight.split_with_sizes([width, rest], 1).try_into().expect("two sizes give two parts");
        (Linear { weight: first, bias: self.bias.as_ref().map(Tensor::shallow_clone) }, Linear { weight: second, bias: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    fn wave(shape: &[i64]) -> Tensor {
        (Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu)) * 0.7).sin().to_kind(Kind::Float).reshape(shape)
    }

    fn distance(a: &Tensor, b: &Tensor) -> f64 {
        (a - b).abs().max().double_value(&[])
    }

    #[test]
    fn a_split_linear_map_is_the_map_of_the_concatenation() {
        for bias in [None, Some(wave(&[4]))] {
            let linear = Linear { weight: wave(&[4, 5]), bias };
            let x = wave(&[3, 5]);
            let (a, b) = linear.split(2);
            let sum = a.forward(&x.narrow(1, 0, 2)) + b.forward(&x.narrow(1, 2, 3));
            assert!(distance(&linear.forward(&x), &sum) < 1e-6);
        }
    }

    #[test]
    fn each_output_is_a_weighted_sum_and_the_bias_over_rows_and_over_maps() {
        let (linear, x) = (Linear { weight: wave(&[4, 3]), bias: Some(wave(&[4])) }, wave(&[2, 3, 1, 5]));
        let rows = linear.forward(&x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2]);
        let bias = linear.bias.as_ref().expect("it was given");
        for (b, o, column) in (0..2).flat_map(|b| (0..4).flat_map(move |o| (0..5).map(move |column| (b, o, column)))) {
            let sum: f64 = (0..3).map(|c| linear.weight.double_value(&[o, c]) * x.double_value(&[b, c, 0, column])).sum();
            let expected = sum + bias.double_value(&[o]);
            assert!((rows.double_value(&[b, o, 0, column]) - expected).abs() < 1e-5);
        }
        assert!(distance(&rows, &linear.forward_map(&x)) < 1e-6);
    }
}
