//! Optimisers with state that can be saved, and learning-rate schedules.
//!
//! The update rules are PyTorch's (SGD with momentum, Nesterov's form and L2 weight decay; Adam with L2 weight decay),
//! written on tensors so that their state can be stored and restored bit for bit.

mod schedule;

pub use schedule::learning_rate;

use harness::config::{Optim, OptimKind};
use harness::{Error, Result};
use tch::{Device, Kind, Tensor};

/// Added to Adam's denominator, and to the gradient norm before dividing by it.
const EPS_ADAM: f64 = 1e-8;
const EPS_NORM: f64 = 1e-6;

/// The trained parameters with their moments.
pub struct Optimizer {
    cfg: Optim,
    params: Vec<(String, Tensor)>,
    /// One list per moment: SGD's velocity, or Adam's first and second moment; each parallel to `params`.
    moments: Vec<Vec<Tensor>>,
    /// Updates made so far.
    steps: i64,
}

impl Optimizer {
    /// An optimiser at its start. The tensors are shared with the network, which is therefore updated in place.
    pub fn new(cfg: &Optim, params: Vec<(String, Tensor)>) -> Self {
        let count = match cfg.kind {
            OptimKind::Sgd if cfg.momentum == 0.0 => 0,
            OptimKind::Sgd => 1,
            OptimKind::Adam => 2,
        };
        let moments = (0..count).map(|_| params.iter().map(|(_, p)| p.detach().zeros_like()).collect()).collect();
        Self { cfg: cfg.clone(), params, moments, steps: 0 }
    }

    /// One update against the gradient of `loss`, clipped to a whole norm of `clip_norm` (0 = not at all).
    ///
    /// Returns the norm before clipping as a scalar tensor: reading it is what synchronises with a GPU.
    /// Parameters on which the loss does not depend are left as they are.
    pub fn step(&mut self, loss: &Tensor, lr: f64, clip_norm: f64) -> Tensor {
        let params: Vec<&Tensor> = self.params.iter().map(|(_, p)| p).collect();
        let grads = Tensor::run_backward(&[loss], &params, false, false);
        tch::no_grad(|| self.update(&grads, lr, clip_norm))
    }

    /// Large networks are bound by memory here: in place, and a product and a sum in one pass.
    fn update(&mut self, grads: &[Tensor], lr: f64, clip_norm: f64) -> Tensor {
        self.steps += 1;
        let norms: Vec<Tensor> = grads.iter().filter(|g| g.defined()).map(|g| g.norm().to_kind(Kind::Float)).collect();
        let norm = if norms.is_empty() {
            Tensor::zeros([0i64; 0], (Kind::Float, self.params.first().map_or(Device::Cpu, |(_, p)| p.device())))
        } else {
            Tensor::stack(&norms, 0).norm()
        };
        let scale = if clip_norm > 0.0 { (clip_norm / (&norm + EPS_NORM)).clamp_max(1.0) } else { norm.ones_like() };
        let factor = |value: f64| Tensor::from(value).to_device(norm.device());
        let (rate, momentum) = (factor(-lr), self.cfg.momentum);
        let onward = if self.cfg.nesterov { factor(-lr * momentum) } else { rate.shallow_clone() };

        for (i, ((_, param), grad)) in self.params.iter_mut().zip(grads).enumerate().filter(|(_, (_, grad))| grad.defined()) {
            let mut g = &*param * self.cfg.weight_decay;
            let _ = g.addcmul_(grad, &scale);
            let _ = match (self.cfg.kind, self.moments.as_mut_slice()) {
                (OptimKind::Sgd, [velocities]) => {
                    let velocity = velocities[i].g_mul_scalar_(momentum).g_add_(&g);
                    if self.cfg.nesterov {
                        let _ = param.addcmul_(&g, &rate);
                    }
                    param.addcmul_(&velocity, &onward)
                }
                (OptimKind::Adam, [first, second]) => {
                    let [b1, b2] = self.cfg.betas;
                    let first = first[i].g_mul_scalar_(b1).g_add_(&(&g * (1.0 - b1)));
                    let second = second[i].g_mul_scalar_(b2).g_add_(&(g.square() * (1.0 - b2)));
                    let (c1, c2) = (1.0 - b1.powi(self.steps as i32), 1.0 - b2.powi(self.steps as i32));
                    param.g_sub_(&((first / ((second / c2).sqrt() + EPS_ADAM)) * (lr / c1)))
                }
                _ => param.addcmul_(&g, &rate),
            };
        }
        norm
    }

    /// Everything a resume needs beside the parameters: the moments by name, and the count of updates.
    pub fn state(&self) -> (Vec<(String, Tensor)>, i64) {
        let named = |(m, list): (usize, &Vec<Tensor>)| -> Vec<(String, Tensor)> {
            self.params.iter().zip(list).map(|((name, _), t)| (format!("optim.{m}.{name}"), t.shallow_clone())).collect()
        };
        (self.moments.iter().enumerate().flat_map(named).collect(), self.steps)
    }

