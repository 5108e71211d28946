//! The training loop: one function that can be read whole. It trains a [`Learner`], emits what happens to a [`Sink`], and knows
//! nothing of networks and nothing of disk.
//!
//! Where it stands is four numbers (epoch, batch, step and the sums of this epoch's losses); together with the tensors of
//! the learner and the optimiser they are a [`Snapshot`], from which the same function goes on bit for bit.

mod average;
mod learner;
mod snapshot;

pub use learner::{Fed, Learner, Quantity, Scored, Terms, Value};
pub use snapshot::{Best, Position, Snapshot};

use std::sync::Arc;

use average::Average;
use harness::config::{Checkpoint, Config, Train};
use harness::data::{self, Batch, Loader, Shape, Source};
use harness::{Error, Result};
use learner::Named;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use crate::input;
use crate::optim::{At, Optimizer, learning_rate};
use crate::tensors::find;

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
    /// `total` first, `grad_norm` last.
    pub values: &'a [Value],
    /// Images since the step that was reported before.
    pub images: usize,
}

/// One finished epoch.
pub struct Epoch<'a> {
    pub epoch: usize,
    pub step: u64,
    /// Means over the epoch's steps.
    pub means: &'a [Value],
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

    /// What people should know of what was learned, in one sentence.
    fn note(&mut self, _: &str) -> Result<()> {
        Ok(())
    }

    /// After each epoch, of which `_epoch` counts from 0 and `_step` over the run: how good what is trained is by the rule of
    /// `train.checkpoint`, higher is better; `None` = no rule. `_score` scores images `[B, 3, S, S]` in 0..=1.
    fn quality(&mut self, _epoch: u64, _step: u64, _score: &dyn Fn(&Tensor) -> Scored) -> Result<Option<f64>> {
        Ok(None)
    }
}

/// What the loop works on.
pub struct Job<'a> {
    pub cfg: &'a Config,
    pub seed: u64,
    pub device: Device,
    pub learner: &'a dyn Learner,
    /// The normal training images, decoded and resized.
    pub source: Arc<Source>,
}

impl Job<'_> {
    /// Uploads `batch`, as the learner takes it; on a GPU nothing waits for it.
    pub fn feed(&self, batch: &Batch) -> Fed {
        let (count, size) = (batch.len() * batch.views, batch.size);
        Fed {
            images: self.learner.input(&input::unit(&batch.images, count, size, self.device)), // [B, 3, S, S]
            mask: input::mask(&batch.masks, count, size, self.device),                         // [B, 1, S, S]
            views: batch.views,
            kinds: batch.kinds.clone(),
            items: batch.items.iter().map(|item| item % self.source.len()).collect(),
        }
    }
}

/// How long a training is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// Epochs, the last of which may end in its middle.
    pub epochs: usize,
    pub steps: u64,
}

impl Length {
    /// `train.steps`, or else `train.epochs` of so many batches.
    pub fn of(train: &Train, batches: usize) -> Self {
        match (train.steps, batches) {
            (0, _) => Self { epochs: train.epochs, steps: (train.epochs * batches) as u64 },
            (_, 0) => Self { epochs: 0, steps: 0 },
            (steps, batches) => Self { epochs: steps.div_ceil(batches), steps: steps as u64 },
        }
    }
}

