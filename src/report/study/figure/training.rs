//! What training recorded beside the loss, over the epochs: the gradient's norm and the share of the row entropies; a plot for each, a
//! line for each row. Scores have a figure of their own, [`super::scores`].

use std::collections::BTreeMap;

use plotters::backend::DrawingBackend;

use super::look::{Entry, Sign, names, with_shared};
use super::multiples::{Multiples, Shape, Words};
use super::scores::is_quantile;
use crate::Result;
use crate::num;
use crate::report::plot::frame::{Axis, Frame};
use crate::report::plot::paper::{Paper, Stroke};
use crate::report::plot::scale::Scale;
use crate::report::plot::series::envelope;
use crate::report::plot::{Figure, History, Room};
use crate::run::event;
use crate::store::Store;
use crate::sweep::Study;

/// The figure.
#[derive(Debug, Clone)]
pub struct Training {
    pub title: String,
    /// By what was recorded, the gradient's norm first.
    pub panels: Vec<Panel>,
    /// Names of rows by their place.
    pub names: Vec<String>,
    /// Epochs of the longest run.
    pub epochs: u64,
    pub remark: String,
}

/// One quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    pub name: String,
    pub lines: Vec<Line>,
}

/// The mean over a row's finished runs at the epochs that all of them have.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub row: usize,
    pub points: Vec<[f64; 2]>,
}

const SHAPE: Shape = Shape { screen: [192.0, 132.0], narrow: 62.0, ratio: 0.9, before: 42.0, below: 46.0 };
const COLUMNS: usize = 100;

/// How often a line of the palette has come already: dashes from the second time on.
const PALETTE: usize = 7;

impl Training {
    /// The plots from the events of the finished runs; `None` where none recorded anything but losses.
    ///
    /// # Errors
    /// Events that cannot be read.
    pub fn of(study: &Study, store: &Store) -> Result<Option<Self>> {
        let (mut quantities, mut epochs) = (BTreeMap::<String, Vec<Line>>::new(), 0);
        for row in 0..study.rows.len() {
            let mut runs = BTreeMap::<String, Vec<Vec<[f64; 2]>>>::new();
            for cell in study.cells.iter().filter(|cell| cell.row == row && cell.summary().is_some()) {
                let Some(history) = History::of(&event::read(&store.folder(&cell.id).events_jsonl())?) else { continue };
                epochs = epochs.max(history.epochs);
                let statistics = history.statistics.into_iter().filter(|series| !is_quantile(&series.name));
                for series in std::iter::once(history.grad_norm).chain(statistics).filter(|s| !s.epochs.is_empty()) {
                    runs.entry(series.name).or_default().push(series.epochs);
                }
            }
            for (name, runs) in runs {
                quantities.entry(name).or_default().push(Line { row, points: mean(&runs) });
            }
        }
        let mut panels: Vec<Panel> = quantities.into_iter().map(|(name, lines)| Panel { name: name.replace('_', " "), lines }).collect();
        if panels.is_empty() {
            return Ok(None);
        }
        panels.sort_by_key(|panel| !panel.name.starts_with("gradient"));
        let names = names(study);
        let mut remark =
            "Means over the finished runs of a row; each run counts its epoch's mean over steps. The gradient's norm is that before \
                          clipping."
                .to_owned();
        if panels.iter().any(|panel| panel.name.starts_with("entropy")) {
            remark += " An entropy is that of the rows of a consistency matrix as a share of the greatest possible: 1 is a row that tells nothing \
                       apart.";
        }
        let remark = with_shared(&remark, &names);
        Ok(Some(Self { title: format!("{}: course of training", study.title), panels, names: names.names, epochs, remark }))
    }

    /// The rows that are shown, each once.
    fn rows(&self) -> Vec<usize> {
        let mut rows: Vec<usize> = self.panels.iter().flat_map(|panel| panel.lines.iter().map(|line| line.row)).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    fn entries(&self) -> Vec<(Entry, String)> {
        self.rows().into_iter().enumerate().map(|(i, row)| (Entry::Line(stroke(i)), self.names[row].clone())).collect()
    }

    fn places(&self, room: Room) -> Multiples {
        Multiples::of(room, &self.panels.iter().map(|panel| panel.name.clone()).collect::<Vec<_>>(), &self.title, SHAPE)
    }

    fn words(&self) -> Words<'_> {
        Words { title: &self.title, entries: self.entries(), remark: &self.remark }
    }
}

/// The line of the i-th row that is shown.
fn stroke(i: usize) -> Stroke {
    let colour = Sign::of_row(i).colour;
    let dashes = [None, Some((7.0, 3.5)), Some((2.0, 3.0))];
    Stroke { dash: dashes[i / PALETTE % dashes.len()], ..Stroke::solid(colour, 1.75) }
}

