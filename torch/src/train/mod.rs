//! The training loop: one function that can be read whole. It emits what happens to a [`Sink`] and knows nothing of disk.
//!
//! Where it stands is four numbers (epoch, batch, step and the sums of this epoch's losses); together with the tensors of
//! the network and the optimiser they are a [`Snapshot`], from which the same function goes on bit for bit.

mod snapshot;

pub use snapshot::{Best, Position, Snapshot};

use std::sync::Arc;

use harness::config::{self, Config};
use harness::data::{self, Batch, Loader, Shape, Source};
use harness::{Error, Result};
use rand::Rng;
use tch::{Device, Kind, Tensor};

use crate::detector::mlff::loss;
use crate::detector::mlff::model::Network;
use crate::input::{self, Normalization};
use crate::nn::Mode;
use crate::optim::{At, Optimizer, learning_rate};

/// Reading a value from a GPU waits for it: there, only every so many steps are reported, and each epoch's last.
pub const REPORT_EVERY_ON_GPU: u64 = 10;

/// What a sink wants at the end of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Nothing,
    Checkpoint,
    /// A checkpoint, then no further step.
    Stop,
}

/// One step, as it is reported.
pub struct Step<'a> {
    pub epoch: usize,
    pub step: u64,
    pub lr: f64,
    /// Loss parts and diagnostics by name, `total` first, `grad_norm` last.
    pub values: &'a [(&'static str, f64)],
    /// Images since the step that was reported before.
    pub images: usize,
}

/// One finished epoch.
pub struct Epoch<'a> {
    pub epoch: usize,
    pub step: u64,
    /// Means over the epoch's steps.
    pub means: &'a [(&'static str, f64)],
    /// Images of the epoch, or of what was left of it where it was taken up in its middle.
    pub images: usize,
}

/// Who listens to training: the run on disk, the progress bar, a test. What is not overridden is not listened to.
pub trait Sink {
    fn step(&mut self, _: &Step) -> Result<()> {
        Ok(())
    }

    fn epoch(&mut self, _: &Epoch) -> Result<()> {
        Ok(())
    }

    /// Asked after each step.
    fn due(&mut self) -> Due {
        Due::Nothing
    }

    fn checkpoint(&mut self, _: &Snapshot) -> Result<()> {
        Ok(())
    }

    /// After each epoch, of which `_epoch` counts from 0 and `_step` over the run: how good the network is by the rule of
    /// `train.checkpoint`, higher is better; `None` = no rule.
    fn quality(&mut self, _epoch: u64, _step: u64, _: &Network, _: &Normalization) -> Result<Option<f64>> {
        Ok(None)
    }
}

/// What the loop works on.
pub struct Job<'a> {
    pub cfg: &'a Config,
    pub seed: u64,
    pub device: Device,
    pub network: &'a Network,
    pub normalization: &'a Normalization,
    /// The normal training images, decoded and resized.
    pub source: Arc<Source>,
}

/// A batch on the device, as a step takes it.
pub struct Fed {
    /// Network input, f32 `[B, 3, S, S]`.
    images: Tensor,
    /// 1 = anomalous, f32 `[B, 1, S, S]`.
    mask: Tensor,
}

impl Job<'_> {
    /// Uploads and normalises `batch`; on a GPU nothing waits for either.
    pub fn feed(&self, batch: &Batch) -> Fed {
        let (count, size) = (batch.len(), batch.size);
        Fed {
            images: self.normalization.apply(&input::unit(&batch.images, count, size, self.device)), // [B, 3, S, S]
            mask: input::mask(&batch.masks, count, size, self.device),                               // [B, 1, S, S]
        }
    }
}

