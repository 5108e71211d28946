//! A dot plot: lanes downwards, one panel a metric, all on axes that need not start at zero. Dots and not bars, because a
//! bar's length is read from zero.

use plotters::backend::DrawingBackend;
use plotters::style::RGBColor;

use super::look::{Entry, Sign, balanced, cut_across, key, key_height, widest, wrapped};
use crate::Result;
use crate::report::plot::frame::{LABEL, REMARK, TICK, remarks, title};
use crate::report::plot::paper::{Anchor, Paper, Stroke, Type, text_width};
use crate::report::plot::scale::Scale;
use crate::report::plot::{Figure, Room, palette};

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
    /// What stands for the label where it is too long: the row's place from 1 on, the same in every figure.
    pub number: usize,
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
    /// Nothing, and it has no zero, as ranks have none.
    Free,
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

/// Width of a panel on a screen; its least width in print, and the gap after it.
const PANEL: f64 = 216.0;
const NARROW: f64 = 54.0;
const GAP: f64 = 40.0;
const NARROW_GAP: f64 = 22.0;
/// Panels beside one another.
const ABREAST: usize = 3;
/// The labels' greatest width: on a screen, and as a share of a paper's.
const LABELS: f64 = 230.0;
const LABELS_SHARE: f64 = 0.34;
/// In print, a label of more lines becomes a number.
const LABEL_LINES: usize = 3;
/// What a band of panels has below its lanes, and above them beside the lines of the panels' titles.
const BELOW: f64 = 34.0;
const ABOVE: f64 = 9.0;
const TOP: f64 = 38.0;
const SHADE: RGBColor = RGBColor(246, 246, 246);
const LABEL_LINE: f64 = 15.0;
/// Room that a tick's label needs.
const TICK_ROOM: f64 = 43.0;

/// What stands before a lane.
struct Label {
    lines: Vec<String>,
    note: Vec<String>,
}

/// Where everything stands.
struct Layout {
    margin: f64,
    labels: Vec<Label>,
    titles: Vec<Vec<String>>,
    key_entries: Vec<(Entry, String)>,
    /// Left edge of the first panel, width of each and the gap between.
    left: f64,
    panel: f64,
    gap: f64,
    /// Upper edges of the lanes below that of their band, and the lower edge of the last.
    lanes: Vec<f64>,
    abreast: usize,
    width: f64,
    /// Upper edges of the bands' lanes, and of the key.
    tops: Vec<f64>,
    key: f64,
    remarks: Vec<String>,
    height: f64,
}

impl Label {
    fn of(lane: &Lane, width: f64) -> Self {
        let note = lane.note.as_ref().map_or(vec![], |note| wrapped(note, REMARK, width));
        Self { lines: balanced(&lane.label, LABEL, width), note }
    }

    fn width(&self) -> f64 {
        widest(&self.lines, LABEL).max(widest(&self.note, REMARK))
    }

    fn count(&self) -> usize {
        self.lines.len() + self.note.len()
    }
}

impl Dots {
    /// The lanes' labels, and what the key says of them: where one needs too many lines in print, all are numbers.
    fn labels(&self, room: Room) -> (Vec<Label>, Vec<(Entry, String)>) {
        let limit = room.either(LABELS, LABELS_SHARE * room.width(0.0));
        let labels: Vec<Label> = self.lanes.iter().map(|lane| Label::of(lane, limit)).collect();
        if room.is_screen() || labels.iter().all(|label| label.lines.len() <= LABEL_LINES) {
            return (labels, self.key.clone());
        }
        let number = |lane: &Lane| Label::of(&Lane { label: lane.number.to_string(), ..lane.clone() }, limit);
        let mut legend: Vec<&Lane> = self.lanes.iter().collect();
        legend.sort_by_key(|lane| lane.number);
        let legend = legend.into_iter().map(|lane| (Entry::Number(lane.number), lane.label.clone()));
        (self.lanes.iter().map(number).collect(), self.key.iter().cloned().chain(legend).collect())
    }

