//! How far a run is that is not finished, by what it has written.

use std::collections::BTreeMap;

use serde::Serialize;

use super::event::{self, Event, Timing};
use super::folder::Folder;
use crate::Result;
use crate::config::Train;
use crate::file::lines;

/// Epochs whose speed is taken: the first ones are slow, and machines are shared.
const RECENT: usize = 3;

/// A training on its way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Whole epochs.
    pub epochs_done: u64,
    /// In all; none where steps decide.
    pub epochs: Option<u64>,
    pub steps_done: u64,
    /// In all, as soon as they are known: by `train.steps`, or by a whole epoch.
    pub steps: Option<u64>,
    /// The loss and its parts in the last step that was written.
    pub losses: BTreeMap<String, f64>,
    /// Of the last epochs.
    pub images_per_s: Option<f64>,
    /// Of the training, s, at the speed of the last epochs. A run that was stopped takes as long once it goes on.
    pub left_s: Option<f64>,
}

impl Progress {
    /// That of the run in `folder`; `None` before its first step.
    ///
    /// # Errors
    /// Events or times that cannot be read.
    pub fn of(folder: &Folder, train: &Train) -> Result<Option<Self>> {
        let timings: Vec<Timing> = lines::read(&folder.timing_jsonl())?;
        Ok(Self::seen(&event::read(&folder.events_jsonl())?, &timings, train))
    }

    fn seen(events: &[Event], timings: &[Timing], train: &Train) -> Option<Self> {
        let (mut losses, mut steps_done, mut ends) = (None, 0, vec![0]);
        for event in events {
            match event {
                Event::Step { step, losses: parts, .. } => (losses, steps_done) = (Some(parts.clone()), steps_done.max(*step)),
                Event::Epoch { step, .. } => ends.push(*step),
                Event::Start { .. } | Event::Eval { .. } => {}
            }
        }
        let epochs_done = ends.len() as u64 - 1;
        // The last word on an epoch counts: one that was lost stands there twice.
        let last: BTreeMap<u64, (u64, f64)> = timings
            .iter()
            .filter_map(|timing| match timing {
                Timing::Epoch { epoch, images, wall_s, .. } if *epoch < epochs_done => Some((*epoch, (*images, *wall_s))),
                _ => None,
            })
            .collect();
        let recent: Vec<_> = last.iter().rev().take(RECENT).collect();
        let seconds: f64 = recent.iter().map(|(_, (_, wall_s))| wall_s).sum();
        let images: u64 = recent.iter().map(|(_, (images, _))| images).sum();
        let taken: u64 = recent.iter().map(|(epoch, _)| ends[**epoch as usize + 1] - ends[**epoch as usize]).sum();
        let epochs = (train.steps == 0).then_some(train.epochs as u64);
        let an_epoch = ends.get(1).copied();
        let steps = if train.steps > 0 { Some(train.steps as u64) } else { an_epoch.map(|steps| steps * train.epochs as u64) };
        let left = steps.map(|steps| steps.saturating_sub(steps_done));
        Some(Self {
            epochs_done,
            epochs,
            steps_done,
            steps,
            losses: losses?,
            images_per_s: (seconds > 0.0).then(|| images as f64 / seconds),
            left_s: left.filter(|_| taken > 0).map(|left| left as f64 * seconds / taken as f64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn train(epochs: usize, steps: usize) -> Train {
        Train { epochs, steps, ..Config::default().train }
    }

    fn step(epoch: u64, step: u64) -> Event {
        let losses = BTreeMap::from([("total".to_owned(), 1.0 / step as f64)]);
        Event::Step { epoch, step, losses, lr: 0.1, grad_norm: None, stats: BTreeMap::new() }
    }

    fn end(epoch: u64, step: u64) -> Event {
        Event::Epoch { epoch, step, losses: BTreeMap::new(), grad_norm: None, stats: BTreeMap::new() }
    }

    fn took(epoch: u64, wall_s: f64) -> Timing {
        Timing::Epoch { attempt: 1, epoch, images: 8, wall_s, images_per_s: 8.0 / wall_s }
    }

    #[test]
    fn what_is_left_follows_from_the_speed_of_the_last_epochs() {
        let events = [step(0, 1), step(0, 2), end(0, 2), step(1, 3), step(1, 4), end(1, 4), step(2, 5)];
        // The first epoch was lost once, and repeated.
        let timings = [took(0, 90.0), took(0, 6.0), took(1, 2.0)];
        let seen = Progress::seen(&events, &timings, &train(10, 0)).unwrap();
        assert_eq!((seen.epochs_done, seen.epochs, seen.steps_done, seen.steps), (2, Some(10), 5, Some(20)));
        assert_eq!((seen.images_per_s, seen.left_s, seen.losses["total"]), (Some(2.0), Some(30.0), 0.2));
        let by_steps = Progress::seen(&events, &timings, &train(10, 7)).unwrap();
        assert_eq!((by_steps.epochs, by_steps.steps, by_steps.left_s), (None, Some(7), Some(4.0)));
    }

    #[test]
    fn nothing_is_claimed_before_a_step_and_no_time_before_an_epoch() {
        assert_eq!(Progress::seen(&[], &[], &train(10, 0)), None);
        let seen = Progress::seen(&[step(0, 1)], &[], &train(10, 0)).unwrap();
        assert_eq!((seen.steps_done, seen.steps, seen.images_per_s, seen.left_s), (1, None, None, None));
    }
}
