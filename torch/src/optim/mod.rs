//! Optimisers with state that can be saved, and learning-rate schedules.
//!
//! The update rules are PyTorch's (SGD with momentum, Nesterov's form and L2 weight decay; Adam with L2 weight decay; AdamW,
//! whose decay acts on the parameter and not through the gradient), written on tensors so that their state can be stored and
//! restored bit for bit.

mod joined;
mod schedule;
mod slot;

pub use schedule::{At, learning_rate};
pub use slot::Trained;

use harness::config::{Optim, OptimKind};
use harness::{Error, Result};
use joined::Joined;
use slot::{Rate, Slot};
use tch::{Device, Kind, Tensor};

/// Added to the gradient norm before dividing by it.
const EPS_NORM: f64 = 1e-6;

/// The trained parameters with their moments.
pub struct Optimizer {
    cfg: Optim,
    params: Vec<Slot>,
    /// On a GPU the same memory once more, in few large pieces; empty elsewhere.
    joined: Vec<Joined>,
    /// Updates made so far.
    steps: i64,
}

impl Optimizer {
    /// An optimiser at its start. On a GPU the parameters move into few large buffers, of which they are views from then on:
    /// an update takes as many kernels as there are buffers, and a kernel's start costs more than its work.
    pub fn new(cfg: &Optim, params: Vec<Trained>) -> Self {
        let mut new = Self::separate(cfg, params);
        if new.params.iter().any(|slot| slot.param.tensor.device().is_cuda()) {
            new.join();
        }
        new
    }

    fn separate(cfg: &Optim, params: Vec<Trained>) -> Self {
        let count = match cfg.kind {
            OptimKind::Sgd if cfg.momentum == 0.0 => 0,
            OptimKind::Sgd => 1,
            OptimKind::Adam | OptimKind::Adamw => 2,
        };
        let slot = |param: Trained| Slot { moments: (0..count).map(|_| param.tensor.detach().zeros_like()).collect(), param };
        Self { cfg: cfg.clone(), params: params.into_iter().map(slot).collect(), joined: vec![], steps: 0 }
    }

    fn join(&mut self) {
        self.joined = tch::no_grad(|| joined::join(&mut self.params));
    }

    /// One update against the gradient of `loss`, clipped to a whole norm of `clip_norm` (0 = not at all).
    ///
    /// Returns the norm before clipping as a scalar tensor: reading it is what synchronises with a GPU.
    /// Parameters on which the loss does not depend are left as they are.
    pub fn step(&mut self, loss: &Tensor, lr: f64, clip_norm: f64) -> Tensor {
        let params: Vec<&Tensor> = self.params.iter().map(|slot| &slot.param.tensor).collect();
        let grads = Tensor::run_backward(&[loss], &params, false, false);
        tch::no_grad(|| self.update(&grads, lr, clip_norm))
    }

    fn update(&mut self, grads: &[Tensor], lr: f64, clip_norm: f64) -> Tensor {
        self.steps += 1;
        // A piece is updated as a whole, or not at all: where a parameter has no gradient each is dealt with alone.
        let whole = !self.joined.is_empty() && grads.iter().all(Tensor::defined);
        let (slots, grads): (Vec<&mut Slot>, Vec<Tensor>) = if whole {
            self.joined.iter_mut().map(|joined| (joined.gradient(grads), &mut joined.slot)).map(|(grad, slot)| (slot, grad)).unzip()
        } else {
            let with = self.params.iter_mut().zip(grads).filter(|(_, grad)| grad.defined());
            with.map(|(slot, grad)| (slot, grad.shallow_clone())).unzip()
        };
        let norms: Vec<Tensor> = grads.iter().map(|g| g.norm().to_kind(Kind::Float)).collect();
        let norm = match slots.first() {
            Some(_) => Tensor::stack(&norms, 0).norm(),
            None => return Tensor::zeros([0i64; 0], (Kind::Float, self.device())),
        };
        let scale = if clip_norm > 0.0 { (clip_norm / (&norm + EPS_NORM)).clamp_max(1.0) } else { norm.ones_like() };
        let mut rates: Vec<(f64, Rate)> = vec![];
        for (slot, grad) in slots.into_iter().zip(&grads) {
            let factor = slot.param.lr;
            if rates.iter().all(|(f, _)| *f != factor) {
                rates.push((factor, Rate::new(&self.cfg, lr * factor, norm.device())));
            }
            let (_, rate) = rates.iter().find(|(f, _)| *f == factor).expect("there is a rate for each factor");
            slot.update(&self.cfg, self.steps, grad, &scale, rate);
        }
        norm
    }

    fn device(&self) -> Device {
        self.params.first().map_or(Device::Cpu, |slot| slot.param.tensor.device())
    }

    /// Everything a resume needs beside the parameters: the moments by name, and the count of updates.
    pub fn state(&self) -> (Vec<(String, Tensor)>, i64) {
        let moments = self.params.first().map_or(0, |slot| slot.moments.len());
        let named = |m: usize| self.params.iter().map(move |slot| (slot.moment_name(m), slot.moments[m].shallow_clone()));
        ((0..moments).flat_map(named).collect(), self.steps)
    }

    /// Puts a state back that [`Optimizer::state`] gave; `get` finds a tensor by name.
    ///
    /// # Errors
    /// Where a moment is missing: the checkpoint belongs to another optimiser.
    pub fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>, steps: i64) -> Result<()> {
        for slot in &mut self.params {
            for m in 0..slot.moments.len() {
                let stored = get(&slot.moment_name(m)).ok_or_else(|| {
                    let name = &slot.param.name;
                    Error::environment(format!("the checkpoint lacks the optimiser's state of {name}"), harness::error::AGAIN)
                })?;
                tch::no_grad(|| slot.moments[m].copy_(&stored));
            }
        }
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