    fn layout(&self, room: Room) -> Layout {
        let margin = room.margin();
        let (labels, key_entries) = self.labels(room);
        let widest = labels.iter().map(Label::width).fold(room.either(40.0, 0.0), f64::max);
        let left = margin + widest + room.either(14.0, 10.0);
        // The last tick's label is half beyond its panel.
        let after = room.either(margin, 14.0);
        let gap = room.either(GAP, NARROW_GAP);
        let words = self.panels.iter().flat_map(|p| p.title.split_whitespace()).map(|word| text_width(word, LABEL));
        let narrow = words.fold(NARROW, |least, word| least.max(word - gap + 6.0));
        let (abreast, panel) = room.abreast(room.width(0.0) - left - after, [PANEL, narrow, gap], [self.panels.len(), ABREAST]);
        let right = left + abreast as f64 * (panel + gap) - gap + after;
        // A title or a key may need more than few panels do.
        let width = room.width(right.max(margin * 2.0 + text_width(&self.title, 14.0)).max(520.0));
        let titles: Vec<Vec<String>> = self.panels.iter().map(|p| balanced(&p.title, LABEL, panel + gap - 6.0)).collect();
        let above = ABOVE + LABEL_LINE * titles.iter().map(Vec::len).max().unwrap_or(1) as f64;
        let lane = |label: &Label| self.lane_px.min(room.either(f64::INFINITY, 20.0)).max(LABEL_LINE * label.count() as f64 + 7.0);
        let mut lanes = vec![0.0];
        labels.iter().for_each(|label| lanes.push(lanes[lanes.len() - 1] + lane(label)));
        let band = above + lanes[lanes.len() - 1] + BELOW;
        let bands = self.panels.len().div_ceil(abreast);
        let top = room.either(TOP, 2.0);
        let tops: Vec<f64> = (0..bands).map(|b| top + b as f64 * band + above).collect();
        let key = top + bands as f64 * band + 2.0;
        let remarks = wrapped(&self.remark, REMARK, width - 2.0 * margin);
        let small_print = room.either(14.0 * remarks.len() as f64 + 20.0, 2.0);
        let height = key + key_height(&key_entries, width - 2.0 * margin) + small_print;
        Layout { margin, labels, titles, key_entries, left, panel, gap, lanes, abreast, width, tops, key, remarks, height }
    }
}

impl Layout {
    /// Left and right edge of a panel and the upper edge of its lanes.
    fn panel(&self, index: usize) -> (f64, f64, f64) {
        let left = self.left + (index % self.abreast) as f64 * (self.panel + self.gap);
        (left, left + self.panel, self.tops[index / self.abreast])
    }

    fn middle(&self, top: f64, lane: usize) -> f64 {
        top + 0.5 * (self.lanes[lane] + self.lanes[lane + 1])
    }

    /// The place of a value.
    fn at(&self, panel: usize, lane: usize, scale: Scale, value: f64, offset: f64) -> [f64; 2] {
        let (left, right, top) = self.panel(panel);
        [left + scale.place(value) * (right - left), self.middle(top, lane) + offset]
    }
}

impl Figure for Dots {
    fn size(&self, room: Room) -> (u32, u32) {
        let layout = self.layout(room);
        (layout.width.ceil() as u32, layout.height.ceil() as u32)
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        let layout = self.layout(paper.room());
        title(paper, layout.margin, &self.title)?;
        for (index, panel) in self.panels.iter().enumerate() {
            if index % layout.abreast == 0 {
                draw_lanes(paper, &layout, index)?;
            }
            draw_axis(paper, &layout, index, panel)?;
            for (lane, marks) in panel.marks.iter().enumerate() {
                draw_marks(paper, &layout, (index, lane), panel.scale, marks)?;
            }
        }
        let inner = layout.width - 2.0 * layout.margin;
        key(paper, [layout.margin, layout.key], inner, &layout.key_entries)?;
        remarks(paper, [layout.margin, layout.height - 12.0], &layout.remarks)
    }
}

