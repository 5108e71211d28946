//! Main effects: what a row or a value of a key does on average over everything else that varies. Only where several things vary
//! and each combination was planned.

use std::collections::{BTreeMap, HashSet};

use super::difference::{Difference, Figure, Values, adjust, values};
use crate::num;
use crate::sweep::design::Design;
use crate::sweep::{Cell, Study};

/// One level of one factor, averaged over the others.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Effect {
    /// A key, `row` for named rows.
    pub factor: String,
    /// The row's name, or the key's value.
    pub level: String,
    /// The effect's place whose level this one is compared with.
    pub against: Option<usize>,
    /// The rows that stand at this level.
    pub rows: Vec<usize>,
    /// Finished runs, and planned ones.
    pub n: usize,
    pub planned: usize,
    /// By metric. Means over categories of means over seeds and rows; deviations over seeds; differences over all pairs of runs
    /// that differ in this factor alone.
    pub figures: BTreeMap<String, Figure>,
}

/// All levels of all factors; empty where one thing varies, or not every combination was planned.
pub fn effects(study: &Study) -> Vec<Effect> {
    let design = Design::of(study);
    if !design.is_crossed() {
        return vec![];
    }
    let mut all = levels(study, &design);
    for metric in &study.metrics {
        let pairs = Pairs { study, values: values(study, metric), runs: fingerprints(study) };
        for effect in &mut all {
            let figure = pairs.figure(&effect.rows, effect.n == effect.planned);
            effect.figures.insert(metric.clone(), figure);
        }
        let of = |place: usize| Some((place, pairs.difference(&all[place], all[place].against?, &all)?));
        let found: Vec<(usize, Difference)> = (0..all.len()).filter_map(of).collect();
        for (place, difference) in found {
            all[place].figures.get_mut(metric).expect("each effect has each metric").difference = Some(difference);
        }
        let comparisons = all.iter().filter(|effect| effect.against.is_some()).count();
        adjust(all.iter_mut().filter_map(|effect| effect.figures.get_mut(metric)?.difference.as_mut()).collect(), comparisons);
    }
    all
}

/// Levels without their figures.
fn levels(study: &Study, design: &Design) -> Vec<Effect> {
    let mut all: Vec<Effect> = vec![];
    for (index, factor) in design.factors.iter().enumerate() {
        let (first, reference) = (all.len(), design.reference(index, study.against));
        for (level, name) in factor.levels.iter().enumerate() {
            let rows = design.at(index, level);
            let of_level = |cell: &&Cell| rows.contains(&cell.row);
            all.push(Effect {
                factor: factor.name.clone(),
                level: name.clone(),
                against: reference.of(level).map(|level| first + level),
                n: study.cells.iter().filter(of_level).filter(|cell| cell.summary().is_some()).count(),
                planned: study.cells.iter().filter(of_level).count(),
                rows,
                figures: BTreeMap::new(),
            });
        }
    }
    all
}

/// One metric's values, and which runs came out equal.
struct Pairs<'a> {
    study: &'a Study,
    values: Values<'a>,
    runs: BTreeMap<(usize, &'a str, u64), String>,
}

