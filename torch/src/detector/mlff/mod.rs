//! The paper's method behind the seam: the network, its input normalisation and the choice of map.

pub mod loss;
pub mod model;

use std::sync::Arc;

use harness::Result;
use harness::config::Config;
use harness::data::{Shape, Source};
use harness::eval::MapKind;
use tch::{Device, Kind, Tensor};

use super::{Count, Detector, Outlook, Parts, backbone};
use crate::input::Normalization;
use crate::nn::Mode;
use crate::train::{self, Job, Sink, Snapshot};
use model::Network;

/// The multi-level feature fusion network.
pub struct Mlff {
    cfg: Config,
    seed: u64,
    device: Device,
    network: Network,
    normalization: Option<Normalization>,
}

impl Mlff {
    /// A network with a pretrained backbone; everything else is drawn from the seed.
    pub fn new(parts: &Parts) -> Result<Self> {
        let network = backbone::with_weights(parts, |weights| Network::new(parts.cfg, weights, parts.seed, parts.device))?;
        let normalization = backbone::fixed_normalization(parts);
        Ok(Self { cfg: parts.cfg.clone(), seed: parts.seed, device: parts.device, network, normalization })
    }

    /// What the training loop works on: `source` and this network, ready to be trained.
    pub fn job(&mut self, source: Arc<Source>) -> Result<Job<'_>> {
        if self.normalization.is_none() {
            self.normalization = Some(backbone::learned_normalization(&source, &self.cfg.data, self.device)?);
        }
        let (seed, device) = (self.seed, self.device);
        Ok(Job { cfg: &self.cfg, seed, device, network: &self.network, normalization: self.normalization(), source })
    }

    fn normalization(&self) -> &Normalization {
        self.normalization.as_ref().expect("a detector is fitted or restored before it scores")
    }
}

impl Detector for Mlff {
    fn outlook(&self, images: usize) -> Outlook {
        let (epochs, cells) = (self.cfg.train.epochs, (self.cfg.data.size / self.cfg.model.fusion.stride).pow(2));
        let maps = if self.cfg.loss.score.enabled || self.cfg.loss.consistency.enabled { 2 } else { 1 };
        Outlook {
            epochs: epochs as u64,
            steps: (Shape::new(images, &self.cfg.data, &self.cfg.train).batches() * epochs) as u64,
            kept_bytes: self.network.state().iter().map(|(_, t)| 4 * t.numel() as u64).sum(),
            map_cells: (maps * cells) as u64,
        }
    }

    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
        train::train(&self.job(source)?, start, sink)
    }

    fn score(&self, images: &Tensor) -> Vec<(MapKind, Tensor)> {
        tch::no_grad(|| score(&self.network, self.normalization(), &self.cfg, images))
    }

    fn headline(&self) -> MapKind {
        headline(&self.cfg)
    }

    fn count(&self) -> Count {
        let params = self.network.params();
        let trained = params.trained_weights().map(|p| p.tensor.numel() as u64).sum();
        Count { parameters: params.weight_count() as u64, trained }
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = self.network.state();
        state.extend(self.normalization().state());
        state
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        if let Some(normalization) = backbone::stored_normalization(get, self.device) {
            self.normalization = Some(normalization);
        }
        self.network.restore(get)
    }
}

/// The paper scores with eta(F) where the score constraint trains it, else with the distance to the centre (Table 4).
pub fn headline(cfg: &Config) -> MapKind {
    if cfg.loss.score.enabled { MapKind::S } else { MapKind::A }
}

/// Score maps `[B, h, w]` of images `[B, 3, S, S]` in 0..=1.
pub fn score(network: &Network, normalization: &Normalization, cfg: &Config, images: &Tensor) -> Vec<(MapKind, Tensor)> {
    let out = network.forward(&normalization.apply(images), Mode::Eval);
    let mut maps = vec![(MapKind::A, loss::distance(&out.features).squeeze_dim(1))]; // [B, h, w]
    if let Some(scores) = out.scores {
        let scores = scores.squeeze_dim(1).to_kind(Kind::Float); // [B, h, w]
        let scores = loss::activate(&scores, cfg.loss.score.activation);
        maps.push((MapKind::S, scores));
    }
    maps
}
