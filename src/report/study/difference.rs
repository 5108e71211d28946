//! One figure of a table, and the paired difference of two: what rows and main effects share.

use std::collections::BTreeMap;

use super::table::Change;
use crate::num;
use crate::sweep::{Study, Values};

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

impl Figure {
    /// The figure of rows that are averaged; without what was published of it, and without its difference.
    pub(super) fn of(study: &Study, values: &Values, rows: &[usize]) -> Self {
        let of = |category: &str, seed: u64| values.mean(rows, category, seed);
        let over_seeds = |c: &String| Some((c.clone(), num::mean(&study.seeds.iter().filter_map(|&s| of(c, s)).collect::<Vec<_>>())?));
        let categories: BTreeMap<String, f64> = study.categories.iter().filter_map(over_seeds).collect();
        let of_seed = |&seed: &u64| num::mean(&study.categories.iter().map(|c| of(c, seed)).collect::<Option<Vec<_>>>()?);
        let by_seed: Option<Vec<f64>> = study.seeds.iter().map(of_seed).collect();
        // In the study's order of categories, so that the sum does not depend on their names.
        let means: Vec<f64> = study.categories.iter().filter_map(|c| categories.get(c).copied()).collect();
        Self {
            mean: num::mean(&means),
            complete: by_seed.is_some(),
            deviation: by_seed.and_then(|means| num::standard_deviation(&means)),
            categories,
            ..Self::default()
        }
    }
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
