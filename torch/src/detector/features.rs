//! A frozen backbone as a source of features: what the detectors that are not trained look at.
//!
//! It is the paper's backbone with the same weights, stride placement and input normalisation, its batch norms in evaluation
//! mode and folded into the convolutions.

use harness::Result;
use harness::config::{Config, Freeze};
use harness::data::Source;
use tch::{Device, Kind, Tensor};

use super::backbone;
use super::contract::{Count, Parts};
use super::normalization::InputNormalization;
use crate::nn::backbone::Backbone;
use crate::nn::conv::arrange;
use crate::nn::param::Builder;
use crate::nn::{Mode, Stages};

pub struct Features {
    cfg: Config,
    device: Device,
    network: Backbone,
    parameters: u64,
    normalization: InputNormalization,
}

impl Features {
    /// The configured backbone, from its file or drawn from the seed.
    ///
    /// # Errors
    /// Weights of another architecture, or a stride placement that contradicts them.
    pub fn new(parts: &Parts) -> Result<Self> {
        let cfg = parts.cfg;
        let (network, parameters) = backbone::with_weights(parts, |weights| {
            let source = weights.map(|w| w.source);
            let mut builder = Builder::new(parts.seed, parts.device, cfg.train.precision, cfg.train.memory_format, source);
            let network = Backbone::new(&mut builder, cfg, weights, Freeze::All)?;
            Ok((network, builder.finish().weight_count() as u64))
        })?;
        Ok(Self { cfg: cfg.clone(), device: parts.device, network, parameters, normalization: InputNormalization::new(parts) })
    }

    /// Learns the input's range from the training images where the configuration asks for it.
    pub fn learn_normalization(&mut self, source: &Source) -> Result<()> {
        self.normalization.learn(source, &self.cfg.data)
    }

    /// The three stages' maps, f32, of images `[B, 3, S, S]` in 0..=1. Records no gradients.
    pub fn stages(&self, images: &Tensor) -> Stages {
        let x = arrange(&self.normalization.apply(images), self.cfg.train.memory_format);
        let Stages { c1, c2, c3 } = self.network.forward(&x, Mode::Eval);
        Stages { c1: c1.to_kind(Kind::Float), c2: c2.to_kind(Kind::Float), c3: c3.to_kind(Kind::Float) }
    }

    /// The input's range where it was learned. The backbone itself is a function of the weights' file, or of the seed.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.normalization.state()
    }

    /// Puts back what [`Features::state`] gave.
    pub fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) {
        self.normalization.restore(get);
    }

    /// The backbone's weights, none of which is trained.
    pub fn count(&self) -> Count {
        Count { parameters: self.parameters, trained: 0 }
    }

    pub fn device(&self) -> Device {
        self.device
    }
}
