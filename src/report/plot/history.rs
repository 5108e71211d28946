//! The course of a training, read from its events. Pure.

use std::collections::BTreeMap;

use crate::run::Event;

/// One figure over time; x counts epochs from the start of the training, a mean stands in the middle of its epoch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    pub name: String,
    /// Of single steps.
    pub steps: Vec<[f64; 2]>,
    /// Means over the steps of an epoch.
    pub epochs: Vec<[f64; 2]>,
}

/// The losses, the gradient's norm and the statistics of a training.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// The total first, then its parts in the order of the method, then all others by name.
    pub losses: Vec<Series>,
    /// Before clipping; empty where it was not recorded.
    pub grad_norm: Series,
    /// What else was recorded, by name: `entropy_scores`.
    pub statistics: Vec<Series>,
    /// Epochs begun.
    pub epochs: u64,
    /// Values of steps that are not finite.
    pub diverged: usize,
}

const TOTAL: &str = "total";

/// The order of a legend.
const ORDER: [&str; 5] = [TOTAL, "feature", "score_normal", "score_pair", "consistency"];

impl History {
    /// The course that the events tell; `None` where nothing was trained.
    pub fn of(events: &[Event]) -> Option<Self> {
        let mut steps_of = BTreeMap::<u64, u64>::new();
        for event in events {
            if let Event::Step { epoch, .. } = event {
                *steps_of.entry(*epoch).or_default() += 1;
            }
        }
        // The longest epoch's, so that one that was broken off does not look whole.
        let steps_an_epoch = steps_of.values().copied().max().unwrap_or(1) as f64;

        let (mut losses, mut statistics) = (BTreeMap::<&str, Series>::new(), BTreeMap::<&str, Series>::new());
        let mut history = Self { grad_norm: Series { name: "gradient norm".into(), ..Series::default() }, ..Self::default() };
        let mut done = BTreeMap::<u64, u64>::new();
        for event in events {
            match event {
                Event::Step { epoch, losses: values, grad_norm, stats, .. } => {
                    let nth = done.entry(*epoch).or_default();
                    let x = *epoch as f64 + (*nth as f64 + 0.5) / steps_an_epoch;
                    *nth += 1;
                    values.iter().for_each(|(name, &y)| losses.entry(name).or_default().steps.push([x, y]));
                    stats.iter().for_each(|(name, &y)| statistics.entry(name).or_default().steps.push([x, y]));
                    history.grad_norm.steps.extend(grad_norm.map(|y| [x, y]));
                    history.diverged += values.values().chain(grad_norm).filter(|v| !v.is_finite()).count();
                    history.epochs = history.epochs.max(epoch + 1);
                }
                Event::Epoch { epoch, losses: values, grad_norm, stats, .. } => {
                    let x = *epoch as f64 + 0.5;
                    values.iter().for_each(|(name, &y)| losses.entry(name).or_default().epochs.push([x, y]));
                    stats.iter().for_each(|(name, &y)| statistics.entry(name).or_default().epochs.push([x, y]));
                    history.grad_norm.epochs.extend(grad_norm.map(|y| [x, y]));
                    history.epochs = history.epochs.max(epoch + 1);
                }
                Event::Start { .. } | Event::Eval { .. } => {}
            }
        }
        let named =
            |series: BTreeMap<&str, Series>| series.into_iter().map(|(name, series)| Series { name: name.to_owned(), ..series }).collect();
        history.losses = named(losses);
        history.statistics = named(statistics);
        history.losses.sort_by_key(|series| ORDER.iter().position(|name| *name == series.name).unwrap_or(ORDER.len()));
        (!history.losses.is_empty()).then_some(history)
    }
}

impl Series {
    /// All values.
    pub fn values(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        self.steps.iter().chain(&self.epochs).map(|p| p[1])
    }

    pub fn is_total(&self) -> bool {
        self.name == TOTAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(total: f64) -> BTreeMap<String, f64> {
        BTreeMap::from([("feature".to_owned(), 1.0), ("total".to_owned(), total)])
    }

    #[test]
    fn steps_lie_within_their_epoch_and_means_in_its_middle() {
        let step =
            |epoch, step, total| Event::Step { epoch, step, losses: losses(total), lr: 0.1, grad_norm: Some(2.0), stats: BTreeMap::new() };
        let stats = BTreeMap::from([("entropy_scores".to_owned(), 0.75)]);
        let mean = Event::Epoch { epoch: 0, step: 2, losses: losses(5.0), grad_norm: None, stats };
        let events = [step(0, 0, 6.0), step(0, 1, 4.0), mean, step(1, 2, f64::NAN)];
        let history = History::of(&events).unwrap();
        assert_eq!(history.losses.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["total", "feature"]);
        assert_eq!(history.losses[0].epochs, [[0.5, 5.0]]);
        assert_eq!((history.statistics[0].name.as_str(), history.statistics[0].epochs.as_slice()), ("entropy_scores", &[[0.5, 0.75]][..]));
        assert_eq!(history.losses[1].steps, [[0.25, 1.0], [0.75, 1.0], [1.25, 1.0]], "the broken epoch's step is not stretched");
        assert_eq!((history.epochs, history.diverged, history.grad_norm.steps.len()), (2, 1, 3));
    }

    #[test]
    fn where_nothing_was_trained_there_is_no_history() {
        assert_eq!(History::of(&[]), None);
        assert_eq!(History::of(&[Event::Start { format: 1, id: "x".into() }]), None);
    }
}
