use super::slot::EPS_ADAM;
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
        match cfg.kind {
            OptimKind::Adamw => p *= 1.0 - cfg.lr * cfg.weight_decay,
            OptimKind::Sgd | OptimKind::Adam => g += cfg.weight_decay * p,
        }
        p -= match cfg.kind {
            OptimKind::Sgd => {
                m = cfg.momentum * m + g;
                cfg.lr * if cfg.nesterov && cfg.momentum > 0.0 { g + cfg.momentum * m } else { m }
            }
            OptimKind::Adam | OptimKind::Adamw => {
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

fn optimizer(cfg: &Optim, p: &Tensor) -> Optimizer {
    Optimizer::new(cfg, vec![Trained::new("p", p.shallow_clone())])
}

fn quadratic(p: &Tensor) -> Tensor {
    ((p - 1.0).square() * 0.5).sum(Kind::Double)
}

fn run(optimizer: &mut Optimizer, p: &Tensor, lr: f64, clip: f64, steps: usize) {
    for _ in 0..steps {
        let _ = optimizer.step(&quadratic(p), lr, clip);
    }
}

fn settings() -> impl Strategy<Value = (Optim, f64)> {
    let kinds = prop_oneof![Just(OptimKind::Sgd), Just(OptimKind::Adam), Just(OptimKind::Adamw)];
    let clips = prop_oneof![Just(0.0), 0.1..3.0f64];
    let momenta = prop_oneof![Just(0.0), 0.0..0.99f64];
    (kinds, any::<bool>(), momenta, 0.0..0.1f64, 1e-3..0.3f64, clips).prop_map(|(kind, nesterov, momentum, weight_decay, lr, clip)| {
        // With no momentum to look ahead with, the configuration is refused.
        let nesterov = nesterov && momentum > 0.0;
        (Optim { kind, nesterov, momentum, weight_decay, lr, ..Config::default().optim }, clip)
    })
}

/// A network of one 3 -> 4 -> 1 perceptron, f32, and a loss of its own.
struct Net {
    weights: [Tensor; 2],
    x: Tensor,
}

impl Net {
    fn new(pace: f64) -> Self {
        let wave = |shape: &[i64]| {
            let index = Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu));
            (index * pace + 0.3).sin().to_kind(Kind::Float).reshape(shape)
        };
        Self { weights: [wave(&[3, 4]).set_requires_grad(true), wave(&[4, 1]).set_requires_grad(true)], x: wave(&[5, 3]) }
    }

    fn loss(&self) -> Tensor {
        (self.x.matmul(&self.weights[0]).tanh().matmul(&self.weights[1]) - 1.0).square().mean(Kind::Float)
    }

    fn trained(&self, name: &str) -> Vec<Trained> {
        self.weights.iter().enumerate().map(|(i, w)| Trained::new(format!("{name}.{i}"), w.shallow_clone())).collect()
    }

    fn bits(&self) -> Vec<u32> {
        let flat = self.weights.iter().map(|w| Vec::<f32>::try_from(w.detach().view(-1)).expect("f32"));
        flat.flatten().map(f32::to_bits).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn updates_follow_the_written_rules((cfg, clip) in settings(), steps in 1usize..8) {
        let p = one_parameter();
        run(&mut optimizer(&cfg, &p), &p, cfg.lr, clip, steps);
        let (got, want) = (p.double_value(&[0]), slow(&cfg, clip, steps));
        // The norm is summed in f32.
        prop_assert!((got - want).abs() < 1e-5 * want.abs().max(1.0), "{got} against {want}");
    }

    #[test]
    fn a_factor_is_another_rate_or_decay((cfg, _) in settings(), steps in 1usize..8, lr in 0.0..3.0f64, decay in 0.0..3.0f64) {
        let (plain, own) = (one_parameter(), one_parameter());
        let params = vec![
            Trained::new("plain", plain.shallow_clone()),
            Trained { lr, decay, ..Trained::new("own", own.shallow_clone()) },
        ];
        let mut optimizer = Optimizer::new(&cfg, params);
        for _ in 0..steps {
            let _ = optimizer.step(&(quadratic(&plain) + quadratic(&own)), cfg.lr, 0.0);
        }
        let twin = Optim { lr: cfg.lr * lr, weight_decay: cfg.weight_decay * decay, ..cfg.clone() };
        for (p, want) in [(plain, slow(&cfg, 0.0, steps)), (own, slow(&twin, 0.0, steps))] {
            let got = p.double_value(&[0]);
            prop_assert!((got - want).abs() < 1e-9 * want.abs().max(1.0), "{got} against {want}");
        }
    }

    #[test]
    fn two_networks_in_one_optimiser_are_two_separate_runs_bit_for_bit((cfg, _) in settings(), steps in 1usize..6) {
        let (first, second) = (Net::new(0.7), Net::new(1.1));
        let params = first.trained("first").into_iter().chain(second.trained("second")).collect();
        let mut together = Optimizer::new(&cfg, params);
        for _ in 0..steps {
            let _ = together.step(&(first.loss() + second.loss()), cfg.lr, 0.0);
        }
        for (net, pace) in [(first, 0.7), (second, 1.1)] {
            let alone = Net::new(pace);
            let mut optimizer = Optimizer::new(&cfg, alone.trained("alone"));
            for _ in 0..steps {
                let _ = optimizer.step(&alone.loss(), cfg.lr, 0.0);
            }
            prop_assert_eq!(net.bits(), alone.bits());
        }
    }

    /// As on a GPU; bit for bit where no norm, summed in another order, scales the gradient.
    #[test]
    fn parameters_in_one_buffer_are_updated_as_separate_ones((cfg, clip) in settings(), steps in 1usize..6) {
        let nets = [Net::new(0.7), Net::new(0.7)];
        let map = || Tensor::arange(24, (Kind::Float, Device::Cpu)).cos().reshape([2, 3, 2, 2]).permute([0, 2, 3, 1]).set_requires_grad(true);
        let maps = [map(), map()];
        let optimizers = [0, 1].map(|i| {
            let mut params = nets[i].trained("net");
            params[1].lr = 0.5;
            params.push(Trained::new("map", maps[i].shallow_clone()));
            Optimizer::separate(&cfg, params)
        });
        let [mut apart, mut joined] = optimizers;
        joined.join();
        prop_assert_eq!(joined.joined.len(), 2);
        for _ in 0..steps {
            for (i, optimizer) in [&mut apart, &mut joined].into_iter().enumerate() {
                let _ = optimizer.step(&(nets[i].loss() + (&maps[i] * &maps[i]).sum(Kind::Float)), cfg.lr, clip);
            }
        }
        let bound = if clip > 0.0 { 1e-5 } else { 0.0 };
        let same = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]) <= bound;
        prop_assert!((0..2).all(|i| same(&nets[0].weights[i], &nets[1].weights[i])) && same(&maps[0], &maps[1]));
        let (here, there) = (apart.state().0, joined.state().0);
        prop_assert!(here.iter().zip(&there).all(|((a, x), (b, y))| a == b && x.size() == y.size() && same(x, y)));
        prop_assert_eq!(maps[1].stride(), [12, 2, 1, 4]);
    }

    #[test]
    fn a_restored_state_goes_on_bit_for_bit((cfg, clip) in settings(), before in 1usize..5, after in 1usize..5) {
        let whole = one_parameter();
        let mut first = optimizer(&cfg, &whole);
        run(&mut first, &whole, cfg.lr, clip, before);
        let (saved, steps) = first.state();
        let saved: Vec<_> = saved.into_iter().map(|(n, t)| (n, t.copy())).collect();
        let resumed = whole.detach().copy().set_requires_grad(true);
        run(&mut first, &whole, cfg.lr, clip, after);

        let mut second = optimizer(&cfg, &resumed);
        let get = |name: &str| saved.iter().find(|(n, _)| n == name).map(|(_, t)| t.shallow_clone());
        second.restore(&get, steps).unwrap();
        run(&mut second, &resumed, cfg.lr, clip, after);
        prop_assert_eq!(whole.double_value(&[0]).to_bits(), resumed.double_value(&[0]).to_bits());
    }
}

#[test]
fn a_state_of_another_optimiser_is_refused() {
    let p = one_parameter();
    let cfg = Optim { kind: OptimKind::Adamw, ..Config::default().optim };
    let error = optimizer(&cfg, &p).restore(&|_| None, 1).unwrap_err();
    assert!(error.what.contains("the optimiser's state of p"), "{error}");
}

#[test]
fn a_parameter_that_the_loss_does_not_depend_on_is_left_as_it_is() {
    for kind in [OptimKind::Sgd, OptimKind::Adam, OptimKind::Adamw] {
        let (used, unused) = (one_parameter(), one_parameter());
        let params = vec![Trained::new("used", used.shallow_clone()), Trained::new("unused", unused.shallow_clone())];
        let mut optimizer = Optimizer::new(&Optim { kind, weight_decay: 0.1, ..Config::default().optim }, params);
        run(&mut optimizer, &used, 0.1, 0.0, 3);
        optimizer.join();
        run(&mut optimizer, &used, 0.1, 0.0, 3);
        assert_eq!(unused.double_value(&[0]), 3.0);
        assert_ne!(used.double_value(&[0]), 3.0);
    }
}
