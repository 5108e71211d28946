//! The learning rate as a pure function of the position in training.

use harness::config::{Optim, Schedule};

/// A step in training. Where training ends within an epoch, `steps` is not a multiple of `batches`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// From 0.
    pub epoch: usize,
    /// Of the epoch, from 0.
    pub batch: usize,
    /// Batches an epoch.
    pub batches: usize,
    /// Steps of the whole run.
    pub steps: u64,
}

impl At {
    /// Steps before this one.
    fn done(&self) -> usize {
        self.epoch * self.batches + self.batch
    }

    /// The share of the run that lies before this step, 0..1; one correctly rounded division, so that a share that is written
    /// as a decimal number is reached exactly where it falls on a step.
    pub fn share(&self) -> f64 {
        self.done() as f64 / self.steps.max(1) as f64
    }

    /// The run's length in epochs, 1 at least.
    fn epochs(&self) -> f64 {
        (self.steps as f64 / self.batches.max(1) as f64).max(1.0)
    }
}

/// The rate at a step.
///
/// `exp` and `cosine` move once an epoch: `lr * gamma^epoch`, or half a cosine from `lr` to 0. `step` multiplies the rate by
/// a factor at each milestone, a share of the run's steps. The warm-up multiplies all of them by a factor that grows linearly
/// with each step and is 1 after `warmup_epochs`.
pub fn learning_rate(cfg: &Optim, at: At) -> f64 {
    let base = match cfg.schedule {
        Schedule::Constant => cfg.lr,
        Schedule::Exp => cfg.lr * cfg.schedule_gamma.powi(at.epoch as i32),
        Schedule::Cosine => cfg.lr * 0.5 * (1.0 + (std::f64::consts::PI * at.epoch as f64 / at.epochs()).cos()),
        Schedule::Step => {
            let passed = cfg.milestones.iter().filter(|share| at.share() >= **share).count();
            cfg.lr * cfg.milestone_factor.powi(passed as i32)
        }
    };
    if cfg.warmup_epochs <= 0.0 {
        return base;
    }
    let done = (at.done() + 1) as f64 / at.batches.max(1) as f64;
    base * (done / cfg.warmup_epochs).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::config::Config;

    fn with(schedule: Schedule, warmup_epochs: f64) -> Optim {
        Optim { schedule, warmup_epochs, lr: 1.0, schedule_gamma: 0.5, ..Config::default().optim }
    }

    #[test]
    fn schedules_are_what_they_are_called() {
        let at = |epoch| At { epoch, batch: 0, batches: 10, steps: 40 };
        let rates = |s| -> Vec<f64> { (0..4).map(|e| learning_rate(&with(s, 0.0), at(e))).collect() };
        assert_eq!(rates(Schedule::Constant), [1.0; 4]);
        assert_eq!(rates(Schedule::Exp), [1.0, 0.5, 0.25, 0.125]);
        let cosine = rates(Schedule::Cosine);
        assert!((cosine[2] - 0.5).abs() < 1e-12 && cosine.is_sorted_by(|a, b| a > b), "{cosine:?}");
    }

    #[test]
    fn a_cosine_over_whole_epochs_is_a_function_of_epoch_and_epochs_alone() {
        for (epochs, batches) in [(1, 1), (3, 7), (200, 53), (12, 1)] {
            for epoch in 0..epochs {
                let at = At { epoch, batch: 0, batches, steps: (epochs * batches) as u64 };
                let expected = 0.001 * 0.5 * (1.0 + (std::f64::consts::PI * epoch as f64 / epochs as f64).cos());
                let cfg = Optim { lr: 0.001, ..with(Schedule::Cosine, 0.0) };
                assert_eq!(learning_rate(&cfg, at).to_bits(), expected.to_bits());
            }
        }
    }

    #[test]
    fn the_step_schedule_falls_at_its_shares_of_the_steps() {
        let cfg = Optim { milestones: vec![0.7, 0.9], milestone_factor: 0.1, ..with(Schedule::Step, 0.0) };
        // Ten steps, in epochs of four: 0.7 is reached before step 7 (counted from 0), within the second epoch.
        let rate = |i: usize| learning_rate(&cfg, At { epoch: i / 4, batch: i % 4, batches: 4, steps: 10 });
        for i in 0..10 {
            let expected = [1.0, 0.1, 0.01][(i >= 7) as usize + (i >= 9) as usize];
            assert!((rate(i) - expected).abs() < 1e-15, "step {i}: {}", rate(i));
        }
    }

    #[test]
    fn warm_up_grows_by_equal_steps_to_the_whole_rate() {
        let at = |epoch, batch| learning_rate(&with(Schedule::Constant, 1.5), At { epoch, batch, batches: 4, steps: 36 });
        let first: Vec<f64> = (0..8).map(|i| at(i / 4, i % 4)).collect();
        for (i, rate) in first.iter().enumerate() {
            assert!((rate - ((i + 1) as f64 / 6.0).min(1.0)).abs() < 1e-12, "{first:?}");
        }
    }
}
