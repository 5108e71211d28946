//! How a teacher is taught: patches of photographs, the backbone's features of them, and the loop.
//!
//! The features are standardised, each number by itself, from patches of a first pass: of raw ones a few large numbers are all
//! that is learned in thousands of steps. What a step sees depends on its number alone, so that a lesson that was broken off goes on to the
//! same bits.

use std::sync::Arc;

use harness::Result;
use harness::config::{Compact, Config, Optim, OptimKind, Schedule};
use harness::data::photographs::{Draw, Photographs};
use harness::weights::{self, File, Tensors};
use tch::{Device, Kind, Tensor};

use super::loss::{compactness, knowledge};
use crate::detector::us::network::{Field, Network, Size};
use crate::detector::us::normalization;
use crate::detector::us::statistics::{Scale, Sums};
use crate::detector::{Features, Parts};
use crate::input::{self, Normalization};
use crate::nn::First;
use crate::nn::Params;
use crate::nn::linear::{Linear, LinearShape};
use crate::nn::param::Builder;
use crate::optim::{At, Optimizer, learning_rate};
use crate::train::Due;

/// Batches of the pass from which features are standardised.
const SCALE_BATCHES: u64 = 64;
/// Batches of patches that are never trained on.
const HELD_BATCHES: u64 = 8;
/// Steps from one look at them to the next.
pub const HELD_EVERY: u64 = 500;
/// Prefix of the decoder's parameters, which end with the lesson.
const DECODER: &str = "decoder";

/// What is taught, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    pub field: Field,
    pub size: Size,
    pub steps: u64,
    pub batch: usize,
    pub lr: f64,
    pub compact: Compact,
    pub seed: u64,
}

/// A step that was made.
pub struct Made {
    /// From 1.
    pub step: u64,
    /// L_k as a share of the variance of the features, of this batch.
    pub unexplained: f64,
    /// L_c.
    pub compactness: f64,
    /// The share on patches that are never trained on, where it was looked at.
    pub held: Option<f64>,
}

/// Who follows a lesson.
pub trait Pupil {
    /// After each step: whether to keep what was learned, or to stop.
    fn made(&mut self, made: &Made) -> Due;

    /// Tensors from which the lesson goes on.
    ///
    /// # Errors
    /// Where they cannot be kept.
    fn keep(&mut self, kept: &[(String, Tensor)]) -> Result<()>;
}

/// A lesson in progress.
pub struct Lesson {
    plan: Plan,
    device: Device,
    photographs: Arc<Photographs>,
    backbone: Features,
    network: Network,
    decoder: Linear,
    params: Params,
    optim: Optim,
    optimizer: Optimizer,
    input: Normalization,
    /// Of the features.
    scale: Scale,
    /// Steps that were made.
    step: u64,
}

impl Lesson {
    /// A lesson at its start. Looks at some thousand patches.
    ///
    /// # Errors
    /// A backbone that is no residual network or does not fit its file; an image that cannot be read.
    pub fn new(plan: Plan, backbone: &File, photographs: Arc<Photographs>, device: Device) -> Result<Self> {
        let (cfg, optim) = (config(backbone), optim(&plan));
        let parts = Parts { cfg: &cfg, seed: plan.seed, device, weights: Some(backbone) };
        let features = Features::new(&parts)?;
        let mut builder = Builder::new(plan.seed, device, cfg.train.precision, cfg.train.memory_format, None);
        let network = Network::new(&mut builder, "", plan.field, plan.size)?;
        let [.., width] = backbone.meta.architecture.channels();
        let decoder = builder.linear_of(DECODER, LinearShape::new(plan.size.descriptor, width).bias(First::Uniform))?;
        let params = builder.finish();
        let optimizer = Optimizer::new(&optim, params.trained());
        let input = normalization(device);
        let scale = Sums::new(width, device).scale();
        let mut lesson =
            Self { plan, device, photographs, backbone: features, network, decoder, params, optim, optimizer, input, scale, step: 0 };
        lesson.scale = lesson.measured()?;
        Ok(lesson)
    }

    /// Goes on from what a pupil kept.
    ///
    /// # Errors
    /// Tensors that are missing or of another shape.
    pub fn resume(&mut self, kept: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.params.restore(kept)?;
        let step = kept("step").map_or(0, |step| step.int64_value(&[0]));
        self.optimizer.restore(kept, step)?;
        self.step = step as u64;
        Ok(())
    }

    /// Steps that were made.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Makes the steps that are left.
    ///
    /// # Errors
    /// An image that cannot be read, a loss that is no longer finite, and `Kind::Stopped` when the pupil asks to stop.
    pub fn run(&mut self, pupil: &mut dyn Pupil) -> Result<()> {
        let patches = self.draw("us/patch").steps(self.photographs.clone(), self.step, self.plan.steps);
        for bytes in patches {
            let mut made = self.learn(&bytes?)?;
            if self.step.is_multiple_of(HELD_EVERY) || self.step == self.plan.steps {
                made.held = Some(self.unexplained()?);
            }
            match pupil.made(&made) {
                Due::Nothing => {}
                due => {
                    pupil.keep(&self.kept())?;
                    if due == Due::Stop && self.step < self.plan.steps {
                        return Err(harness::Error::stopped(format!("stopped after step {} of {}", self.step, self.plan.steps)));
                    }
                }
            }
        }
        Ok(())
    }

