//! How well scores separate two classes: AUROC, average precision and the greatest F1, accumulated over the groups of a
//! [`Ranking`](super::ranking::Ranking).

use super::key::Scale;
use super::ranking::{Group, Ranking};
use serde::{Deserialize, Serialize};

/// The metrics of one ranking; each is `None` where a class it needs is missing.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Separation {
    /// Probability that a positive scores above a negative, ties counting one half.
    pub auroc: Option<f64>,
    /// Sum of `(R_k - R_{k-1}) P_k` over groups of equal scores, without interpolation.
    pub ap: Option<f64>,
    /// Greatest F1 of "positive from this score up" over all scores.
    pub f1max: Option<f64>,
    /// The score from which up `f1max` is reached; the highest of several.
    pub f1max_threshold: Option<f64>,
}

/// The running sums behind [`Separation`].
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Twice the pairs in which the negative wins (a tie is half a win): at most `2 N P`, below 2^63.
    lost_twice: u64,
    /// Sum of `group size x precision`.
    precision: f64,
    tp_before: u64,
    best_f1: f64,
    best_key: u32,
}

impl Tally {
    /// Takes the next group down; `positives` is their number in the whole ranking.
    pub fn add(&mut self, group: &Group, positives: u64) {
        let Group { fp_before, fp, tp, .. } = *group;
        let size = tp - self.tp_before;
        self.tp_before = tp;
        self.lost_twice += size * (fp_before + fp);
        self.precision += size as f64 * (tp as f64 / (tp + fp) as f64);
        let f1 = (2 * tp) as f64 / (tp + fp + positives) as f64;
        if f1 > self.best_f1 {
            (self.best_f1, self.best_key) = (f1, group.key);
        }
    }

    /// The metrics, after all groups; `scale` knows the score of a key.
    pub fn finish(&self, normals: u64, positives: u64, scale: &Scale) -> Separation {
        let some = |value: f64| (positives > 0).then_some(value);
        let lost = self.lost_twice as f64 / (2 * normals.max(1) * positives.max(1)) as f64;
        Separation {
            auroc: some(1.0 - lost).filter(|_| normals > 0),
            ap: some(self.precision / positives as f64),
            f1max: some(self.best_f1),
            f1max_threshold: some(scale.score(self.best_key)),
        }
    }
}

impl Ranking {
    /// The metrics of a ranking of float32 scores of which nothing else is asked.
    pub fn separation(&self) -> Separation {
        let mut tally = Tally::default();
        self.groups().for_each(|group| tally.add(&group, self.positives()));
        tally.finish(self.normals, self.positives(), &Scale::Float32)
    }
}
