//! The PRO curve up to the limit of its area: the mean covered fraction of the regions against the false positive rate.

use plotters::backend::DrawingBackend;

use super::frame::{Axis, Frame, LEGEND_LINE, Swatch, legend, remarks, title};
use super::paper::{Paper, Stroke};
use super::scale::Scale;
use super::series::up_to;
use super::{Figure, Room, name_of, stroke_of};
use crate::Result;
use crate::eval::{Evaluation, MapName};
use crate::metric::Variant;

/// The figure `pro`.
pub struct Pro {
    pub title: String,
    lines: Vec<Line>,
    limit: f64,
    remarks: Vec<String>,
}

struct Line {
    stroke: Stroke,
    headline: bool,
    /// Up to the limit.
    points: Vec<[f64; 2]>,
    words: String,
}

const TOP: f64 = 44.0;
const BOTTOM: f64 = 364.0;

/// Of the area under the headline map's curve.
const OPACITY: f64 = 0.16;

impl Pro {
    /// The curves of all maps; `None` where there is no region or no normal pixel.
    pub fn of(title: String, evaluations: &[(MapName, Evaluation)], headline: MapName) -> Option<Self> {
        let (_, first) = evaluations.first()?;
        let limit = first.protocol.pro_limit;
        let line = |(place, (map, evaluation)): (usize, &(MapName, Evaluation))| {
            let area = evaluation.scores.aupro.map_or_else(|| "—".into(), |a| format!("{a:.4}"));
            let key = evaluation.protocol.aupro_key().replacen("aupro", "AUPRO", 1);
            let words = format!("{}: {key} {area}", name_of(map, headline));
            Line { stroke: stroke_of(place), headline: *map == headline, points: up_to(&evaluation.curves.pro, limit), words }
        };
        let lines: Vec<Line> = evaluations.iter().enumerate().map(line).filter(|l| l.points.len() > 1).collect();
        let regions = first.scores.regions;
        let mut remarks = vec![format!(
            "Regions: n = {regions}; anomalous images: n = {}. AUPRO is the area under the curve divided by the limit, {limit}.",
            first.scores.anomalous_images
        )];
        if first.protocol.variant != Variant::Exact {
            remarks.push(format!("The curves are exact, but the numbers are those of the variant {}.", first.protocol.variant));
        }
        (!lines.is_empty()).then_some(Self { title, lines, limit, remarks })
    }
}

impl Figure for Pro {
    fn size(&self, _: Room) -> (u32, u32) {
        (600, (BOTTOM + 58.0 + LEGEND_LINE * self.lines.len() as f64 + 14.0 * self.remarks.len() as f64 + 16.0) as u32)
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        title(paper, 20.0, &self.title)?;
        let x = Axis::new("false positive rate", Scale::Linear { low: 0.0, high: self.limit });
        let frame = Frame { left: 72.0, top: TOP, right: 576.0, bottom: BOTTOM, x, y: Axis::rate("per-region overlap") };
        frame.draw(paper)?;
        for line in self.lines.iter().filter(|line| line.headline) {
            let [first, last] = [line.points[0], line.points[line.points.len() - 1]];
            let around = line.points.iter().copied().chain([[last[0], 0.0], [first[0], 0.0]]);
            let around: Vec<[f64; 2]> = around.map(|p| frame.at(p)).collect();
            paper.area(&around, line.stroke.colour, OPACITY)?;
        }
        self.lines.iter().try_for_each(|line| frame.curve(paper, &line.points, line.stroke))?;
        let swatch = |l: &Line| if l.headline { Swatch::Area(l.stroke, OPACITY) } else { Swatch::Line(l.stroke) };
        let entries: Vec<_> = self.lines.iter().map(|l| (swatch(l), l.words.clone())).collect();
        legend(paper, [72.0, BOTTOM + 48.0], &entries)?;
        let (_, height) = self.size(paper.room());
        remarks(paper, [20.0, f64::from(height) - 12.0], &self.remarks)
    }
}
