//! Patch SVDD (Yi and Yoon 2020): an encoder learns from pairs of patches of normal images; a patch is then scored by the
//! distance of its description from the nearest one of a normal patch.
//!
//! Maps A32 and A64 are those of patches of 32 and of 64 px, A is their product. Nothing is pretrained. Memory after training:
//! images * (57^2 + 13^2) * 64 * 4 bytes at 256 px (213 images: 186 MB), as many while a coreset is chosen.

pub mod draw;
pub mod loss;
pub mod memory;
pub mod network;
pub mod spread;

use std::sync::Arc;

use harness::config::Config;
use harness::data::{Source, Views};
use harness::{Error, Result};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::contract::{Count, Detector, FitEstimate, Parts};
use crate::optim::Trained;
use crate::train::{self, Fed, Job, Learner, Scored, Sink, Snapshot, Terms};
use memory::{Normal, Remember};
use network::{Network, Patch, WIDTH};

/// What a finished run keeps beside the network: the mean image, and the memories of 32 and of 64 px.
const MEAN: &str = "psvdd.mean";
const MEMORIES: [(&str, &str); 2] = [("psvdd.centre32", "psvdd.members32"), ("psvdd.centre64", "psvdd.members64")];

/// Deviation of a trained encoder's descriptions below which it is said that they are alike. An untrained one is at 1e-4 for 32 px
/// and at 2e-5 for 64 px.
const COLLAPSED: f64 = 1e-3;

pub struct Psvdd {
    cfg: Config,
    seed: u64,
    device: Device,
    network: Network,
    /// Of the normal images, in 0..=1: [1, 3, S, S].
    mean: Option<Tensor>,
    /// Of patches of 32 and of 64 px: filled after training.
    memories: Option<[Normal; 2]>,
    /// See [`spread::shares`], likewise.
    shares: [Tensor; 2],
}

