//! Convolutions that end in a batch norm.

use harness::Result;
use tch::{Kind, Tensor};

use super::conv::{Conv2d, ConvShape, arrange};
use super::norm::{BatchNorm, Mode};
use super::param::{Builder, Part};

/// A convolution and its batch norm. Frozen ones are one convolution: the norm, a fixed affine map then, is
/// folded into weight and bias when the network is built.
#[derive(Debug)]
pub enum ConvBn {
    Live { conv: Conv2d, bn: BatchNorm },
    Folded { conv: Conv2d },
}

impl ConvBn {
    /// Named `<conv>.weight`, `<bn>.…`; trained, held or frozen as `builder.part` says.
    pub fn new(builder: &mut Builder, conv: &str, bn: &str, shape: ConvShape) -> Result<Self> {
        let conv = builder.conv(conv, shape)?;
        let bn = builder.bn(bn, shape.cout)?;
        Ok(match builder.part {
            Part::Trained => Self::Live { conv, bn },
            Part::Held => Self::Live { conv: conv.frozen(), bn },
            Part::Frozen => Self::Folded { conv: fold(conv, &bn, builder) },
        })
    }

    /// `[B, Cin, H, W]` to `[B, Cout, H', W']`.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        match self {
            Self::Live { conv, bn } => bn.forward(&conv.forward(x), mode),
            Self::Folded { conv } => conv.forward(x),
        }
    }
}

/// `bn(conv(x)) = conv'(x) + bias'` with the running statistics; computed in f64.
fn fold(conv: Conv2d, bn: &BatchNorm, builder: &Builder) -> Conv2d {
    let double = |t: &Tensor| t.detach().to_kind(Kind::Double);
    let scale = double(&bn.weight) / (double(&bn.var) + bn.eps).sqrt(); // [Cout]
    let weight = (double(&conv.weight) * scale.view([-1, 1, 1, 1])).to_kind(Kind::Float);
    let mean = conv.bias.as_ref().map_or_else(|| double(&bn.mean), |bias| double(&bn.mean) - double(bias));
    let bias = (double(&bn.bias) - mean * &scale).to_kind(Kind::Float);
    conv.with(arrange(&weight, builder.format), Some(bias)).frozen()
}

#[cfg(test)]
mod tests {
    use super::super::param::ParamKind;
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
        let build = |part, eps| {
            let mut builder = Builder::new(0, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, Some(source));
            (builder.part, builder.eps) = (part, eps);
            let unit = ConvBn::new(&mut builder, "c", "n", ConvShape::new(3, 4, 3).stride(2).bias()).expect("builds");
            (unit, builder.finish())
        };
        let x = Tensor::arange(2 * 3 * 8 * 8, (Kind::Float, Device::Cpu)).cos().reshape([2, 3, 8, 8]);
        let maps = [1e-5, 0.1].map(|eps| {
            let ((trained, _), (frozen, params)) = (build(Part::Trained, eps), build(Part::Frozen, eps));
            let (slow, fast) = (trained.forward(&x, Mode::Eval), frozen.forward(&x, Mode::Train));
            let error = (&slow - &fast).abs().max().double_value(&[]);
            assert!(error < 1e-5, "{error}");
            assert!(params.iter().all(|p| !p.trained && !p.tensor.requires_grad()));
            assert_eq!(params.len(), 6);
            fast
        });
        assert!((&maps[0] - &maps[1]).abs().max().double_value(&[]) > 1e-3, "what is added to the variance counts");
    }

    #[test]
    fn a_held_norm_moves_its_averages_while_all_weights_stay_and_gradients_flow_through() {
        let build = |second| {
            let mut builder = Builder::new(3, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, None);
            let first = ConvBn::new(&mut builder, "a", "an", ConvShape::new(3, 4, 3)).expect("builds");
            builder.part = second;
            let second = ConvBn::new(&mut builder, "b", "bn", ConvShape::new(4, 5, 3)).expect("builds");
            ([first, second], builder.finish())
        };
        let ((held, params), (twin, trained)) = (build(Part::Held), build(Part::Trained));
        let x = Tensor::arange(2 * 3 * 8 * 8, (Kind::Float, Device::Cpu)).cos().reshape([2, 3, 8, 8]);
        let run = |[first, second]: &[ConvBn; 2], mode| second.forward(&first.forward(&x, mode).relu(), mode);
        let (y, z) = (run(&held, Mode::Train), run(&twin, Mode::Train));
        assert!(y.equal(&z), "a held norm uses the batch's statistics as a trained one does");
        for y in [y, z] {
            (y * Tensor::arange(64, (Kind::Float, Device::Cpu)).sin().reshape([1, 1, 8, 8])).sum(Kind::Float).backward();
        }
        for (p, twin) in params.iter().zip(trained.iter()) {
            let of_second = p.name.starts_with('b');
            assert_eq!(
                (p.tensor.requires_grad(), p.trained),
                match p.kind {
                    ParamKind::Weight => (!of_second, !of_second),
                    ParamKind::Buffer => (false, true),
                },
                "{}",
                p.name
            );
            if p.tensor.requires_grad() {
                assert!(p.tensor.grad().equal(&twin.tensor.grad()), "{}", p.name);
            }
            assert!(p.tensor.equal(&twin.tensor), "{}", p.name);
        }
        let average = params.get("bn.running_mean").expect("is there");
        assert!(average.abs().max().double_value(&[]) > 0.0, "the averages moved");

        // What is saved brings another network of the same seed to the same answers.
        let (resumed, other) = build(Part::Held);
        assert!(!run(&resumed, Mode::Eval).equal(&run(&held, Mode::Eval)));
        let saved: Vec<_> = params.state();
        other.restore(&|name| saved.iter().find(|(n, _)| n == name).map(|(_, t)| t.shallow_clone())).expect("fits");
        assert!(run(&resumed, Mode::Eval).equal(&run(&held, Mode::Eval)));
    }
}
