//! One figure of a table, and the paired difference of two: what rows and main effects share.

use std::collections::BTreeMap;

use super::table::Change;
use crate::num;
use crate::sweep::{Cell, Study};

/// Adjusted p below which a difference is called larger than its noise.
pub const LEVEL: f64 = 0.05;

/// Seed of the bootstrap and of sampled sign flips: the same study always gives the same numbers.
const SEED: u64 = 0;

/// One row's figure in one metric.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Figure {
    /// Unweighted mean over categories of the means over seeds, of the finished runs.
    pub mean: Option<f64>,
    /// Sample standard deviation over seeds of the mean over categories; none with one seed, or where a seed is incomplete.
    pub deviation: Option<f64>,
    /// Mean over seeds by category.
    pub categories: BTreeMap<String, f64>,
    /// All planned runs are finished and have the metric.
    pub complete: bool,
    /// The paper's figure.
    pub published: Option<f64>,
    /// Somebody else's, where the row cites one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cited: Option<f64>,
    /// Against its counterpart.
    pub difference: Option<Difference>,
}

/// A paired difference, this row minus its counterpart.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Difference {
    /// The counterpart's place among the lines.
    pub against: usize,
    /// Mean of the differences.
    pub mean: f64,
    /// Sample standard deviation of the differences; none of a single one.
    pub deviation: Option<f64>,
    /// 95 % interval, BCa bootstrap over the pairs; none where it does not exist.
    pub interval: Option<[f64; 2]>,
    /// Two-sided sign-flip test.
    pub p: f64,
    /// The same, adjusted by Holm over the planned comparisons in this metric.
    pub p_holm: f64,
    /// Pairs.
    pub n: usize,
}

/// One metric's values: by row, category and seed.
pub(super) type Values<'a> = BTreeMap<(usize, &'a str, u64), f64>;

/// What each finished run has of a metric.
pub(super) fn values<'a>(study: &'a Study, metric: &str) -> Values<'a> {
    let one = |c: &'a Cell| Some(((c.row, c.category.as_str(), c.seed), c.summary()?.metric("", metric)?));
    study.cells.iter().filter_map(one).collect()
}

impl Difference {
    /// What paired differences say; none without one.
    pub(super) fn of(against: usize, differences: &[f64]) -> Option<Self> {
        let mean = num::mean(differences)?;
        let p = num::sign_flip(differences, SEED);
        let interval = num::bca_interval(differences, SEED);
        let deviation = num::standard_deviation(differences);
        Some(Self { against, mean, deviation, interval, p, p_holm: p, n: differences.len() })
    }

    /// The difference as a cell holds it: against what, and of how many pairs that were planned.
    pub(super) fn named(&self, against: &str, planned: usize) -> Change {
        let Self { mean, interval, p, p_holm, n, .. } = *self;
        Change { against: against.to_owned(), mean, interval, p, p_holm, n, planned }
    }
}

/// Adjusts p by Holm over so many comparisons, of which these have pairs.
pub(super) fn adjust(differences: Vec<&mut Difference>, comparisons: usize) {
    let adjusted = num::holm(&differences.iter().map(|d| d.p).collect::<Vec<_>>(), comparisons);
    differences.into_iter().zip(adjusted).for_each(|(d, p)| d.p_holm = p);
}
