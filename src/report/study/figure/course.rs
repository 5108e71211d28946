//! Metrics along one varied number, with the spread over seeds and the paper's curve.

use plotters::backend::DrawingBackend;

use super::group::groups;
use super::look::{Entry, Fill, Sign, cut_up, key, key_height, wrapped};
use super::means::{CUT, sample};
use crate::Result;
use crate::report::plot::frame::{Axis, Frame, REMARK, remarks, title};
use crate::report::plot::paper::{Paper, Stroke, text_width};
use crate::report::plot::scale::Scale;
use crate::report::plot::{Figure, palette};
use crate::report::spell::heading;
use crate::report::study::Comparison;
use crate::sweep::Study;

/// The figure; metrics in percent.
#[derive(Debug, Clone)]
pub struct Course {
    pub title: String,
    /// The varied key.
    pub key: String,
    pub x: Scale,
    pub panels: Vec<Panel>,
    pub remark: String,
}

/// One metric.
#[derive(Debug, Clone)]
pub struct Panel {
    pub title: String,
    pub y: Scale,
    /// One for each setting of all other keys.
    pub lines: Vec<Line>,
}

/// One line of a panel.
#[derive(Debug, Clone)]
pub struct Line {
    /// Empty where it is the only one.
    pub name: String,
    pub sign: Sign,
    /// By value of the key, rising.
    pub points: Vec<Point>,
}

/// The figures at one value of the key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub x: f64,
    pub mean: Option<f64>,
    pub deviation: Option<f64>,
    pub complete: bool,
    pub published: Option<f64>,
}

const MARGIN: f64 = 20.0;
const TOP: f64 = 48.0;
const SIDE: f64 = 236.0;
const BEFORE: f64 = 70.0;
const ABREAST: usize = 3;
const BAND: f64 = SIDE + 58.0;

/// From this quotient of greatest and least value on, the key's axis is logarithmic.
const WIDE: f64 = 50.0;

