//! A dot plot: lanes downwards, one panel a metric, all on axes that need not start at zero. Dots and not bars, because a
//! bar's length is read from zero.

use plotters::backend::DrawingBackend;
use plotters::style::RGBColor;

use super::look::{Entry, Sign, cut_across, key, key_height, wrapped};
use crate::Result;
use crate::report::plot::frame::{LABEL, REMARK, TICK, remarks, title};
use crate::report::plot::paper::{Anchor, Paper, Stroke, Type, text_width};
use crate::report::plot::scale::Scale;
use crate::report::plot::{Figure, palette};

/// The figure; all values are in the unit of their axis.
#[derive(Debug, Clone)]
pub struct Dots {
    pub title: String,
    pub lanes: Vec<Lane>,
    pub panels: Vec<Panel>,
    pub key: Vec<(Entry, String)>,
    /// Small print below.
    pub remark: String,
    /// Least height of a lane, nominal pixels.
    pub lane_px: f64,
}

/// One line of the plot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub label: String,
    /// Small grey words below the label.
    pub note: Option<String>,
}

/// One metric.
#[derive(Debug, Clone)]
pub struct Panel {
    pub title: String,
    pub scale: Scale,
    pub base: Base,
    /// By lane; a lane without marks says so in words.
    pub marks: Vec<Vec<Mark>>,
}

/// What an axis is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Nothing: the axis is marked as cut where it does not start at zero.
    Cut,
    /// A line at zero.
    Zero,
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    pub value: f64,
    pub interval: Option<[f64; 2]>,
    pub sign: Sign,
    /// How far below the middle of its lane, nominal pixels.
    pub offset: f64,
}

const MARGIN: f64 = 20.0;
/// Width of a panel and of the gap after it.
const PANEL: f64 = 216.0;
const GAP: f64 = 40.0;
/// Panels beside one another.
const ABREAST: usize = 3;
/// The labels' greatest width.
const LABELS: f64 = 230.0;
/// What a band of panels has above and below its lanes.
const ABOVE: f64 = 24.0;
const BELOW: f64 = 34.0;
const TOP: f64 = 38.0;
const SHADE: RGBColor = RGBColor(246, 246, 246);
const LABEL_LINE: f64 = 15.0;

/// Where everything stands.
struct Layout {
    labels: Vec<Vec<String>>,
    /// Left edge of the first panel, height of a lane.
    left: f64,
    lane: f64,
    abreast: usize,
    width: f64,
    /// Upper edges of the bands' lanes, and of the key.
    tops: Vec<f64>,
    key: f64,
    remarks: Vec<String>,
    height: f64,
}

impl Dots {
    fn layout(&self) -> Layout {
        let labels: Vec<Vec<String>> = self.lanes.iter().map(|lane| wrapped(&lane.label, LABEL, LABELS)).collect();
        let width_of = |lane: &Lane, lines: &[String]| {
            let note = lane.note.as_ref().map_or(0.0, |note| text_width(note, REMARK));
            lines.iter().map(|line| text_width(line, LABEL)).fold(note, f64::max)
        };
        let widest = self.lanes.iter().zip(&labels).map(|(lane, lines)| width_of(lane, lines)).fold(40.0, f64::max);
        let lines_of = |(lane, lines): (&Lane, &Vec<String>)| lines.len() + usize::from(lane.note.is_some());
        let lines = self.lanes.iter().zip(&labels).map(lines_of).max().unwrap_or(1);
        let lane = self.lane_px.max(LABEL_LINE * lines as f64 + 7.0);
        let abreast = self.panels.len().clamp(1, ABREAST);
        let left = MARGIN + widest.min(1.6 * LABELS) + 14.0;
        let right = left + abreast as f64 * (PANEL + GAP) - GAP + MARGIN;
        // A title or a key may need more than few panels do.
        let width = right.max(MARGIN * 2.0 + text_width(&self.title, 14.0)).max(520.0);
        let band = ABOVE + lane * self.lanes.len() as f64 + BELOW;
        let bands = self.panels.len().div_ceil(abreast);
        let tops: Vec<f64> = (0..bands).map(|b| TOP + b as f64 * band + ABOVE).collect();
        let key = TOP + bands as f64 * band + 2.0;
        let remarks = wrapped(&self.remark, REMARK, width - 2.0 * MARGIN);
        let height = key + key_height(&self.key, width - 2.0 * MARGIN) + 14.0 * remarks.len() as f64 + 20.0;
        Layout { labels, left, lane, abreast, width, tops, key, remarks, height }
    }
}

