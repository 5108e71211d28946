//! The total loss of every run over the epochs, one small plot a row.

use plotters::backend::DrawingBackend;
use plotters::style::RGBColor;

use super::look::{Entry, names, with_shared};
use super::multiples::{Multiples, Shape, Words};
use crate::Result;
use crate::names::counted;
use crate::num;
use crate::report::plot::frame::{Axis, Frame};
use crate::report::plot::paper::{Paper, Stroke};
use crate::report::plot::scale::Scale;
use crate::report::plot::series::envelope;
use crate::report::plot::{Figure, History, Room, palette};
use crate::run::event;
use crate::store::Store;
use crate::sweep::{Cell, Outcome, Study};

/// The figure.
#[derive(Debug, Clone)]
pub struct Learning {
    pub title: String,
    pub panels: Vec<Panel>,
    /// Categories that have a colour of their own; none where they are too many.
    pub categories: Vec<String>,
    pub remark: String,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Panel {
    pub name: String,
    pub runs: Vec<Curve>,
    /// Mean over the finished runs, where there are several.
    pub mean: Vec<[f64; 2]>,
}

/// One run: epochs and total loss, a gap where a loss is not finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    pub category: usize,
    pub failed: bool,
    pub points: Vec<[f64; 2]>,
}

/// Of categories, up to so many.
const COLOURS: [RGBColor; 6] = [palette::BLUE, palette::ORANGE, palette::GREEN, palette::PURPLE, palette::SKY, RGBColor(150, 120, 60)];
const FAILED: RGBColor = palette::VERMILLION;

const SHAPE: Shape = Shape { screen: [192.0, 132.0], narrow: 62.0, ratio: 0.9, before: 42.0, below: 46.0 };

/// A curve has at most four points in each of so many parts of the width.
const COLUMNS: usize = 100;

impl Panel {
    /// Of its longest run: rows are trained for different times.
    fn epochs(&self) -> f64 {
        self.runs.iter().flat_map(|run| run.points.iter().map(|p| p[0])).fold(1.0, f64::max).ceil()
    }
}

impl Learning {
    /// The plots from the events of the runs; `None` where nothing was trained.
    ///
    /// # Errors
    /// Events that cannot be read.
    pub fn of(study: &Study, store: &Store) -> Result<Option<Self>> {
        let mut panels = vec![];
        let names = names(study);
        let mut untrained = vec![];
        for (row, name) in names.names.iter().cloned().enumerate() {
            let mut runs = vec![];
            for cell in study.cells.iter().filter(|c| c.row == row && c.outcome != Outcome::Missing) {
                if let Some(history) = History::of(&event::read(&store.folder(&cell.id).events_jsonl())?) {
                    runs.extend(curve(study, cell, &history));
                }
            }
            match runs.is_empty() {
                true if study.is_quoted(row) => {}
                true => untrained.push(name),
                false => panels.push(Panel { name, mean: mean(&runs), runs }),
            }
        }
        let curves = || panels.iter().flat_map(|p| &p.runs);
        if curves().next().is_none() {
            return Ok(None);
        }
        let categories = if (2..=COLOURS.len()).contains(&study.categories.len()) { study.categories.clone() } else { vec![] };
        let mut remark = "Each line is one run's total loss, the mean over an epoch's steps. Rows add up different parts, so each has \
                          axes of its own: look at whether a curve has come to rest, not at its level."
            .to_owned();
        if let Some(n) = panels.first().map(|panel| panel.runs.len()).filter(|&n| panels.iter().all(|panel| panel.runs.len() == n)) {
            remark += &format!(" Each row has {}.", counted(n, "run", "runs"));
        }
        if curves().any(|c| c.failed) {
            remark += " Runs that failed are dashed and not in the mean.";
        }
        if curves().any(|c| c.points.iter().any(|p| !p[1].is_finite())) {
            remark += " Losses that are not finite leave gaps.";
        }
        if !untrained.is_empty() {
            remark += &format!(" No training is recorded of {}.", untrained.join("; "));
        }
        let remark = with_shared(&remark, &names);
        Ok(Some(Self { title: format!("{}: training loss", study.title), panels, categories, remark }))
    }

    fn entries(&self) -> Vec<(Entry, String)> {
        let curves = || self.panels.iter().flat_map(|p| &p.runs);
        let mut entries = vec![];
        if self.panels.iter().any(|p| !p.mean.is_empty()) {
            entries.push((Entry::Line(Stroke::solid(palette::BLACK, 2.0)), "mean of the finished runs".to_owned()));
        }
        if self.categories.is_empty() && curves().any(|c| !c.failed) {
            entries.push((Entry::Line(self.stroke(0, false)), "one run".to_owned()));
        }
        entries.extend(self.categories.iter().enumerate().map(|(i, name)| (Entry::Line(self.stroke(i, false)), name.clone())));
        if curves().any(|c| c.failed) {
            entries.push((Entry::Line(self.stroke(0, true)), "failed run".to_owned()));
        }
        entries
    }

    fn stroke(&self, category: usize, failed: bool) -> Stroke {
        match (failed, self.categories.is_empty()) {
            (true, _) => Stroke::dashed(FAILED, 1.25),
            // Few lines may be strong, many have to let one another show.
            (_, true) if self.panels.iter().all(|p| p.runs.len() <= 3) => Stroke::solid(palette::BLUE, 1.5),
            (_, true) => Stroke::solid(palette::tint(palette::BLUE, 0.4), 0.75),
            _ => Stroke::solid(COLOURS[category % COLOURS.len()], 1.0),
        }
    }

    /// Runs of each row, where all have as many.
    fn equal_runs(&self) -> Option<usize> {
        let first = self.panels.first()?.runs.len();
        self.panels.iter().all(|panel| panel.runs.len() == first).then_some(first)
    }

