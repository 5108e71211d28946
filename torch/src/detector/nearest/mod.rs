//! PatchCore (Roth et al. 2022): a memory of normal patches, thinned to a coreset, and the distance to its nearest member.
//!
//! Map A is that distance. Map S is A times one weight for each image (the paper's Eq. 7), so that its maximum is the
//! reweighted image score; it is there where `nearest.neighbours` is above 0. Memory while fitting: all training patches,
//! images * P * D * 4 bytes (213 images at 256 px: 0.9 GB); what stays is `nearest.fraction` of that.

mod coreset;
mod memory;
mod patch;

pub use coreset::{choose, projection};
pub use memory::Memory;
pub use patch::{features, width};

use std::sync::Arc;

use harness::config::Config;
use harness::data::Source;
use harness::{Error, Result, seed};
use rand::RngExt;
use tch::{Kind, Tensor};

use super::contract::{Count, Detector, FitEstimate, Parts};
use super::features::Features;
use super::pass::{Pass, check_stop};
use crate::train::{Scored, Sink, Snapshot};

pub struct Nearest {
    cfg: Config,
    seed: u64,
    backbone: Features,
    memory: Option<Memory>,
}

impl Nearest {
    pub fn new(parts: &Parts) -> Result<Self> {
        Ok(Self { cfg: parts.cfg.clone(), seed: parts.seed, backbone: Features::new(parts)?, memory: None })
    }

    /// Patch features `[B, P, D]` of images `[B, 3, S, S]`.
    fn embed(&self, images: &Tensor) -> Tensor {
        features(&self.backbone.stages(images), &self.cfg.nearest)
    }

    /// Side of the map.
    fn side(&self) -> i64 {
        self.cfg.data.size as i64 >> (1 + self.cfg.nearest.stages[0])
    }

    fn width(&self) -> i64 {
        width(self.cfg.model.backbone.name.channels(), &self.cfg.nearest)
    }

    /// Members that are kept of `patches`.
    fn count(&self, patches: i64) -> i64 {
        ((patches as f64 * self.cfg.nearest.fraction).round() as i64).clamp(1, patches.max(1))
    }

    /// The coreset of `patches` [M, D].
    fn thinned(&self, patches: &Tensor, sink: &mut dyn Sink) -> Result<Tensor> {
        let (m, d) = patches.size2().expect("patches are [M, D]");
        let points = match self.cfg.nearest.project {
            to if to > 0 && to < d => patches.matmul(&projection(d, to, self.seed).to_device(patches.device())), // [M, to]
            _ => patches.shallow_clone(),
        };
        let first = seed::stream(self.seed, "nearest/first", 0, 0).random_range(0..m);
        let members = choose(&points, self.count(m) as usize, first, &mut || check_stop(sink))?;
        Ok(patches.index_select(0, &Tensor::from_slice(&members).to_device(patches.device())))
    }
}

impl Detector for Nearest {
    fn estimate(&self, images: usize) -> FitEstimate {
        let cells = self.side().pow(2);
        let kept_bytes = (self.count(images as i64 * cells) * self.width() * 4) as u64;
        let maps = if self.cfg.nearest.neighbours > 0 { 2 } else { 1 };
        FitEstimate { epochs: 0, steps: images as u64, kept_bytes, map_cells: maps * cells as u64 }
    }

    fn fit(&mut self, source: Arc<Source>, _: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
        self.backbone.learn_normalization(&source)?;
        let _guard = tch::no_grad_guard();
        let (n, cells, on) = (source.len() as i64, self.side().pow(2), self.backbone.device());
        let patches = Tensor::zeros([n, cells, self.width()], (Kind::Float, on));
        let pass = Pass { cfg: &self.cfg, seed: self.seed, device: on };
        pass.run(source, sink, &mut |indices, images| {
            let embedded = self.embed(images);
            indices.iter().zip(0..).for_each(|(&i, k)| patches.get(i as i64).copy_(&embedded.get(k)));
        })?;
        self.memory = Some(Memory::new(self.thinned(&patches.flatten(0, 1), sink)?));
        Ok(())
    }

    fn score(&self, images: &Tensor) -> Scored {
        let _guard = tch::no_grad_guard();
        let memory = self.memory.as_ref().expect("a detector is fitted or restored before it scores");
        let (b, side) = (self.cfg.nearest.neighbours, self.side());
        let embedded = self.embed(images); // [B, P, D]
        let (mut distances, mut weighted) = (vec![], vec![]);
        for k in 0..embedded.size()[0] {
            let patches = embedded.get(k); // [P, D]
            let (distance, index) = memory.nearest(&patches); // [P]
            if b > 0 {
                let worst = distance.argmax(None, false).int64_value(&[]);
                let weight = memory.weight(&patches.get(worst), index.int64_value(&[worst]), distance.double_value(&[worst]), b);
                weighted.push((&distance * weight).view([side, side]));
            }
            distances.push(distance.view([side, side]));
        }
        let mut maps = vec![Tensor::stack(&distances, 0)]; // A [B, side, side]
        if b > 0 {
            maps.push(Tensor::stack(&weighted, 0)); // S [B, side, side]
        }
        Scored { maps, image: None }
    }

    fn count(&self) -> Count {
        self.backbone.count()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = self.backbone.state();
        state.extend(self.memory.iter().map(|m| ("nearest.members".to_owned(), m.members.shallow_clone())));
        state
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.backbone.restore(get);
        let width = self.width();
        let fits = |t: &Tensor| matches!(t.size().as_slice(), [k, d] if *k > 0 && *d == width);
        let members = get("nearest.members").filter(fits).ok_or_else(|| {
            let remedy = format!("it belongs to another configuration or version; {}", harness::error::AGAIN);
            Error::environment(format!("the stored detector lacks `nearest.members` [.., {width}]"), remedy)
        })?;
        self.memory = Some(Memory::new(members.to_device(self.backbone.device())));
        Ok(())
    }
}
