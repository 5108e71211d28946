//! Self-calibration of the semantic map (the calibrated path of SCNet, Liu 2020): a small-scale view of the map decides
//! where its convolution counts.

use harness::Result;
use harness::config::{SelfCalibration as Config, Upsample};
use tch::Tensor;

use crate::nn::Mode;
use crate::nn::conv::ConvShape;
use crate::nn::conv_bn::ConvBn;
use crate::nn::param::Builder;

#[derive(Debug)]
pub struct SelfCalibration {
    config: Config,
    reduce: Option<ConvBn>,
    /// K2, at the small scale.
    small: ConvBn,
    /// K3, at the original scale.
    full: ConvBn,
    /// K4.
    out: ConvBn,
}

impl SelfCalibration {
    /// Parameters `sc.…` over a map of `channels`.
    pub fn new(builder: &mut Builder, config: &Config, channels: i64) -> Result<Self> {
        let mut unit = |name: &str, shape| ConvBn::new(builder, &format!("sc.{name}.conv"), &format!("sc.{name}.bn"), shape);
        let reduce = if config.reduce > 0 { Some(unit("reduce", ConvShape::new(channels, config.reduce, 1))?) } else { None };
        let width = if config.reduce > 0 { config.reduce } else { channels };
        Ok(Self {
            small: unit("k2", ConvShape::new(width, width, 3))?,
            full: unit("k3", ConvShape::new(width, width, 3))?,
            out: unit("k4", ConvShape::new(width, config.out, config.k4))?,
            reduce,
            config: config.clone(),
        })
    }

    /// `x` [B, C, H, W] to [B, out, H, W].
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let x = match &self.reduce {
            Some(reduce) => reduce.forward(x, mode).relu_(),
            None => x.shallow_clone(),
        };
        let (_, _, height, width) = x.size4().expect("a map has four dimensions");
        let r = self.config.r;
        let pooled = x.avg_pool2d([r, r], [r, r], [0, 0], true, false, None); // [B, C, ceil(H/r), ceil(W/r)]
        let small = self.small.forward(&pooled, mode);
        let small = match self.config.upsample {
            Upsample::Nearest => small.upsample_nearest2d([height, width], None, None),
            Upsample::Bilinear => small.upsample_bilinear2d([height, width], true, None, None),
        };
        self.out.forward(&(self.full.forward(&x, mode) * (x + small).sigmoid()), mode)
    }
}
