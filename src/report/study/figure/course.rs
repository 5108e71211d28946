//! Metrics along one varied number, with the spread over seeds and the paper's curve.

use plotters::backend::DrawingBackend;

use super::group::groups;
use super::look::{Entry, Fill, Sign, cut_up, widest, with_shared};
use super::means::{CUT, sample};
use super::multiples::{Multiples, Shape, Words, short_key};
use crate::Result;
use crate::report::label::shortened;
use crate::report::plot::frame::{Axis, Frame, TICK};
use crate::report::plot::paper::{Paper, Stroke};
use crate::report::plot::scale::{Scale, Tick};
use crate::report::plot::{Figure, Room, palette};
use crate::report::spell::metric_name;
use crate::report::study::Comparison;
use crate::sweep::Study;

/// The figure; metrics in percent.
#[derive(Debug, Clone)]
pub struct Course {
    pub title: String,
    /// The varied key.
    pub key: String,
    pub x: Scale,
    /// The names of its values where they stand side by side, at 0, 1, …; none where they are numbers on an axis.
    pub levels: Vec<String>,
    pub panels: Vec<Panel>,
    pub remark: String,
}

/// One metric.
#[derive(Debug, Clone)]
pub struct Panel {
    /// The rows that it is of, above it; empty where it is of all.
    pub of: String,
    /// Of its upward axis.
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

const SHAPE: Shape = Shape { screen: [230.0, 230.0], narrow: 96.0, ratio: 0.9, before: 60.0, below: 46.0 };

/// From this quotient of greatest and least value on, the key's axis is logarithmic.
const WIDE: f64 = 50.0;

impl Course {
    /// The plot; `None` unless exactly one key is varied, over numbers, and two of its values or more have figures.
    pub fn of(study: &Study, comparison: &Comparison) -> Option<Self> {
        let [axis] = &study.axes[..] else { return None };
        let groups = groups(study, &study.axes);
        let names = shortened(&groups.iter().map(|group| group.name.clone()).collect::<Vec<_>>());
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
                _ => Line { name: names.names[i].clone(), sign: Sign::of_row(i), points: rows.iter().map(point).collect() },
            };
            let lines: Vec<Line> = of_groups.iter().enumerate().map(line).collect();
            let values: Vec<f64> = lines.iter().flat_map(|line| &line.points).flat_map(Point::values).collect();
            Panel {
                of: String::new(),
                title: format!("{}, %", metric_name(study, name)),
                y: Scale::around(values.into_iter(), [0.0, 100.0]),
                lines,
            }
        };
        let panels: Vec<Panel> = comparison.metrics.iter().map(panel).collect();
        let (gaps, all) = (rows().filter(|row| !measured(row)).count(), rows().count());
        let gaps = if gaps > 0 { format!(" {gaps} of {all} values have no finished run and leave gaps.") } else { String::new() };
        Some(Self {
            title: format!("{}: along {}", study.title, study.label(&axis.key)),
            key: study.label(&axis.key).to_owned(),
            x: along(ends[0], ends[1]),
            levels: vec![],
            panels,
            remark: with_shared(&format!("{}{gaps} Lines between values guide the eye. {CUT}", sample(study)), &names),
        })
    }

    fn entries(&self) -> Vec<(Entry, String)> {
        let any = |f: fn(&Point) -> bool| self.panels.iter().flat_map(|p| &p.lines).flat_map(|l| &l.points).any(f);
        let lines = self.panels.first().map_or(&[][..], |panel| &panel.lines);
        let named = |line: &Line| if line.name.is_empty() { "mean".to_owned() } else { line.name.clone() };
        let mut entries: Vec<_> = lines.iter().map(|line| (Entry::Interval(line.sign), named(line))).collect();
        if let Some(line) = lines.first().filter(|_| self.levels.is_empty() && any(|p| p.deviation.is_some())) {
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

    fn places(&self, room: Room) -> Multiples {
        Multiples::of(room, &self.panels.iter().map(|panel| panel.of.clone()).collect::<Vec<_>>(), &self.title, SHAPE)
    }

    fn words(&self) -> Words<'_> {
        Words { title: &self.title, entries: self.entries(), remark: &self.remark }
    }

    fn frame<'a>(&'a self, [left, top, right, bottom]: [f64; 4], panel: &'a Panel) -> Frame<'a> {
        let ticks = |length: f64, each: f64| (length / each).clamp(2.0, 6.0) as usize;
        let level = |(i, name): (usize, &String)| Tick { at: i as f64, label: Some(name.clone()) };
        let levels: Vec<Tick> = self.levels.iter().enumerate().map(level).collect();
        // Names that have no room beside one another: as many as have.
        let room = (right - left) / self.levels.len().max(1) as f64;
        let every = ((widest(&self.levels, TICK) + 6.0) / room).ceil().max(1.0) as usize;
        let across = if levels.is_empty() { self.x.ticks(ticks(right - left, 44.0)) } else { levels.into_iter().step_by(every).collect() };
        let x = Axis { ticks: across, ..Axis::new(short_key(&self.key, right - left + 40.0), self.x) };
        let y = Axis { ticks: panel.y.ticks(ticks(bottom - top, 30.0)), ..Axis::new(&panel.title, panel.y) };
        Frame { left, top, right, bottom, x, y }
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
    fn size(&self, room: Room) -> (u32, u32) {
        self.places(room).size(room, &self.words())
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        let places = self.places(paper.room());
        places.draw(paper, &self.words(), |paper, index, place| {
            let panel = &self.panels[index];
            self.draw_panel(paper, &self.frame(place, panel), panel)
        })
    }
}

/// The spread between neighbouring points: it lies behind the grid, so it is drawn first.
fn draw_bands<B: DrawingBackend>(paper: &mut Paper<B>, frame: &Frame, panel: &Panel) -> Result<()> {
    let pairs = panel.lines.iter().flat_map(|line| line.points.windows(2).map(move |pair| (line.sign.colour, pair)));
    for (colour, pair) in pairs {
        if let [Some((a_low, a_high)), Some((b_low, b_high))] =
            [pair[0], pair[1]].map(|p| Some((p.mean? - p.deviation?, p.mean? + p.deviation?)))
        {
            let corners = [[pair[0].x, a_low], [pair[0].x, a_high], [pair[1].x, b_high], [pair[1].x, b_low]].map(|p| frame.at(p));
            paper.area(&corners, palette::tint(colour, 0.75), 1.0)?;
        }
    }
    Ok(())
}

/// The spread at each point, where lines stand too close for bands.
fn draw_spread<B: DrawingBackend>(paper: &mut Paper<B>, frame: &Frame, line: &Line) -> Result<()> {
    let stroke = Stroke::solid(line.sign.colour, 1.25);
    for point in &line.points {
        let Some((mean, deviation)) = point.mean.zip(point.deviation) else { continue };
        let ends = [mean - deviation, mean + deviation].map(|value| frame.at([point.x, value]));
        paper.line(&ends, stroke)?;
        ends.into_iter().try_for_each(|[x, y]| paper.line(&[[x - 2.5, y], [x + 2.5, y]], stroke))?;
    }
    Ok(())
}

impl Course {
    fn draw_panel<B: DrawingBackend>(&self, paper: &mut Paper<B>, frame: &Frame, panel: &Panel) -> Result<()> {
        if self.levels.is_empty() {
            draw_bands(paper, frame, panel)?;
        }
        frame.draw(paper)?;
        if matches!(panel.y, Scale::Linear { low, .. } if low > 0.0) {
            cut_up(paper, [frame.left, frame.bottom])?;
        }
        for line in panel.lines.iter().filter(|_| !self.levels.is_empty()) {
            draw_spread(paper, frame, line)?;
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
        let panel = Panel {
            of: String::new(),
            title: "image AUROC, %".into(),
            y,
            lines: vec![Line { name: String::new(), sign: Sign::MEAN, points }],
        };
        let course = Course {
            title: "t".into(),
            key: "pseudo.ratio".into(),
            x: along(0.0, 1.0),
            levels: vec![],
            panels: vec![panel],
            remark: "n = 3".into(),
        };
        let image = codec::decode_bytes(&png(&course).unwrap(), Path::new("course.png")).unwrap().rgb;
        let places = course.places(Room::Screen);
        let frame = course.frame(places.plot(0), &course.panels[0]);
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