    /// The share of the variance of the features that the teacher does not explain, on patches that are never trained on; of the same
    /// images.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub fn unexplained(&self) -> Result<f64> {
        let _guard = tch::no_grad_guard();
        let (mut off, mut all) = (0.0, 0.0);
        for batch in 0..HELD_BATCHES {
            let images = self.images(&self.draw("us/held").step(&self.photographs, batch)?);
            let features = self.features(&images);
            off += knowledge(&self.decoder.forward(&self.describe(&images)), &features).double_value(&[]);
            all += features.square().sum(Kind::Double).double_value(&[]) / self.plan.batch as f64;
        }
        Ok(off / all)
    }

    /// The network as its file holds it.
    pub fn tensors(&self) -> Tensors {
        let own = self.params.iter().filter(|param| !param.name.starts_with(DECODER));
        let tensor = |tensor: &Tensor| weights::Tensor {
            shape: tensor.size().iter().map(|&d| d as usize).collect(),
            data: Vec::try_from(tensor.detach().to_device(Device::Cpu).contiguous().view(-1)).expect("weights are f32"),
        };
        own.map(|param| (param.name.clone(), tensor(&param.tensor))).collect()
    }

    fn draw(&self, domain: &'static str) -> Draw {
        Draw { seed: self.plan.seed, domain, side: self.plan.field.side() as usize, batch: self.plan.batch }
    }

    /// Patches in 0..=1: [B, 3, p, p].
    fn images(&self, bytes: &[u8]) -> Tensor {
        input::unit(bytes, self.plan.batch, self.plan.field.side() as usize, self.device)
    }

    /// The last stage's mean over a patch, as it is: [B, C].
    fn raw(&self, images: &Tensor) -> Tensor {
        let _guard = tch::no_grad_guard();
        self.backbone.stages(images).c3.mean_dim([2i64, 3].as_slice(), false, Kind::Float)
    }

    /// The same with mean 0 and deviation 1 in each number.
    fn features(&self, images: &Tensor) -> Tensor {
        let _guard = tch::no_grad_guard();
        self.scale.apply(&self.raw(images).unsqueeze(2).unsqueeze(3)).flatten(1, 3)
    }

    fn describe(&self, images: &Tensor) -> Tensor {
        self.network.patches(&self.input.apply(images))
    }

    fn measured(&self) -> Result<Scale> {
        let mut sums = Sums::new(self.decoder.weight.size()[0], self.device);
        for batch in 0..SCALE_BATCHES {
            let images = self.images(&self.draw("us/scale").step(&self.photographs, batch)?);
            sums.add(&self.raw(&images).unsqueeze(2).unsqueeze(3));
        }
        Ok(sums.scale())
    }

    fn learn(&mut self, bytes: &[u8]) -> Result<Made> {
        let images = self.images(bytes);
        let features = self.features(&images);
        let descriptions = self.describe(&images);
        let known = knowledge(&self.decoder.forward(&descriptions), &features);
        let compact = compactness(&descriptions, self.plan.compact);
        let lr = learning_rate(&self.optim, At { epoch: self.step as usize, batch: 0, batches: 1, steps: self.plan.steps });
        let _norm = self.optimizer.step(&(&known + &compact), lr, 0.0);
        self.step += 1;
        let (known, compactness) = (known.double_value(&[]), compact.double_value(&[]));
        if !(known + compactness).is_finite() {
            return Err(harness::Error::run(format!("the loss is {} after step {}", known + compactness, self.step), "lower --lr"));
        }
        Ok(Made { step: self.step, unexplained: known / features.size()[1] as f64, compactness, held: None })
    }

    fn kept(&self) -> Vec<(String, Tensor)> {
        let (moments, _) = self.optimizer.state();
        let step = [("step".to_owned(), Tensor::from_slice(&[self.step as i64]))];
        self.params.state().into_iter().chain(moments).chain(step).collect()
    }
}

/// What the backbone is built by.
fn config(backbone: &File) -> Config {
    let mut cfg = Config::default();
    cfg.model.backbone.name = backbone.meta.architecture;
    cfg.model.backbone.weights = backbone.path().display().to_string();
    cfg
}

/// Adam with the published decay.
fn optim(plan: &Plan) -> Optim {
    Optim { kind: OptimKind::Adam, lr: plan.lr, weight_decay: 1e-5, schedule: Schedule::Cosine, nesterov: false, ..Config::default().optim }
}
