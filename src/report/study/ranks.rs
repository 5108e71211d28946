//! Many systems over many blocks (category and seed): average ranks, wins against a reference, and how far apart average ranks must be.
//!
//! As Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7 (2006), has them: within each block the best
//! system has rank 1, equal ones share the mean of their ranks. Friedman's test asks whether all systems are alike; where they are not,
//! two of them differ if their average ranks are at least Nemenyi's critical difference apart. Seeds of one category are not independent
//! samples of other data, so both say less about other categories than their numbers suggest.

use serde::Serialize;

use crate::num;
use crate::sweep::{Against, Study};

/// The systems of a study in one metric. Ratios are 0..=1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranks {
    /// Without its split.
    pub metric: String,
    /// Pairs of category and seed, in each of which every system has a figure.
    pub blocks: usize,
    /// Place among the study's rows of the one that all are compared with: that of the study's `against`, else the first that is ranked.
    pub reference: usize,
    /// In the order of the rows.
    pub systems: Vec<System>,
    /// Places of rows that are not ranked, because runs of theirs are missing.
    pub left_out: Vec<usize>,
    pub friedman: Friedman,
    /// Average ranks that are so far apart differ (Nemenyi, level 0.05); none with more systems than [`MOST`].
    pub critical_difference: Option<f64>,
}

/// One row among the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct System {
    /// Place among the study's rows.
    pub row: usize,
    pub name: String,
    /// 1 is best.
    pub average_rank: f64,
    /// Blocks in which it is better than, equal to and worse than the reference; none of the reference itself.
    pub record: Option<Record>,
    /// This system minus the reference, paired by block; none of the reference itself.
    pub difference: Option<Paired>,
}

/// How often a system is better, equal and worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Record {
    pub wins: usize,
    pub ties: usize,
    pub losses: usize,
}

/// The mean difference from the reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Paired {
    pub mean: f64,
    /// 95 % interval, BCa bootstrap over the blocks; none where it does not exist.
    pub interval: Option<[f64; 2]>,
}

/// Whether all systems are alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Friedman {
    /// With shared ranks accounted for.
    pub chi_squared: f64,
    pub degrees: usize,
    /// By the distribution of chi squared, which needs some ten blocks; too large with fewer.
    pub p: f64,
}

/// Seed of the bootstrap: the same study always gives the same numbers.
const SEED: u64 = 0;

/// Quantiles at 0.95 of the studentized range of k groups with infinite degrees of freedom, by the square root of 2, for k of 2, 3, …
/// Up to 10 they are Demšar's Table 5(a) but for two last digits; all are what scipy 1.17.1's `studentized_range.ppf` gives. A test
/// integrates them anew.
const NEMENYI: [f64; 19] =
    [1.960, 2.344, 2.569, 2.728, 2.850, 2.948, 3.031, 3.102, 3.164, 3.219, 3.268, 3.313, 3.354, 3.391, 3.426, 3.458, 3.489, 3.517, 3.544];

/// The most systems for which there is a critical difference.
pub const MOST: usize = NEMENYI.len() + 1;

impl Ranks {
    /// The ranks of all rows of which every planned run has the metric; `None` with fewer than two such rows.
    pub fn of(study: &Study, metric: &str) -> Option<Self> {
        let places: Vec<(&str, u64)> = study.categories.iter().flat_map(|c| study.seeds.iter().map(move |&s| (c.as_str(), s))).collect();
        let figures = |row: usize| -> Option<Vec<f64>> {
            let figure = |&(category, seed): &(&str, u64)| study.summary(row, category, seed)?.metric("", metric).filter(|v| !v.is_nan());
            places.iter().map(figure).collect()
        };
        // The same runs under two names are one system.
        let firsts = study.firsts();
        let planned = (0..study.rows.len()).filter(|&row| !study.is_quoted(row) && firsts[row] == row);
        let (mut rows, mut values, mut left_out) = (vec![], vec![], vec![]);
        for row in planned {
            match figures(row) {
                Some(figures) => {
                    rows.push(row);
                    values.push(figures);
                }
                None => left_out.push(row),
            }
        }
        let first = *rows.first().filter(|_| rows.len() > 1 && !places.is_empty())?;
        let reference = match study.against {
            Against::Row(row) if rows.contains(&firsts[row]) => firsts[row],
            _ => first,
        };
        let of_reference = &values[rows.iter().position(|&row| row == reference)?];
        let by_block: Vec<Vec<f64>> = (0..places.len()).map(|b| ranked(&values.iter().map(|v| v[b]).collect::<Vec<_>>())).collect();
        let system = |(place, &row): (usize, &usize)| {
            let other = (row != reference).then_some(of_reference);
            System {
                row,
                name: study.rows[row].name.clone(),
                average_rank: by_block.iter().map(|ranks| ranks[place]).sum::<f64>() / places.len() as f64,
                record: other.map(|other| record(&values[place], other)),
                difference: other.and_then(|other| paired(&values[place], other)),
            }
        };
        Some(Self {
            metric: metric.to_owned(),
            blocks: places.len(),
            reference,
            systems: rows.iter().enumerate().map(system).collect(),
            left_out,
            friedman: friedman(&by_block),
            critical_difference: critical_difference(rows.len(), places.len()),
        })
    }
}

