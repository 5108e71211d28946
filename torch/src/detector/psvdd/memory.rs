//! What is remembered of the normal images: descriptions of their patches, of each size by itself.

use std::sync::Arc;

use harness::config::Config;
use harness::data::Source;
use harness::{Result, seed};
use rand::RngExt;
use tch::{Device, Kind, Tensor};

use super::super::nearest::{Memory, choose};
use super::super::pass::{Aside, Pass, check_stop};
use super::network::{Patch, WIDTH};
use crate::train::Sink;

/// Descriptions of normal patches, about their mean: an untrained encoder's differ by less than a thousandth of their length,
/// where products of them would leave nothing of their distances.
pub struct Normal {
    /// [1, 64]
    pub centre: Tensor,
    about: Memory,
}

impl Normal {
    /// Of members [K, 64] about `centre` [1, 64], K at least 1.
    pub fn new(centre: Tensor, members: Tensor) -> Self {
        Self { centre, about: Memory::new(members) }
    }

    /// [K, 64], about the centre.
    pub fn members(&self) -> &Tensor {
        &self.about.members
    }

    /// Distances `[Q]` of descriptions [Q, 64] from the nearest member.
    pub fn distances(&self, described: &Tensor) -> Tensor {
        self.about.nearest(&(described - &self.centre)).0
    }
}

/// Patches of `images` images that are remembered.
pub fn count(cfg: &Config, patch: Patch, images: usize) -> i64 {
    let all = images as i64 * patch.grid(cfg.data.size as i64).pow(2);
    ((all as f64 * cfg.psvdd.fraction).round() as i64).clamp(1, all.max(1))
}

/// Root of the mean squared distance of descriptions [N, 64] from their mean, per number of a description; f64, no dimension.
/// 0 = all alike.
pub fn deviation(described: &Tensor) -> Tensor {
    let mean = described.mean_dim([0i64].as_slice(), true, Kind::Double);
    (described - mean).square().mean(Kind::Double).sqrt()
}

/// What a memory is made from.
pub struct Remember<'a> {
    pub cfg: &'a Config,
    pub seed: u64,
    pub device: Device,
    /// Descriptions [B, 64, g, g] of the patches of images `[B, 3, S, S]` in 0..=1, of either size.
    pub describe: &'a dyn Fn(&Tensor) -> [Tensor; 2],
}

impl Remember<'_> {
    /// Looks at each normal image once: the memories of 32 and of 64 px, and the deviation of all their patches.
    ///
    /// # Errors
    /// What the loader and the sink report, and `Kind::Stopped` when the sink asks to stop.
    pub fn run(&self, source: &Arc<Source>, sink: &mut dyn Sink) -> Result<[(Normal, f64); 2]> {
        let Self { cfg, seed, device, describe } = *self;
        let _guard = tch::no_grad_guard();
        let (images, size) = (source.len() as i64, cfg.data.size as i64);
        let all = Patch::ALL.map(|patch| Tensor::zeros([images, patch.grid(size).pow(2), WIDTH], (Kind::Float, device)));
        Pass { cfg, seed, device }.run(source.clone(), &mut Aside(sink), &mut |indices, images| {
            for (all, described) in all.iter().zip(describe(images)) {
                let rows = described.flatten(2, 3).transpose(1, 2); // [B, P, 64]
                indices.iter().zip(0..).for_each(|(&i, k)| all.get(i as i64).copy_(&rows.get(k)));
            }
        })?;
        let mut of = |patch: Patch, described: &Tensor| {
            let described = described.flatten(0, 1); // [n P, 64]
            let centre = described.mean_dim([0i64].as_slice(), true, Kind::Double).to_kind(Kind::Float);
            let members = self.thinned(&(&described - &centre), count(cfg, patch, source.len()), sink)?;
            Ok((Normal::new(centre, members), deviation(&described).double_value(&[])))
        };
        Ok([of(Patch::Px32, &all[0])?, of(Patch::Px64, &all[1])?])
    }

    /// `count` of the descriptions [M, 64], chosen greedily.
    fn thinned(&self, described: &Tensor, count: i64, sink: &mut dyn Sink) -> Result<Tensor> {
        let m = described.size()[0];
        if count == m {
            return Ok(described.shallow_clone());
        }
        let first = seed::stream(self.seed, "psvdd/first", 0, 0).random_range(0..m);
        let members = choose(described, count as usize, first, &mut || check_stop(sink))?;
        Ok(described.index_select(0, &Tensor::from_slice(&members).to_device(described.device())))
    }
}
