//! Optimisers with state that can be saved, and learning-rate schedules.
//!
//! The update rules are PyTorch's (SGD with momentum, Nesterov's form and L2 weight decay; Adam with L2 weight decay; AdamW,
//! whose decay acts on the parameter and not through the gradient), written on tensors so that their state can be stored and
//! restored bit for bit.

mod schedule;

pub use schedule::{At, learning_rate};

use harness::config::{Optim, OptimKind};
use harness::{Error, Result};
use tch::{Device, Kind, Tensor};

/// Added to Adam's denominator, and to the gradient norm before dividing by it.
const EPS_ADAM: f64 = 1e-8;
const EPS_NORM: f64 = 1e-6;

/// A parameter that an optimiser updates.
#[derive(Debug)]
pub struct Trained {
    pub name: String,
    /// Shared with the network, which is therefore updated in place.
    pub tensor: Tensor,
    /// Factor of the learning rate, at least 0.
    pub lr: f64,
    /// Factor of the weight decay, at least 0.
    pub decay: f64,
}

impl Trained {
    /// With the learning rate and the weight decay of the configuration.
    pub fn new(name: impl Into<String>, tensor: Tensor) -> Self {
        Self { name: name.into(), tensor, lr: 1.0, decay: 1.0 }
    }
}

/// The trained parameters with their moments.
pub struct Optimizer {
    cfg: Optim,
    params: Vec<Trained>,
    /// One list per moment: SGD's velocity, or Adam's first and second moment; each parallel to `params`.
    moments: Vec<Vec<Tensor>>,
    /// Updates made so far.
    steps: i64,
}

/// A learning rate, as an update takes it.
struct Rate {
    lr: f64,
    /// `-lr`, and what a velocity is multiplied by; 0-dimensional f64 on the device.
    down: Tensor,
    onward: Tensor,
}

impl Optimizer {
    /// An optimiser at its start.
    pub fn new(cfg: &Optim, params: Vec<Trained>) -> Self {
        let count = match cfg.kind {
            OptimKind::Sgd if cfg.momentum == 0.0 => 0,
            OptimKind::Sgd => 1,
            OptimKind::Adam | OptimKind::Adamw => 2,
        };
        let moments = (0..count).map(|_| params.iter().map(|p| p.tensor.detach().zeros_like()).collect()).collect();
        Self { cfg: cfg.clone(), params, moments, steps: 0 }
    }

    /// One update against the gradient of `loss`, clipped to a whole norm of `clip_norm` (0 = not at all).
    ///
    /// Returns the norm before clipping as a scalar tensor: reading it is what synchronises with a GPU.
    /// Parameters on which the loss does not depend are left as they are.
    pub fn step(&mut self, loss: &Tensor, lr: f64, clip_norm: f64) -> Tensor {
        let params: Vec<&Tensor> = self.params.iter().map(|p| &p.tensor).collect();
        let grads = Tensor::run_backward(&[loss], &params, false, false);
        tch::no_grad(|| self.update(&grads, lr, clip_norm))
    }

    fn update(&mut self, grads: &[Tensor], lr: f64, clip_norm: f64) -> Tensor {
        self.steps += 1;
        let norms: Vec<Tensor> = grads.iter().filter(|g| g.defined()).map(|g| g.norm().to_kind(Kind::Float)).collect();
        let norm = if norms.is_empty() {
            Tensor::zeros([0i64; 0], (Kind::Float, self.params.first().map_or(Device::Cpu, |p| p.tensor.device())))
        } else {
            Tensor::stack(&norms, 0).norm()
        };
        let scale = if clip_norm > 0.0 { (clip_norm / (&norm + EPS_NORM)).clamp_max(1.0) } else { norm.ones_like() };
        let rates = self.rates(lr, norm.device());
        for (i, grad) in grads.iter().enumerate().filter(|(_, grad)| grad.defined()) {
            let factor = self.params[i].lr;
            let (_, rate) = rates.iter().find(|(f, _)| *f == factor).expect("there is a rate for each factor");
            self.update_one(i, grad, &scale, rate);
        }
        norm
    }

    /// The learning rate for each factor that occurs. On a GPU each tensor costs a transfer, so there are as few as can be.
    fn rates(&self, lr: f64, device: Device) -> Vec<(f64, Rate)> {
        let on_device = |value: f64| Tensor::from(value).to_device(device);
        let mut rates: Vec<(f64, Rate)> = Vec::new();
        for factor in self.params.iter().map(|p| p.lr) {
            if rates.iter().all(|(f, _)| *f != factor) {
                let lr = lr * factor;
                let down = on_device(-lr);
                let onward = if self.cfg.nesterov { on_device(-lr * self.cfg.momentum) } else { down.shallow_clone() };
                rates.push((factor, Rate { lr, down, onward }));
            }
        }
        rates
    }

    /// Updates parameter `i`. Large networks are bound by memory here: in place, and a product and a sum in one pass.
    fn update_one(&mut self, i: usize, grad: &Tensor, scale: &Tensor, rate: &Rate) {
        let Self { cfg, params, moments, steps } = self;
        let decay = cfg.weight_decay * params[i].decay;
        let param = &mut params[i].tensor;
        let g = if cfg.kind == OptimKind::Adamw {
            let _ = param.g_mul_scalar_(1.0 - rate.lr * decay);
            grad * scale
        } else {
            let mut g = &*param * decay;
            let _ = g.addcmul_(grad, scale);
            g
        };
        let _ = match (cfg.kind, moments.as_mut_slice()) {
            (OptimKind::Sgd, [velocities]) => {
                let velocity = velocities[i].g_mul_scalar_(cfg.momentum).g_add_(&g);
                if cfg.nesterov {
                    let _ = param.addcmul_(&g, &rate.down);
                }
                param.addcmul_(&velocity, &rate.onward)
            }
            (OptimKind::Adam | OptimKind::Adamw, [first, second]) => {
                let [b1, b2] = cfg.betas;
                let first = first[i].g_mul_scalar_(b1).g_add_(&(&g * (1.0 - b1)));
                let second = second[i].g_mul_scalar_(b2).g_add_(&(g.square() * (1.0 - b2)));
                let (c1, c2) = (1.0 - b1.powi(*steps as i32), 1.0 - b2.powi(*steps as i32));
                param.g_sub_(&((first / ((second / c2).sqrt() + EPS_ADAM)) * (rate.lr / c1)))
            }
            _ => param.addcmul_(&g, &rate.down),
        };
    }

    /// Everything a resume needs beside the parameters: the moments by name, and the count of updates.
    pub fn state(&self) -> (Vec<(String, Tensor)>, i64) {
        let named = |(m, list): (usize, &Vec<Tensor>)| -> Vec<(String, Tensor)> {
            self.params.iter().zip(list).map(|(p, t)| (format!("optim.{m}.{}", p.name), t.shallow_clone())).collect()
        };
        (self.moments.iter().enumerate().flat_map(named).collect(), self.steps)
    }

    /// Puts a state back that [`Optimizer::state`] gave; `get` finds a tensor by name.
    ///
    /// # Errors
    /// Where a moment is missing: the checkpoint belongs to another optimiser.
    pub fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>, steps: i64) -> Result<()> {
        for (m, list) in self.moments.iter_mut().enumerate() {
            for (Trained { name, .. }, moment) in self.params.iter().zip(list) {
                let stored = get(&format!("optim.{m}.{name}")).ok_or_else(|| {
                    Error::environment(format!("the checkpoint lacks the optimiser's state of {name}"), "start over with --force")
                })?;
                tch::no_grad(|| moment.copy_(&stored));
            }
        }
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