/// The rank of each value, the greatest first; equal values share the mean of their ranks.
fn ranked(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let greater = values.iter().filter(|other| *other > value).count() as f64;
        let equal = values.iter().filter(|other| *other == value).count() as f64;
        greater + (equal + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

fn record(values: &[f64], reference: &[f64]) -> Record {
    let count = |is: fn(f64, f64) -> bool| values.iter().zip(reference).filter(|(a, b)| is(**a, **b)).count();
    Record { wins: count(|a, b| a > b), ties: count(|a, b| a == b), losses: count(|a, b| a < b) }
}

fn paired(values: &[f64], reference: &[f64]) -> Option<Paired> {
    let differences: Vec<f64> = values.iter().zip(reference).map(|(a, b)| a - b).collect();
    Some(Paired { mean: num::mean(&differences)?, interval: num::bca_interval(&differences, SEED) })
}

/// Demšar's equation (8), divided by what shared ranks take from the spread (Conover, "Practical Nonparametric Statistics", 5.8). Where
/// all systems share one rank in every block, it is 0.
fn friedman(by_block: &[Vec<f64>]) -> Friedman {
    let (n, k) = (by_block.len() as f64, by_block[0].len());
    let middle = (k as f64 + 1.0) / 2.0;
    let sum = |place: usize| by_block.iter().map(|ranks| ranks[place] - middle).sum::<f64>();
    let between: f64 = (0..k).map(|place| sum(place).powi(2)).sum::<f64>() / n;
    let within: f64 = by_block.iter().flatten().map(|rank| (rank - middle).powi(2)).sum::<f64>() / (n * (k as f64 - 1.0));
    let chi_squared = if within > 0.0 { between / within } else { 0.0 };
    Friedman { chi_squared, degrees: k - 1, p: num::chi_squared_above(chi_squared, k - 1) }
}

/// Demšar's equation for Nemenyi's test at the level 0.05.
fn critical_difference(systems: usize, blocks: usize) -> Option<f64> {
    let quantile = NEMENYI.get(systems.checked_sub(2)?)?;
    let k = systems as f64;
    Some(quantile * (k * (k + 1.0) / (6.0 * blocks as f64)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::num::normal_cdf;
    use crate::sweep::Outcome;
    use proptest::prelude::*;

    #[test]
    fn ranks_wins_and_differences_are_over_categories_and_seeds() {
        let study = example::ladder();
        let ranks = Ranks::of(&study, "image_auroc").unwrap();
        assert_eq!((ranks.blocks, ranks.reference, ranks.left_out.len(), ranks.systems.len()), (6, 0, 0, 3));
        // Row 1 gains on every run; of row 2 against row 1 three blocks are better and three worse.
        assert_eq!(ranks.systems.iter().map(|s| s.average_rank).collect::<Vec<_>>(), [3.0, 1.5, 1.5]);
        assert_eq!(ranks.systems[1].record, Some(Record { wins: 6, ties: 0, losses: 0 }));
        let difference = ranks.systems[1].difference.unwrap();
        assert!((difference.mean - 0.05).abs() < 1e-12 && difference.interval.is_some_and(|[low, high]| low > 0.0 && high < 0.1));
        assert_eq!((ranks.systems[0].record, ranks.systems[0].difference), (None, None));
        // 12 / (6·3·4) · (18² + 9² + 9²) − 3·6·4 = 9.
        assert!((ranks.friedman.chi_squared - 9.0).abs() < 1e-12 && ranks.friedman.degrees == 2);
        assert!((ranks.friedman.p - (-4.5_f64).exp()).abs() < 1e-12, "two degrees: exp(−χ²/2)");
        assert!((ranks.critical_difference.unwrap() - 2.344 * (12.0_f64 / 36.0).sqrt()).abs() < 1e-12);
        let against = Ranks::of(&Study { against: Against::Row(1), ..study }, "image_auroc").unwrap();
        assert_eq!((against.reference, against.systems[0].record.unwrap().losses), (1, 6));
    }

    #[test]
    fn a_row_of_which_runs_are_missing_is_left_out_and_the_same_runs_are_one_system() {
        let mut study = example::ladder();
        let copies: Vec<_> = study.cells.iter().filter(|c| c.row == 1).cloned().map(|c| crate::sweep::Cell { row: 3, ..c }).collect();
        study.rows.push(crate::sweep::Row { name: "again".into(), ..Default::default() });
        study.cells.extend(copies);
        example::outcome(&mut study, 2, "gear", 2, Outcome::Missing);
        let ranks = Ranks::of(&study, "image_auroc").unwrap();
        assert_eq!((ranks.left_out, ranks.systems.iter().map(|s| s.row).collect::<Vec<_>>()), (vec![2], vec![0, 1]));
        example::outcome(&mut study, 0, "gear", 0, Outcome::Missing);
        assert_eq!(Ranks::of(&study, "image_auroc"), None, "one system is no comparison");
        assert_eq!(Ranks::of(&example::ladder(), "no_such_metric"), None);
    }

    /// The distribution of the range of k standard normals: k ∫ φ(z) (Φ(z) − Φ(z − q))^(k − 1) dz, by the trapezoidal rule.
    fn range_below(q: f64, k: usize) -> f64 {
        let step = 0.01;
        let density = |z: f64| (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let at = |i: i32| {
            let z = step * f64::from(i);
            density(z) * (normal_cdf(z) - normal_cdf(z - q)).powi(k as i32 - 1)
        };
        k as f64 * step * (-900..=900).map(at).sum::<f64>()
    }

    #[test]
    fn the_quantiles_are_those_of_the_studentized_range() {
        for (place, quantile) in NEMENYI.into_iter().enumerate() {
            let below = |shift: f64| range_below((quantile + shift) * 2.0_f64.sqrt(), place + 2);
            assert!(below(-0.0006) < 0.95 && below(0.0006) > 0.95, "k = {}: {}", place + 2, below(0.0));
        }
        assert_eq!((critical_difference(1, 9), critical_difference(MOST + 1, 9)), (None, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn ranks_are_those_of_sorting_and_of_the_textbook(blocks in prop::collection::vec(prop::collection::vec(0..5_u32, 4), 1..8)) {
            let values: Vec<Vec<f64>> = blocks.iter().map(|b| b.iter().map(|&v| f64::from(v)).collect()).collect();
            let by_block: Vec<Vec<f64>> = values.iter().map(|v| ranked(v)).collect();
            let mut ties = 0.0;
            for (values, ranks) in values.iter().zip(&by_block) {
                // Slow twin: sort, then share within runs of equal values.
                let mut order: Vec<usize> = (0..4).collect();
                order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
                let mut from = 0;
                for run in order.chunk_by(|&a, &b| values[a] == values[b]) {
                    let shared = (0..run.len()).map(|i| (from + i + 1) as f64).sum::<f64>() / run.len() as f64;
                    prop_assert!(run.iter().all(|&i| ranks[i] == shared));
                    from += run.len();
                    ties += (run.len().pow(3) - run.len()) as f64;
                }
                prop_assert_eq!(ranks.iter().sum::<f64>(), 10.0);
            }
            let n = values.len() as f64;
            let squares: f64 = (0..4).map(|i| by_block.iter().map(|ranks| ranks[i]).sum::<f64>().powi(2)).sum();
            let plain = 12.0 / (n * 4.0 * 5.0) * squares - 3.0 * n * 5.0;
            let share = 1.0 - ties / (n * 4.0 * 15.0);
            let expected = if share > 0.0 { plain / share } else { 0.0 };
            prop_assert!((friedman(&by_block).chi_squared - expected).abs() < 1e-9);
        }
    }
}