impl Layout {
    /// Left and right edge of a panel and the upper edge of its lanes.
    fn panel(&self, index: usize) -> (f64, f64, f64) {
        let left = self.left + (index % self.abreast) as f64 * (PANEL + GAP);
        (left, left + PANEL, self.tops[index / self.abreast])
    }

    fn middle(&self, top: f64, lane: usize) -> f64 {
        top + self.lane * (lane as f64 + 0.5)
    }

    /// The place of a value.
    fn at(&self, panel: usize, lane: usize, scale: Scale, value: f64, offset: f64) -> [f64; 2] {
        let (left, right, top) = self.panel(panel);
        [left + scale.place(value) * (right - left), self.middle(top, lane) + offset]
    }
}

impl Figure for Dots {
    fn size(&self) -> (u32, u32) {
        let layout = self.layout();
        (layout.width.ceil() as u32, layout.height.ceil() as u32)
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        let layout = self.layout();
        title(paper, MARGIN, &self.title)?;
        for (index, panel) in self.panels.iter().enumerate() {
            if index % layout.abreast == 0 {
                self.draw_lanes(paper, &layout, layout.tops[index / layout.abreast])?;
            }
            draw_axis(paper, &layout, index, panel, self.lanes.len())?;
            for (lane, marks) in panel.marks.iter().enumerate() {
                draw_marks(paper, &layout, (index, lane), panel.scale, marks)?;
            }
        }
        let inner = layout.width - 2.0 * MARGIN;
        key(paper, [MARGIN, layout.key], inner, &self.key)?;
        remarks(paper, [MARGIN, layout.height - 12.0], &layout.remarks)
    }
}

impl Dots {
    /// Labels and shades of the lanes of one band.
    fn draw_lanes<B: DrawingBackend>(&self, paper: &mut Paper<B>, layout: &Layout, top: f64) -> Result<()> {
        for (i, (lane, lines)) in self.lanes.iter().zip(&layout.labels).enumerate() {
            let middle = layout.middle(top, i);
            if i % 2 == 0 {
                let right = layout.panel(layout.abreast - 1).1;
                paper.rect([MARGIN - 6.0, middle - layout.lane / 2.0], [right, middle + layout.lane / 2.0], SHADE, 1.0)?;
            }
            let count = lines.len() + usize::from(lane.note.is_some());
            let first = middle - LABEL_LINE * (count as f64 - 1.0) / 2.0 + 0.36 * LABEL;
            for (n, line) in lines.iter().enumerate() {
                paper.text([MARGIN, first + LABEL_LINE * n as f64], line, Type::of(LABEL))?;
            }
            if let Some(note) = &lane.note {
                paper.text([MARGIN, first + LABEL_LINE * lines.len() as f64], note, Type::of(REMARK).coloured(palette::GREY))?;
            }
        }
        Ok(())
    }
}

fn draw_axis<B: DrawingBackend>(paper: &mut Paper<B>, layout: &Layout, index: usize, panel: &Panel, lanes: usize) -> Result<()> {
    let (left, right, top) = layout.panel(index);
    let bottom = top + layout.lane * lanes as f64;
    let axis = Stroke::solid(palette::BLACK, 1.0);
    paper.text([left, top - 9.0], &panel.title, Type::of(LABEL))?;
    let place = |value: f64| left + panel.scale.place(value) * (right - left);
    for tick in panel.scale.ticks(5) {
        let x = place(tick.at);
        paper.line(&[[x, top], [x, bottom]], Stroke::solid(palette::PALE, 0.75))?;
        paper.line(&[[x, bottom], [x, bottom + 5.0]], axis)?;
        paper.text([x, bottom + 8.0 + 0.8 * TICK], &tick.label.unwrap_or_default(), Type::of(TICK).anchored(Anchor::Middle))?;
    }
    paper.line(&[[left, bottom], [right, bottom]], axis)?;
    match (panel.base, panel.scale) {
        (Base::Zero, _) => paper.line(&[[place(0.0), top], [place(0.0), bottom]], axis),
        (Base::Cut, Scale::Linear { low, .. }) if low > 0.0 => cut_across(paper, [left, bottom]),
        _ => Ok(()),
    }
}

