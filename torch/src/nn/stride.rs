//! Where a residual network with bottlenecks has its strides.

use harness::config::{Config, StrideIn};
use harness::{Error, Result};

use super::weights::Weights;

/// Which convolution of a stage's first bottleneck carries the stride; basic blocks always stride in their first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stride {
    Conv1,
    Conv2,
}

impl Stride {
    /// What a configuration names; torchvision's placement for `auto`.
    pub fn from_config(key: StrideIn) -> Self {
        match key {
            StrideIn::Conv1 => Self::Conv1,
            StrideIn::Auto | StrideIn::Conv2 => Self::Conv2,
        }
    }
}

/// The backbone's stride placement: what the file says unless the configuration contradicts it.
pub fn stride(config: &Config, weights: Option<&Weights>) -> Result<Stride> {
    let key = config.model.backbone.stride_in;
    let choice = config.model.backbone.name.has_bottlenecks();
    let file = weights.and_then(|w| w.stride_in).filter(|s| *s != StrideIn::Auto && choice);
    match (key, file) {
        (StrideIn::Auto, Some(file)) => Ok(Stride::from_config(file)),
        (key, Some(file)) if key != file => Err(Error::config(
            format!("model.backbone.stride_in = {} contradicts the weights, which were trained with {}", name(key), name(file)),
            format!("set model.backbone.stride_in to \"auto\" or {}, or choose other weights", name(file)),
        )),
        (key, _) => Ok(Stride::from_config(key)),
    }
}

fn name(stride: StrideIn) -> &'static str {
    match stride {
        StrideIn::Auto => "\"auto\"",
        StrideIn::Conv1 => "\"conv1\"",
        StrideIn::Conv2 => "\"conv2\"",
    }
}
