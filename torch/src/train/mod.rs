//! The training loop: one function that can be read whole. It emits what happens to a [`Sink`] and knows nothing of disk.
//!
//! Where it stands is four numbers (epoch, batch, step and the sums of this epoch's losses); together with the tensors of
//! the network and the optimiser they are a [`Snapshot`], from which the same function goes on bit for bit.

mod snapshot;

pub use snapshot::{Best, Position, Snapshot};

use std::sync::Arc;

use harness::config::Config;
use harness::data::{self, Batch, Loader, Shape, Source};
use harness::{Error, Result};
use rand::Rng;
use tch::{Device, Kind, Tensor};

use crate::input::{self, Normalization};
use crate::loss;
use crate::model::{Mode, Network};
use crate::optim::{Optimizer, learning_rate};

/// Reading a value from a GPU waits for it: there, only every so many steps are reported.
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
    pub images: usize,
}

/// One finished epoch.
pub struct Epoch<'a> {
    pub epoch: usize,
    pub step: u64,
    /// Means over the epoch's steps.
    pub means: &'a [(&'static str, f64)],
}

/// Who listens to training: the run on disk, the progress bar, a test.
pub trait Sink {
    fn step(&mut self, step: &Step) -> Result<()>;
    fn epoch(&mut self, epoch: &Epoch) -> Result<()>;
    /// Asked after each step.
    fn due(&mut self) -> Due;
    fn checkpoint(&mut self, snapshot: &Snapshot) -> Result<()>;
    /// After each epoch: how good the network is by the rule of `train.checkpoint`, higher is better; `None` = no rule.
    fn quality(&mut self, epoch: u64, step: u64, network: &Network, normalization: &Normalization) -> Result<Option<f64>>;
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

/// Trains from `start` (or from the beginning) to the last epoch. With a rule of selection the best weights are put back.
///
/// # Errors
/// `Kind::Stopped` when the sink asked to stop, `Kind::Run` when the loss is no longer finite, and what the sink or the
/// loader report.
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
    let report_every = if device.is_cuda() { REPORT_EVERY_ON_GPU } else { 1 };

    while at.epoch < cfg.train.epochs {
        let epoch = data::Epoch { shape, seed, epoch: at.epoch as u64, first_batch: at.batch };
        let mut loader = Loader::start(job.source.clone(), epoch, &cfg.data, &cfg.pseudo);
        while let Some(batch) = loader.next() {
            let batch = batch?;
            let lr = learning_rate(&cfg.optim, at.epoch, cfg.train.epochs, at.batch, batches);
            let mut draws = harness::seed::stream(seed, "pairs", at.epoch as u64, at.batch as u64);
            let (names, values) = step(job, &batch, &mut optimizer, lr, &mut draws)?;
            at.add(&values);
            at.batch += 1;
            at.step += 1;
            if at.step.is_multiple_of(report_every) {
                let numbers = Vec::<f64>::try_from(&values.to_device(Device::Cpu)).expect("a vector of f64");
                let named: Vec<_> = names.iter().copied().zip(numbers).collect();
                finite(&named, at.step, lr)?;
                sink.step(&Step { epoch: at.epoch, step: at.step, lr, values: &named, images: batch.len() })?;
            }
            at.names = names;
            let last = at.batch == batches;
            match sink.due() {
                Due::Nothing => {}
                due if !last => {
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
        let means = at.means();
        finite(&means, at.step, 0.0)?;
        sink.epoch(&Epoch { epoch: at.epoch, step: at.step, means: &means })?;
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

/// One step on `batch`: forward, losses, backward, update. What it measured by name, and the values, f64 on the device; reading
/// them waits for it.
///
/// # Errors
/// Where the losses cannot be computed on such a batch.
pub fn step(job: &Job, batch: &Batch, optimizer: &mut Optimizer, lr: f64, draws: &mut impl Rng) -> Result<(Vec<&'static str>, Tensor)> {
    let (count, size) = (batch.len(), batch.size);
    let x = job.normalization.apply(&input::unit(&batch.images, count, size, job.device)); // [B, 3, S, S]
    let mask = input::mask(&batch.masks, count, size, job.device); // [B, 1, S, S]
    let out = job.network.forward(&x, Mode::Train);
    let terms = loss::total(&out.features, out.scores.as_ref(), &mask, &job.cfg.loss, draws)?;
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