fn draw_marks<B: DrawingBackend>(
    paper: &mut Paper<B>,
    layout: &Layout,
    (panel, lane): (usize, usize),
    scale: Scale,
    marks: &[Mark],
) -> Result<()> {
    if marks.is_empty() {
        let (left, _, top) = layout.panel(panel);
        let look = Type::of(REMARK).coloured(palette::GREY);
        return paper.text([left + 8.0, layout.middle(top, lane) + 0.36 * REMARK], "—", look);
    }
    for mark in marks {
        let at = |value: f64| layout.at(panel, lane, scale, value, mark.offset);
        if let Some(interval) = mark.interval {
            let stroke = Stroke::solid(mark.sign.colour, 1.75);
            paper.line(&interval.map(at), stroke)?;
            for [x, y] in interval.map(at) {
                paper.line(&[[x, y - 3.5], [x, y + 3.5]], stroke)?;
            }
        }
        mark.sign.draw(paper, at(mark.value))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::codec;
    use crate::report::plot::{png, svg};
    use std::path::Path;

    fn example(panels: usize) -> Dots {
        let scale = Scale::Linear { low: 90.0, high: 100.0 };
        let mark = |value: f64| Mark { value, interval: Some([value - 1.0, value + 1.0]), sign: Sign::MEAN, offset: 0.0 };
        let panel = |p: usize| Panel {
            title: format!("metric {p}"),
            scale,
            base: Base::Cut,
            marks: vec![vec![mark(92.5 + p as f64)], vec![], vec![mark(97.0)]],
        };
        let lane = |label: &str| Lane { label: label.into(), note: None };
        Dots {
            title: "a title".into(),
            lanes: vec![lane("baseline"), lane("+ something & more"), lane(&"a very long name ".repeat(4))],
            panels: (0..panels).map(panel).collect(),
            key: vec![(Entry::Sign(Sign::MEAN), "mean".into())],
            remark: "words ".repeat(60),
            lane_px: 24.0,
        }
    }

    #[test]
    fn every_mark_stands_where_its_value_is_and_a_missing_one_nowhere() {
        let figure = example(5);
        let layout = figure.layout();
        let image = codec::decode_bytes(&png(&figure).unwrap(), Path::new("dots.png")).unwrap().rgb;
        let colour = [0, 114, 178];
        for (p, panel) in figure.panels.iter().enumerate() {
            let (left, right, top) = layout.panel(p);
            for (l, marks) in panel.marks.iter().enumerate() {
                let middle = layout.middle(top, l);
                for mark in marks {
                    let x = left + (mark.value - 90.0) / 10.0 * PANEL;
                    assert_eq!(image.at((2.0 * x) as usize, (2.0 * middle) as usize), colour, "panel {p}, lane {l}");
                    for end in [x - 21.6, x + 21.6] {
                        assert_eq!(image.at((2.0 * end) as usize, (2.0 * middle) as usize), colour, "the interval's ends");
                    }
                }
                let y = (2.0 * middle) as usize;
                let inked = (2 * left as usize..2 * right as usize).any(|x| image.at(x, y) == colour);
                assert_eq!(inked, !marks.is_empty(), "panel {p}, lane {l}");
            }
        }
    }

    #[test]
    fn every_lane_is_labelled_once_a_band_and_text_is_escaped() {
        let text = svg(&example(3)).unwrap();
        assert_eq!(text.matches("+ something &amp; more").count(), 1);
        assert_eq!(text.matches("baseline").count(), 1);
        let text = svg(&example(4)).unwrap();
        assert_eq!(text.matches("baseline").count(), 2, "panels that do not fit beside one another stand in a second band");
        assert!(text.contains("metric 3") && text.contains(">\n—\n<"));
    }
}
