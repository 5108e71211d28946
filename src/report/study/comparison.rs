//! The numbers of a sweep's tables and figures, computed once: means, spreads, paired differences, published figures.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use super::difference::{Difference, Figure, adjust};
use super::effect::{self, Effect};
use super::equal::{self, Equal};
use super::table::Training;
use crate::num;
use crate::run::{Event, Summary};
use crate::store::Store;
use crate::sweep::{Cell, Study, Values, published};
use crate::{Error, Result};

/// All numbers of a study. Ratios are 0..=1 here; renderers print percent.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Comparison {
    /// Metrics in the order of the columns, without their split.
    pub metrics: Vec<String>,
    /// One for each row of the study, in its order.
    pub lines: Vec<Line>,
    /// The counterpart of each line in paired differences, by its place.
    pub counterparts: Vec<Option<usize>>,
    /// Averages over what else varies, where several things do.
    pub effects: Vec<Effect>,
    /// Rows whose runs came out equal to the bit.
    pub equal: Vec<Equal>,
    /// Pairs (category, seed) of a complete comparison.
    pub pairs: usize,
    /// The smallest Holm-adjusted p that this many pairs and comparisons can reach.
    pub smallest_p: f64,
    /// Runs that are not finished, `row · category · seed 0` each, so that no average hides them.
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
    pub training: Training,
}

impl Comparison {
    /// Computes everything that the summaries tell. First losses stay empty: see [`Comparison::read_first_losses`].
    pub fn of(study: &Study) -> Self {
        let mut lines: Vec<Line> = (0..study.rows.len()).map(|row| line(study, row)).collect();
        let counterparts = study.counterparts();
        for metric in &study.metrics {
            let values = Values::of(study, metric);
            for (row, line) in lines.iter_mut().enumerate() {
                let (paper, cited) = (study.rows[row].paper.as_ref(), study.rows[row].published.as_ref());
                let figure = Figure {
                    published: paper.and_then(|p| published::over(p, metric, &study.categories)),
                    cited: cited.and_then(|citation| citation.over(metric, &study.categories)),
                    ..Figure::of(study, &values, &[row])
                };
                line.figures.insert(metric.clone(), figure);
            }
            for (row, difference) in differences(&values, &counterparts) {
                let figure = lines[row].figures.get_mut(metric).expect("each line has each metric");
                figure.difference = Some(difference);
            }
        }
        let pairs = study.categories.len() * study.seeds.len();
        let missing = study.ordered().into_iter().filter(|c| c.summary().is_none()).map(|c| named(study, c)).collect();
        let compared = counterparts.iter().flatten().count();
        Self {
            metrics: study.metrics.clone(),
            lines,
            effects: effect::effects(study),
            equal: equal::equal(study),
            counterparts,
            pairs,
            smallest_p: num::smallest_p(pairs, compared),
            missing,
        }
    }

    /// Comparisons that the findings are about: main effects where several things vary, else rows.
    pub fn compared(&self) -> usize {
        match self.effects.iter().filter(|effect| effect.against.is_some()).count() {
            0 => self.count(),
            effects => effects,
        }
    }

    /// Comparisons of rows: those over which p values are adjusted.
    pub fn count(&self) -> usize {
        self.counterparts.iter().flatten().count()
    }

    /// Fills the first losses from the events of the finished runs; it stays empty for a row of which a run has none.
    ///
    /// # Errors
    /// Where events are there and cannot be read.
    pub fn read_first_losses(&mut self, study: &Study, store: &Store) -> Result<()> {
        for (row, line) in self.lines.iter_mut().enumerate() {
            let mut losses = Vec::new();
            for cell in study.cells.iter().filter(|c| c.row == row && c.summary().is_some()) {
                losses.push(first_loss(&store.folder(&cell.id).events_jsonl())?);
            }
            line.training.first_loss = finite_mean(losses.into_iter());
        }
        Ok(())
    }
}

/// A run by its place in the plan: the same in whatever folder it lies.
fn named(study: &Study, cell: &Cell) -> String {
    format!("{} · {} · seed {}", study.rows[cell.row].name, cell.category, cell.seed)
}