/// The mean of several runs at the epochs that all of them have; a gap where one is not finite.
fn mean(runs: &[Vec<[f64; 2]>]) -> Vec<[f64; 2]> {
    let shortest = runs.iter().map(Vec::len).min().unwrap_or(0);
    let at = |i: usize| {
        let values: Vec<f64> = runs.iter().map(|run| run[i][1]).collect();
        [runs[0][i][0], num::mean(&values).filter(|mean| mean.is_finite()).unwrap_or(f64::NAN)]
    };
    (0..shortest).map(at).collect()
}

impl Figure for Training {
    fn size(&self, room: Room) -> (u32, u32) {
        self.places(room).size(room, &self.words())
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        let (places, rows) = (self.places(paper.room()), self.rows());
        places.draw(paper, &self.words(), |paper, index, [left, top, right, bottom]| {
            let panel = &self.panels[index];
            let scale =
                Scale::of_magnitudes(panel.lines.iter().flat_map(|line| line.points.iter().map(|p| p[1])).collect::<Vec<_>>().into_iter());
            let x = Scale::Linear { low: 0.0, high: self.epochs.max(1) as f64 };
            let x = Axis { title: "epochs", scale: x, ticks: x.whole_ticks(((right - left) / 30.0).clamp(2.0, 5.0) as usize) };
            let y_title = if paper.room().is_screen() && matches!(scale, Scale::Log { .. }) { "logarithmic" } else { "" };
            let y = Axis { title: y_title, scale, ticks: scale.ticks(4) };
            let frame = Frame { left, top, right, bottom, x, y };
            frame.draw(paper)?;
            for line in &panel.lines {
                let stroke = stroke(rows.iter().position(|row| *row == line.row).unwrap_or(0));
                frame.curve(paper, &envelope(&line.points, self.epochs.max(1) as f64, COLUMNS), stroke)?;
                // A line needs two points; a training of one epoch has one.
                if let [only] = line.points[..] {
                    paper.dot(frame.at(only), 2.5, stroke.colour)?;
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::svg;
    use crate::report::study::example;
    use crate::run::Event;
    use crate::sweep::Outcome;

    /// Two epochs of every run: the gradient's norm is 1 + seed, and 0.5 in the second; rows from the second on have an entropy.
    fn recorded() -> (tempfile::TempDir, Study) {
        let dir = tempfile::tempdir().unwrap();
        let (store, study) = (Store::new(dir.path()), example::ladder());
        for cell in &study.cells {
            let folder = store.folder(&cell.id);
            std::fs::create_dir_all(folder.path()).unwrap();
            let epoch = |epoch: u64| Event::Epoch {
                epoch,
                step: 4,
                losses: BTreeMap::from([("total".to_owned(), 1.0)]),
                grad_norm: Some(if epoch == 0 { 1.0 + cell.seed as f64 } else { 0.5 }),
                stats: if cell.row > 0 { BTreeMap::from([("entropy_scores".to_owned(), 0.25)]) } else { BTreeMap::new() },
            };
            let mut writer = event::Writer::open(&folder.events_jsonl()).unwrap();
            let start = Event::Start { format: event::FORMAT, id: cell.id.to_string() };
            [start, epoch(0), epoch(1)].iter().for_each(|e| writer.append(e).unwrap());
            writer.flush().unwrap();
        }
        (dir, study)
    }

    #[test]
    fn each_quantity_has_a_line_for_each_row_that_recorded_it() {
        let (dir, mut study) = recorded();
        example::outcome(&mut study, 1, "gear", 2, Outcome::Failed { error: "diverged".into() });
        example::outcome(&mut study, 1, "terrazzo", 2, Outcome::Missing);
        let figure = Training::of(&study, &Store::new(dir.path())).unwrap().unwrap();
        let names: Vec<&str> = figure.panels.iter().map(|panel| panel.name.as_str()).collect();
        assert_eq!(names, ["gradient norm", "entropy scores"]);
        let [norm, entropy] = &figure.panels[..] else { panic!("two quantities") };
        assert_eq!(norm.lines[0], Line { row: 0, points: vec![[0.5, 2.0], [1.5, 0.5]] }, "the mean over seeds 0, 1 and 2");
        assert_eq!(norm.lines[1].points, [[0.5, 1.5], [1.5, 0.5]], "without what failed and what is not there");
        assert_eq!(entropy.lines.iter().map(|line| line.row).collect::<Vec<_>>(), [1, 2]);
        let text = svg(&figure).unwrap();
        assert!(["entropy scores", "gradient norm", "baseline", "+ STLNet"].iter().all(|words| text.contains(words)), "{text}");
    }

    #[test]
    fn a_study_that_recorded_nothing_has_no_such_figure_and_a_gap_stays_a_gap() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Training::of(&example::ladder(), &Store::new(dir.path())).unwrap().is_none());
        let means = mean(&[vec![[0.5, 1.0], [1.5, 2.0]], vec![[0.5, f64::NAN]]]);
        assert!(means.len() == 1 && means[0][1].is_nan());
    }
}
