//! Convolutions that end in a batch norm.

use harness::Result;
use tch::{Kind, Tensor};

use super::conv::{Conv2d, ConvShape, arrange};
use super::norm::{BatchNorm, EPS, Mode};
use super::param::{Builder, Part};

/// A convolution without bias and its batch norm. Frozen ones are one convolution: the norm, a fixed affine map then, is
/// folded into weight and bias when the network is built.
#[derive(Debug)]
pub enum ConvBn {
    Trained { conv: Conv2d, bn: BatchNorm },
    Frozen { folded: Conv2d },
}

impl ConvBn {
    /// Named `<conv>.weight`, `<bn>.…`; trained or frozen as `builder.part` says.
    pub fn new(builder: &mut Builder, conv: &str, bn: &str, shape: ConvShape) -> Result<Self> {
        let conv = builder.conv(conv, shape)?;
        let bn = builder.bn(bn, shape.cout)?;
        Ok(match builder.part {
            Part::Trained => Self::Trained { conv, bn },
            Part::Frozen => Self::Frozen { folded: fold(&conv, &bn, shape.stride, builder) },
        })
    }

    /// `[B, Cin, H, W]` to `[B, Cout, H/stride, W/stride]`.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        match self {
            Self::Trained { conv, bn } => bn.forward(&conv.forward(x), mode),
            Self::Frozen { folded } => folded.forward(x),
        }
    }
}

/// `bn(conv(x)) = conv'(x) + bias'` with the running statistics; computed in f64.
fn fold(conv: &Conv2d, bn: &BatchNorm, stride: i64, builder: &Builder) -> Conv2d {
    let double = |t: &Tensor| t.detach().to_kind(Kind::Double);
    let scale = double(&bn.weight) / (double(&bn.var) + EPS).sqrt(); // [Cout]
    let weight = (double(&conv.weight) * scale.view([-1, 1, 1, 1])).to_kind(Kind::Float);
    let bias = (double(&bn.bias) - double(&bn.mean) * &scale).to_kind(Kind::Float);
    Conv2d::new(arrange(&weight, builder.format), Some(bias), stride, builder.precision).frozen()
}

#[cfg(test)]
mod tests {
    use super::super::weights::{Source, Values};
    use super::*;
    use harness::config::{MemoryFormat, Precision};
    use tch::Device;

    #[test]
    fn a_folded_norm_is_the_norm_in_eval_mode() {
        let source: &Source = &|name| {
            let (shape, offset) = match name {
                "c.weight" => (vec![4, 3, 3, 3], 0.0),
                "n.running_var" => (vec![4], 1.5),
                _ => (vec![4], 0.3),
            };
            let data = (0..shape.iter().product()).map(|i: i64| (i as f32 * 0.9).sin() + offset).collect();
            Ok(Some(Values { shape, data }))
        };
        let build = |part| {
            let mut builder = Builder::new(0, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, Some(source));
            builder.part = part;
            let unit = ConvBn::new(&mut builder, "c", "n", ConvShape::new(3, 4, 3).stride(2)).expect("builds");
            (unit, builder.finish())
        };
        let ((trained, _), (frozen, params)) = (build(Part::Trained), build(Part::Frozen));
        let x = Tensor::arange(2 * 3 * 8 * 8, (Kind::Float, Device::Cpu)).cos().reshape([2, 3, 8, 8]);
        let error = (trained.forward(&x, Mode::Eval) - frozen.forward(&x, Mode::Train)).abs().max().double_value(&[]);
        assert!(error < 1e-5, "{error}");
        assert!(params.iter().all(|p| !p.trained && !p.tensor.requires_grad()));
        assert_eq!(params.len(), 5);
    }
}
