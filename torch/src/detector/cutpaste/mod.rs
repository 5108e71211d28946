//! CutPaste (Li et al. 2021): a network learns to tell an image, CutPaste on it and a scar on it apart; a Gaussian of its features
//! on the normal images then scores an image, or the patches of one.
//!
//! Two models, one a run: of whole images, which gives an image score alone, and of patches (`cutpaste.patch`), which gives
//! map A too. Memory while the Gaussians are fitted: images * P * D * 4 bytes of features, P being 1 or the number of patches
//! (213 images at 256 px and a stride of 4: 1.4 GB).

pub mod density;
pub mod network;
pub mod patches;

use std::sync::Arc;

use harness::config::Config;
use harness::data::{Source, Views};
use harness::{Error, Result};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::backbone;
use super::contract::{Count, Detector, FitEstimate, Parts};
use super::normalization::InputNormalization;
use super::padim::Gaussians;
use super::pass::{Aside, Pass, check_stop};
use crate::nn::Mode;
use crate::optim::Trained;
use crate::tensors;
use crate::train::{self, Fed, Job, Learner, Scored, Sink, Snapshot, Terms};
use network::Network;

/// Patches a forward pass.
const AT_ONCE: i64 = 512;

pub struct CutPaste {
    cfg: Config,
    seed: u64,
    device: Device,
    network: Network,
    normalization: InputNormalization,
    /// Of the normal images' features: fitted after training.
    gaussians: Option<Gaussians>,
}

impl CutPaste {
    /// The configured network, from its weights or drawn from the seed.
    pub fn new(parts: &Parts) -> Result<Self> {
        let network = backbone::with_weights(parts, |weights| Network::new(parts.cfg, weights, parts.seed, parts.device))?;
        let normalization = InputNormalization::new(parts);
        Ok(Self { cfg: parts.cfg.clone(), seed: parts.seed, device: parts.device, network, normalization, gaussians: None })
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Fits the Gaussians to the features of the normal images, each looked at once.
    fn finish(&mut self, source: &Arc<Source>, sink: &mut dyn Sink) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let (n, positions, width) = (source.len() as i64, self.positions(), self.network.width());
        let features = Tensor::zeros([n, positions, width], (Kind::Float, self.device));
        let pass = Pass { cfg: &self.cfg, seed: self.seed, device: self.device };
        pass.run(source.clone(), &mut Aside(sink), &mut |indices, images| {
            let embedded = self.embed(images);
            indices.iter().zip(0..).for_each(|(&i, k)| features.get(i as i64).copy_(&embedded.get(k)));
        })?;
        let groups = if self.cfg.cutpaste.is_aligned(category(source)) { positions } else { 1 };
        let features = features.view([-1, groups, width]);
        self.gaussians = Some(density::fit(&features, self.cfg.cutpaste.shrink, &mut || check_stop(sink))?);
        Ok(())
    }

    /// Features of length 1, [B, P, D] f32, of images `[B, 3, S, S]` in 0..=1 or of their patches; without gradients.
    fn embed(&self, images: &Tensor) -> Tensor {
        let x = Learner::input(self, images);
        let settings = &self.cfg.cutpaste;
        let features = if settings.patch == 0 {
            self.network.features(&x, Mode::Eval).unsqueeze(1)
        } else {
            let patches = |i| patches::windows(&x.get(i), settings.window as i64, settings.stride as i64);
            let one =
                |i| Tensor::cat(&patches(i).split(AT_ONCE, 0).iter().map(|p| self.network.features(p, Mode::Eval)).collect::<Vec<_>>(), 0);
            Tensor::stack(&(0..x.size()[0]).map(one).collect::<Vec<_>>(), 0)
        };
        let length = features.square().sum_dim_intlist([-1i64].as_slice(), true, None::<Kind>).sqrt();
        features / length.clamp_min(1e-12)
    }

    /// P: 1, or the patches of an image.
    fn positions(&self) -> i64 {
        (self.cfg.cutpaste.side(self.cfg.data.size) as i64).pow(2)
    }

    /// Numbers that `groups` Gaussians keep.
    fn gaussian_numbers(&self, groups: i64) -> i64 {
        let d = self.network.width();
        groups * (d + d * (d + 1) / 2)
    }
}

/// The folder in which the images of MVTec AD's layout lie: ROOT/<category>/train/good.
fn category(source: &Source) -> &str {
    let folder = source.items().first().and_then(|item| item.path.ancestors().nth(3));
    folder.and_then(|folder| folder.file_name()).and_then(|name| name.to_str()).unwrap_or_default()
}

