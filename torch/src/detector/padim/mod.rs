//! PaDiM (Defard et al. 2020): the backbone's first three stages at each position, a Gaussian over the normal images there,
//! and the Mahalanobis distance to it as score map.
//!
//! Memory while fitting: images * d * (S / 4)^2 * 4 bytes of features (213 images: 87 MB for 100 channels at 128 px, 1.9 GB
//! for 550 at 256 px) beside what stays, (S / 4)^2 * (d^2 + 3 d) * 2 bytes (21 MB and 2.5 GB).

mod gaussian;

pub use gaussian::{Gaussians, positions_at_once};

use std::sync::Arc;

use harness::config::{Config, Upsample, padim_channels};
use harness::data::Source;
use harness::{Error, Result};
use tch::{Kind, Tensor};

use super::contract::{Count, Detector, FitEstimate, Parts};
use super::features::Features;
use super::pass::{Pass, check_stop};
use crate::nn::Stages;
use crate::train::{Scored, Sink, Snapshot};

pub struct Padim {
    cfg: Config,
    seed: u64,
    features: Features,
    /// The kept channels of each stage.
    channels: [Tensor; 3],
    gaussians: Option<Gaussians>,
}

impl Padim {
    pub fn new(parts: &Parts) -> Result<Self> {
        let features = Features::new(parts)?;
        let widths = parts.cfg.model.backbone.name.channels();
        let channels = padim_channels(widths, parts.cfg.padim.channels, parts.seed).map(|c| Tensor::from_slice(&c).to_device(parts.device));
        Ok(Self { cfg: parts.cfg.clone(), seed: parts.seed, features, channels, gaussians: None })
    }

    /// Kept channels `[B, d, P]` of images `[B, 3, S, S]`, at the resolution of stage 1.
    fn embed(&self, images: &Tensor) -> Tensor {
        let Stages { c1, c2, c3 } = self.features.stages(images);
        let side = c1.size()[2];
        // A stage that the draw left without a channel has nothing to bring to this resolution.
        let drawn = [c1, c2, c3].into_iter().zip(&self.channels).filter(|(_, channels)| channels.size()[0] > 0);
        let parts = drawn.map(|(stage, channels)| {
            let kept = stage.index_select(1, channels); // [B, d_i, s_i, s_i]
            match self.cfg.padim.upsample {
                Upsample::Nearest => kept.upsample_nearest2d([side, side], None, None),
                Upsample::Bilinear => kept.upsample_bilinear2d([side, side], false, None, None),
            }
        });
        Tensor::cat(&parts.collect::<Vec<_>>(), 1).flatten(2, 3) // [B, d, P]
    }

    fn positions(&self) -> i64 {
        (self.cfg.data.size as i64 / 4).pow(2)
    }
}

impl Detector for Padim {
    fn estimate(&self, images: usize) -> FitEstimate {
        let (d, p) = (self.cfg.padim.channels, self.positions());
        let kept_bytes = (p * (d + d * (d + 1) / 2) * 4) as u64;
        FitEstimate { epochs: 0, steps: images as u64, kept_bytes, map_cells: p as u64 }
    }

    fn fit(&mut self, source: Arc<Source>, _: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
        self.features.learn_normalization(&source)?;
        let _guard = tch::no_grad_guard();
        let (n, d, on) = (source.len() as i64, self.cfg.padim.channels, self.features.device());
        let features = Tensor::zeros([n, d, self.positions()], (Kind::Float, on));
        let pass = Pass { cfg: &self.cfg, seed: self.seed, device: on };
        pass.run(source, sink, &mut |indices, images| {
            let embedded = self.embed(images);
            indices.iter().zip(0..).for_each(|(&i, k)| features.get(i as i64).copy_(&embedded.get(k)));
        })?;
        let gaussians = Gaussians::fit(&features, self.cfg.padim.eps, positions_at_once(d), &mut || check_stop(sink))?;
        self.gaussians = Some(gaussians);
        Ok(())
    }

    fn score(&self, images: &Tensor) -> Scored {
        let _guard = tch::no_grad_guard();
        let gaussians = self.gaussians.as_ref().expect("a detector is fitted or restored before it scores");
        let distance = gaussians.distance(&self.embed(images), positions_at_once(self.cfg.padim.channels)); // [B, P]
        let (batch, side) = (distance.size()[0], self.cfg.data.size as i64 / 4);
        Scored { maps: vec![distance.view([batch, side, side])], image: None }
    }

    fn count(&self) -> Count {
        self.features.count()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = self.features.state();
        if let Some(Gaussians { mean, factor, .. }) = &self.gaussians {
            state.extend([("padim.mean".to_owned(), mean.shallow_clone()), ("padim.factor".to_owned(), factor.shallow_clone())]);
        }
        state
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.features.restore(get);
        let (d, p, on) = (self.cfg.padim.channels, self.positions(), self.features.device());
        let find = |name: &str, shape: [i64; 2]| {
            get(name).filter(|t| t.size() == shape).map(|t| t.to_device(on)).ok_or_else(|| {
                let remedy = format!("it belongs to another configuration or version; {}", harness::error::AGAIN);
                Error::environment(format!("the stored detector lacks `{name}` {shape:?}"), remedy)
            })
        };
        self.gaussians = Some(Gaussians::new(find("padim.mean", [p, d])?, find("padim.factor", [p, d * (d + 1) / 2])?));
        Ok(())
    }
}
