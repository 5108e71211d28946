//! How scores spread over the pixels of training images, over the epochs: a plot a row, a band for normal cells, one for anomalous ones.

use plotters::backend::DrawingBackend;
use plotters::style::RGBColor;

use super::look::{Entry, names, with_shared};
use super::multiples::{Multiples, Shape, Words};
use crate::Result;
use crate::num;
use crate::report::plot::frame::{Axis, Frame};
use crate::report::plot::paper::{Paper, Stroke};
use crate::report::plot::scale::Scale;
use crate::report::plot::{Figure, History, Room, Series, palette};
use crate::run::event;
use crate::store::Store;
use crate::sweep::Study;

/// The figure.
#[derive(Debug, Clone)]
pub struct Scores {
    pub title: String,
    pub panels: Vec<Panel>,
    pub remark: String,
}

/// One row and the map that its training is about.
#[derive(Debug, Clone)]
pub struct Panel {
    pub name: String,
    /// Of normal cells, of anomalous cells.
    pub bands: [Vec<Band>; 2],
}

/// What the cells of an epoch's batches have: 5 %, median and 95 %, means over its steps and over runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    pub epoch: f64,
    pub quantiles: [f64; 3],
}

const SHAPE: Shape = Shape { screen: [192.0, 132.0], narrow: 62.0, ratio: 0.9, before: 42.0, below: 46.0 };
const CELLS: [(&str, RGBColor); 2] = [("normal", palette::BLUE), ("anomalous", palette::VERMILLION)];
const QUANTILES: [&str; 3] = ["p05", "p50", "p95"];

/// Whether a statistic of events.jsonl is a quantile of scores, such as `S_normal_p05`.
pub fn is_quantile(name: &str) -> bool {
    QUANTILES.iter().any(|q| name.ends_with(&format!("_{q}")))
}

impl Scores {
    /// The plots from the events of the finished runs; `None` where none recorded quantiles.
    ///
    /// # Errors
    /// Events that cannot be read.
    pub fn of(study: &Study, store: &Store) -> Result<Option<Self>> {
        let (names, mut panels) = (names(study), vec![]);
        for (row, name) in names.names.iter().enumerate() {
            let mut histories = vec![];
            for cell in study.cells.iter().filter(|cell| cell.row == row && cell.summary().is_some()) {
                histories.extend(History::of(&event::read(&store.folder(&cell.id).events_jsonl())?));
            }
            for map in ["S", "A"] {
                let bands = CELLS.map(|(cells, _)| bands(&histories, &format!("{map}_{cells}")));
                if bands.iter().any(|band| !band.is_empty()) {
                    panels.push(Panel { name: format!("{name}: {map}"), bands });
                }
            }
        }
        let remark = "Scores of the training batches' cells as they were at each step; a band goes from 5 % to 95 % of them, the line is the \
                      median. Means over an epoch's steps and over finished runs. S is the score map, A the distance to the centre, \
                      shown of rows without the score constraint. Each plot has an axis of its own.";
        let remark = with_shared(remark, &names);
        Ok((!panels.is_empty()).then(|| Self { title: format!("{}: scores in training", study.title), panels, remark }))
    }

    fn entries(&self) -> Vec<(Entry, String)> {
        let entry = |(cells, colour)| (Entry::Band(Stroke::solid(colour, 1.75)), format!("{cells} cells"));
        CELLS.map(entry).to_vec()
    }

    fn places(&self, room: Room) -> Multiples {
        Multiples::of(room, &self.panels.iter().map(|panel| panel.name.clone()).collect::<Vec<_>>(), &self.title, SHAPE)
    }

    fn words(&self) -> Words<'_> {
        Words { title: &self.title, entries: self.entries(), remark: &self.remark }
    }
}

/// The bands of several runs at the epochs that all of them have.
fn bands(histories: &[History], prefix: &str) -> Vec<Band> {
    let quantile = |history: &History, q: &str| {
        let series = history.statistics.iter().find(|series| series.name == format!("{prefix}_{q}"));
        series.map_or(vec![], by_epoch)
    };
    let runs: Vec<[Vec<f64>; 3]> = histories.iter().map(|history| QUANTILES.map(|q| quantile(history, q))).collect();
    let epochs = runs.iter().flatten().map(Vec::len).min().unwrap_or(0);
    let mean = |epoch: usize, q: usize| num::mean(&runs.iter().map(|run| run[q][epoch]).collect::<Vec<_>>()).unwrap_or(f64::NAN);
    (0..epochs).map(|epoch| Band { epoch: epoch as f64 + 0.5, quantiles: [0, 1, 2].map(|q| mean(epoch, q)) }).collect()
}

/// Means over the steps of each epoch that have a value: a batch may lack anomalous cells. NaN where none has one.
fn by_epoch(series: &Series) -> Vec<f64> {
    let mean = |steps: &[[f64; 2]]| {
        let values: Vec<f64> = steps.iter().map(|step| step[1]).filter(|value| value.is_finite()).collect();
        num::mean(&values).unwrap_or(f64::NAN)
    };
    series.steps.chunk_by(|a, b| a[0].floor() == b[0].floor()).map(mean).collect()
}

