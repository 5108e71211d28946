//! A detector's input normalisation: given by the weights' file, or learned from the training images.

use harness::Result;
use harness::config::{Data, Normalize};
use harness::data::Source;
use harness::weights::{IMAGENET_MEAN, IMAGENET_STD};
use tch::{Device, Tensor};

use super::contract::Parts;
use crate::input::Normalization;

/// Fixed from the beginning, or known once it was learned or restored.
#[derive(Debug)]
pub struct InputNormalization {
    known: Option<Normalization>,
    device: Device,
}

impl InputNormalization {
    /// With `data.normalize = "imagenet"` the statistics of the weights' file, or ImageNet's; else still to be learned.
    pub fn new(parts: &Parts) -> Self {
        let (mean, std) = parts.weights.map_or((IMAGENET_MEAN, IMAGENET_STD), |file| (file.meta.input_mean, file.meta.input_std));
        let fixed = parts.cfg.data.normalize == Normalize::Imagenet;
        Self { known: fixed.then(|| Normalization::channels(mean, std, parts.device)), device: parts.device }
    }

    /// Learns the input's range from the training images where it is not known.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub fn learn(&mut self, source: &Source, data: &Data) -> Result<()> {
        if self.known.is_none() {
            let images = (0..source.len()).map(|i| source.get(i)).collect::<Result<Vec<_>>>()?;
            self.known = Some(Normalization::lcn(images.iter().map(|i| i.data.as_slice()), data.size, self.device));
        }
        Ok(())
    }

    /// Images `[B, 3, S, S]` in 0..=1 as a network takes them, on its device.
    pub fn apply(&self, images: &Tensor) -> Tensor {
        let known = self.known.as_ref().expect("a detector is fitted or restored before it scores");
        known.apply(&images.to_device(self.device))
    }

    /// As [`Normalization::state`]; nothing before it is known.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.known.as_ref().map_or(vec![], Normalization::state)
    }

    /// Puts back what [`InputNormalization::state`] gave.
    pub fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) {
        if let Some((min, max)) = get("input.min").zip(get("input.max")) {
            self.known = Some(Normalization::Lcn { min: min.to_device(self.device), max: max.to_device(self.device) });
        }
    }
}