/// Trains from `start` (or from the beginning) to the last epoch. With a rule of selection the best weights are put back, else with
/// `train.average` the mean.
///
/// # Errors
/// `Kind::Stopped` when the sink asked to stop, `Kind::Run` when the loss is no longer finite, `Kind::Config` where an epoch
/// has a batch too small for its batch norms, and what the sink or the loader report.
pub fn train(job: &Job, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
    let Job { cfg, seed, device, learner, .. } = *job;
    let shape = Shape::new(job.source.len(), &cfg.data, &cfg.train);
    let batches = shape.batches();
    let Length { epochs, steps } = Length::of(&cfg.train, batches);
    let mut optimizer = Optimizer::new(&cfg.optim, learner.trained());
    let mut average = Average::new(&cfg.train, steps, learner);
    let (mut at, mut best) = (Position::default(), None);
    if let Some(snapshot) = start {
        snapshot.restore(learner, &mut optimizer, average.as_mut())?;
        (at, best) = (snapshot.position.clone(), snapshot.best);
    }
    let report_every = if device.is_cuda() { REPORT_EVERY_ON_GPU } else { 1 };

    let begin = |epoch: usize, first_batch: usize| {
        let here = data::Epoch { shape, seed, epoch: epoch as u64, first_batch };
        (epoch < epochs).then(|| Loader::start(job.source.clone(), here, learner.views(), &cfg.data, &cfg.pseudo))
    };
    let mut upcoming = begin(at.epoch, at.batch);
    if upcoming.is_some() {
        learner.check_batch(shape.smallest())?;
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
            average.iter_mut().for_each(|average| average.add(at.step, learner));
            (images, unreported) = (images + count, unreported + count);
            let last = at.batch == batches || at.step == steps;
            if last || at.step.is_multiple_of(report_every) {
                let numbers = Vec::<f64>::try_from(&values.to_device(Device::Cpu)).expect("a vector of f64");
                let values = snapshot::valued(&names, numbers);
                finite(&values, at.step, lr)?;
                sink.step(&Step { epoch: at.epoch, step: at.step, lr, values: &values, images: unreported })?;
                unreported = 0;
            }
            at.names = names;
            match sink.due() {
                Due::Nothing => {}
                due if !last => {
                    // Steps that were not reported count here too: no run could go on from what is not a number.
                    finite(&at.means(), at.step, lr)?;
                    sink.checkpoint(&Snapshot::take(&at, best.as_ref(), learner, &optimizer, average.as_ref()))?;
                    if due == Due::Stop {
                        return Err(Error::stopped(format!("stopped in epoch {} of {epochs}", at.epoch + 1)));
                    }
                }
                // The epoch's own checkpoint is a moment away.
                Due::Checkpoint => {}
                Due::Stop => at.stopping = true,
            }
            if last {
                break;
            }
        }
        // Its threads begin while this epoch is judged and written.
        upcoming = begin(at.epoch + 1, 0);
        let means = at.means();
        let last = At { epoch: at.epoch, batch: at.batch.saturating_sub(1), batches, steps };
        finite(&means, at.step, learning_rate(&cfg.optim, last))?;
        sink.epoch(&Epoch { epoch: at.epoch, step: at.step, means: &means, images })?;
        // Without a rule of selection nothing looks at the mean before the end.
        let judged = average.as_ref().filter(|_| cfg.train.checkpoint != Checkpoint::Last);
        let own = judged.map(|average| average.lend(learner)).transpose()?;
        if let Some(quality) = sink.quality(at.epoch as u64, at.step, &|images| learner.score(images))? {
            best = snapshot::better(best, quality, learner);
        }
        if let Some(own) = own {
            learner.restore(&|name| find(&own, name))?;
        }
        at.next_epoch();
        sink.checkpoint(&Snapshot::take(&at, best.as_ref(), learner, &optimizer, average.as_ref()))?;
        if at.stopping && at.epoch < epochs {
            return Err(Error::stopped(format!("stopped after epoch {} of {epochs}", at.epoch)));
        }
    }
    match (&best, &average) {
        (Some(best), _) => best.put_back(learner),
        (None, Some(average)) => average.lend(learner).map(drop),
        (None, None) => Ok(()),
    }
}

/// One step on `fed`: forward, losses, backward, update. What it measured, and the values, f64 on the device; reading them waits
/// for it.
///
/// # Errors
/// Where the losses cannot be computed on such a batch.
pub fn step(job: &Job, fed: Fed, optimizer: &mut Optimizer, lr: f64, draws: &mut ChaCha8Rng) -> Result<(Vec<Named>, Tensor)> {
    let terms = job.learner.loss(&fed, draws)?;
    let norm = optimizer.step(&terms.total, lr, job.cfg.train.clip_norm);
    let (mut names, values) = terms.stacked();
    names.push(("grad_norm", Quantity::GradientNorm));
    Ok((names, Tensor::cat(&[values, norm.to_kind(Kind::Double).view([1])], 0)))
}

/// A statistic may be without a value, as that of anomalous cells in a batch that has none.
fn finite(values: &[Value], step: u64, lr: f64) -> Result<()> {
    match values.iter().find(|value| value.quantity != Quantity::Statistic && !value.value.is_finite()) {
        None => Ok(()),
        Some(Value { name, value, .. }) => Err(Error::run(
            format!("{name} is {value} after step {step} (learning rate {lr:.2e})"),
            "lower optim.lr, or clip the gradient with train.clip_norm (5 is a start)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_training_ends_by_epochs_or_by_steps() {
        let train = |epochs, steps| Train { epochs, steps, ..Config::default().train };
        for (epochs, steps, batches, want) in
            [(3, 0, 10, (3, 30)), (3, 25, 10, (3, 25)), (3, 30, 10, (3, 30)), (0, 7, 10, (1, 7)), (5, 9, 0, (0, 0))]
        {
            let length = Length::of(&train(epochs, steps), batches);
            assert_eq!((length.epochs, length.steps), want);
        }
    }
}
