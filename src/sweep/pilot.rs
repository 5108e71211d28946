//! What a sweep can show before it is run: how large a difference must be for its seeds and categories, by the spread of the
//! paired differences of runs that are finished already.

use serde::Serialize;

use super::plan::Plan;
use super::study::Study;
use super::values::Values;
use crate::names::counted;
use crate::store::Store;
use crate::{Result, num};

/// The adjusted p below which a difference counts as told from noise.
const LEVEL: f64 = 0.05;

/// Effects, in points, for which the seeds that they take are said.
const EFFECTS: [f64; 2] = [1.0, 0.5];

/// What can be told in one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Power {
    pub metric: String,
    /// Pairs of finished runs by which the spread is known.
    pub pairs: usize,
    /// Standard deviation of paired differences within a comparison, pooled over the comparisons; a ratio, none without two pairs of one
    /// comparison.
    pub deviation: Option<f64>,
    /// The smallest difference that the planned pairs tell from noise with 80 % probability; in standard deviations where none
    /// is known. None where no difference could be told.
    pub visible: Option<f64>,
    /// Seeds by which a difference of so many points would be told.
    pub seeds: Vec<(f64, u64)>,
}

/// One entry a metric; empty where nothing is compared.
///
/// # Errors
/// A summary that cannot be read.
pub fn power(plan: &Plan, store: &Store) -> Result<Vec<Power>> {
    let study = Study::collect(plan, store, &plan.seeds)?;
    let compared = study.comparisons();
    if compared.is_empty() {
        return Ok(vec![]);
    }
    let (comparisons, by_seed) = (compared.len(), study.categories.len() as u64);
    let of = |metric: &String| {
        let (pairs, deviation) = spread(&study, &compared, metric);
        let needed = |points: f64| Some((points, num::pairs_needed(points / 100.0, deviation?, comparisons, LEVEL)?));
        let seeds = EFFECTS.into_iter().filter_map(needed).map(|(points, pairs)| (points, pairs.div_ceil(by_seed)));
        Power {
            metric: metric.clone(),
            pairs,
            deviation,
            visible: num::visible_effect(by_seed * study.seeds.len() as u64, deviation.unwrap_or(1.0), comparisons, LEVEL),
            seeds: seeds.collect(),
        }
    };
    Ok(study.metrics.iter().map(of).collect())
}

/// Finished pairs, and the pooled standard deviation of their differences.
fn spread(study: &Study, compared: &[Vec<(usize, usize)>], metric: &str) -> (usize, Option<f64>) {
    let (mut pairs, mut squares, mut freedom) = (0, 0.0, 0);
    let values = Values::of(study, metric);
    for rows in compared {
        let differences = values.differences(rows);
        pairs += differences.len();
        if let Some(deviation) = num::standard_deviation(&differences) {
            squares += deviation * deviation * (differences.len() - 1) as f64;
            freedom += differences.len() - 1;
        }
    }
    (pairs, (freedom > 0).then(|| (squares / freedom as f64).sqrt()))
}

/// For people, a line each.
pub fn lines(plan: &Plan, power: &[Power]) -> Vec<String> {
    let line = |power: &Power| {
        let Power { metric, pairs, deviation, visible, seeds } = power;
        match (deviation, visible) {
            (_, None) => format!("{metric}: too few pairs to tell any difference from noise"),
            (None, Some(visible)) => {
                format!("{metric}: differences of {visible:.1} times their standard deviation, which no finished runs tell yet")
            }
            (Some(deviation), Some(visible)) => {
                let takes = |(points, seeds): &(f64, u64)| format!("{points:.1} would take {seeds} seeds");
                let takes: Vec<String> = seeds.iter().map(takes).collect();
                let known = format!("they spread by {:.1}, by {pairs} finished pairs", 100.0 * deviation);
                format!("{metric}: differences of {:.1} points or more ({known}); {}", 100.0 * visible, takes.join(", "))
            }
        }
    };
    if power.is_empty() {
        return vec![];
    }
    let size = format!(
        "{} and {} can show, with 80 % probability:",
        counted(plan.seeds.len(), "seed", "seeds"),
        counted(plan.facts.data.len(), "category", "categories")
    );
    std::iter::once(size).chain(power.iter().map(|power| format!("  {}", line(power)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::study::example;

    #[test]
    fn the_spread_is_pooled_over_the_comparisons() {
        let study = example::ladder();
        let (pairs, deviation) = spread(&study, &study.comparisons(), "image_auroc");
        // By hand: the gains of `+ self-calibration` and those of `+ STLNet`, each about its own mean.
        let all = [[0.06, 0.05, 0.04, 0.05, 0.06, 0.04], [0.01, -0.01, 0.002, -0.004, 0.003, -0.002]];
        let squares = |d: &[f64; 6]| d.iter().map(|x| (x - d.iter().sum::<f64>() / 6.0).powi(2)).sum::<f64>();
        let expected = (all.iter().map(squares).sum::<f64>() / 10.0).sqrt();
        assert!(pairs == 12 && (deviation.unwrap() - expected).abs() < 1e-12);
        assert_eq!(spread(&study, &study.comparisons(), "image_ap"), (0, None));
    }

    #[test]
    fn what_can_be_shown_is_said_with_and_without_finished_runs() {
        let plan = super::super::example::planned(super::super::example::ROWS, &[]);
        let dir = tempfile::tempdir().unwrap();
        let all = power(&plan, &Store::new(dir.path())).unwrap();
        assert_eq!((all.len(), all[0].deviation, all[0].pairs), (3, None, 0));
        assert!(lines(&plan, &all)[1].contains("too few pairs"), "2 seeds x 2 categories reach p = 0.125: {:?}", lines(&plan, &all));
        let known = Power {
            metric: "image_auroc".into(),
            pairs: 12,
            deviation: Some(0.012),
            visible: num::visible_effect(9, 0.012, 1, LEVEL),
            seeds: vec![(1.0, 5), (0.5, 17)],
        };
        let said = lines(&plan, &[known]);
        assert_eq!(
            said[1],
            "  image_auroc: differences of 1.3 points or more (they spread by 1.2, by 12 finished pairs); 1.0 would take 5 seeds, 0.5 would take 17 seeds"
        );
    }
}
