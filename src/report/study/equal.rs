//! Runs of different settings that came out equal to the bit: a key that was never active, such as the margin of a hinge that no
//! value reached.

use serde::Serialize;

use crate::run::Summary;
use crate::sweep::Study;

/// Two rows of which some pairs of runs came out equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Equal {
    /// Places of the rows; `row` is compared with `against`.
    pub row: usize,
    pub against: usize,
    /// Pairs that came out equal, of those of which both runs are finished.
    pub n: usize,
    pub of: usize,
}

/// The rows that stand opposite to one another in a comparison, and of which a pair came out equal.
pub fn equal(study: &Study) -> Vec<Equal> {
    let mut all = vec![];
    for (row, against) in study.comparisons().into_iter().flatten() {
        let places = study.categories.iter().flat_map(|category| study.seeds.iter().map(move |&seed| (category, seed)));
        let pair = |(category, seed): (&String, u64)| study.summary(row, category, seed).zip(study.summary(against, category, seed));
        let pairs: Vec<_> = places.filter_map(pair).collect();
        let n = pairs.iter().filter(|(one, other)| outcome(one) == outcome(other)).count();
        if n > 0 {
            all.push(Equal { row, against, n, of: pairs.len() });
        }
    }
    all
}

/// What came out of a run, to the bit: losses, gradient norm, metrics.
pub fn outcome(run: &Summary) -> String {
    let losses: Vec<(&String, u64)> = run.losses.iter().map(|(name, value)| (name, value.to_bits())).collect();
    let metrics: Vec<(&String, Option<u64>)> = run.metrics.iter().map(|(name, value)| (name, value.map(f64::to_bits))).collect();
    format!("{losses:?} {:?} {metrics:?}", run.grad_norm.map(f64::to_bits))
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::sweep::Outcome;

    #[test]
    fn equal_runs_of_compared_rows_are_counted() {
        let mut study = example::ladder();
        assert!(equal(&study).is_empty());
        let first = study.summary(0, "gear", 1).unwrap().clone();
        let own = study.summary(1, "gear", 1).unwrap().clone();
        let twin = Summary { id: own.id, timing: own.timing, ..first };
        example::outcome(&mut study, 1, "gear", 1, Outcome::Finished(Box::new(twin)));
        assert_eq!(equal(&study), [Equal { row: 1, against: 0, n: 1, of: 6 }]);
    }
}
