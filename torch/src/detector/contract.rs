//! What every detector is to the rest of the program.

use std::sync::Arc;

use harness::Result;
use harness::config::Config;
use harness::data::{Shape, Source};
use tch::{Device, Tensor};

use crate::nn::Params;
use crate::train::{Learner, Length, Scored, Sink, Snapshot};

/// What fitting will take and leave, known before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FitEstimate {
    /// Passes over the training images that are counted; 0 for a detector that looks once.
    pub epochs: u64,
    /// Steps that the sink is told of.
    pub steps: u64,
    /// What [`Detector::state`] will weigh.
    pub kept_bytes: u64,
    /// Numbers in all that is stored of an image: its maps, and its own score as one.
    pub map_cells: u64,
}

impl FitEstimate {
    /// Of a detector that the loop trains on `images` images and that keeps `numbers` numbers of four bytes.
    pub fn of_training(cfg: &Config, images: usize, numbers: u64, map_cells: u64) -> Self {
        let Length { epochs, steps } = Length::of(&cfg.train, Shape::new(images, &cfg.data, &cfg.train).batches());
        Self { epochs: epochs as u64, steps, kept_bytes: 4 * numbers, map_cells }
    }
}

/// Numbers in the weights of a detector's network, frozen ones included; statistics, memories and factors are not weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub parameters: u64,
    /// Those of them that an optimiser changes.
    pub trained: u64,
}

impl Count {
    /// Of a network of which an optimiser changes all weights that are marked as trained.
    pub fn of(params: &Params) -> Self {
        let trained = params.trained_weights().map(|p| p.tensor.numel() as u64).sum();
        Self { parameters: params.weight_count() as u64, trained }
    }
}

/// A detector as it stands, fitted or not.
pub trait Detector {
    /// What fitting to so many images means.
    fn estimate(&self, images: usize) -> FitEstimate;

    /// Fits to the normal images of `source`, from `start` or from the beginning, telling `sink` what happens.
    ///
    /// A trained detector prepares (statistics of the images or of a teacher), trains ([`crate::train::train`]) and finishes
    /// (Gaussians, memories, quantiles). What stands before and behind training is a pure function of images and weights: it
    /// is never part of a checkpoint, a resume computes it again.
    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()>;

    /// What it gives of images `[B, 3, S, S]` in 0..=1, in the order of its `config::Outputs`; without gradients.
    fn score(&self, images: &Tensor) -> Scored;

    /// What the loop trains, ready to be trained on `source`; `None` for a detector that looks once.
    ///
    /// # Errors
    /// An image that cannot be read.
    fn learner(&mut self, _source: &Source) -> Result<Option<&dyn Learner>> {
        Ok(None)
    }

    /// How large its network is.
    fn count(&self) -> Count;

    /// The tensors a finished run keeps: all that was learned, nothing that a file named by its hash can give back.
    fn state(&self) -> Vec<(String, Tensor)>;

    /// Puts back what [`Detector::state`] gave.
    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()>;
}

/// What a detector is built from.
pub struct Parts<'a> {
    pub cfg: &'a Config,
    pub seed: u64,
    pub device: Device,
    /// The backbone's weights; none where the configuration says "none", or the detector has no backbone.
    pub weights: Option<&'a harness::weights::File>,
}
