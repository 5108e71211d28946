//! `[optim]`: how weights are updated.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optim {
    pub kind: OptimKind,
    /// Initial learning rate.
    pub lr: f64,
    /// SGD's momentum.
    pub momentum: f64,
    pub nesterov: bool,
    /// L2 weight added to the gradient of every trained parameter; with AdamW the share that a parameter loses per step and
    /// unit of learning rate.
    pub weight_decay: f64,
    /// Adam's decay rates.
    pub betas: [f64; 2],
    pub schedule: Schedule,
    /// Factor per epoch of the exponential schedule.
    pub schedule_gamma: f64,
    /// Shares of the run at which the step schedule changes the rate, ascending.
    pub milestones: Vec<f64>,
    /// Factor of the step schedule at each milestone.
    pub milestone_factor: f64,
    /// Epochs of linear warm-up before the schedule starts; 0 = none.
    pub warmup_epochs: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimKind {
    Sgd,
    Adam,
    /// Adam with decoupled weight decay.
    Adamw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    Constant,
    Exp,
    Cosine,
    Step,
}

impl Optim {
    /// The relations between its keys.
    ///
    /// # Errors
    /// `Kind::Config` naming the key and the remedy.
    pub(super) fn check(&self) -> Result<()> {
        if self.kind == OptimKind::Sgd && self.nesterov && self.momentum == 0.0 {
            let what = "optim.nesterov: Nesterov's form needs momentum";
            return Err(Error::config(what, "set optim.nesterov=false or optim.momentum above 0"));
        }
        if !self.milestones.is_sorted_by(|a, b| a < b) {
            return Err(Error::config(
                format!("optim.milestones: {:?} is not in ascending order", self.milestones),
                "list each share of the run once, the first one first, as in [0.8, 0.9]",
            ));
        }
        Ok(())
    }
}
