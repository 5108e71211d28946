//! How fast work goes and how long it will take. Pure: the clock is a parameter.

use std::collections::VecDeque;

/// Speed over the last half minute or so, because the first steps are slow and machines are shared.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    /// (time in s, steps done, images done since the first mark), oldest first.
    marks: VecDeque<(f64, u64, u64)>,
}

/// Marks older than this, in s, are dropped as long as two are left.
const WINDOW_S: f64 = 30.0;

/// Least time in s between a mark and the next but one: about two hundred marks at most are kept.
const SPACING_S: f64 = WINDOW_S / 100.0;

impl Pace {
    /// Notes that at `now_s` (from any fixed origin) `step` steps were done, and `images` images since the call before.
    /// The first call only sets the origin: its steps may have begun long before.
    pub fn record(&mut self, now_s: f64, step: u64, images: u64) {
        let Some(&(_, _, total)) = self.marks.back() else {
            self.marks.push_back((now_s, step, 0));
            return;
        };
        let last = self.marks.len() - 1;
        // The newest mark moves along until it is a spacing away from the one before.
        if last > 0 && now_s - self.marks[last - 1].0 < SPACING_S {
            self.marks[last] = (now_s, step, total + images);
        } else {
            self.marks.push_back((now_s, step, total + images));
        }
        while self.marks.len() > 2 && now_s - self.marks[1].0 >= WINDOW_S {
            self.marks.pop_front();
        }
    }

    /// Images a second; `None` before two marks.
    pub fn images_per_s(&self) -> Option<f64> {
        let (seconds, _, images) = self.span()?;
        Some(images as f64 / seconds)
    }

    /// Steps a second; `None` before two marks.
    pub fn steps_per_s(&self) -> Option<f64> {
        let (seconds, steps, _) = self.span()?;
        Some(steps as f64 / seconds)
    }

    /// Seconds until `total` steps are done; `None` before two marks.
    pub fn left_s(&self, total: u64) -> Option<f64> {
        let (seconds, steps, _) = self.span()?;
        let done = self.marks.back()?.1;
        (steps > 0).then(|| total.saturating_sub(done) as f64 * seconds / steps as f64)
    }

    /// Seconds, steps and images between the oldest and the newest mark.
    fn span(&self) -> Option<(f64, u64, u64)> {
        let (first, last) = (self.marks.front()?, self.marks.back()?);
        let seconds = last.0 - first.0;
        (seconds > 0.0).then(|| (seconds, last.1.saturating_sub(first.1), last.2 - first.2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_even_pace_is_told_exactly(step_s in 0.001f64..20.0, images in 1u64..64, steps in 2u64..400, from in 0u64..1000) {
            let mut pace = Pace::default();
            for n in 0..steps {
                pace.record(5.0 + n as f64 * step_s, from + n, images);
            }
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs();
            prop_assert!(close(pace.images_per_s().unwrap(), images as f64 / step_s));
            prop_assert!(close(pace.steps_per_s().unwrap(), 1.0 / step_s));
            prop_assert!(close(pace.left_s(from + steps + 9).unwrap(), 10.0 * step_s));
            prop_assert!(pace.marks.len() <= 203);
        }
    }

    #[test]
    fn a_slow_start_is_forgotten_and_a_single_step_tells_nothing() {
        let mut pace = Pace::default();
        pace.record(0.0, 1, 8);
        assert_eq!((pace.images_per_s(), pace.left_s(10)), (None, None));
        pace.record(100.0, 2, 8);
        (1..=400).for_each(|n| pace.record(100.0 + n as f64 * 0.1, 2 + n, 8));
        assert!((pace.images_per_s().unwrap() - 80.0).abs() < 1e-6);
        assert_eq!(pace.left_s(100), Some(0.0));
    }
}