/// A row without its figures.
fn line(study: &Study, row: usize) -> Line {
    let finished: Vec<&Summary> = study.cells.iter().filter(|c| c.row == row).filter_map(|c| c.summary()).collect();
    Line {
        name: study.rows[row].name.clone(),
        n: finished.len(),
        planned: study.planned(row),
        figures: BTreeMap::new(),
        training: Training {
            first_loss: None,
            last_loss: finite_mean(finished.iter().map(|s| s.losses.get("total").copied())),
            grad_norm: finite_mean(finished.iter().map(|s| s.grad_norm)),
        },
    }
}

/// The mean, if every value is there and finite.
fn finite_mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Option<Vec<f64>> = values.map(|v| v.filter(|v| v.is_finite())).collect();
    num::mean(&values?)
}

/// The paired differences of all rows that have a counterpart and a pair, adjusted over all that have a counterpart.
fn differences(values: &Values, counterparts: &[Option<usize>]) -> Vec<(usize, Difference)> {
    let of = |row: usize, against: usize| Difference::of(against, &values.differences(&[(row, against)]));
    let mut all: Vec<(usize, Difference)> =
        counterparts.iter().enumerate().filter_map(|(row, against)| Some((row, of(row, (*against)?)?))).collect();
    adjust(all.iter_mut().map(|(_, d)| d).collect(), counterparts.iter().flatten().count());
    all
}

