//! From maps of several strides to one feature map F and its scores.

use harness::Result;
use harness::config::{Fusion as Config, MidActivation};
use tch::{Kind, Tensor};

use super::Mode;
use super::conv::{Conv2d, ConvShape, sum};
use super::norm::BatchNorm;
use super::param::Builder;
use super::upsampled;

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

/// The reduction of the low-level stages: `X0 = ReLU(BN(conv1x1(cat(c1, c2))))`, both at the low-level map's size.
#[derive(Debug)]
pub struct Reduce {
    conv: Conv2d,
    bn: BatchNorm,
}

impl Reduce {
    /// Parameters `low.reduce.…`.
    pub fn new(builder: &mut Builder, channels: i64, width: i64) -> Result<Self> {
        Ok(Self { conv: builder.conv("low.reduce.conv", ConvShape::new(channels, width, 1))?, bn: builder.bn("low.reduce.bn", width)? })
    }

    /// Stages [B, Wi, hi, wi] to X0 [B, Ct, side, side].
    ///
    /// Resizing is linear and acts on each channel alone, so it commutes with the 1x1 convolution: each stage is mapped at
    /// the smaller of the two sizes.
    pub fn forward(&self, stages: &[Tensor], side: i64, mode: Mode) -> Tensor {
        let mapped = stages.iter().zip(self.conv.split(stages)).map(|(stage, weight)| {
            if stage.size()[2] <= side {
                resize(&self.conv.forward_part(stage, &weight), side)
            } else {
                self.conv.forward_part(&resize(stage, side), &weight)
            }
        });
        self.bn.forward(&sum(mapped), mode).relu_()
    }
}

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
    pub fn new(builder: &mut Builder, config: &Config, channels: i64) -> Result<Self> {
        let biased = |shape: ConvShape| if config.bias { shape.bias() } else { shape };
        Ok(Self::Convolutions {
            mid: builder.conv("head.mid.conv", biased(ConvShape::new(channels, config.mid, 3)))?,
            bn: match config.mid_activation {
                MidActivation::None => None,
                MidActivation::BnRelu => Some(builder.bn("head.mid.bn", config.mid)?),
            },
            feature: builder.conv("head.feature", biased(ConvShape::new(config.mid, config.channels, 1)))?.in_float32(),
        })
    }

    /// The parts of Z [B, Ci, hi, wi], each at its own size, to F [B, C, side, side] f32.
    pub fn forward(&self, parts: &[Tensor], side: i64, mode: Mode) -> Tensor {
        match self {
            Self::Convolutions { mid, bn, feature } => {
                let y = fuse(mid, parts, side); // [B, mid, side, side]
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

/// The 3x3 convolution of the parts' concatenation at `side` x `side` cells, as a sum over the parts in float32.
fn fuse(conv: &Conv2d, parts: &[Tensor], side: i64) -> Tensor {
    let mapped = parts.iter().zip(conv.split(parts)).map(|(part, weight)| {
        if part.size()[2] < side {
            upsampled::convolve(conv, &weight, part, side)
        } else {
            conv.forward_part(&resize(part, side), &weight).to_kind(Kind::Float)
        }
    });
    sum(mapped.chain(conv.bias.as_ref().map(|bias| bias.view([1, -1, 1, 1]))))
}

/// The score head eta: one linear map of each pixel's feature, or an MLP with one hidden layer.
#[derive(Debug)]
pub struct Score {
    layers: Vec<Conv2d>,
}

impl Score {
    /// Parameters `score.…` over F of `channels`; `hidden` = 0 is the linear map.
    pub fn new(builder: &mut Builder, channels: i64, hidden: i64) -> Result<Self> {
        let mut layer = |name: &str, cin, cout| Ok(builder.conv(name, ConvShape::new(cin, cout, 1).bias())?.in_float32());
        let layers = if hidden == 0 {
            vec![layer("score", channels, 1)?]
        } else {
            vec![layer("score.0", channels, hidden)?, layer("score.1", hidden, 1)?]
        };
        Ok(Self { layers })
    }

    /// F [B, C, h, w] to scores [B, 1, h, w] f32.
    pub fn forward(&self, features: &Tensor) -> Tensor {
        let (last, first) = self.layers.split_last().expect("a layer at least");
        let hidden = first.iter().fold(features.shallow_clone(), |x, layer| layer.forward(&x).relu_());
        last.forward(&hidden)
    }
}
