//! ROC curves of pixels and of images, one line a map.

use plotters::backend::DrawingBackend;

use super::frame::{Axis, Frame, LABEL, LEGEND_LINE, Swatch, legend, remarks, title};
use super::paper::{Anchor, Paper, Stroke, Type};
use super::{Figure, Room, name_of, palette, stroke_of};
use crate::Result;
use crate::eval::{Evaluation, MapName};

/// The figure `roc`.
pub struct Roc {
    pub title: String,
    /// Of pixels and of images.
    panels: [Panel; 2],
}

struct Panel {
    name: String,
    lines: Vec<Line>,
}

struct Line {
    stroke: Stroke,
    name: String,
    points: Vec<[f64; 2]>,
    auroc: Option<f64>,
}

/// A curve of an evaluation and the area under it.
type Curve<'a> = (&'a [[f64; 2]], Option<f64>);

/// Side of a plot.
const SIDE: f64 = 320.0;

const TOP: f64 = 66.0;

impl Roc {
    /// The curves of all maps; `None` where neither pixels nor images are of two classes.
    pub fn of(title: String, evaluations: &[(MapName, Evaluation)], headline: MapName) -> Option<Self> {
        let (_, first) = evaluations.first()?;
        let panel = |name: String, curve: fn(&Evaluation) -> Curve| {
            let line = |(place, (map, evaluation)): (usize, &(MapName, Evaluation))| {
                let (points, auroc) = curve(evaluation);
                Line { stroke: stroke_of(place), name: name_of(map, headline), points: points.to_vec(), auroc }
            };
            Panel { name, lines: evaluations.iter().enumerate().map(line).filter(|l| !l.points.is_empty()).collect() }
        };
        let scores = &first.scores;
        let images = format!("Images: {} normal, {} anomalous", scores.images - scores.anomalous_images, scores.anomalous_images);
        let panels = [
            panel("Pixels of all images".into(), |e| (&e.curves.pixel_roc, e.scores.pixel_auroc)),
            panel(images, |e| (&e.curves.image_roc, e.scores.image_auroc)),
        ];
        panels.iter().any(|p| !p.lines.is_empty()).then_some(Self { title, panels })
    }

    /// Lines of the longer legend.
    fn entries(&self) -> usize {
        self.panels.iter().map(|p| p.lines.len()).max().unwrap_or(0)
    }
}

impl Figure for Roc {
    fn size(&self, _: Room) -> (u32, u32) {
        (824, (TOP + SIDE + 54.0 + LEGEND_LINE * self.entries() as f64 + 32.0) as u32)
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        title(paper, 20.0, &self.title)?;
        for (panel, left) in self.panels.iter().zip([72.0, 482.0]) {
            let (x, y) = (Axis::rate("false positive rate"), Axis::rate("true positive rate"));
            let frame = Frame { left, top: TOP, right: left + SIDE, bottom: TOP + SIDE, x, y };
            frame.draw(paper)?;
            paper.text([left, TOP - 12.0], &panel.name, Type::of(LABEL).anchored(Anchor::Left))?;
            if panel.lines.is_empty() {
                frame.instead(paper, "no curve: a class is missing")?;
                continue;
            }
            frame.curve(paper, &[[0.0, 0.0], [1.0, 1.0]], Stroke { dash: Some((2.0, 4.0)), ..Stroke::solid(palette::GREY, 1.0) })?;
            panel.lines.iter().try_for_each(|line| frame.curve(paper, &line.points, line.stroke))?;
            let entry = |line: &Line| {
                let area = line.auroc.map_or_else(|| "—".into(), |a| format!("{a:.4}"));
                (Swatch::Line(line.stroke), format!("{}: AUROC {area}", line.name))
            };
            legend(paper, [left, TOP + SIDE + 48.0], &panel.lines.iter().map(entry).collect::<Vec<_>>())?;
        }
        let (_, height) = self.size(paper.room());
        remarks(paper, [20.0, f64::from(height) - 12.0], &["Thin grey: chance.".into()])
    }
}