impl Psvdd {
    /// A network that is drawn from the seed.
    pub fn new(parts: &Parts) -> Result<Self> {
        let Parts { cfg, seed, device, .. } = *parts;
        let network = Network::new(cfg, seed, device)?;
        let shares = Patch::ALL.map(|patch| spread::shares(patch, cfg.data.size as i64, device));
        Ok(Self { cfg: cfg.clone(), seed, device, network, mean: None, memories: None, shares })
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    fn prepare(&mut self, source: &Source) -> Result<()> {
        if self.mean.is_none() {
            self.mean = Some(mean_image(source)?.to_device(self.device));
        }
        Ok(())
    }

    /// Remembers the normal images as the network describes them now. Says so where training has made all patches alike.
    fn finish(&mut self, source: &Arc<Source>, sink: &mut dyn Sink) -> Result<()> {
        let describe = |images: &Tensor| self.network.images(&Learner::input(self, images));
        let remember = Remember { cfg: &self.cfg, seed: self.seed, device: self.device, describe: &describe };
        let found = remember.run(source, sink)?;
        let trained = Detector::estimate(self, source.len()).steps > 0;
        for (patch, (_, deviation)) in Patch::ALL.iter().zip(&found) {
            if trained && *deviation < COLLAPSED {
                sink.note(&format!(
                    "patches of {} px are all described alike (deviation {deviation:.1e}): a smaller psvdd.lambda keeps them apart",
                    patch.side()
                ))?;
            }
        }
        self.memories = Some(found.map(|(normal, _)| normal));
        Ok(())
    }
}

/// The mean of each value of the images, in 0..=1: [1, 3, S, S] f32.
///
/// # Errors
/// An image that cannot be read.
pub fn mean_image(source: &Source) -> Result<Tensor> {
    let side = source.size() as i64;
    // Sums of bytes are exact in f64: their order does not show.
    let mut sum = Tensor::zeros([side * side * 3], (Kind::Double, Device::Cpu));
    for index in 0..source.len() {
        let _ = sum.g_add_(&Tensor::from_slice(&source.get(index)?.data));
    }
    let mean = sum / (255.0 * source.len() as f64);
    Ok(mean.view([1, side, side, 3]).permute([0, 3, 1, 2]).to_kind(Kind::Float))
}

impl Learner for Psvdd {
    fn trained(&self) -> Vec<Trained> {
        self.network.params().trained()
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

    fn input(&self, images: &Tensor) -> Tensor {
        images - self.mean.as_ref().expect("a detector is fitted or restored before it scores")
    }

    /// Directions of either size, and `psvdd.lambda` times the distances of neighbours.
    fn loss(&self, fed: &Fed, draws: &mut ChaCha8Rng) -> Result<Terms> {
        let [small, large] = Patch::ALL.map(|patch| loss::losses(&self.network, patch, &fed.images, draws));
        let svdd = &small.svdd + &large.svdd;
        let total = &small.position + &large.position + svdd * self.cfg.psvdd.lambda;
        Ok(Terms::new(total)
            .with_loss("position_32", &small.position)
            .with_loss("position_64", &large.position)
            .with_loss("svdd_32", &small.svdd)
            .with_loss("svdd_64", &large.svdd)
            .with_statistic("deviation_32", &small.deviation)
            .with_statistic("deviation_64", &large.deviation))
    }

    /// Only of a detector that was fitted: no rule of selection asks for it before (`config::check`).
    fn score(&self, images: &Tensor) -> Scored {
        let _guard = tch::no_grad_guard();
        let memories = self.memories.as_ref().expect("a detector is fitted or restored before it scores");
        let described = self.network.images(&Learner::input(self, images));
        let mut maps: Vec<Tensor> = described
            .iter()
            .zip(memories)
            .zip(&self.shares)
            .map(|((described, memory), shares)| {
                let (batch, _, grid, _) = described.size4().expect("descriptions are [B, 64, g, g]");
                let queries = described.permute([0, 2, 3, 1]).reshape([-1, WIDTH]);
                spread::spread(&memory.distances(&queries).view([batch, grid, grid]), shares)
            })
            .collect();
        maps.insert(0, &maps[0] * &maps[1]);
        Scored { maps, image: None }
    }
}

impl Detector for Psvdd {
    fn estimate(&self, images: usize) -> FitEstimate {
        let (cells, maps) = (self.cfg.data.size.pow(2) as u64, 1 + Patch::ALL.len() as u64);
        let weights: usize = Learner::state(self).iter().map(|(_, t)| t.numel()).sum();
        let members: i64 = Patch::ALL.iter().map(|&patch| memory::count(&self.cfg, patch, images)).sum();
        let numbers = weights as u64 + 3 * cells + (members * WIDTH) as u64;
        FitEstimate::of_training(&self.cfg, images, numbers, maps * cells)
    }

    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
        self.prepare(&source)?;
        train::train(&Job { cfg: &self.cfg, seed: self.seed, device: self.device, learner: self, source: source.clone() }, start, sink)?;
        self.finish(&source, sink)
    }

    fn score(&self, images: &Tensor) -> Scored {
        Learner::score(self, images)
    }

    fn learner(&mut self, source: &Source) -> Result<Option<&dyn Learner>> {
        self.prepare(source)?;
        Ok(Some(self))
    }

    fn count(&self) -> Count {
        Count::of(self.network.params())
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = Learner::state(self);
        state.extend(self.mean.iter().map(|mean| (MEAN.to_owned(), mean.shallow_clone())));
        for (normal, (centre, members)) in self.memories.iter().flatten().zip(MEMORIES) {
            state.push((centre.to_owned(), normal.centre.shallow_clone()));
            state.push((members.to_owned(), normal.members().shallow_clone()));
        }
        state
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.network.params().restore(get)?;
        let size = self.cfg.data.size as i64;
        let find = |name: &str, fits: &dyn Fn(&[i64]) -> bool| {
            get(name).filter(|t| fits(&t.size())).map(|t| t.to_device(self.device)).ok_or_else(|| {
                let remedy = format!("it belongs to another configuration or version; {}", harness::error::AGAIN);
                Error::environment(format!("the stored detector lacks `{name}` for images of {size} px"), remedy)
            })
        };
        let mean = find(MEAN, &|shape| shape == [1, 3, size, size])?;
        let normal = |(centre, members)| -> Result<Normal> {
            let members = find(members, &|shape| matches!(shape, [k, WIDTH] if *k > 0))?;
            Ok(Normal::new(find(centre, &|shape| shape == [1, WIDTH])?, members))
        };
        let [small, large] = MEMORIES.map(normal);
        (self.mean, self.memories) = (Some(mean), Some([small?, large?]));
        Ok(())
    }
}
