//! How far a run is that another process works on, from what it has written so far: events for losses, TensorBoard's file for the clock.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Pace, text};
use crate::Result;
use crate::config::Config;
use crate::export::tensorboard;
use crate::file::lines;
use crate::run::{Event, Folder, Timing, event};

/// How far a training is. Numbers are a few seconds old: [`crate::run::Attempt`] hands them on that often.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct Standing {
    /// The epoch it is in, from 1, and how many there are; 0 where the number of steps decides.
    pub epoch: u64,
    pub epochs: u64,
    /// Steps done, and all of them; none before the first epoch has told how many it has.
    pub step: u64,
    pub steps: Option<u64>,
    /// Of the last step that was told of.
    pub losses: BTreeMap<String, f64>,
    /// Of the last whole epoch.
    pub images_per_s: Option<f64>,
    pub steps_per_s: Option<f64>,
    pub left_s: Option<f64>,
    /// Seconds since the last step.
    pub last_step_s: Option<f64>,
}

impl Standing {
    /// Where a run stands at the time `now`, in seconds since 1970; none where no step is told of: it has just begun, or its detector
    /// takes none.
    ///
    /// # Errors
    /// Files of the run that cannot be read.
    pub fn read(folder: &Folder, now: f64) -> Result<Option<Self>> {
        let events = event::read(&folder.events_jsonl())?;
        let Some(mut standing) = folder.config().ok().and_then(|cfg| Self::of(&events, &cfg)) else { return Ok(None) };
        let (timings, _) = lines::read_sound::<Timing>(&folder.timing_jsonl())?;
        let speed = |timing: &Timing| if let Timing::Epoch { images_per_s, .. } = timing { Some(*images_per_s) } else { None };
        standing.images_per_s = timings.iter().rev().find_map(speed);
        standing.clock(&tensorboard::stamps(&folder.tb())?, now);
        Ok(Some(standing))
    }

    /// What the events of a run tell.
    fn of(events: &[Event], cfg: &Config) -> Option<Self> {
        let last = events.iter().rev().find_map(|event| match event {
            Event::Step { epoch, step, losses, .. } => Some((*epoch, *step, losses.clone())),
            _ => None,
        });
        let (epoch, step, losses) = last?;
        let per_epoch = events.iter().rev().find_map(|event| match event {
            Event::Epoch { epoch, step, .. } => Some(step.div_ceil(epoch + 1)),
            _ => None,
        });
        let (epochs, steps) = match cfg.train.steps {
            0 => (cfg.train.epochs as u64, per_epoch.map(|steps| steps * cfg.train.epochs as u64)),
            steps => (0, Some(steps as u64)),
        };
        Some(Self { epoch: epoch + 1, epochs, step, steps: steps.filter(|steps| *steps >= step), losses, ..Self::default() })
    }

    /// Pace and time left, from the times of steps.
    fn clock(&mut self, stamps: &[(f64, u64)], now: f64) {
        let mut pace = Pace::default();
        for (at, step) in stamps.iter().filter(|(_, step)| *step > 0) {
            pace.record(*at, *step, 0);
        }
        self.steps_per_s = pace.steps_per_s();
        self.left_s = self.steps.and_then(|steps| pace.left_s(steps));
        self.last_step_s = stamps.last().map(|(at, _)| (now - at).max(0.0));
    }

    /// The same in two lines for people.
    pub fn lines(&self) -> Vec<String> {
        let of = |n: u64, all: u64| if all > 0 { format!("{n} of {all}") } else { n.to_string() };
        let epoch = format!("epoch {}", of(self.epoch, self.epochs));
        let step = format!("step {}", of(self.step, self.steps.unwrap_or(0)));
        let images = self.images_per_s.map(|rate| format!("{rate:.1} images/s"));
        let rate = self.steps_per_s.map(|rate| format!("{} steps/s", text::number(rate)));
        let left = match self.steps {
            Some(steps) if steps == self.step => Some("trained, being scored".to_owned()),
            _ => self.left_s.map(|left| format!("about {} left", text::duration(left))),
        };
        // A step of the paper's profile on a CPU takes some seconds.
        let still = self.last_step_s.filter(|since| *since >= 60.0).map(|since| format!("no step for {}", text::duration(since)));
        let parts: Vec<String> = [epoch, step].into_iter().chain(images.or(rate)).chain(left).chain(still).collect();
        let (total, terms): (Vec<_>, Vec<_>) = self.losses.iter().partition(|(name, _)| *name == "total");
        let losses: Vec<String> = total.iter().chain(&terms).map(|(name, loss)| format!("{name} {}", text::number(**loss))).collect();
        vec![parts.join(" · "), losses.join("  ")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(epoch: u64, step: u64) -> Event {
        let losses = BTreeMap::from([("total".to_owned(), 0.5), ("feature".to_owned(), 0.25)]);
        Event::Step { epoch, step, losses, lr: 0.1, grad_norm: None, stats: BTreeMap::new() }
    }

    fn end(epoch: u64, step: u64) -> Event {
        Event::Epoch { epoch, step, losses: BTreeMap::new(), grad_norm: None, stats: BTreeMap::new() }
    }

    fn config(words: &[&str]) -> Config {
        Config::default().with(&words.iter().map(|word| word.to_string()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_run_in_its_third_epoch_says_how_many_steps_are_left_and_how_long() {
        let events = [step(0, 4), end(0, 4), step(1, 8), end(1, 8), step(2, 9)];
        let mut standing = Standing::of(&events, &config(&["train.epochs=5"])).unwrap();
        standing.clock(&[(100.0, 4), (108.0, 8), (110.0, 9)], 113.0);
        assert_eq!((standing.steps, standing.left_s, standing.last_step_s), (Some(20), Some(22.0), Some(3.0)));
        let lines = standing.lines();
        assert_eq!(lines[0], "epoch 3 of 5 · step 9 of 20 · 0.5000 steps/s · about 22 s left");
        assert_eq!(lines[1], "total 0.5000  feature 0.2500");
    }

    #[test]
    fn before_its_first_epoch_has_ended_a_run_does_not_know_its_steps_unless_they_are_set() {
        let standing = Standing::of(&[step(0, 3)], &config(&["train.epochs=5"])).unwrap();
        assert_eq!((standing.epoch, standing.epochs, standing.steps), (1, 5, None));
        assert_eq!(standing.lines()[0], "epoch 1 of 5 · step 3");
        let set = Standing::of(&[step(0, 3)], &config(&["train.steps=40"])).unwrap();
        assert_eq!((set.epochs, set.steps), (0, Some(40)));
        assert_eq!(Standing::of(&[], &Config::default()), None, "one that takes no step tells nothing");
    }

    #[test]
    fn a_run_that_is_scored_and_one_that_stands_still_say_so() {
        let mut standing = Standing { epoch: 2, epochs: 2, step: 8, steps: Some(8), ..Standing::default() };
        standing.last_step_s = Some(90.0);
        assert_eq!(standing.lines()[0], "epoch 2 of 2 · step 8 of 8 · trained, being scored · no step for 1 min 30 s");
    }
}
