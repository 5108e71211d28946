//! From maps of several strides to one feature map F.

use harness::Result;
use harness::config::{HeadInit, MidActivation, Model};
use tch::{Kind, Tensor};

use super::resample::{convolve, resize};
use crate::nn::Mode;
use crate::nn::conv::{Conv2d, ConvShape, sum};
use crate::nn::first::First;
use crate::nn::norm::BatchNorm;
use crate::nn::param::Builder;

/// The head: the fused map Z to the feature map F.
#[derive(Debug)]
pub enum Head {
    Convolutions {
        mid: Conv2d,
        bn: Option<BatchNorm>,
        feature: Conv2d,
    },
    /// Z itself is F.
    Raw,
}

impl Head {
    /// Parameters `head.…` over Z of `channels`.
    pub fn new(builder: &mut Builder, model: &Model, channels: i64) -> Result<Self> {
        let config = &model.fusion;
        let started = |shape: ConvShape| {
            let shape = shape.first(first(model.head_init, &shape));
            if config.bias { shape.bias() } else { shape }
        };
        Ok(Self::Convolutions {
            mid: builder.conv("head.mid.conv", started(ConvShape::new(channels, config.mid, 3)))?,
            bn: match config.mid_activation {
                MidActivation::None => None,
                MidActivation::BnRelu => Some(builder.bn("head.mid.bn", config.mid)?),
            },
            feature: builder.conv("head.feature", started(ConvShape::new(config.mid, config.channels, 1)))?.in_float32(),
        })
    }

    /// The parts of Z [B, Ci, hi, wi], each at its own size, to F [B, C, side, side] f32; `beside` [B, mid, side, side] is added to what
    /// the first convolution makes of them.
    pub fn forward(&self, parts: &[Tensor], beside: Option<&Tensor>, side: i64, mode: Mode) -> Tensor {
        match self {
            Self::Convolutions { mid, bn, feature } => {
                let y = fuse(mid, parts, side); // [B, mid, side, side]
                let y = match beside {
                    Some(beside) => y + beside,
                    None => y,
                };
                let y = match bn {
                    Some(bn) => bn.forward(&y, mode).relu_(),
                    None => y,
                };
                feature.forward(&y)
            }
            Self::Raw => Tensor::cat(&parts.iter().map(|p| resize(p, side).to_kind(Kind::Float)).collect::<Vec<_>>(), 1),
        }
    }
}

/// How the weight of a convolution of the head or the score head starts.
pub fn first(init: HeadInit, shape: &ConvShape) -> First {
    let fan_in = (shape.cin * shape.kernel * shape.kernel) as f64;
    match init {
        HeadInit::Uniform => First::Uniform,
        HeadInit::He => First::Normal((2.0 / fan_in).sqrt()),
        HeadInit::Xavier => First::XavierNormal,
        HeadInit::Small => First::Normal((1.0 / (18.0 * fan_in)).sqrt()),
    }
}

/// The 3x3 convolution of the parts' concatenation at `side` x `side` cells, as a sum over the parts in float32.
pub fn fuse(conv: &Conv2d, parts: &[Tensor], side: i64) -> Tensor {
    let mapped = parts.iter().zip(conv.split(parts)).map(|(part, weight)| {
        if part.size()[2] < side {
            convolve(conv, &weight, part, side)
        } else {
            conv.forward_part(&resize(part, side), &weight).to_kind(Kind::Float)
        }
    });
    sum(mapped.chain(conv.bias.as_ref().map(|bias| bias.view([1, -1, 1, 1]))))
}
