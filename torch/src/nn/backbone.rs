//! The pretrained networks that give three maps, behind one door.

use harness::Result;
use harness::config::{Config, Family, Freeze};
use tch::Tensor;

use super::efficientnet::EfficientNetLite0;
use super::norm::Mode;
use super::param::Builder;
use super::resnet::ResNet;
use super::stages::Stages;
use super::stride::stride;
use super::weights::Weights;

/// Of `model.backbone.name`.
#[derive(Debug)]
pub enum Backbone {
    Residual(ResNet),
    EfficientNetLite(EfficientNetLite0),
}

impl Backbone {
    /// Frozen parts have their batch norms folded and record no gradients. `weights` are those that `builder` draws on.
    ///
    /// # Errors
    /// A stride placement that contradicts the weights, or weights of another shape.
    pub fn new(builder: &mut Builder, cfg: &Config, weights: Option<&Weights>, freeze: Freeze) -> Result<Self> {
        let name = cfg.model.backbone.name;
        Ok(match name.family() {
            Family::Residual => Self::Residual(ResNet::new(builder, name, stride(cfg, weights)?, freeze)?),
            Family::EfficientNetLite => Self::EfficientNetLite(EfficientNetLite0::new(builder, freeze)?),
            Family::Vgg => unreachable!("config::check refuses what a detector is not built on"),
        })
    }

    /// `x` [B, 3, H, W], H and W multiples of 32.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Stages {
        match self {
            Self::Residual(network) => network.forward(x, mode),
            Self::EfficientNetLite(network) => network.forward(x, mode),
        }
    }
}