impl Pairs<'_> {
    /// A level's figure without its difference.
    fn figure(&self, rows: &[usize], complete: bool) -> Figure {
        let of = |category: &str, seed: u64| -> Option<f64> {
            let all: Option<Vec<f64>> = rows.iter().map(|row| self.values.get(&(*row, category, seed)).copied()).collect();
            num::mean(&all?)
        };
        let (categories, seeds) = (&self.study.categories, &self.study.seeds);
        let by_category: BTreeMap<String, f64> = categories
            .iter()
            .filter_map(|c| Some((c.clone(), num::mean(&seeds.iter().filter_map(|&s| of(c, s)).collect::<Vec<_>>())?)))
            .collect();
        let of_seed = |seed: &u64| num::mean(&categories.iter().map(|c| of(c, *seed)).collect::<Option<Vec<_>>>()?);
        let by_seed: Option<Vec<f64>> = seeds.iter().map(of_seed).collect();
        let means: Vec<f64> = categories.iter().filter_map(|c| by_category.get(c).copied()).collect();
        Figure {
            mean: num::mean(&means),
            deviation: by_seed.and_then(|means| num::standard_deviation(&means)),
            categories: by_category,
            complete,
            ..Figure::default()
        }
    }

    /// Over all pairs of runs that differ in this factor alone: same category, seed and other levels. Runs that came out equal
    /// to the bit at several of the other levels are one observation, not several.
    fn difference(&self, effect: &Effect, against: usize, all: &[Effect]) -> Option<Difference> {
        let mut seen = HashSet::new();
        let mut differences = vec![];
        for (row, other) in effect.rows.iter().zip(&all[against].rows) {
            for category in &self.study.categories {
                for &seed in &self.study.seeds {
                    let [one, two] = [row, other].map(|row| (*row, category.as_str(), seed));
                    let pair = self.values.get(&one).zip(self.values.get(&two));
                    let came_out = (category, seed, self.runs.get(&one), self.runs.get(&two));
                    if let Some((one, two)) = pair
                        && seen.insert(came_out)
                    {
                        differences.push(one - two);
                    }
                }
            }
        }
        Difference::of(against, &differences)
    }
}

/// What came out of each finished run: see [`super::equal`].
fn fingerprints(study: &Study) -> BTreeMap<(usize, &str, u64), String> {
    let one = |cell: &'_ Cell| Some(super::equal::outcome(cell.summary()?));
    study.cells.iter().filter_map(|cell| Some(((cell.row, cell.category.as_str(), cell.seed), one(cell)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    fn near(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-12)
    }

    #[test]
    fn each_level_is_averaged_over_the_rest_and_paired_within_it() {
        // texture: +2 points everywhere; gamma 2: +4; lambda 1: nothing.
        let study = example::crossed();
        let all = effects(&study);
        let names: Vec<String> = all.iter().map(|e| format!("{}={}", e.factor, e.level)).collect();
        let expected =
            ["row=plain", "row=texture", "loss.score.gamma=1", "loss.score.gamma=2", "loss.score.lambda=0.5", "loss.score.lambda=1"];
        assert_eq!(names, expected);
        let of = |place: usize| &all[place].figures["image_auroc"];
        assert_eq!((all[1].against, all[3].against, all[4].against, all[1].rows.clone()), (Some(0), Some(2), None, vec![4, 5, 6, 7]));
        assert!(near(of(1).difference.as_ref().map(|d| d.mean), 0.02) && near(of(3).difference.as_ref().map(|d| d.mean), 0.04));
        assert_eq!(of(1).difference.as_ref().unwrap().n, 16, "4 points x 2 categories x 2 seeds");
        assert!(near(of(1).mean.zip(of(0).mean).map(|(a, b)| a - b), 0.02));
        assert_eq!((all[0].n, all[0].planned, of(0).complete), (16, 16, true));
    }

    #[test]
    fn runs_that_came_out_equal_are_one_observation() {
        let study = example::crossed();
        // Lambda changes nothing: half of the pairs over rows and gamma stand there twice.
        let lambda = effects(&study)[5].figures["image_auroc"].difference.clone().unwrap();
        assert_eq!((lambda.mean, lambda.n, lambda.p), (0.0, 16, 1.0));
        let mut alike = study;
        for cell in &mut alike.cells {
            let twin = example::crossed_value(cell.row & !1, &cell.category, cell.seed);
            example::set(cell, "image_auroc", twin);
            let crate::sweep::Outcome::Finished(summary) = &mut cell.outcome else { panic!("all are finished") };
            summary.losses = [("total".to_owned(), (cell.row & !1) as f64)].into();
        }
        let row = effects(&alike)[1].figures["image_auroc"].difference.clone().unwrap();
        assert_eq!(row.n, 8, "lambda's two values came out equal");
    }

    #[test]
    fn one_thing_that_varies_has_no_main_effect() {
        assert!(effects(&example::ladder()).is_empty());
    }
}