/// The mean total loss of the first epoch; reads no further than to it, since events are many and rounds are several. What is
/// behind it, and a line that is torn, count as not there.
fn first_loss(path: &Path) -> Result<Option<f64>> {
    let file = match crate::file::open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path, &error)),
    };
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|e| Error::io("read", path, &e))?;
        match serde_json::from_str(&line) {
            Ok(Event::Epoch { losses, .. }) => return Ok(losses.get("total").copied()),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::run::event;
    use crate::sweep::{Against, Outcome, Row};

    fn near(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-12)
    }

    #[test]
    fn means_are_over_categories_of_means_over_seeds() {
        let study = example::ladder();
        let comparison = Comparison::of(&study);
        let figure = &comparison.lines[0].figures["image_auroc"];
        // gear 0.80 0.81 0.82, terrazzo 0.90 0.92 0.91: by seed 0.85 0.865 0.865.
        assert!(near(figure.mean, 0.86) && near(figure.categories.get("gear").copied(), 0.81) && figure.complete);
        assert!(near(figure.deviation, 0.015 / 3_f64.sqrt()));
        assert_eq!(figure.published, Some(0.9784));
        assert_eq!((comparison.pairs, comparison.smallest_p), (6, 0.0625));
        assert_eq!(comparison.missing, Vec::<String>::new());
    }

    #[test]
    fn differences_are_paired_by_category_and_seed_and_adjusted_over_the_rows() {
        let study = example::ladder();
        let comparison = Comparison::of(&study);
        let metric = |row: usize| comparison.lines[row].figures["image_auroc"].difference.clone();
        assert_eq!(metric(0), None);
        let one = metric(1).unwrap();
        assert_eq!((one.against, one.n, one.p, one.p_holm), (0, 6, 0.03125, 0.0625));
        assert!((one.mean - 0.05).abs() < 1e-12 && one.interval.unwrap()[0] > 0.0);
        let two = metric(2).unwrap();
        assert!(two.mean.abs() < 0.01 && two.p > 0.5 && two.p_holm >= two.p);
        let against_first = Comparison::of(&Study { against: Against::Row(0), ..study });
        assert_eq!(against_first.lines[2].figures["image_auroc"].difference.as_ref().unwrap().against, 0);
    }

    #[test]
    fn rows_of_the_same_runs_are_one_comparison() {
        let ids = |study: &Study, row: usize| -> Vec<crate::run::Id> {
            study.cells.iter().filter(|c| c.row == row).map(|c| c.id.clone()).collect()
        };
        for against in [Against::Row(0), Against::Previous] {
            let plain = Study { against, ..example::ladder() };
            let mut study = plain.clone();
            let mut copies: Vec<Cell> = study.cells.iter().filter(|c| c.row == 1).cloned().collect();
            copies.iter_mut().for_each(|c| c.row = 3);
            study.rows.push(Row { name: "again".into(), ..Row::default() });
            study.cells.extend(copies);
            assert_eq!((ids(&study, 3), study.firsts()[3]), (ids(&study, 1), 1));
            let (with, without) = (Comparison::of(&study), Comparison::of(&plain));
            assert_eq!(Comparison::of(&study).count(), 2, "{against:?}: 2 and again 1 is the comparison of 1 and 2");
            assert_eq!(with.lines[..3], without.lines[..3], "{against:?}");
            assert_eq!(with.lines[3].figures["image_auroc"].difference, None);
            assert_eq!(with.lines[3].figures["image_auroc"].mean, with.lines[1].figures["image_auroc"].mean);
        }
    }

    #[test]
    fn a_missing_run_leaves_no_spread_and_stands_among_the_missing() {
        let mut study = example::ladder();
        example::outcome(&mut study, 1, "gear", 2, Outcome::Missing);
        let comparison = Comparison::of(&study);
        let line = &comparison.lines[1];
        let figure = &line.figures["image_auroc"];
        assert_eq!((line.n, line.planned, figure.complete, figure.deviation), (5, 6, false, None));
        assert!(figure.mean.is_some());
        assert_eq!(figure.difference.as_ref().unwrap().n, 5);
        assert_eq!(comparison.missing, ["+ self-calibration · gear · seed 2"]);
        assert_eq!(comparison.lines[0].figures["image_auroc"], Comparison::of(&example::ladder()).lines[0].figures["image_auroc"]);
    }

    #[test]
    fn a_row_without_runs_still_counts_among_the_comparisons() {
        let mut study = example::ladder();
        study.cells.iter_mut().filter(|c| c.row == 2).for_each(|c| c.outcome = Outcome::Missing);
        let comparison = Comparison::of(&study);
        let one = comparison.lines[1].figures["image_auroc"].difference.clone().unwrap();
        assert_eq!((one.p, one.p_holm, comparison.smallest_p), (0.03125, 0.0625, 0.0625));
    }

    #[test]
    fn a_study_without_a_run_has_no_numbers() {
        let mut study = example::ladder();
        study.cells.iter_mut().for_each(|c| c.outcome = Outcome::Failed { error: "diverged".into() });
        let comparison = Comparison::of(&study);
        assert_eq!((comparison.missing.len(), comparison.lines[0].n, comparison.lines[0].training), (18, 0, Training::default()));
        let figure = &comparison.lines[1].figures["image_auroc"];
        assert_eq!((figure.mean, figure.deviation, figure.difference.clone(), figure.complete), (None, None, None, false));
    }

    #[test]
    fn one_seed_shows_no_spread_and_the_order_of_the_cells_does_not_matter() {
        let mut study = example::ladder();
        study.cells.reverse();
        assert_eq!(Comparison::of(&study), Comparison::of(&example::ladder()));
        study.seeds.truncate(1);
        study.cells.retain(|c| c.seed == 0);
        assert_eq!(Comparison::of(&study).lines[0].figures["image_auroc"].deviation, None);
    }

    #[test]
    fn losses_are_means_over_the_runs_and_the_first_ones_come_from_the_events() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path());
        let study = example::ladder();
        let mut comparison = Comparison::of(&study);
        assert_eq!(comparison.lines[0].training, Training { first_loss: None, last_loss: Some(0.9), grad_norm: Some(30.0) });
        for cell in study.cells.iter().filter(|c| c.row < 2) {
            let folder = store.folder(&cell.id);
            std::fs::create_dir_all(folder.path()).unwrap();
            let epoch = |epoch, total| {
                let losses = BTreeMap::from([("total".to_owned(), total)]);
                Event::Epoch { epoch, step: 4, losses, grad_norm: None, stats: BTreeMap::new() }
            };
            let mut writer = event::Writer::open(&folder.events_jsonl()).unwrap();
            let start = Event::Start { format: event::FORMAT, id: cell.id.to_string() };
            [start, epoch(0, 1.0 + cell.seed as f64), epoch(1, 0.5)].iter().for_each(|e| writer.append(e).unwrap());
            writer.flush().unwrap();
        }
        comparison.read_first_losses(&study, &store).unwrap();
        assert_eq!(comparison.lines.iter().map(|l| l.training.first_loss).collect::<Vec<_>>(), [Some(2.0), Some(2.0), None]);
    }
}
