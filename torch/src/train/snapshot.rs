//! Where training stands, as a value: enough to go on bit for bit.

use harness::Result;
use tch::{Device, Kind, Tensor};

use super::average::Average;
use super::learner::{Learner, Named, Value};
use crate::optim::Optimizer;
use crate::tensors::find;

/// Where the loop stands. `sums` are those of this epoch's values, kept on the device until somebody reads them.
#[derive(Debug, Default)]
pub struct Position {
    pub epoch: usize,
    /// Batches of this epoch that are done.
    pub batch: usize,
    /// Steps since the beginning.
    pub step: u64,
    pub(super) names: Vec<Named>,
    sums: Option<Tensor>,
    pub(super) stopping: bool,
}

impl Clone for Position {
    fn clone(&self) -> Self {
        let sums = self.sums.as_ref().map(Tensor::copy);
        Self { names: self.names.clone(), sums, ..*self }
    }
}

impl Position {
    /// A position read from a checkpoint; `sums` as [`Position::sums`] gave them.
    pub fn new(epoch: usize, batch: usize, step: u64, sums: &[f64]) -> Self {
        let sums = (!sums.is_empty()).then(|| Tensor::from_slice(sums));
        Self { epoch, batch, step, sums, ..Self::default() }
    }

    /// The sums of this epoch's values so far.
    pub fn sums(&self) -> Vec<f64> {
        self.sums.as_ref().map_or(vec![], |s| Vec::try_from(&s.to_device(Device::Cpu)).expect("a vector of f64"))
    }

    pub(super) fn add(&mut self, values: &Tensor) {
        let values = values.to_kind(Kind::Double);
        self.sums = Some(match self.sums.take() {
            None => values,
            Some(sums) => sums.to_device(values.device()) + values,
        });
    }

    pub(super) fn means(&self) -> Vec<Value> {
        let steps = self.batch.max(1) as f64;
        valued(&self.names, self.sums().into_iter().map(|s| s / steps))
    }

    pub(super) fn next_epoch(&mut self) {
        (self.epoch, self.batch, self.sums) = (self.epoch + 1, 0, None);
    }
}

/// Names with their numbers.
pub(super) fn valued(names: &[Named], numbers: impl IntoIterator<Item = f64>) -> Vec<Value> {
    names.iter().zip(numbers).map(|(&(name, quantity), value)| Value { name, quantity, value }).collect()
}

/// The best weights so far by a rule of selection.
#[derive(Debug)]
pub struct Best {
    pub quality: f64,
    pub tensors: Vec<(String, Tensor)>,
}

impl Best {
    pub(super) fn put_back(&self, learner: &dyn Learner) -> Result<()> {
        learner.restore(&|name| find(&self.tensors, name))
    }

    fn share(&self) -> Self {
        Self { quality: self.quality, tensors: self.tensors.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).collect() }
    }
}

pub(super) fn better(best: Option<Best>, quality: f64, learner: &dyn Learner) -> Option<Best> {
    match best {
        Some(best) if best.quality >= quality => Some(best),
        _ => Some(Best { quality, tensors: learner.state().into_iter().map(|(n, t)| (n, t.detach().copy())).collect() }),
    }
}

/// Everything a resume needs.
#[derive(Debug)]
pub struct Snapshot {
    pub position: Position,
    /// Updates the optimiser has made.
    pub updates: i64,
    /// Learner, optimiser and mean by name, as they stand: shared, not copied.
    pub tensors: Vec<(String, Tensor)>,
    pub best: Option<Best>,
}

impl Snapshot {
    pub(super) fn take(
        position: &Position,
        best: Option<&Best>,
        learner: &dyn Learner,
        optimizer: &Optimizer,
        average: Option<&Average>,
    ) -> Self {
        let (moments, updates) = optimizer.state();
        let mut tensors = learner.state();
        tensors.extend(moments);
        tensors.extend(average.into_iter().flat_map(Average::state));
        Self { position: position.clone(), updates, tensors, best: best.map(Best::share) }
    }

    pub(super) fn restore(&self, learner: &dyn Learner, optimizer: &mut Optimizer, average: Option<&mut Average>) -> Result<()> {
        if let Some(average) = average {
            average.restore(&|name| find(&self.tensors, name));
        }
        learner.restore(&|name| find(&self.tensors, name))?;
        optimizer.restore(&|name| find(&self.tensors, name), self.updates)
    }
}
