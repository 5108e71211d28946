//! One look at each normal image: how the detectors that are not trained are fitted, and what a trained one needs to know of them
//! before or after its training.
//!
//! No pseudo anomaly, no augmentation, no repetition. Nothing is saved on the way: a fit that was broken off begins again, and
//! ends in the same numbers, because what it computes of an image depends on that image alone.

use std::sync::Arc;

use harness::config::Config;
use harness::data::{Epoch, Loader, Shape, Source, Views};
use harness::{Error, Result};
use tch::{Device, Tensor};

use crate::input;
use crate::train::{Due, Sink, Step};

/// What a pass needs beside its images.
pub struct Pass<'a> {
    pub cfg: &'a Config,
    pub seed: u64,
    pub device: Device,
}

impl Pass<'_> {
    /// Calls `each(indices, images)` with images `[B, 3, S, S]` in 0..=1, every image of `source` once; `indices` are their
    /// places in it. A CPU takes them one by one, as it does when it scores; a GPU `eval.batch` at once. Each image is a step
    /// of `sink`.
    ///
    /// # Errors
    /// What the loader, `each` and the sink report, and `Kind::Stopped` when the sink asks to stop.
    pub fn run(&self, source: Arc<Source>, sink: &mut dyn Sink, each: &mut dyn FnMut(&[usize], &Tensor)) -> Result<()> {
        let Self { cfg, seed, device } = *self;
        let batch = if device.is_cuda() { cfg.eval.batch } else { 1 };
        let shape = Shape { images: source.len(), repeat: 1, batch, drop_last: false };
        let epoch = Epoch { shape, seed, epoch: 0, first_batch: 0 };
        let mut loader = Loader::start(source, epoch, Views::Bare, &cfg.data, &cfg.pseudo);
        let mut step = 0;
        while let Some(batch) = loader.next() {
            let batch = batch?;
            each(&batch.items, &input::unit(&batch.images, batch.len(), batch.size, device));
            for _ in 0..batch.len() {
                step += 1;
                sink.step(&Step { epoch: 0, step, lr: 0.0, values: &[], images: 1 })?;
            }
            check_stop(sink)?;
        }
        Ok(())
    }
}

/// What fitting tells of a pass before or after training: only whether to stop. Its steps are not steps of the training.
pub struct Aside<'a>(pub &'a mut dyn Sink);

impl Sink for Aside<'_> {
    fn due(&mut self) -> Due {
        self.0.due()
    }
}

/// An error where the sink asks to stop.
pub fn check_stop(sink: &mut dyn Sink) -> Result<()> {
    match sink.due() {
        Due::Stop => Err(Error::stopped("stopped while fitting: the same command begins again")),
        Due::Nothing | Due::Checkpoint => Ok(()),
    }
}
