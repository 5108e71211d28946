//! The learning rate as a pure function of the position in training.

use harness::config::{Optim, Schedule};

/// The rate at `batch` of `epoch` (both from 0), `batches` an epoch, `epochs` in all.
///
/// Schedules move once an epoch: `lr * gamma^epoch`, or half a cosine from `lr` to 0; the warm-up multiplies them by a
/// factor that grows linearly with each step and is 1 after `warmup_epochs`.
pub fn learning_rate(cfg: &Optim, epoch: usize, epochs: usize, batch: usize, batches: usize) -> f64 {
    let base = match cfg.schedule {
        Schedule::Constant => cfg.lr,
        Schedule::Exp => cfg.lr * cfg.schedule_gamma.powi(epoch as i32),
        Schedule::Cosine => cfg.lr * 0.5 * (1.0 + (std::f64::consts::PI * epoch as f64 / epochs.max(1) as f64).cos()),
    };
    if cfg.warmup_epochs <= 0.0 {
        return base;
    }
    let done = (epoch * batches + batch + 1) as f64 / batches.max(1) as f64;
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
        let rates = |s| -> Vec<f64> { (0..4).map(|e| learning_rate(&with(s, 0.0), e, 4, 0, 10)).collect() };
        assert_eq!(rates(Schedule::Constant), [1.0; 4]);
        assert_eq!(rates(Schedule::Exp), [1.0, 0.5, 0.25, 0.125]);
        let cosine = rates(Schedule::Cosine);
        assert!((cosine[2] - 0.5).abs() < 1e-12 && cosine.is_sorted_by(|a, b| a > b), "{cosine:?}");
    }

    #[test]
    fn warm_up_grows_by_equal_steps_to_the_whole_rate() {
        let at = |epoch, batch| learning_rate(&with(Schedule::Constant, 1.5), epoch, 9, batch, 4);
        let first: Vec<f64> = (0..8).map(|i| at(i / 4, i % 4)).collect();
        for (i, rate) in first.iter().enumerate() {
            assert!((rate - ((i + 1) as f64 / 6.0).min(1.0)).abs() < 1e-12, "{first:?}");
        }
    }
}