    fn places(&self, room: Room) -> Multiples {
        let runs = |panel: &Panel| match panel.runs.len() {
            n if self.equal_runs() == Some(n) => String::new(),
            n => format!(" ({})", counted(n, "run", "runs")),
        };
        let names: Vec<String> = self.panels.iter().map(|panel| format!("{}{}", panel.name, runs(panel))).collect();
        Multiples::of(room, &names, &self.title, SHAPE)
    }

    fn words(&self) -> Words<'_> {
        Words { title: &self.title, entries: self.entries(), remark: &self.remark }
    }
}

fn curve(study: &Study, cell: &Cell, history: &History) -> Option<Curve> {
    let total = history.losses.iter().find(|series| series.is_total())?;
    let category = study.categories.iter().position(|c| *c == cell.category).unwrap_or(0);
    let points = if total.epochs.is_empty() { &total.steps } else { &total.epochs };
    let points = points.iter().map(|&[x, y]| [x, if y.is_finite() { y } else { f64::NAN }]).collect();
    Some(Curve { category, failed: matches!(cell.outcome, Outcome::Failed { .. }), points })
}

/// The mean of several finished runs at the epochs that all of them have.
fn mean(runs: &[Curve]) -> Vec<[f64; 2]> {
    let finished: Vec<&Curve> = runs.iter().filter(|c| !c.failed).collect();
    let shortest = finished.iter().map(|c| c.points.len()).min().unwrap_or(0);
    if finished.len() < 2 {
        return vec![];
    }
    let at = |i: usize| {
        let values: Vec<f64> = finished.iter().map(|c| c.points[i][1]).collect();
        [finished[0].points[i][0], num::mean(&values).unwrap_or(f64::NAN)]
    };
    (0..shortest).map(at).collect()
}

impl Figure for Learning {
    fn size(&self, room: Room) -> (u32, u32) {
        self.places(room).size(room, &self.words())
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        let places = self.places(paper.room());
        places.draw(paper, &self.words(), |paper, index, [left, top, right, bottom]| {
            let panel = &self.panels[index];
            // Rows add up different parts: one scale for all would press the small ones flat.
            let values: Vec<f64> = panel.runs.iter().flat_map(|c| c.points.iter().map(|p| p[1])).collect();
            let scale = Scale::of_magnitudes(values.into_iter());
            // In print all plots are of the same, which the caption says.
            let y_title = match scale {
                _ if !paper.room().is_screen() => "",
                Scale::Log { .. } => "loss (log.)",
                Scale::Linear { .. } => "loss",
            };
            let x = Scale::Linear { low: 0.0, high: panel.epochs() };
            let x = Axis { title: "epochs", scale: x, ticks: x.whole_ticks(((right - left) / 30.0).clamp(2.0, 5.0) as usize) };
            let y = Axis { title: y_title, scale, ticks: scale.ticks(((bottom - top) / 26.0).clamp(2.0, 4.0) as usize) };
            let frame = Frame { left, top, right, bottom, x, y };
            frame.draw(paper)?;
            self.draw_panel(paper, &frame, panel)
        })
    }
}

impl Learning {
    fn draw_panel<B: DrawingBackend>(&self, paper: &mut Paper<B>, frame: &Frame, panel: &Panel) -> Result<()> {
        if panel.runs.is_empty() {
            return frame.instead(paper, "no training recorded");
        }
        let thinned = |points: &[[f64; 2]]| envelope(points, panel.epochs(), COLUMNS);
        for run in &panel.runs {
            let stroke = self.stroke(run.category, run.failed);
            frame.curve(paper, &thinned(&run.points), stroke)?;
            // A line needs two points; a training of one epoch has one.
            if let [only] = run.points[..] {
                paper.dot(frame.at(only), 2.5, stroke.colour)?;
            }
        }
        frame.curve(paper, &thinned(&panel.mean), Stroke::solid(palette::BLACK, 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::svg;

    fn curve(failed: bool, values: &[f64]) -> Curve {
        Curve { category: 0, failed, points: values.iter().enumerate().map(|(i, &v)| [i as f64 + 0.5, v]).collect() }
    }

    #[test]
    fn the_mean_is_of_finished_runs_where_all_of_them_are() {
        let runs = [curve(false, &[4.0, 2.0, 1.0]), curve(false, &[2.0, 1.0]), curve(true, &[100.0, 100.0])];
        assert_eq!(mean(&runs), [[0.5, 3.0], [1.5, 1.5]]);
        assert!(mean(&runs[..1]).is_empty() && mean(&[]).is_empty());
        assert!(mean(&[curve(false, &[f64::NAN]), curve(false, &[1.0])])[0][1].is_nan());
    }

    #[test]
    fn every_row_is_named_with_its_runs_and_an_empty_one_says_so() {
        let panel = |name: &str, runs: Vec<Curve>| Panel { name: name.into(), mean: mean(&runs), runs };
        let panels = vec![
            panel("baseline", vec![curve(false, &[4.0, 2.0]), curve(false, &[3.0, 2.0])]),
            panel("+ self-calibration", vec![curve(true, &[4.0, f64::NAN, 1.0])]),
            panel("+ STLNet", vec![]),
        ];
        let figure = Learning { title: "t".into(), panels, categories: vec![], remark: "r".into() };
        let text = svg(&figure).unwrap();
        for words in [
            "baseline (2 runs)",
            "+ self-calibration (1 run)",
            "+ STLNet (0 runs)",
            "no training recorded",
            "failed run",
            "mean of the finished runs",
        ] {
            assert!(text.contains(words), "{words}");
        }
        assert!(!text.contains("NaN") && !text.contains("2147483647"));
    }
}
