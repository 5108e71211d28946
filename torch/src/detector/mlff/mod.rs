//! The paper's method behind the seam: the network with its input normalisation, its losses, and what it gives of an image.

pub mod loss;
pub mod model;
mod noise;
mod spread;
mod standard;

use std::sync::Arc;

use harness::Result;
use harness::config::{self, Config, ScoreMap};
use harness::data::Source;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::backbone;
use super::contract::{Count, Detector, FitEstimate, Parts};
use super::normalization::InputNormalization;
use super::pass::Pass;
use crate::nn::Mode;
use crate::optim::Trained;
use crate::train::{self, Fed, Job, Learner, Scored, Sink, Snapshot, Terms};
use model::Network;
use standard::Standard;

/// The multi-level feature fusion network.
pub struct Mlff {
    cfg: Config,
    seed: u64,
    device: Device,
    network: Network,
    normalization: InputNormalization,
    /// Known once it was fitted or restored, where maps are joined.
    standard: Option<Standard>,
}

impl Mlff {
    /// A network with a pretrained backbone; everything else is drawn from the seed.
    pub fn new(parts: &Parts) -> Result<Self> {
        let network = backbone::with_weights(parts, |weights| Network::new(parts.cfg, weights, parts.seed, parts.device))?;
        let normalization = InputNormalization::new(parts);
        Ok(Self { cfg: parts.cfg.clone(), seed: parts.seed, device: parts.device, network, normalization, standard: None })
    }

    /// Maps A and, where there is a score head, S, each [B, h, w].
    fn maps(&self, images: &Tensor) -> (Tensor, Option<Tensor>) {
        let _guard = tch::no_grad_guard();
        let out = self.network.forward(&self.normalization.apply(images), Mode::Eval);
        let distance = loss::distance(&out.features).squeeze_dim(1);
        let scores = out.scores.map(|scores| {
            let scores = scores.squeeze_dim(1).to_kind(Kind::Float);
            loss::activate(&scores, self.cfg.loss.score.activation)
        });
        (distance, scores)
    }
}

impl Learner for Mlff {
    fn trained(&self) -> Vec<Trained> {
        self.network.trained()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.network.state()
    }

    fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.network.restore(get)
    }

    fn input(&self, images: &Tensor) -> Tensor {
        self.normalization.apply(images)
    }

    fn loss(&self, fed: &Fed, draws: &mut ChaCha8Rng) -> Result<Terms> {
        let stages = self.network.stages(&fed.images, Mode::Train);
        let (stages, mask) = noise::disturbed(stages, fed, &self.cfg.model.noise, draws);
        let out = self.network.fuse(stages, fed.images.size()[2], Mode::Train);
        let terms = loss::total(&out.features, out.scores.as_ref(), &mask, &self.cfg.loss, draws)?.logged();
        Ok(spread::with_spread(terms, &out, &mask, &self.cfg.loss))
    }

    fn check_batch(&self, images: usize) -> Result<()> {
        config::check_batch(&self.cfg, images)
    }

    fn score(&self, images: &Tensor) -> Scored {
        let (distance, scores) = self.maps(images);
        let scores = || scores.as_ref().expect("a map of scores comes from a score head");
        let named = |name: &&str| match *name {
            "S" => scores().shallow_clone(),
            "Z" => self.standard.as_ref().expect("fitted or restored").joined([scores(), &distance]),
            _ => distance.shallow_clone(),
        };
        Scored { maps: self.cfg.detector.outputs(&self.cfg).maps.iter().map(named).collect(), image: None }
    }
}

impl Detector for Mlff {
    fn estimate(&self, images: usize) -> FitEstimate {
        let cells = (self.cfg.data.size / self.cfg.model.fusion.stride).pow(2);
        let numbers = self.network.state().iter().map(|(_, t)| t.numel() as u64).sum();
        FitEstimate::of_training(&self.cfg, images, numbers, (self.cfg.detector.outputs(&self.cfg).maps.len() * cells) as u64)
    }

    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
        self.normalization.learn(&source, &self.cfg.data)?;
        train::train(&Job { cfg: &self.cfg, seed: self.seed, device: self.device, learner: self, source: source.clone() }, start, sink)?;
        if self.cfg.eval.map == ScoreMap::MeanZ {
            let pass = Pass { cfg: &self.cfg, seed: self.seed, device: self.device };
            let both = |images: &Tensor| {
                let (distance, scores) = self.maps(images);
                [scores.expect("config::check asks for a score head"), distance]
            };
            self.standard = Some(Standard::learn(&pass, source, sink, &both)?);
        }
        Ok(())
    }

    fn score(&self, images: &Tensor) -> Scored {
        Learner::score(self, images)
    }

    fn learner(&mut self, source: &Source) -> Result<Option<&dyn Learner>> {
        self.normalization.learn(source, &self.cfg.data)?;
        Ok(Some(self))
    }

    fn count(&self) -> Count {
        Count::of(self.network.params())
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = self.network.state();
        state.extend(self.normalization.state());
        state.extend(self.standard.iter().flat_map(Standard::state));
        state
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.normalization.restore(get);
        if self.cfg.eval.map == ScoreMap::MeanZ {
            self.standard = Some(Standard::restored(get, self.device)?);
        }
        self.network.restore(get)
    }
}
