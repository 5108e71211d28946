//! How the scores of normal and anomalous images are distributed, and the threshold between them.

use plotters::backend::DrawingBackend;

use super::frame::{Axis, Frame, LEGEND_LINE, Swatch, legend, remarks, title};
use super::paper::{Paper, Stroke};
use super::scale::Scale;
use super::{Figure, Room, palette};
use crate::Result;
use crate::eval::{self, Evaluation, MapName};
use crate::ui::text::number;

/// The figure `scores`.
pub struct Histogram {
    pub title: String,
    of: String,
    /// Least and greatest edge, and the counts between.
    range: [f64; 2],
    normal: Vec<usize>,
    anomalous: Vec<usize>,
    /// The greatest F1 and where it is reached.
    best: Option<[f64; 2]>,
    remark: Option<String>,
}

const TOP: f64 = 44.0;
const BOTTOM: f64 = 324.0;
const OPACITY: f64 = 0.4;

impl Histogram {
    /// The image scores of one map; `None` without a finite score.
    pub fn of(title: String, map: MapName, evaluation: &Evaluation) -> Option<Self> {
        let scores = |anomalous: bool| -> Vec<f64> {
            let of_class = evaluation.images.iter().filter(|image| image.anomalous == anomalous);
            of_class.map(|image| f64::from(image.score)).filter(|s| s.is_finite()).collect()
        };
        let (normal, anomalous) = (scores(false), scores(true));
        let all = || normal.iter().chain(&anomalous).copied();
        let least = all().reduce(f64::min)?;
        let greatest = all().reduce(f64::max)?;
        // Scores that are all equal stand in the middle of a range around them.
        let half = if greatest > least { 0.0 } else { (least.abs() / 2.0).max(0.5) };
        let range = [least - half, greatest + half];
        let bins = (2.0 * (all().count() as f64).sqrt()).ceil().clamp(8.0, 40.0) as usize;
        let best = evaluation.scores.image_f1max.zip(evaluation.scores.image_f1max_threshold).map(|(f1, at)| [f1, at]);
        let lost = evaluation.images.len() - all().count();
        let remark = match (normal.is_empty(), anomalous.is_empty(), lost) {
            (true, ..) => Some("There are no normal images.".into()),
            (_, true, _) => Some("There are no anomalous images.".into()),
            (.., 0) => None,
            (.., lost) => Some(format!("{lost} scores are not finite and are left out.")),
        };
        let counted = |scores: &[f64]| counts(scores, range, bins);
        let of = if map == eval::IMAGE { "the detector's own image score".to_owned() } else { format!("image score on map {map}") };
        Some(Self { title, of, range, normal: counted(&normal), anomalous: counted(&anomalous), best, remark })
    }

    /// The outlines of neighbouring parts that are not empty, from the axis up and down to it again; values.
    fn outlines(&self, counts: &[usize]) -> Vec<Vec<[f64; 2]>> {
        let [low, high] = self.range;
        let edge = |i: usize| low + (high - low) * i as f64 / counts.len() as f64;
        let filled: Vec<usize> = (0..counts.len()).filter(|&i| counts[i] > 0).collect();
        let outline = |parts: &[usize]| {
            let steps = parts.iter().flat_map(|&i| [[edge(i), counts[i] as f64], [edge(i + 1), counts[i] as f64]]);
            let (first, last) = (edge(parts[0]), edge(parts[parts.len() - 1] + 1));
            std::iter::once([first, 0.0]).chain(steps).chain([[last, 0.0]]).collect()
        };
        filled.chunk_by(|a, b| a + 1 == *b).map(outline).collect()
    }
}

/// How many values lie in each of `bins` equal parts of the range; the last part holds its upper end.
fn counts(values: &[f64], [low, high]: [f64; 2], bins: usize) -> Vec<usize> {
    let mut counts = vec![0; bins];
    for value in values {
        let bin = (value - low) / (high - low) * bins as f64;
        counts[(bin as usize).min(bins - 1)] += 1;
    }
    counts
}

impl Figure for Histogram {
    fn size(&self, _: Room) -> (u32, u32) {
        let lines = [&self.normal, &self.anomalous].iter().filter(|c| c.iter().any(|&n| n > 0)).count() + usize::from(self.best.is_some());
        let remark = if self.remark.is_some() { 24.0 } else { 0.0 };
        (640, (BOTTOM + 48.0 + LEGEND_LINE * lines as f64 + 12.0 + remark) as u32)
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        title(paper, 20.0, &self.title)?;
        let [low, high] = self.range;
        let most = self.normal.iter().chain(&self.anomalous).copied().max().unwrap_or(1);
        let margin = 0.03 * (high - low);
        let x = Axis::new(&self.of, Scale::Linear { low: low - margin, high: high + margin });
        let y = Axis::whole("images", Scale::up_from(0.0, most.max(2) as f64));
        let frame = Frame { left: 72.0, top: TOP, right: 616.0, bottom: BOTTOM, x, y };
        frame.draw(paper)?;
        let classes = [("normal", palette::BLUE, &self.normal), ("anomalous", palette::VERMILLION, &self.anomalous)];
        let mut entries = vec![];
        for (name, colour, counts) in classes {
            let n: usize = counts.iter().sum();
            if n == 0 {
                continue;
            }
            for outline in self.outlines(counts) {
                let outline: Vec<[f64; 2]> = outline.into_iter().map(|p| frame.at(p)).collect();
                paper.area(&outline, colour, OPACITY)?;
                paper.line(&outline, Stroke::solid(colour, 1.25))?;
            }
            entries.push((Swatch::Area(Stroke::solid(colour, 1.25), OPACITY), format!("{name} (n = {n})")));
        }
        if let Some([f1, at]) = self.best {
            let stroke = Stroke::dashed(palette::BLACK, 1.5);
            let [x, _] = frame.at([at, 0.0]);
            paper.line(&[[x, BOTTOM], [x, TOP]], stroke)?;
            entries.push((Swatch::Line(stroke), format!("anomalous from {} up: F1max {f1:.4}", number(at))));
        }
        legend(paper, [72.0, BOTTOM + 48.0], &entries)?;
        let (_, height) = self.size(paper.room());
        self.remark.iter().try_for_each(|words| remarks(paper, [20.0, f64::from(height) - 12.0], std::slice::from_ref(words)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_value_is_counted_once_in_its_part(values in prop::collection::vec(-3.0..9.0_f64, 1..60), bins in 1..20_usize) {
            let low = values.iter().copied().reduce(f64::min).unwrap();
            let high = values.iter().copied().reduce(f64::max).unwrap() + 1e-3;
            let counts = counts(&values, [low, high], bins);
            prop_assert_eq!(counts.iter().sum::<usize>(), values.len());
            let edge = |i: usize| low + (high - low) * i as f64 / bins as f64;
            for (i, count) in counts.iter().enumerate() {
                // Slow twin, with room for the rounding of an edge.
                let sure = values.iter().filter(|&&v| v > edge(i) + 1e-9 && v < edge(i + 1) - 1e-9).count();
                let possible = values.iter().filter(|&&v| v >= edge(i) - 1e-9 && v <= edge(i + 1) + 1e-9).count();
                prop_assert!((sure..=possible).contains(count));
            }
        }
    }
}
