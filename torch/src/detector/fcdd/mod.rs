//! FCDD, fully convolutional data description (Liznerski et al., ICLR 2021), behind the seam.
//!
//! A network gives each cell of a map a number u, whose pseudo-Huber norm h is the cell's anomaly ([`loss`]); the map of h is
//! brought to the image's size by a sum of Gaussians ([`Upsampling`]), and both the loss and the score map are made there.

pub mod loss;
mod network;
mod upsampling;

pub use network::Network;
pub use upsampling::{Reception, Upsampling};

use std::sync::Arc;

use harness::Result;
use harness::config::{Config, FcddMask};
use harness::data::{Shape, Source};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::backbone;
use super::contract::{Count, Detector, FitEstimate, Parts};
use crate::input::Normalization;
use crate::nn::Mode;
use crate::nn::conv::arrange;
use crate::optim::Trained;
use crate::train::{self, Fed, Job, Learner, Length, Scored, Sink, Snapshot, Terms};

pub struct Fcdd {
    cfg: Config,
    seed: u64,
    device: Device,
    network: Network,
    upsampling: Upsampling,
    normalization: Option<Normalization>,
}

impl Fcdd {
    /// The configured network: its pretrained parts from the weights' file, all else drawn from the seed.
    ///
    /// # Errors
    /// Weights of another architecture.
    pub fn new(parts: &Parts) -> Result<Self> {
        let cfg = parts.cfg.clone();
        let network = backbone::with_weights(parts, |weights| Network::new(&cfg, weights, parts.seed, parts.device))?;
        let upsampling = Upsampling::new(network.reception(), cfg.data.size, cfg.fcdd.border, parts.device);
        let normalization = backbone::fixed_normalization(parts);
        Ok(Self { cfg, seed: parts.seed, device: parts.device, network, upsampling, normalization })
    }

    /// Learns the input's range from the training images where the configuration asks for it.
    fn prepare(&mut self, source: &Source) -> Result<()> {
        if self.normalization.is_none() {
            self.normalization = Some(backbone::learned_normalization(source, &self.cfg.data, self.device)?);
        }
        Ok(())
    }

    /// The network, as it stands.
    pub fn network(&self) -> &Network {
        &self.network
    }

    fn normalization(&self) -> &Normalization {
        self.normalization.as_ref().expect("a detector is fitted or restored before it scores")
    }

    /// h of normalised images: `[B, S/8, S/8]`, f32.
    fn cells(&self, input: &Tensor, mode: Mode) -> Tensor {
        let input = arrange(input, self.cfg.train.memory_format);
        loss::pseudo_huber(&self.network.forward(&input, mode).squeeze_dim(1))
    }

    /// What the loss takes for anomalous, `[B, S, S]` in {0, 1}.
    fn labels(&self, fed: &Fed) -> Tensor {
        let mask = fed.mask.squeeze_dim(1);
        match self.cfg.fcdd.mask {
            FcddMask::Pixel => mask,
            FcddMask::Image => {
                let anomalous: Vec<f32> = fed.kinds.iter().map(|&kind| f32::from(kind > 0)).collect();
                Tensor::from_slice(&anomalous).to_device(self.device).view([-1, 1, 1]).expand_as(&mask)
            }
        }
    }
}

impl Learner for Fcdd {
    fn trained(&self) -> Vec<Trained> {
        self.network.params().trained()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.network.params().state()
    }

    fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.network.params().restore(get)
    }

    fn input(&self, images: &Tensor) -> Tensor {
        self.normalization().apply(images)
    }

    fn loss(&self, fed: &Fed, _draws: &mut ChaCha8Rng) -> Result<Terms> {
        let map = self.upsampling.forward(&self.cells(&fed.images, Mode::Train));
        Ok(loss::total(&map, &self.labels(fed)))
    }

    fn score(&self, images: &Tensor) -> Scored {
        let _guard = tch::no_grad_guard();
        let cells = self.cells(&self.input(images), Mode::Eval);
        let own = cells.mean_dim([1i64, 2].as_slice(), false, Kind::Float); // [B]
        Scored { maps: vec![self.upsampling.forward(&cells)], image: Some(own) }
    }
}

impl Detector for Fcdd {
    fn estimate(&self, images: usize) -> FitEstimate {
        let Length { epochs, steps } = Length::of(&self.cfg.train, Shape::new(images, &self.cfg.data, &self.cfg.train).batches());
        let kept_bytes = self.network.params().state().iter().map(|(_, t)| 4 * t.numel() as u64).sum();
        FitEstimate { epochs: epochs as u64, steps, kept_bytes, map_cells: (self.cfg.data.size as u64).pow(2) + 1 }
    }

    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
        self.prepare(&source)?;
        train::train(&Job { cfg: &self.cfg, seed: self.seed, device: self.device, learner: self, source }, start, sink)
    }

    fn score(&self, images: &Tensor) -> Scored {
        Learner::score(self, images)
    }

    fn learner(&mut self, source: &Source) -> Result<Option<&dyn Learner>> {
        self.prepare(source)?;
        Ok(Some(self))
    }

    fn count(&self) -> Count {
        let params = self.network.params();
        let trained = params.trained_weights().map(|p| p.tensor.numel() as u64).sum();
        Count { parameters: params.weight_count() as u64, trained }
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        Learner::state(self).into_iter().chain(self.normalization().state()).collect()
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        if let Some(normalization) = backbone::stored_normalization(get, self.device) {
            self.normalization = Some(normalization);
        }
        self.network.params().restore(get)
    }
}
