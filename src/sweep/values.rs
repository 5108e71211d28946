//! One metric over a study's finished runs, and its paired differences.

use std::collections::HashMap;

use super::study::Study;
use crate::num;

/// What each finished run has of a metric, by row, category and seed. Ratios are 0..=1.
pub struct Values<'a> {
    study: &'a Study,
    of: HashMap<(usize, &'a str, u64), f64>,
}

impl<'a> Values<'a> {
    /// Those of `metric`, without its split.
    pub fn of(study: &'a Study, metric: &str) -> Self {
        let one = |cell: &'a super::Cell| Some(((cell.row, cell.category.as_str(), cell.seed), cell.summary()?.metric("", metric)?));
        Self { study, of: study.cells.iter().filter_map(one).collect() }
    }

    /// The mean over `rows` in one category and seed; none where one of them has none.
    pub fn mean(&self, rows: &[usize], category: &str, seed: u64) -> Option<f64> {
        num::mean(&rows.iter().map(|row| self.of.get(&(*row, category, seed)).copied()).collect::<Option<Vec<_>>>()?)
    }

    /// The paired differences of one of [`Study::comparisons`], in the study's order of categories and seeds: in each the mean over
    /// the pairs of rows, each first row minus its second; left out where a run is missing. Runs of one seed share their first
    /// weights and their order of images, so that they are one observation and not several.
    pub fn differences(&self, rows: &[(usize, usize)]) -> Vec<f64> {
        let places = self.study.categories.iter().flat_map(|category| self.study.seeds.iter().map(move |&seed| (category.as_str(), seed)));
        let of = |(category, seed)| {
            let difference =
                |&(row, other): &(usize, usize)| Some(self.of.get(&(row, category, seed))? - self.of.get(&(other, category, seed))?);
            num::mean(&rows.iter().map(difference).collect::<Option<Vec<f64>>>()?)
        };
        places.filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::study::example;
    use crate::sweep::Outcome;

    #[test]
    fn differences_are_averaged_within_a_seed_and_left_out_where_a_run_is_missing() {
        let mut study = example::crossed();
        // Texture gains 2 points in every run; one of its four settings gains 4 more on gear, seed 0.
        let at = study.cells.iter().position(|cell| (cell.row, cell.category.as_str(), cell.seed) == (5, "gear", 0)).unwrap();
        example::set(&mut study.cells[at], "image_auroc", example::crossed_value(5, "gear", 0) + 0.04);
        let rows = study.comparisons()[0].clone();
        let found = Values::of(&study, "image_auroc").differences(&rows);
        let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near(&found, &[0.03, 0.02, 0.02, 0.02]), "{found:?}");
        example::outcome(&mut study, 2, "gear", 1, Outcome::Missing);
        let values = Values::of(&study, "image_auroc");
        assert!(near(&values.differences(&rows), &[0.03, 0.02, 0.02]));
        assert_eq!((values.mean(&[0, 2], "gear", 1), values.mean(&[0], "nowhere", 0)), (None, None));
        assert!(Values::of(&study, "image_ap").differences(&rows).is_empty());
    }
}