/// Trains from `start` (or from the beginning) to the last epoch. With a rule of selection the best weights are put back.
///
/// # Errors
/// `Kind::Stopped` when the sink asked to stop, `Kind::Run` when the loss is no longer finite, `Kind::Config` where an epoch
/// has a batch too small for its batch norms, and what the sink or the loader report.
pub fn train(job: &Job, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
    let Job { cfg, seed, device, network, .. } = *job;
    let shape = Shape::new(job.source.len(), &cfg.data, &cfg.train);
    let batches = shape.batches();
    let mut optimizer = Optimizer::new(&cfg.optim, network.trained());
    let (mut at, mut best) = (Position::default(), None);
    if let Some(snapshot) = start {
        snapshot.restore(network, &mut optimizer)?;
        (at, best) = (snapshot.position.clone(), snapshot.best);
    }
    let steps = (cfg.train.epochs * batches) as u64;
    let report_every = if device.is_cuda() { REPORT_EVERY_ON_GPU } else { 1 };

    let begin = |epoch: usize, first_batch: usize| {
        let here = data::Epoch { shape, seed, epoch: epoch as u64, first_batch };
        (epoch < cfg.train.epochs).then(|| Loader::start(job.source.clone(), here, &cfg.data, &cfg.pseudo))
    };
    let mut upcoming = begin(at.epoch, at.batch);
    if upcoming.is_some() {
        config::check_batch(cfg, shape.smallest())?;
    }
    while let Some(mut loader) = upcoming.take() {
        let mut feed = || loader.next().map(|batch| batch.map(|batch| (batch.len(), job.feed(&batch))));
        let (mut images, mut unreported) = (0, 0);
        let mut next = feed();
        while let Some(fed) = next.take() {
            let (count, fed) = fed?;
            let lr = learning_rate(&cfg.optim, At { epoch: at.epoch, batch: at.batch, batches, steps });
            let mut draws = harness::seed::stream(seed, "pairs", at.epoch as u64, at.batch as u64);
            let (names, values) = step(job, fed, &mut optimizer, lr, &mut draws)?;
            // While a GPU is busy with this step: reading a value, below, waits for it.
            next = feed();
            at.add(&values);
            at.batch += 1;
            at.step += 1;
            (images, unreported) = (images + count, unreported + count);
            let last = at.batch == batches;
            if last || at.step.is_multiple_of(report_every) {
                let numbers = Vec::<f64>::try_from(&values.to_device(Device::Cpu)).expect("a vector of f64");
                let named: Vec<_> = names.iter().copied().zip(numbers).collect();
                finite(&named, at.step, lr)?;
                sink.step(&Step { epoch: at.epoch, step: at.step, lr, values: &named, images: unreported })?;
                unreported = 0;
            }
            at.names = names;
            match sink.due() {
                Due::Nothing => {}
                due if !last => {
                    // Steps that were not reported count here too: nobody could go on from what is not a number.
                    finite(&at.means(), at.step, lr)?;
                    sink.checkpoint(&Snapshot::take(&at, best.as_ref(), network, &optimizer))?;
                    if due == Due::Stop {
                        return Err(Error::stopped(format!("stopped in epoch {} of {}", at.epoch + 1, cfg.train.epochs)));
                    }
                }
                // The epoch's own checkpoint is a moment away.
                Due::Checkpoint => {}
                Due::Stop => at.stopping = true,
            }
        }
        // Its threads begin while this epoch is judged and written.
        upcoming = begin(at.epoch + 1, 0);
        let means = at.means();
        let last = At { epoch: at.epoch, batch: at.batch.saturating_sub(1), batches, steps };
        finite(&means, at.step, learning_rate(&cfg.optim, last))?;
        sink.epoch(&Epoch { epoch: at.epoch, step: at.step, means: &means, images })?;
        if let Some(quality) = sink.quality(at.epoch as u64, at.step, network, job.normalization)? {
            best = snapshot::better(best, quality, network);
        }
        at.next_epoch();
        sink.checkpoint(&Snapshot::take(&at, best.as_ref(), network, &optimizer))?;
        if at.stopping && at.epoch < cfg.train.epochs {
            return Err(Error::stopped(format!("stopped after epoch {} of {}", at.epoch, cfg.train.epochs)));
        }
    }
    if let Some(best) = &best {
        best.put_back(network)?;
    }
    Ok(())
}

/// One step on `fed`: forward, losses, backward, update. What it measured by name, and the values, f64 on the device; reading
/// them waits for it.
///
/// # Errors
/// Where the losses cannot be computed on such a batch.
pub fn step(job: &Job, fed: Fed, optimizer: &mut Optimizer, lr: f64, draws: &mut impl Rng) -> Result<(Vec<&'static str>, Tensor)> {
    let out = job.network.forward(&fed.images, Mode::Train);
    let terms = loss::total(&out.features, out.scores.as_ref(), &fed.mask, &job.cfg.loss, draws)?;
    let norm = optimizer.step(&terms.total, lr, job.cfg.train.clip_norm);
    let (mut names, values) = terms.stacked();
    names.push("grad_norm");
    Ok((names, Tensor::cat(&[values, norm.to_kind(Kind::Double).view([1])], 0)))
}

fn finite(values: &[(&'static str, f64)], step: u64, lr: f64) -> Result<()> {
    match values.iter().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some((name, value)) => Err(Error::run(
            format!("{name} is {value} after step {step} (learning rate {lr:.2e})"),
            "lower optim.lr, or clip the gradient with train.clip_norm (5 is a start)",
        )),
    }
}
