//! What the loop trains, and what a step measures. The loop knows neither networks nor losses.

use harness::Result;
use harness::data::Views;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use crate::optim::Trained;

/// What a detector gives of a batch of images, in the order of its `config::Outputs`: higher is more anomalous.
#[derive(Debug, Default)]
pub struct Scored {
    /// Each `[B, h, w]` in f32, the headline first.
    pub maps: Vec<Tensor>,
    /// The detector's own image scores, `[B]` in f32.
    pub image: Option<Tensor>,
}

/// A batch of B items with V views each on the device, as a step takes it: all views of the first item, then of the second.
#[derive(Debug)]
pub struct Fed {
    /// What [`Learner::input`] made of the images, f32 `[B * V, 3, S, S]`.
    pub images: Tensor,
    /// 1 = anomalous, f32 `[B * V, 1, S, S]`.
    pub mask: Tensor,
    /// V.
    pub views: usize,
    /// What was done to each view, `[B * V]`: see [`harness::data::Batch::kinds`].
    pub kinds: Vec<u8>,
    /// Which training image each item is, `[B]`: its place in the source.
    pub items: Vec<usize>,
}

/// A network, or several, with a loss. Tensors are shared: an optimiser and a checkpoint write into the learner in place.
///
/// Several networks in one learner, with names of their own and a loss that is the sum of theirs, are trained exactly as if
/// each was alone, as long as `train.clip_norm` is 0: an update reads its own parameter's gradient only.
pub trait Learner {
    /// What an optimiser updates, by name, each with its factors of the learning rate and of the decay.
    fn trained(&self) -> Vec<Trained>;

    /// Everything that training changes, by name: weights and running averages.
    fn state(&self) -> Vec<(String, Tensor)>;

    /// Puts back what [`Learner::state`] gave.
    ///
    /// # Errors
    /// A tensor that is missing or of another shape.
    fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()>;

    /// What the loader makes of an item.
    fn views(&self) -> Views {
        Views::Pseudo
    }

    /// Images `[B, 3, S, S]` in 0..=1 as [`Learner::loss`] takes them. Made while the step before is still at work.
    fn input(&self, images: &Tensor) -> Tensor {
        images.shallow_clone()
    }

    /// The loss of a batch and what else is worth a curve. `draws` is the stream of this step.
    ///
    /// # Errors
    /// Where it cannot be computed on such a batch.
    fn loss(&self, fed: &Fed, draws: &mut ChaCha8Rng) -> Result<Terms>;

    /// Refuses a batch that is too small for its batch norms.
    ///
    /// # Errors
    /// `Kind::Config` naming the keys and the remedy.
    fn check_batch(&self, _images: usize) -> Result<()> {
        Ok(())
    }

    /// Scores of images `[B, 3, S, S]` in 0..=1 as it stands, in evaluation mode and without gradients.
    fn score(&self, images: &Tensor) -> Scored;
}

/// What a number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// The loss, or a term of it.
    Loss,
    /// Something else that is worth a curve.
    Statistic,
    /// The norm of the whole gradient before clipping.
    GradientNorm,
}

/// A number that a step measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Value {
    pub name: &'static str,
    pub quantity: Quantity,
    pub value: f64,
}

/// The loss of one batch and what it is made of; every tensor has no dimension and stays on the device.
#[derive(Debug)]
pub struct Terms {
    /// What is minimised.
    pub total: Tensor,
    parts: Vec<(Named, Tensor)>,
}

/// Name and meaning of a value.
pub(super) type Named = (&'static str, Quantity);

impl Terms {
    /// A loss without parts.
    pub fn new(total: Tensor) -> Self {
        Self { total, parts: vec![] }
    }

    /// A term of the loss, unweighted, for the log.
    pub fn with_loss(self, name: &'static str, value: &Tensor) -> Self {
        self.with(name, Quantity::Loss, value)
    }

    /// Something else that is worth a curve.
    pub fn with_statistic(self, name: &'static str, value: &Tensor) -> Self {
        self.with(name, Quantity::Statistic, value)
    }

    fn with(mut self, name: &'static str, quantity: Quantity, value: &Tensor) -> Self {
        self.parts.push(((name, quantity), value.detach()));
        self
    }

    /// All values, `total` first. Reading them waits for the device.
    pub fn values(&self) -> Vec<Value> {
        let (names, values) = self.stacked();
        let values = Vec::<f64>::try_from(values.to_device(Device::Cpu)).expect("one dimension of float64");
        names.into_iter().zip(values).map(|((name, quantity), value)| Value { name, quantity, value }).collect()
    }

    /// All values, `total` first: what they are, and `[names]` in float64 on the device. Reading them waits for it.
    pub(super) fn stacked(&self) -> (Vec<Named>, Tensor) {
        let total = (("total", Quantity::Loss), self.total.detach());
        let all = std::iter::once(&total).chain(&self.parts);
        let (names, tensors): (Vec<_>, Vec<_>) = all.map(|(named, value)| (*named, value.shallow_clone())).unzip();
        (names, Tensor::stack(&tensors, 0).to_kind(Kind::Double))
    }
}