impl Panel {
    fn frame(&self, [left, top, right, bottom]: [f64; 4]) -> Frame<'static> {
        let bands = || self.bands.iter().flatten();
        let high = bands().map(|band| band.epoch + 0.5).fold(1.0, f64::max);
        let x = Scale::Linear { low: 0.0, high };
        let x = Axis { title: "epochs", scale: x, ticks: x.whole_ticks(((right - left) / 30.0).clamp(2.0, 5.0) as usize) };
        let scale = Scale::of_magnitudes(bands().flat_map(|band| band.quantiles).collect::<Vec<_>>().into_iter());
        let title = if matches!(scale, Scale::Log { .. }) { "logarithmic" } else { "" };
        Frame { left, top, right, bottom, x, y: Axis { title, scale, ticks: scale.ticks(4) } }
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>, frame: &Frame) -> Result<()> {
        // Behind the grid.
        for (bands, (_, colour)) in self.bands.iter().zip(CELLS) {
            for pair in bands.windows(2).filter(|pair| pair.iter().flat_map(|band| band.quantiles).all(f64::is_finite)) {
                let [[a_low, _, a_high], [b_low, _, b_high]] = [pair[0].quantiles, pair[1].quantiles];
                let corners = [(0, a_low), (0, a_high), (1, b_high), (1, b_low)].map(|(i, y)| frame.at([pair[i].epoch, y]));
                paper.area(&corners, palette::tint(colour, 0.7), 0.6)?;
            }
        }
        frame.draw(paper)?;
        for (bands, (_, colour)) in self.bands.iter().zip(CELLS) {
            let median: Vec<[f64; 2]> = bands.iter().map(|band| [band.epoch, band.quantiles[1]]).collect();
            frame.curve(paper, &median, Stroke::solid(colour, 1.75))?;
            // A line needs two points; a training of one epoch has one.
            if let [Band { epoch, quantiles: [low, median, high] }] = bands[..]
                && median.is_finite()
            {
                paper.line(&[low, high].map(|y| frame.at([epoch, y])), Stroke::solid(colour, 1.25))?;
                paper.dot(frame.at([epoch, median]), 2.5, colour)?;
            }
        }
        Ok(())
    }
}

impl Figure for Scores {
    fn size(&self, room: Room) -> (u32, u32) {
        self.places(room).size(room, &self.words())
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        let places = self.places(paper.room());
        places.draw(paper, &self.words(), |paper, index, place| {
            let panel = &self.panels[index];
            panel.draw(paper, &panel.frame(place))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::plot::svg;
    use crate::report::study::example;
    use crate::run::Event;

    /// Two epochs of two steps of every run of the second row: quantiles of S; anomalous cells in the first step of each epoch alone.
    fn recorded() -> (tempfile::TempDir, Study) {
        let dir = tempfile::tempdir().unwrap();
        let (store, study) = (Store::new(dir.path()), example::ladder());
        for cell in &study.cells {
            let folder = store.folder(&cell.id);
            std::fs::create_dir_all(folder.path()).unwrap();
            let step = |step: u64| {
                let (epoch, seed) = (step / 2, cell.seed as f64);
                let anomalous = if step.is_multiple_of(2) { 4.0 } else { f64::INFINITY };
                let of = |cells: &'static str, value: f64| (0..3).map(move |i| (format!("S_{cells}_{}", QUANTILES[i]), value + i as f64));
                let stats: BTreeMap<String, f64> = of("normal", seed + step as f64).chain(of("anomalous", anomalous)).collect();
                let losses = BTreeMap::from([("total".to_owned(), 1.0)]);
                Event::Step { epoch, step, losses, lr: 0.1, grad_norm: None, stats: if cell.row == 1 { stats } else { BTreeMap::new() } }
            };
            let mut writer = event::Writer::open(&folder.events_jsonl()).unwrap();
            writer.append(&Event::Start { format: event::FORMAT, id: cell.id.to_string() }).unwrap();
            (0..4).for_each(|n| writer.append(&step(n)).unwrap());
            writer.flush().unwrap();
        }
        (dir, study)
    }

    #[test]
    fn bands_are_means_over_steps_that_have_values_and_over_runs() {
        let (dir, study) = recorded();
        let figure = Scores::of(&study, &Store::new(dir.path())).unwrap().unwrap();
        let [panel] = &figure.panels[..] else { panic!("one row recorded them") };
        assert!(panel.name.ends_with(": S"), "{}", panel.name);
        // Seeds 0, 1 and 2; steps 0 and 1, 2 and 3.
        let band = |epoch: f64, first: f64| Band { epoch, quantiles: [first, first + 1.0, first + 2.0] };
        assert_eq!(panel.bands[0], [band(0.5, 1.5), band(1.5, 3.5)]);
        assert_eq!(panel.bands[1], [band(0.5, 4.0), band(1.5, 4.0)], "a batch without anomalous cells does not count");
        let text = svg(&figure).unwrap();
        assert!(
            ["normal cells", "anomalous cells", &panel.name].iter().all(|words| text.contains(*words)) && !text.contains("NaN"),
            "{text}"
        );
        let empty = tempfile::tempdir().unwrap();
        assert!(Scores::of(&study, &Store::new(empty.path())).unwrap().is_none());
    }

    #[test]
    fn quantiles_are_told_from_other_statistics() {
        assert!(is_quantile("A_anomalous_p95") && !is_quantile("entropy_scores"));
    }
}