    /// Puts a state back that [`Optimizer::state`] gave; `get` finds a tensor by name.
    ///
    /// # Errors
    /// Where a moment is missing: the checkpoint belongs to another optimiser.
    pub fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>, steps: i64) -> Result<()> {
        for (m, list) in self.moments.iter_mut().enumerate() {
            for ((name, _), moment) in self.params.iter().zip(list) {
                let stored = get(&format!("optim.{m}.{name}")).ok_or_else(|| {
                    Error::environment(format!("the checkpoint lacks the optimiser's state of {name}"), "start anew with --force")
                })?;
                tch::no_grad(|| moment.copy_(&stored));
            }
        }
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::config::Config;
    use proptest::prelude::*;
    use tch::Device;

    /// The rules in plain f64, one parameter with the quadratic loss `0.5 * (p - 1)^2`.
    fn slow(cfg: &Optim, clip: f64, steps: usize) -> f64 {
        let (mut p, mut m, mut v) = (3.0f64, 0.0f64, 0.0f64);
        for t in 1..=steps {
            let mut g = p - 1.0;
            if clip > 0.0 {
                g *= (clip / (g.abs() + EPS_NORM)).min(1.0);
            }
            g += cfg.weight_decay * p;
            p -= match cfg.kind {
                OptimKind::Sgd => {
                    m = cfg.momentum * m + g;
                    cfg.lr * if cfg.nesterov && cfg.momentum > 0.0 { g + cfg.momentum * m } else { m }
                }
                OptimKind::Adam => {
                    let [b1, b2] = cfg.betas;
                    m = b1 * m + (1.0 - b1) * g;
                    v = b2 * v + (1.0 - b2) * g * g;
                    let (c1, c2) = (1.0 - b1.powi(t as i32), 1.0 - b2.powi(t as i32));
                    cfg.lr * (m / c1) / ((v / c2).sqrt() + EPS_ADAM)
                }
            };
        }
        p
    }

    fn one_parameter() -> Tensor {
        Tensor::full([1], 3.0, (Kind::Double, Device::Cpu)).set_requires_grad(true)
    }

    fn run(optimizer: &mut Optimizer, p: &Tensor, lr: f64, clip: f64, steps: usize) {
        for _ in 0..steps {
            let loss = ((p - 1.0).square() * 0.5).sum(Kind::Double);
            let _ = optimizer.step(&loss, lr, clip);
        }
    }

    fn settings() -> impl Strategy<Value = (Optim, f64)> {
        (any::<bool>(), any::<bool>(), 0.0..0.99f64, 0.0..0.1f64, 1e-3..0.3f64, prop_oneof![Just(0.0), 0.1..3.0f64]).prop_map(
            |(adam, nesterov, momentum, weight_decay, lr, clip)| {
                let kind = if adam { OptimKind::Adam } else { OptimKind::Sgd };
                (Optim { kind, nesterov, momentum, weight_decay, lr, ..Config::default().optim }, clip)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn updates_follow_the_written_rules((cfg, clip) in settings(), steps in 1usize..8) {
            let p = one_parameter();
            let mut optimizer = Optimizer::new(&cfg, vec![("p".into(), p.shallow_clone())]);
            run(&mut optimizer, &p, cfg.lr, clip, steps);
            let (got, want) = (p.double_value(&[0]), slow(&cfg, clip, steps));
            // The norm is summed in f32.
            prop_assert!((got - want).abs() < 1e-5 * want.abs().max(1.0), "{got} against {want}");
        }

        #[test]
        fn a_restored_state_goes_on_bit_for_bit((cfg, clip) in settings(), before in 1usize..5, after in 1usize..5) {
            let whole = one_parameter();
            let mut optimizer = Optimizer::new(&cfg, vec![("p".into(), whole.shallow_clone())]);
            run(&mut optimizer, &whole, cfg.lr, clip, before);
            let (saved, steps) = optimizer.state();
            let saved: Vec<_> = saved.into_iter().map(|(n, t)| (n, t.copy())).collect();
            let resumed = whole.detach().copy().set_requires_grad(true);
            run(&mut optimizer, &whole, cfg.lr, clip, after);

            let mut second = Optimizer::new(&cfg, vec![("p".into(), resumed.shallow_clone())]);
            let get = |name: &str| saved.iter().find(|(n, _)| n == name).map(|(_, t)| t.shallow_clone());
            second.restore(&get, steps).unwrap();
            run(&mut second, &resumed, cfg.lr, clip, after);
            prop_assert_eq!(whole.double_value(&[0]).to_bits(), resumed.double_value(&[0]).to_bits());
        }
    }
}