/// Labels and shades of the lanes of the band that begins with a panel.
fn draw_lanes<B: DrawingBackend>(paper: &mut Paper<B>, layout: &Layout, first: usize) -> Result<()> {
    let (_, _, top) = layout.panel(first);
    let shade_left = (layout.margin - 6.0).max(0.0);
    for (i, label) in layout.labels.iter().enumerate() {
        if i % 2 == 0 {
            let right = layout.panel(layout.abreast - 1).1;
            paper.rect([shade_left, top + layout.lanes[i]], [right, top + layout.lanes[i + 1]], SHADE, 1.0)?;
        }
        let start = layout.middle(top, i) - LABEL_LINE * (label.count() as f64 - 1.0) / 2.0 + 0.36 * LABEL;
        let line = |n: usize| [layout.margin, start + LABEL_LINE * n as f64];
        for (n, words) in label.lines.iter().enumerate() {
            paper.text(line(n), words, Type::of(LABEL))?;
        }
        for (n, words) in label.note.iter().enumerate() {
            paper.text(line(label.lines.len() + n), words, Type::of(REMARK).coloured(palette::GREY))?;
        }
    }
    Ok(())
}

fn draw_axis<B: DrawingBackend>(paper: &mut Paper<B>, layout: &Layout, index: usize, panel: &Panel) -> Result<()> {
    let (left, right, top) = layout.panel(index);
    let bottom = top + layout.lanes[layout.lanes.len() - 1];
    let axis = Stroke::solid(palette::BLACK, 1.0);
    let lines = &layout.titles[index];
    for (i, line) in lines.iter().enumerate() {
        paper.text([left, top - ABOVE - LABEL_LINE * (lines.len() - 1 - i) as f64], line, Type::of(LABEL))?;
    }
    let place = |value: f64| left + panel.scale.place(value) * (right - left);
    for tick in panel.scale.ticks(((right - left) / TICK_ROOM).clamp(2.0, 5.0) as usize) {
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
        let lane = |(i, label): (usize, &String)| Lane { number: i + 1, label: label.clone(), note: None };
        let names = ["baseline".to_owned(), "+ something & more".to_owned(), "a very long name ".repeat(4)];
        Dots {
            title: "a title".into(),
            lanes: names.iter().enumerate().map(lane).collect(),
            panels: (0..panels).map(panel).collect(),
            key: vec![(Entry::Sign(Sign::MEAN), "mean".into())],
            remark: "words ".repeat(60),
            lane_px: 24.0,
        }
    }

    #[test]
    fn every_mark_stands_where_its_value_is_and_a_missing_one_nowhere() {
        let figure = example(5);
        let layout = figure.layout(Room::Screen);
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
    #[test]
    fn in_a_column_everything_stands_within_its_width_and_long_names_are_numbers() {
        for panels in [1, 3, 5] {
            let figure = example(panels);
            let room = Room::Print { width: 361.0 };
            let layout = figure.layout(room);
            assert_eq!(figure.size(room).0, 361);
            assert!((0..panels).all(|p| layout.panel(p).1 <= 351.0), "ticks have room beyond the last panel");
            for (panel, lines) in layout.titles.iter().enumerate() {
                let (left, right, _) = layout.panel(panel);
                assert!(left + widest(lines, LABEL) <= right + NARROW_GAP, "a title ends before the next");
            }
            assert_eq!(layout.labels[2].lines, ["3"]);
            let legend: Vec<&String> =
                layout.key_entries.iter().filter(|(e, _)| matches!(e, Entry::Number(_))).map(|(_, words)| words).collect();
            assert_eq!(legend, figure.lanes.iter().map(|lane| &lane.label).collect::<Vec<_>>());
        }
    }
}
