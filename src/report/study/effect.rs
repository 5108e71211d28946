//! Main effects: what a row or a value of a key does on average over everything else that varies. Only where several things vary
//! and each combination was planned.

use std::collections::BTreeMap;

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
    /// By metric. Means over categories of means over seeds and rows; deviations over seeds; differences over pairs of category
    /// and seed, each averaged over all pairs of runs that differ in this factor alone.
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
        let pairs = Pairs { study, values: values(study, metric) };
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

/// One metric's values.
struct Pairs<'a> {
    study: &'a Study,
    values: Values<'a>,
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

    /// Over pairs of category and seed: in each the mean over all pairs of runs that differ in this factor alone. Runs of one
    /// seed share their first weights and their order of images, so that they are not independent observations; counting each would
    /// find effects that are not there.
    fn difference(&self, effect: &Effect, against: usize, all: &[Effect]) -> Option<Difference> {
        let places = self.study.categories.iter().flat_map(|category| self.study.seeds.iter().map(move |&seed| (category.as_str(), seed)));
        let of = |(category, seed)| {
            let value = |row: usize| self.values.get(&(row, category, seed));
            let pairs = effect.rows.iter().zip(&all[against].rows);
            num::mean(&pairs.map(|(&row, &other)| Some(value(row)? - value(other)?)).collect::<Option<Vec<f64>>>()?)
        };
        Difference::of(against, &places.filter_map(of).collect::<Vec<_>>())
    }
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
        assert_eq!(of(1).difference.as_ref().unwrap().n, 4, "2 categories x 2 seeds");
        assert!(near(of(1).mean.zip(of(0).mean).map(|(a, b)| a - b), 0.02));
        assert_eq!((all[0].n, all[0].planned, of(0).complete), (16, 16, true));
    }

    #[test]
    fn runs_of_one_seed_are_one_observation() {
        // Every setting of a seed is off by the same: four settings tell no more than one.
        let mut study = example::crossed();
        for cell in &mut study.cells {
            let off = if cell.row >= 4 { 0.01 * (cell.seed as f64 - 0.4) } else { 0.0 };
            let value = example::crossed_value(cell.row % 4, &cell.category, cell.seed) + off;
            example::set(cell, "image_auroc", value);
        }
        let row = effects(&study)[1].figures["image_auroc"].difference.clone().unwrap();
        assert_eq!((row.n, row.p), (4, 0.75), "of 16 pairs it would be far below 0.05");
    }

    #[test]
    fn a_seed_of_which_a_run_is_missing_is_left_out() {
        let mut study = example::crossed();
        example::outcome(&mut study, 5, "gear", 1, crate::sweep::Outcome::Missing);
        let all = effects(&study);
        let row = all[1].figures["image_auroc"].difference.clone().unwrap();
        assert!(row.n == 3 && (row.mean - 0.02).abs() < 1e-12 && !all[1].figures["image_auroc"].complete);
    }

    #[test]
    fn one_thing_that_varies_has_no_main_effect() {
        assert!(effects(&example::ladder()).is_empty());
    }
}
