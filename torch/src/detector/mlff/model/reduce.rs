//! The reduction of the backbone's low-level stages to one map.

use harness::Result;
use tch::Tensor;

use super::resample::resize;
use crate::nn::Mode;
use crate::nn::conv::{Conv2d, ConvShape, sum};
use crate::nn::norm::BatchNorm;
use crate::nn::param::Builder;

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
