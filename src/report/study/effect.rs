//! Main effects: what a row or a value of a key does on average over everything else that varies. Only where several things vary
//! and each combination was planned.

use std::collections::BTreeMap;

use super::difference::{Difference, Figure, adjust};
use crate::sweep::design::Design;
use crate::sweep::{Cell, Study, Values};

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
        let values = Values::of(study, metric);
        for effect in &mut all {
            effect.figures.insert(metric.clone(), Figure::of(study, &values, &effect.rows));
        }
        let of = |place: usize| {
            let against = all[place].against?;
            let rows: Vec<(usize, usize)> = all[place].rows.iter().copied().zip(all[against].rows.iter().copied()).collect();
            Some((place, Difference::of(against, &values.differences(&rows))?))
        };
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
