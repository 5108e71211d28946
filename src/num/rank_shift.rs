//! Whether one sample lies higher than another, by ranks: how often a value of one exceeds one of the other (the probability of
//! superiority, Mann and Whitney 1947), and a permutation test of it.

use rand::seq::SliceRandom;

use crate::seed;

/// Drawn permutations.
const DRAWS: usize = 9_999;

/// How two samples lie to one another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankShift {
    /// The chance that a value of the second sample exceeds one of the first, ties counted half: 0.5 where they lie alike.
    pub superiority: f64,
    /// Two-sided, of a permutation test with the observed order counted among the draws: never 0.
    pub p: f64,
}

/// How `second` lies to `first`; neither may be empty or hold NaN.
pub fn rank_shift(first: &[f64], second: &[f64], seed: u64) -> RankShift {
    let ranks = mean_ranks(first, second);
    let (n, m) = (first.len() as f64, second.len() as f64);
    let superiority = |sum: f64| (sum - m * (m + 1.0) / 2.0) / (n * m);
    let observed = superiority(ranks[first.len()..].iter().sum());
    let far = |value: f64| (value - 0.5).abs() >= (observed - 0.5).abs() - 1e-12;
    let mut stream = seed::stream(seed, "rank shift", 0, 0);
    let mut shuffled = ranks;
    let hits = (0..DRAWS).filter(|_| {
        // Only the second sample's places have to be drawn.
        let (drawn, _) = shuffled.partial_shuffle(&mut stream, second.len());
        far(superiority(drawn.iter().sum()))
    });
    RankShift { superiority: observed, p: (1 + hits.count()) as f64 / (1 + DRAWS) as f64 }
}

/// The rank of each value of both samples from 1, the mean rank where values are equal.
fn mean_ranks(first: &[f64], second: &[f64]) -> Vec<f64> {
    let all: Vec<f64> = first.iter().chain(second).copied().collect();
    let mut sorted = all.clone();
    sorted.sort_by(f64::total_cmp);
    let rank = |value: &f64| {
        let (below, upto) = (sorted.partition_point(|v| v < value), sorted.partition_point(|v| v <= value));
        (below + upto + 1) as f64 / 2.0
    };
    all.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_above_another_is_superior_and_one_beside_it_is_not() {
        let low: Vec<f64> = (0..20).map(f64::from).collect();
        let high: Vec<f64> = (0..20).map(|v| f64::from(v) + 100.0).collect();
        let apart = rank_shift(&low, &high, 0);
        assert_eq!((apart.superiority, apart.p), (1.0, 1e-4));
        assert_eq!(rank_shift(&high, &low, 0).superiority, 0.0);
        let same = rank_shift(&low, &low, 0);
        assert_eq!((same.superiority, same.p), (0.5, 1.0));
        let tied = rank_shift(&[1.0, 2.0], &[2.0, 3.0], 0);
        // Of four pairs three are won and one is tied.
        assert_eq!(tied.superiority, 3.5 / 4.0);
    }

    #[test]
    fn p_is_that_of_all_permutations() {
        // Of the C(5, 2) = 10 ways to pick the second sample's ranks, only {4, 5} and {1, 2} are as far off as 1.
        let p = rank_shift(&[1.0, 2.0, 3.0], &[4.0, 5.0], 3).p;
        assert!((p - 0.2).abs() < 0.02, "{p}");
    }

    #[test]
    fn of_samples_that_lie_alike_few_are_told_apart() {
        let told = (0..400).filter(|&seed| {
            let mut stream = seed::stream(seed, "test", 0, 0);
            let mut draw = |n: usize| (0..n).map(|_| seed::normal_pair(&mut stream)[0]).collect::<Vec<_>>();
            let (first, second) = (draw(12), draw(9));
            rank_shift(&first, &second, seed).p <= 0.05
        });
        // 20 are expected; 34 or more have a chance below one in a thousand.
        assert!(told.count() < 34);
    }
}
