//! SuperSimpleNet (Rolih et al. 2024) behind the seam: a frozen backbone, an adaptor of its features, a head that gives a map and one
//! that scores the image. What it learns from is noise in the features of normal images, in blots of Perlin noise.
//!
//! Without upscaling, decision head, blots and focal loss it is SimpleNet (Liu et al. 2023).

pub mod loss;
mod network;
pub mod noise;

pub use network::{Logits, Network, embed};

use std::sync::Arc;

use harness::Result;
use harness::config::{self, Config};
use harness::data::{Source, Views};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::contract::{Count, Detector, FitEstimate, Parts};
use super::features::Features;
use super::noise::{disturb, labels};
use super::pass::check_stop;
use crate::input;
use crate::nn::Mode;
use crate::nn::param::Builder;
use crate::optim::Trained;
use crate::train::{self, Fed, Job, Learner, Scored, Sink, Snapshot, Terms};

/// Input pixels per cell of stage 2.
const STRIDE: usize = 8;

pub struct SuperSimpleNet {
    cfg: Config,
    seed: u64,
    features: Features,
    network: Network,
    /// The unit of relative noise, `[C]`; known once it was prepared.
    deviation: Option<Tensor>,
}

impl SuperSimpleNet {
    /// Everything but the backbone is drawn from the seed.
    pub fn new(parts: &Parts) -> Result<Self> {
        let cfg = parts.cfg;
        let [_, second, third] = cfg.model.backbone.name.channels();
        let builder = Builder::new(parts.seed, parts.device, cfg.train.precision, cfg.train.memory_format, None);
        let network = Network::new(builder, second + third, &cfg.supersimplenet)?;
        Ok(Self { cfg: cfg.clone(), seed: parts.seed, features: Features::new(parts)?, network, deviation: None })
    }

    /// Adapted features `[B, C, h, w]` of images `[B, 3, S, S]` in 0..=1.
    fn adapt(&self, images: &Tensor) -> Tensor {
        self.network.adapt(&embed(&self.features.stages(images), self.side() as i64))
    }

    /// Cells along a side of the map.
    fn side(&self) -> usize {
        self.cfg.data.size / STRIDE * self.cfg.supersimplenet.upscale as usize
    }

    /// Learns from the normal images what training needs to know: their range where inputs are normalised by it, and the deviation
    /// of each adapted channel, the adaptor as it is first drawn. `go_on` is asked before each image.
    fn prepare(&mut self, source: &Source, go_on: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.features.learn_normalization(source)?;
        if self.cfg.supersimplenet.noise == config::Noise::Relative {
            let _guard = tch::no_grad_guard();
            let mut spread = noise::Spread::default();
            for index in 0..source.len() {
                go_on()?;
                let image = source.get(index)?;
                spread.add(&self.adapt(&input::unit(&image.data, 1, source.size(), self.features.device())));
            }
            self.deviation = spread.deviation();
        }
        Ok(())
    }
}

impl Learner for SuperSimpleNet {
    fn trained(&self) -> Vec<Trained> {
        let keys = &self.cfg.supersimplenet;
        let of = |param: &crate::nn::Param| {
            let (lr, decay) = if Network::is_adaptor(param) { (keys.adaptor_lr, keys.adaptor_decay) } else { (1.0, 1.0) };
            Trained { name: param.name.clone(), tensor: param.tensor.shallow_clone(), lr, decay }
        };
        self.network.params().trained_weights().map(of).collect()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.network.params().state()
    }

    fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.network.params().restore(get)
    }

    fn views(&self) -> Views {
        Views::Plain
    }

    /// Both copies of the batch share the adapted features; each image of each copy has a mask of its own.
    fn loss(&self, fed: &Fed, draws: &mut ChaCha8Rng) -> Result<Terms> {
        let keys = &self.cfg.supersimplenet;
        let adapted = self.adapt(&fed.images);
        let masks = noise::masks(adapted.size()[0] as usize, self.side(), keys, draws);
        let doubled = Tensor::cat(&[&adapted, &adapted], 0);
        let disturbed = disturb(&doubled, &masks, keys.noise_std, self.deviation.as_ref(), draws);
        let Logits { map, image } = self.network.heads(&disturbed, Mode::Train);
        let cells = labels(&masks, &map); // [2 B, h, w]
        let hinge = loss::hinge(&map, &cells);
        let (mut total, mut logged) = (hinge.shallow_clone(), vec![("hinge", hinge)]);
        if keys.focal {
            logged.push(("focal", loss::focal(&map, &cells)));
        }
        if let Some(image) = image {
            logged.push(("decision", loss::focal(&image, &cells.amax([1i64, 2].as_slice(), false))));
        }
        total = logged[1..].iter().fold(total, |total, (_, term)| total + term);
        Ok(logged.iter().fold(Terms::new(total), |terms, (name, term)| terms.with_loss(name, term)))
    }

    fn score(&self, images: &Tensor) -> Scored {
        let _guard = tch::no_grad_guard();
        let Logits { map, image } = self.network.heads(&self.adapt(images), Mode::Eval);
        Scored { maps: vec![map.to_kind(Kind::Float)], image: image.map(|logit| logit.sigmoid()) }
    }
}

impl Detector for SuperSimpleNet {
    fn estimate(&self, images: usize) -> FitEstimate {
        let numbers = Learner::state(self).iter().map(|(_, t)| t.numel() as u64).sum();
        let cells = self.side().pow(2) as u64 + u64::from(self.cfg.supersimplenet.decision);
        FitEstimate::of_training(&self.cfg, images, numbers, cells)
    }

    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
        self.prepare(&source, &mut || check_stop(sink))?;
        let device = self.features.device();
        train::train(&Job { cfg: &self.cfg, seed: self.seed, device, learner: self, source }, start, sink)
    }

    fn score(&self, images: &Tensor) -> Scored {
        Learner::score(self, images)
    }

    fn learner(&mut self, source: &Source) -> Result<Option<&dyn Learner>> {
        self.prepare(source, &mut || Ok(()))?;
        Ok(Some(self))
    }

    fn count(&self) -> Count {
        let trained = self.network.params().weight_count() as u64;
        Count { parameters: self.features.count().parameters + trained, trained }
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = self.network.params().state();
        state.extend(self.features.state());
        state
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.features.restore(get);
        self.network.params().restore(get)
    }
}