impl Learner for CutPaste {
    fn trained(&self) -> Vec<Trained> {
        self.network.trained()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.network.params().state()
    }

    fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.network.params().restore(get)
    }

    fn views(&self) -> Views {
        Views::ThreeWay { crop: (self.cfg.cutpaste.patch > 0).then_some(self.cfg.cutpaste.patch) }
    }

    fn input(&self, images: &Tensor) -> Tensor {
        self.normalization.apply(images)
    }

    /// The cross entropy of the views' kinds. All three views of all items pass the batch norms together.
    fn loss(&self, fed: &Fed, _: &mut ChaCha8Rng) -> Result<Terms> {
        let logits = self.network.logits(&self.network.features(&fed.images, Mode::Train), Mode::Train).to_kind(Kind::Double);
        let kinds: Vec<i64> = fed.kinds.iter().map(|&kind| kind.into()).collect();
        let kinds = tensors::upload(&Tensor::from_slice(&kinds), self.device);
        let loss = logits.log_softmax(-1, Kind::Double).nll_loss(&kinds);
        let accuracy = logits.argmax(1, false).eq_tensor(&kinds).to_kind(Kind::Double).mean(Kind::Double);
        Ok(Terms::new(loss).with_statistic("accuracy", &accuracy))
    }

    /// Only of a detector that was fitted: no rule of selection asks for it before (`config::check`).
    fn score(&self, images: &Tensor) -> Scored {
        let _guard = tch::no_grad_guard();
        let gaussians = self.gaussians.as_ref().expect("a detector is fitted or restored before it scores");
        let distances = density::distances(gaussians, &self.embed(images)); // [B, P]
        let image = distances.amax([1i64].as_slice(), false);
        let settings = &self.cfg.cutpaste;
        if settings.patch == 0 {
            return Scored { maps: vec![], image: Some(image) };
        }
        let (side, stride) = (settings.side(self.cfg.data.size) as i64, settings.stride as i64);
        let kernel = patches::kernel(settings.window as i64, stride, settings.sigma, self.device);
        let map = patches::spread(&distances.view([-1, side, side]), &kernel, stride);
        Scored { maps: vec![map], image: Some(image) }
    }
}

impl Detector for CutPaste {
    /// Where the category decides on the Gaussians (`cutpaste.aligned = "auto"`), the most that can be kept.
    fn estimate(&self, images: usize) -> FitEstimate {
        let groups = if self.cfg.cutpaste.may_align() { self.positions() } else { 1 };
        let weights: usize = Learner::state(self).iter().map(|(_, t)| t.numel()).sum();
        let cells = if self.cfg.cutpaste.patch == 0 { 0 } else { self.cfg.data.size.pow(2) };
        let numbers = weights as u64 + self.gaussian_numbers(groups) as u64;
        FitEstimate::of_training(&self.cfg, images, numbers, cells as u64 + 1)
    }

    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
        self.normalization.learn(&source, &self.cfg.data)?;
        train::train(&Job { cfg: &self.cfg, seed: self.seed, device: self.device, learner: self, source: source.clone() }, start, sink)?;
        self.finish(&source, sink)
    }

    fn score(&self, images: &Tensor) -> Scored {
        Learner::score(self, images)
    }

    fn learner(&mut self, source: &Source) -> Result<Option<&dyn Learner>> {
        self.normalization.learn(source, &self.cfg.data)?;
        Ok(Some(self))
    }

    fn count(&self) -> Count {
        let trained = self.network.trained().iter().map(|t| t.tensor.numel() as u64).sum();
        Count { parameters: self.network.params().weight_count() as u64, trained }
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = Learner::state(self);
        state.extend(self.normalization.state());
        if let Some(Gaussians { mean, factor, .. }) = &self.gaussians {
            state.extend([("cutpaste.mean".to_owned(), mean.shallow_clone()), ("cutpaste.factor".to_owned(), factor.shallow_clone())]);
        }
        state
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.normalization.restore(get);
        self.network.params().restore(get)?;
        let d = self.network.width();
        let (mean, factor) = get("cutpaste.mean")
            .zip(get("cutpaste.factor"))
            .filter(|(mean, factor)| {
                let groups = mean.size()[0];
                (groups == 1 || groups == self.positions()) && mean.size() == [groups, d] && factor.size() == [groups, d * (d + 1) / 2]
            })
            .ok_or_else(|| {
                let remedy = format!("it belongs to another configuration or version; {}", harness::error::AGAIN);
                Error::environment(format!("the stored detector lacks Gaussians of {d} features"), remedy)
            })?;
        self.gaussians = Some(Gaussians::new(mean.to_device(self.device), factor.to_device(self.device)));
        Ok(())
    }
}
