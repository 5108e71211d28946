//! The weights that are evaluated as a mean over steps: an exponential moving average, or the mean of the last part (Izmailov et al.,
//! "Averaging weights leads to wider optima and better generalization", 2018).

use harness::Result;
use harness::config::{self, Train};
use tch::Tensor;

use super::learner::Learner;
use crate::tensors::find;

/// Before a tensor's own name in a checkpoint.
const PREFIX: &str = "average.";

/// A mean of what a learner learns. How many steps are in it follows from the step alone, so that a checkpoint needs its tensors only.
#[derive(Debug)]
pub struct Average {
    cfg: Train,
    /// Steps of the whole run.
    steps: u64,
    tensors: Vec<(String, Tensor)>,
}

impl Average {
    /// `None` where the last weights are asked for.
    pub fn new(cfg: &Train, steps: u64, learner: &dyn Learner) -> Option<Self> {
        let copied = || learner.state().into_iter().map(|(name, tensor)| (format!("{PREFIX}{name}"), tensor.detach().copy())).collect();
        (cfg.average != config::Average::None).then(|| Self { cfg: cfg.clone(), steps, tensors: copied() })
    }

    /// Takes the weights after `step`, counted from 1, in.
    pub fn add(&mut self, step: u64, learner: &dyn Learner) {
        let share = self.share(step);
        if share == 0.0 {
            return;
        }
        let _guard = tch::no_grad_guard();
        for ((_, mean), (_, now)) in self.tensors.iter_mut().zip(learner.state()) {
            match share {
                1.0 => mean.copy_(&now),
                share => drop(mean.lerp_(&now.detach(), share)),
            }
        }
    }

    /// How much of the mean is the weights after `step`.
    fn share(&self, step: u64) -> f64 {
        match self.cfg.average {
            config::Average::None => 0.0,
            config::Average::Ema => (1.0 - self.cfg.average_decay).max(1.0 / step as f64),
            config::Average::Tail => {
                let first = self.steps - ((self.steps as f64 * self.cfg.average_tail).ceil() as u64).clamp(1, self.steps);
                if step > first { 1.0 / (step - first) as f64 } else { 0.0 }
            }
        }
    }

    /// Its tensors by the names that they have in a checkpoint: shared, not copied.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect()
    }

    /// Puts back what [`Average::state`] gave.
    pub fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) {
        let _guard = tch::no_grad_guard();
        for (name, tensor) in &mut self.tensors {
            if let Some(stored) = get(name) {
                tensor.copy_(&stored);
            }
        }
    }

    /// Gives the learner the mean, and what it had before.
    ///
    /// # Errors
    /// None but those of [`Learner::restore`].
    pub fn lend(&self, learner: &dyn Learner) -> Result<Vec<(String, Tensor)>> {
        let own = learner.state().into_iter().map(|(name, tensor)| (name, tensor.detach().copy())).collect();
        learner.restore(&|name| find(&self.tensors, &format!("{PREFIX}{name}")))?;
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Fed, Scored, Terms};
    use harness::config::Config;
    use rand_chacha::ChaCha8Rng;

    /// A learner of one number.
    struct Number(Tensor);

    impl Number {
        fn set(&self, value: f64) {
            let _ = self.0.shallow_clone().fill_(value);
        }

        fn value(&self) -> f64 {
            self.0.double_value(&[])
        }
    }

    impl Learner for Number {
        fn trained(&self) -> Vec<crate::optim::Trained> {
            vec![]
        }

        fn state(&self) -> Vec<(String, Tensor)> {
            vec![("x".into(), self.0.shallow_clone())]
        }

        fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
            self.0.shallow_clone().copy_(&get("x").unwrap());
            Ok(())
        }

        fn loss(&self, _: &Fed, _: &mut ChaCha8Rng) -> Result<Terms> {
            unreachable!()
        }

        fn score(&self, _: &Tensor) -> Scored {
            unreachable!()
        }
    }

    fn train(average: config::Average) -> Train {
        Train { average, average_decay: 0.75, average_tail: 0.3, ..Config::default().train }
    }

    /// The mean after each of the numbers 1, 2, … `steps`.
    fn means(average: config::Average, steps: u64) -> Vec<f64> {
        let number = Number(Tensor::from(0.0));
        let mut mean = Average::new(&train(average), steps, &number).unwrap();
        let after = |step: u64| {
            number.set(step as f64);
            mean.add(step, &number);
            mean.tensors[0].1.double_value(&[])
        };
        (1..=steps).map(after).collect()
    }

    #[test]
    fn a_moving_average_begins_as_a_plain_mean() {
        let got = means(config::Average::Ema, 6);
        let want = [1.0, 1.5, 2.0, 2.5, 3.125, 3.843_75];
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12), "{got:?}");
    }

    #[test]
    fn the_tail_is_the_mean_of_the_last_steps() {
        assert_eq!(means(config::Average::Tail, 10)[7..], [8.0, 8.5, 9.0]);
        assert_eq!(means(config::Average::Tail, 1), [1.0]);
    }

    #[test]
    fn what_is_lent_can_be_given_back_and_a_checkpoint_holds_the_mean() {
        let number = Number(Tensor::from(0.0));
        assert!(Average::new(&Config::default().train, 9, &number).is_none());
        let mut mean = Average::new(&train(config::Average::Ema), 9, &number).unwrap();
        for step in 1..=2 {
            number.set(step as f64);
            mean.add(step, &number);
        }
        let own = mean.lend(&number).unwrap();
        assert_eq!(number.value(), 1.5);
        number.restore(&|name| find(&own, name)).unwrap();
        assert_eq!(number.value(), 2.0);
        let mut again = Average::new(&train(config::Average::Ema), 9, &number).unwrap();
        again.restore(&|name| find(&mean.state(), name));
        again.lend(&number).unwrap();
        assert_eq!(number.value(), 1.5);
    }
}