impl Course {
    /// The plot; `None` unless exactly one key is varied, over numbers, and two of its values or more have figures.
    pub fn of(study: &Study, comparison: &Comparison) -> Option<Self> {
        let [axis] = &study.axes[..] else { return None };
        let groups = groups(study, &study.axes);
        let value = |row: usize| Some((study.rows[row].settings.get(&axis.key)?.as_f64()?, row));
        let sorted = |rows: &[usize]| -> Option<Vec<(f64, usize)>> {
            let mut rows = rows.iter().map(|&row| value(row)).collect::<Option<Vec<_>>>()?;
            rows.sort_by(|a, b| a.0.total_cmp(&b.0));
            Some(rows)
        };
        let of_groups = groups.iter().map(|group| sorted(&group.rows)).collect::<Option<Vec<_>>>()?;
        let rows = || of_groups.iter().flatten();
        let figure = |row: usize, name: &str| comparison.lines.get(row)?.figures.get(name);
        let measured = |&&(_, row): &&(f64, usize)| comparison.metrics.iter().any(|m| figure(row, m).is_some_and(|f| f.mean.is_some()));
        let mut places: Vec<f64> = rows().filter(measured).map(|(x, _)| *x).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        if places.len() < 2 {
            return None;
        }
        let ends = rows().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], (x, _)| [low.min(*x), high.max(*x)]);
        let percent = |v: Option<f64>| v.map(|v| 100.0 * v);
        let panel = |name: &String| {
            let point = |&(x, row): &(f64, usize)| {
                let figure = figure(row, name).cloned().unwrap_or_default();
                let (mean, deviation) = (percent(figure.mean), percent(figure.deviation));
                Point { x, mean, deviation, complete: figure.complete, published: percent(figure.published) }
            };
            let line = |(i, rows): (usize, &Vec<(f64, usize)>)| match groups.len() {
                1 => Line { name: String::new(), sign: Sign::MEAN, points: rows.iter().map(point).collect() },
                _ => Line { name: groups[i].name.clone(), sign: Sign::of_row(i), points: rows.iter().map(point).collect() },
            };
            let lines: Vec<Line> = of_groups.iter().enumerate().map(line).collect();
            let values: Vec<f64> = lines.iter().flat_map(|line| &line.points).flat_map(Point::values).collect();
            Panel { title: format!("{}, %", heading(name)), y: Scale::around(values.into_iter(), [0.0, 100.0]), lines }
        };
        let panels: Vec<Panel> = comparison.metrics.iter().map(panel).collect();
        let (gaps, all) = (rows().filter(|row| !measured(row)).count(), rows().count());
        let gaps = if gaps > 0 { format!(" {gaps} of {all} values have no finished run and leave gaps.") } else { String::new() };
        Some(Self {
            title: format!("{}: along {}", study.title, axis.key),
            key: axis.key.clone(),
            x: along(ends[0], ends[1]),
            panels,
            remark: format!("{}{gaps} Lines between values guide the eye. {CUT}", sample(study)),
        })
    }

    fn entries(&self) -> Vec<(Entry, String)> {
        let any = |f: fn(&Point) -> bool| self.panels.iter().flat_map(|p| &p.lines).flat_map(|l| &l.points).any(f);
        let lines = self.panels.first().map_or(&[][..], |panel| &panel.lines);
        let named = |line: &Line| if line.name.is_empty() { "mean".to_owned() } else { line.name.clone() };
        let mut entries: Vec<_> = lines.iter().map(|line| (Entry::Interval(line.sign), named(line))).collect();
        if let Some(line) = lines.first().filter(|_| any(|p| p.deviation.is_some())) {
            entries.push((Entry::Band(Stroke::solid(line.sign.colour, 2.0)), "± deviation over seeds".to_owned()));
        }
        if any(|p| p.mean.is_some() && !p.complete) {
            entries.push((Entry::Sign(Sign::INCOMPLETE), "mean of an incomplete row".to_owned()));
        }
        if any(|p| p.published.is_some()) {
            entries.push((Entry::Interval(Sign::PUBLISHED), "published".to_owned()));
        }
        entries
    }

    fn abreast(&self) -> usize {
        self.panels.len().clamp(1, ABREAST)
    }

    fn width(&self) -> f64 {
        let panels = self.abreast() as f64 * (BEFORE + SIDE) + 2.0 * MARGIN;
        panels.max(2.0 * MARGIN + text_width(&self.title, 14.0)).max(480.0)
    }

    /// Upper edge of the key, lines of small print, and the figure's height.
    fn below(&self) -> (f64, Vec<String>, f64) {
        let inner = self.width() - 2.0 * MARGIN;
        let key = TOP + self.panels.len().div_ceil(self.abreast()) as f64 * BAND;
        let lines = wrapped(&self.remark, REMARK, inner);
        let height = key + key_height(&self.entries(), inner) + 14.0 * lines.len() as f64 + 20.0;
        (key, lines, height)
    }

    fn frame<'a>(&'a self, index: usize, panel: &'a Panel) -> Frame<'a> {
        let left = MARGIN + (index % self.abreast()) as f64 * (BEFORE + SIDE) + BEFORE - 8.0;
        let top = TOP + (index / self.abreast()) as f64 * BAND;
        let x = Axis { ticks: self.x.ticks(5), ..Axis::new(&self.key, self.x) };
        let y = Axis { ticks: panel.y.ticks(6), ..Axis::new(&panel.title, panel.y) };
        // The uppermost value of the key may be a mark on the edge, so panels keep a little apart.
        Frame { left, top, right: left + SIDE - 6.0, bottom: top + SIDE, x, y }
    }
}

impl Point {
    fn values(&self) -> impl Iterator<Item = f64> {
        let [mean, deviation] = [self.mean, self.deviation].map(|v| v.unwrap_or(f64::NAN));
        let ends = [mean - deviation, mean + deviation];
        [mean, self.published.unwrap_or(f64::NAN)].into_iter().chain(ends).filter(|v| v.is_finite())
    }
}

/// The key's axis, with a margin at both ends so that no mark stands on a corner.
fn along(low: f64, high: f64) -> Scale {
    if low > 0.0 && high > WIDE * low {
        let margin = (high / low).powf(0.04);
        return Scale::Log { low: low / margin, high: high * margin };
    }
    let margin = 0.05 * if high > low { high - low } else { 1.0 };
    Scale::Linear { low: low - margin, high: high + margin }
}

