//! The update rules, on one tensor with its moments.

use harness::config::{Optim, OptimKind};
use tch::{Device, Kind, Tensor};

/// Added to Adam's denominator.
pub(super) const EPS_ADAM: f64 = 1e-8;

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

/// What one update works on: a parameter, or several that lie side by side.
pub(super) struct Slot {
    pub param: Trained,
    /// SGD's velocity, or Adam's first and second moment; of the parameter's shape.
    pub moments: Vec<Tensor>,
}

/// A learning rate, as an update takes it.
pub(super) struct Rate {
    lr: f64,
    /// `-lr`, and what a velocity is multiplied by; 0-dimensional f64 on the device.
    down: Tensor,
    onward: Tensor,
}

impl Rate {
    /// Filled on the device: a number copied there would wait for all that is under way.
    pub fn new(cfg: &Optim, lr: f64, device: Device) -> Self {
        let on_device = |value: f64| Tensor::full([0i64; 0], value, (Kind::Double, device));
        let down = on_device(-lr);
        let onward = if cfg.nesterov { on_device(-lr * cfg.momentum) } else { down.shallow_clone() };
        Self { lr, down, onward }
    }
}

impl Slot {
    /// Large networks are bound by memory here: in place, and a product and a sum in one pass.
    pub fn update(&mut self, cfg: &Optim, steps: i64, grad: &Tensor, scale: &Tensor, rate: &Rate) {
        let decay = cfg.weight_decay * self.param.decay;
        let param = &mut self.param.tensor;
        let g = if cfg.kind == OptimKind::Adamw {
            let _ = param.g_mul_scalar_(1.0 - rate.lr * decay);
            grad * scale
        } else {
            let mut g = &*param * decay;
            let _ = g.addcmul_(grad, scale);
            g
        };
        let _ = match (cfg.kind, self.moments.as_mut_slice()) {
            (OptimKind::Sgd, [velocity]) => {
                let velocity = velocity.g_mul_scalar_(cfg.momentum).g_add_(&g);
                if cfg.nesterov {
                    let _ = param.addcmul_(&g, &rate.down);
                }
                param.addcmul_(&velocity, &rate.onward)
            }
            (OptimKind::Adam | OptimKind::Adamw, [first, second]) => {
                let [b1, b2] = cfg.betas;
                let first = first.g_mul_scalar_(b1).g_add_(&(&g * (1.0 - b1)));
                let second = second.g_mul_scalar_(b2).g_add_(&(g.square() * (1.0 - b2)));
                let (c1, c2) = (1.0 - b1.powi(steps as i32), 1.0 - b2.powi(steps as i32));
                param.g_sub_(&((first / ((second / c2).sqrt() + EPS_ADAM)) * (rate.lr / c1)))
            }
            _ => param.addcmul_(&g, &rate.down),
        };
    }

    pub fn moment_name(&self, m: usize) -> String {
        format!("optim.{m}.{}", self.param.name)
    }
}
