//! The numbers of a sweep's tables and figures, computed once: means, spreads, paired differences, published figures.

use std::collections::BTreeMap;

/// All numbers of a study. Ratios are 0..=1 here; renderers print percent.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Comparison {
    /// Metrics in the order of the columns, without their split.
    pub metrics: Vec<String>,
    /// One for each row of the study, in its order.
    pub lines: Vec<Line>,
    /// Pairs (category, seed) of a complete comparison.
    pub pairs: usize,
    /// The smallest Holm-adjusted p that this many pairs and comparisons can reach.
    pub smallest_p: f64,
    /// Runs that are not finished, by id, so that no average hides them.
    pub missing: Vec<String>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Line {
    pub name: String,
    /// Finished runs, and planned ones.
    pub n: usize,
    pub planned: usize,
    /// By metric.
    pub figures: BTreeMap<String, Figure>,
    /// Mean over the runs of the last epoch's total loss, of the first epoch's, and of the last epoch's gradient norm: an
    /// underfitted row shows by them.
    pub last_loss: Option<f64>,
    pub first_loss: Option<f64>,
    pub grad_norm: Option<f64>,
}

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
    /// 95 % interval, BCa bootstrap over the pairs; none where it does not exist.
    pub interval: Option<[f64; 2]>,
    /// Two-sided sign-flip test.
    pub p: f64,
    /// The same, adjusted by Holm over the rows.
    pub p_holm: f64,
    /// Pairs.
    pub n: usize,
}