impl Figure for Course {
    fn size(&self) -> (u32, u32) {
        (self.width().ceil() as u32, self.below().2.ceil() as u32)
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        title(paper, MARGIN, &self.title)?;
        for (index, panel) in self.panels.iter().enumerate() {
            draw_panel(paper, &self.frame(index, panel), panel)?;
        }
        let (top, lines, height) = self.below();
        key(paper, [MARGIN, top], self.width() - 2.0 * MARGIN, &self.entries())?;
        remarks(paper, [MARGIN, height - 12.0], &lines)
    }
}

fn draw_panel<B: DrawingBackend>(paper: &mut Paper<B>, frame: &Frame, panel: &Panel) -> Result<()> {
    // Bands lie behind the grid, so first.
    let pairs = panel.lines.iter().flat_map(|line| line.points.windows(2).map(move |pair| (line.sign.colour, pair)));
    for (colour, pair) in pairs {
        if let [Some((a_low, a_high)), Some((b_low, b_high))] =
            [pair[0], pair[1]].map(|p| Some((p.mean? - p.deviation?, p.mean? + p.deviation?)))
        {
            let corners = [[pair[0].x, a_low], [pair[0].x, a_high], [pair[1].x, b_high], [pair[1].x, b_low]].map(|p| frame.at(p));
            paper.area(&corners, palette::tint(colour, 0.75), 1.0)?;
        }
    }
    frame.draw(paper)?;
    if matches!(panel.y, Scale::Linear { low, .. } if low > 0.0) {
        cut_up(paper, [frame.left, frame.bottom])?;
    }
    for Line { sign, points, .. } in &panel.lines {
        let curve = |f: fn(&Point) -> Option<f64>| points.iter().map(|p| [p.x, f(p).unwrap_or(f64::NAN)]).collect::<Vec<_>>();
        frame.curve(paper, &curve(|p| p.published), Stroke::dashed(palette::BLACK, 1.25))?;
        frame.curve(paper, &curve(|p| p.mean), Stroke::solid(sign.colour, 2.0))?;
        for point in points {
            if let Some(published) = point.published {
                Sign::PUBLISHED.draw(paper, frame.at([point.x, published]))?;
            }
            if let Some(mean) = point.mean {
                let fill = if point.complete { Fill::Full } else { Fill::Open };
                sign.filled(fill).draw(paper, frame.at([point.x, mean]))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::codec;
    use crate::report::plot::{png, svg};
    use std::path::Path;

    #[test]
    fn values_stand_at_their_place_and_a_missing_one_breaks_the_line() {
        let point = |x: f64, mean: Option<f64>| Point { x, mean, deviation: mean.map(|_| 0.5), complete: true, published: None };
        let points = vec![point(0.0, Some(95.0)), point(0.25, Some(96.0)), point(0.5, None), point(1.0, Some(98.0))];
        let y = Scale::Linear { low: 90.0, high: 100.0 };
        let panel = Panel { title: "image AUROC, %".into(), y, lines: vec![Line { name: String::new(), sign: Sign::MEAN, points }] };
        let course =
            Course { title: "t".into(), key: "pseudo.ratio".into(), x: along(0.0, 1.0), panels: vec![panel], remark: "n = 3".into() };
        let image = codec::decode_bytes(&png(&course).unwrap(), Path::new("course.png")).unwrap().rgb;
        let frame = course.frame(0, &course.panels[0]);
        let colour = |[x, y]: [f64; 2]| image.at((2.0 * x) as usize, (2.0 * y) as usize);
        for at in [[0.0, 95.0], [0.125, 95.5], [0.25, 96.0], [1.0, 98.0]] {
            assert_eq!(colour(frame.at(at)), [0, 114, 178], "{at:?}");
        }
        for at in [[0.375, 96.5], [0.45, 96.7], [0.75, 97.3]] {
            assert_eq!(colour(frame.at(at)), [255; 3], "neither line nor band runs over the gap: {at:?}");
        }
        assert!(svg(&course).unwrap().contains("pseudo.ratio"));
    }

    #[test]
    fn wide_positive_axes_are_logarithmic() {
        assert!(matches!(along(1e-4, 1.0), Scale::Log { .. }));
        assert!(matches!(along(0.0, 1.0), Scale::Linear { .. }));
        assert!(matches!(along(2.0, 2.0), Scale::Linear { low, high } if low < 2.0 && high > 2.0));
    }
}
