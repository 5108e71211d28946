//! Metrics over two varied keys: one map of cells a metric, the values printed in the cells.

use plotters::backend::DrawingBackend;
use plotters::style::RGBColor;
use serde_json::Value;

use super::group::{Group, groups};
use super::look::{WHITE, balanced, widest, with_shared, wrapped};
use super::means::sample;
use super::multiples::short_key;
use crate::Result;
use crate::num;
use crate::report::label::shortened;
use crate::report::plot::frame::{LABEL, REMARK, TICK, remarks, title};
use crate::report::plot::paper::{Anchor, Paper, Run, Stroke, Type, text_width};
use crate::report::plot::{Figure, Room, palette};
use crate::report::spell::{metric_name, spelled};
use crate::report::study::Comparison;
use crate::sweep::Study;

/// The figure; values in percent.
#[derive(Debug, Clone)]
pub struct Matrix {
    pub title: String,
    /// The key whose values run downwards, and the one whose values run across.
    pub keys: [String; 2],
    pub values: [Vec<String>; 2],
    pub panels: Vec<Panel>,
    pub remark: String,
}

/// One metric of the rows that differ in both keys alone.
#[derive(Debug, Clone)]
pub struct Panel {
    pub title: String,
    /// `cells[down][across]`.
    pub cells: Vec<Vec<Option<Cell>>>,
    /// Values at the pale and at the dark end: the same for all maps of a metric; not finite where no value is complete.
    pub range: [f64; 2],
}

/// A mean that is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    pub value: f64,
    pub complete: bool,
}

const TOP: f64 = 44.0;
/// Width and height of a cell, and the least in print.
const CELL: [f64; 2] = [58.0, 34.0];
const NARROW: f64 = 20.0;
/// Lines of a map's title.
const LINE: f64 = 15.0;
/// A range of colours spans at least so many standard deviations over seeds. Means over a few seeds that differ by noise alone lie within
/// some two of them, and so within half of the colours.
const LEAST_SPAN: f64 = 4.0;
const APART: f64 = 34.0;
/// The colour bar below a panel.
const BAR: f64 = 10.0;

/// Pale to dark blue: one hue whose lightness falls strictly, so that neither colour blindness nor grey print changes the order.
const RAMP: [RGBColor; 4] = [RGBColor(240, 246, 252), RGBColor(158, 202, 225), RGBColor(49, 130, 189), RGBColor(8, 48, 107)];

impl Matrix {
    /// The maps; `None` unless exactly two keys are varied and a cell has figures.
    pub fn of(study: &Study, comparison: &Comparison) -> Option<Self> {
        let [down, across] = &study.axes[..] else { return None };
        let groups = groups(study, &study.axes);
        let names = shortened(&groups.iter().map(|group| group.name.clone()).collect::<Vec<_>>());
        let figure = |name: &str, row: usize| comparison.lines.get(row)?.figures.get(name);
        let panel = |name: &String, group: &Group, label: &str| {
            let cell = |a: &Value, b: &Value| {
                let is = |row: usize, key: &str, value: &Value| study.rows[row].settings.get(key) == Some(value);
                let row = group.rows.iter().find(|&&row| is(row, &down.key, a) && is(row, &across.key, b))?;
                let figure = figure(name, *row)?;
                Some(Cell { value: 100.0 * figure.mean?, complete: figure.complete })
            };
            let cells: Vec<Vec<Option<Cell>>> = down.values.iter().map(|a| across.values.iter().map(|b| cell(a, b)).collect()).collect();
            let of = if groups.len() > 1 { format!(": {label}") } else { String::new() };
            Panel { title: format!("{}, %{of}", metric_name(study, name)), cells, range: [f64::NAN; 2] }
        };
        let of_metric = |name: &String| -> Vec<Panel> {
            let mut panels: Vec<Panel> = groups.iter().zip(&names.names).map(|(group, label)| panel(name, group, label)).collect();
            let rows = groups.iter().flat_map(|group| &group.rows);
            let deviations: Vec<f64> = rows.filter_map(|&row| Some(100.0 * figure(name, row)?.deviation?)).collect();
            let values = panels.iter().flat_map(|p| p.cells.iter().flatten().flatten()).filter(|c| c.complete).map(|c| c.value);
            let range = range(values, LEAST_SPAN * pooled(&deviations));
            panels.iter_mut().for_each(|panel| panel.range = range);
            panels
        };
        let panels: Vec<Panel> = comparison.metrics.iter().flat_map(of_metric).collect();
        let panels: Vec<Panel> = panels.into_iter().filter(|p| p.cells.iter().flatten().any(Option::is_some)).collect();
        let cells = || panels.iter().flat_map(|p| p.cells.iter().flatten());
        if panels.is_empty() {
            return None;
        }
        let mut remark = sample(study);
        if cells().flatten().any(|c| !c.complete) {
            remark += " * and no colour: some runs of this cell are missing, so that its mean is not comparable with the others.";
        }
        if cells().any(Option::is_none) {
            remark += " Hatched: no finished run.";
        }
        remark += " All maps of a metric have one range of colours, from the least to the greatest complete value.";
        if study.seeds.len() > 1 {
            remark += " It spans at least four standard deviations over seeds, so that differences within the noise do not fill it.";
        }
        let remark = with_shared(&remark, &names);
        let names = |values: &[Value]| values.iter().map(spelled).collect();
        Some(Self {
            title: format!("{}: {} and {}", study.title, study.label(&down.key), study.label(&across.key)),
            keys: [&down.key, &across.key].map(|key| study.label(key).to_owned()),
            values: [names(&down.values), names(&across.values)],
            panels,
            remark,
        })
    }

    fn layout(&self, room: Room) -> Layout {
        let margin = room.margin();
        let before = widest(&self.values[0], TICK) + 34.0;
        let columns = self.values[1].len() as f64;
        let wanted = CELL[0].min(room.either(CELL[0], 40.0)).max(widest(&self.values[1], TICK) + 12.0);
        let inner = room.width(900.0) - 2.0 * margin;
        // In a narrow column cells become narrower, as far as a map takes the whole of it.
        let cell = room.either(wanted, wanted.min((inner - before) / columns).max(NARROW));
        let least = room.either(self.panels.iter().map(|p| text_width(&p.title, LABEL)).fold(0.0, f64::max), 0.0);
        let panel = before + (cell * columns).max(least) + room.either(APART, 12.0);
        let abreast = ((inner / panel) as usize).clamp(1, self.panels.len());
        let titles: Vec<Vec<String>> = self.panels.iter().map(|p| balanced(&p.title, LABEL, panel - before)).collect();
        let above = 11.0 + LINE * titles.iter().map(Vec::len).max().unwrap_or(1) as f64;
        let screen = 2.0 * margin + abreast as f64 * panel - APART;
        let width = room.width(screen.max(2.0 * margin + text_width(&self.title, 14.0)).max(480.0));
        let high = CELL[1].min(room.either(CELL[1], 24.0)) * self.values[0].len() as f64;
        let band = above + high + 82.0;
        let lines = wrapped(&self.remark, REMARK, width - 2.0 * margin);
        let top = room.either(TOP, 0.0);
        let small_print = room.either(14.0 * lines.len() as f64 + 14.0, 0.0);
        let height = top + self.panels.len().div_ceil(abreast) as f64 * band + small_print;
        Layout { margin, top, cell, before, panel, high, titles, above, abreast, band, width, lines, height }
    }
}

/// From the least to the greatest value, or as much around them as `least` asks for, not beyond 100 per cent.
fn range(values: impl Iterator<Item = f64> + Clone, least: f64) -> [f64; 2] {
    let [low, high] = [values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max)];
    let short = (least - (high - low)) / 2.0;
    if !low.is_finite() || short <= 0.0 {
        return [low, high];
    }
    let beyond = (high + short - 100.0).max(0.0).min(short);
    [low - short - beyond, high + short - beyond]
}

/// The standard deviation that all have in common: the root of their mean square; 0 without one.
fn pooled(deviations: &[f64]) -> f64 {
    num::mean(&deviations.iter().map(|d| d * d).collect::<Vec<_>>()).unwrap_or(0.0).sqrt()
}

struct Layout {
    margin: f64,
    top: f64,
    cell: f64,
    before: f64,
    panel: f64,
    /// Of all cells of a map.
    high: f64,
    titles: Vec<Vec<String>>,
    above: f64,
    abreast: usize,
    band: f64,
    width: f64,
    lines: Vec<String>,
    height: f64,
}

impl Layout {
    /// Upper left corner of a panel's cells.
    fn corner(&self, index: usize) -> [f64; 2] {
        let (across, down) = (index % self.abreast, index / self.abreast);
        [self.margin + across as f64 * self.panel + self.before, self.top + down as f64 * self.band + self.above]
    }
}

/// The colour of a place 0..=1 in a range.
fn shade(place: f64) -> RGBColor {
    let at = place.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let i = (at as usize).min(RAMP.len() - 2);
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * (at - i as f64)).round() as u8;
    let (RGBColor(r, g, b), RGBColor(s, h, c)) = (RAMP[i], RAMP[i + 1]);
    RGBColor(mix(r, s), mix(g, h), mix(b, c))
}

/// Black or white, whichever shows better on a colour.
fn ink(RGBColor(r, g, b): RGBColor) -> RGBColor {
    // WCAG's relative luminance; 0.179 is where both contrasts are equal.
    let linear = |c: u8| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    if luminance > 0.179 { palette::BLACK } else { WHITE }
}

impl Figure for Matrix {
    fn size(&self, room: Room) -> (u32, u32) {
        let layout = self.layout(room);
        (layout.width.ceil() as u32, layout.height.ceil() as u32)
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        let layout = self.layout(paper.room());
        title(paper, layout.margin, &self.title)?;
        for (index, panel) in self.panels.iter().enumerate() {
            self.draw_panel(paper, &layout, index, panel)?;
        }
        remarks(paper, [layout.margin, layout.height - 12.0], &layout.lines)
    }
}

impl Matrix {
    fn draw_panel<B: DrawingBackend>(&self, paper: &mut Paper<B>, layout: &Layout, index: usize, panel: &Panel) -> Result<()> {
        let [left, top] = layout.corner(index);
        let middle = Type::of(TICK).anchored(Anchor::Middle);
        let wide = layout.cell * self.values[1].len() as f64;
        let each = layout.high / self.values[0].len() as f64;
        let lines = &layout.titles[index];
        for (i, line) in lines.iter().enumerate() {
            paper.text([left, top - 9.0 - LINE * (lines.len() - 1 - i) as f64], line, Type::of(LABEL))?;
        }
        for (d, cells) in panel.cells.iter().enumerate() {
            for (a, cell) in cells.iter().enumerate() {
                let corner = [left + a as f64 * layout.cell, top + d as f64 * each];
                draw_cell(paper, corner, [layout.cell, each], *cell, panel.range)?;
            }
        }
        for (d, value) in self.values[0].iter().enumerate() {
            let y = top + each * (d as f64 + 0.5) + 0.36 * TICK;
            paper.text([left - 7.0, y], value, Type::of(TICK).anchored(Anchor::Right))?;
        }
        // Values that have no room beside one another: as many as have.
        let every = ((widest(&self.values[1], TICK) + 6.0) / layout.cell).ceil().max(1.0) as usize;
        for (a, value) in self.values[1].iter().enumerate().step_by(every) {
            paper.text([left + layout.cell * (a as f64 + 0.5), top + layout.high + 16.0], value, middle)?;
        }
        let [down, across] = &self.keys;
        let title = Type { em: LABEL, ..middle };
        paper.text([left + wide / 2.0, top + layout.high + 33.0], short_key(across, wide + layout.before), title)?;
        let down = short_key(down, layout.high + 30.0);
        paper.text([left - layout.before + 12.0, top + layout.high / 2.0], down, Type { run: Run::Up, ..title })?;
        draw_bar(paper, [left, top + layout.high + 46.0], wide, panel.range)
    }
}

fn draw_cell<B: DrawingBackend>(
    paper: &mut Paper<B>,
    [x, y]: [f64; 2],
    [width, height]: [f64; 2],
    cell: Option<Cell>,
    [low, high]: [f64; 2],
) -> Result<()> {
    let end = [x + width - 1.0, y + height - 1.0];
    let middle = [x + width / 2.0, y + height / 2.0 + 0.36 * TICK];
    let look = Type::of(TICK).anchored(Anchor::Middle);
    // A number without room is left to its colour.
    let shown = |words: String| if text_width(&words, TICK) <= width - 2.0 { words } else { String::new() };
    let Some(Cell { value, complete }) = cell else {
        let hatch = Stroke::solid(palette::PALE, 1.0);
        let mut from = x;
        while from < end[0] {
            let length = (height - 1.0).min(end[0] - from);
            paper.line(&[[from, end[1]], [from + length, end[1] - length]], hatch)?;
            from += 8.0;
        }
        return paper.text(middle, "—", look.coloured(palette::GREY));
    };
    if !complete {
        paper.rect([x, y], end, palette::PALE, 1.0)?;
        return paper.text(middle, &shown(format!("{value:.1}*")), look.coloured(palette::GREY));
    }
    let colour = shade(if high > low { (value - low) / (high - low) } else { 0.5 });
    paper.rect([x, y], end, colour, 1.0)?;
    paper.text(middle, &shown(format!("{value:.1}")), look.coloured(ink(colour)))
}

/// The range of colours with its ends; none where all values are equal or there is none.
fn draw_bar<B: DrawingBackend>(paper: &mut Paper<B>, [left, top]: [f64; 2], width: f64, [low, high]: [f64; 2]) -> Result<()> {
    const STEPS: usize = 48;
    if high <= low || !low.is_finite() {
        return Ok(());
    }
    for i in 0..STEPS {
        let x = |i: usize| left + width * i as f64 / STEPS as f64;
        paper.rect([x(i), top], [x(i + 1), top + BAR], shade(i as f64 / (STEPS - 1) as f64), 1.0)?;
    }
    let look = Type::of(REMARK);
    paper.text([left, top + BAR + 12.0], &format!("{low:.1}"), look)?;
    paper.text([left + width, top + BAR + 12.0], &format!("{high:.1}"), look.anchored(Anchor::Right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::codec;
    use crate::report::plot::{png, svg};
    use crate::report::study::example;
    use std::path::Path;

    fn luminance(RGBColor(r, g, b): RGBColor) -> f64 {
        0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b)
    }

    #[test]
    fn colours_darken_strictly_and_their_text_shows() {
        let shades: Vec<RGBColor> = (0..=40).map(|i| shade(f64::from(i) / 40.0)).collect();
        assert!(shades.windows(2).all(|w| luminance(w[0]) > luminance(w[1])));
        assert!(shades.iter().all(|&s| (luminance(s) - luminance(ink(s))).abs() > 75.0));
    }

    #[test]
    fn every_cell_has_its_value_and_colour_and_a_missing_one_neither() {
        let cell = |value| Some(Cell { value, complete: value > 91.0 });
        let panel = Panel {
            title: "AUPRO@0.3, %".into(),
            cells: vec![vec![cell(90.0), None], vec![cell(95.25), cell(99.0)]],
            range: [95.25, 99.0],
        };
        let values = [["1", "2"], ["none", "bn_relu"]].map(|v| v.map(String::from).to_vec());
        let keys = ["loss.beta", "model.fusion"].map(String::from);
        let figure = Matrix { title: "t".into(), keys, values, panels: vec![panel], remark: "n = 1".into() };
        let text = svg(&figure).unwrap();
        for words in ["90.0*", "95.2", "99.0", "—", "loss.beta", "model.fusion", "none", "bn_relu"] {
            assert!(text.contains(&format!(">\n{words}\n<")), "{words}");
        }
        let image = codec::decode_bytes(&png(&figure).unwrap(), Path::new("matrix.png")).unwrap().rgb;
        let layout = figure.layout(Room::Screen);
        let [left, top] = layout.corner(0);
        let at = |d: f64, a: f64| image.at((2.0 * (left + a * layout.cell + 3.0)) as usize, (2.0 * (top + d * CELL[1] + 3.0)) as usize);
        assert_eq!([at(1.0, 0.0), at(1.0, 1.0)], [[240, 246, 252], [8, 48, 107]]);
        assert!(at(0.0, 0.0).windows(2).all(|c| c[0] == c[1]), "an incomplete one is grey");
        assert!(at(0.0, 1.0).iter().all(|&c| c >= 224), "no colour of a value");
    }
    #[test]
    fn all_maps_of_a_metric_share_one_range_and_noise_does_not_fill_it() {
        let mut study = example::grid();
        let maps = |study: &Study| Matrix::of(study, &Comparison::of(study)).unwrap();
        let one = maps(&study);
        // Means of image AUROC 71.5, 76.5, 81.5 and 86.5; the deviation over two seeds is that of 0 and 1 point.
        let near = |a: [f64; 2], b: [f64; 2]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(near(one.panels[0].range, [71.5, 86.5]), "{:?}", one.panels[0].range);
        for (i, row) in study.rows.iter_mut().enumerate() {
            row.name = format!("{} · {}", ["first", "second"][i % 2], row.name);
            row.settings.insert("model.stlnet".into(), (i % 2 == 0).into());
        }
        let two = maps(&study);
        assert_eq!(two.panels.len(), 6);
        assert!(near(two.panels[0].range, two.panels[1].range) && near(two.panels[0].range, [71.5, 86.5]));
        assert!(near(range([90.0, 91.0].into_iter(), 4.0), [88.5, 92.5]) && near(range([99.0, 99.5].into_iter(), 4.0), [96.0, 100.0]));
        assert!(
            near(range([50.0, 99.5].into_iter(), 4.0), [50.0, 99.5])
                && pooled(&[]) == 0.0
                && near([pooled(&[3.0, 4.0]); 2], [12.5_f64.sqrt(); 2])
        );
    }

    #[test]
    fn maps_fit_a_column_and_a_number_without_room_is_left_out() {
        let values = [(0..3).map(|v| v.to_string()).collect(), (0..15).map(|v| format!("0.{v:02}")).collect::<Vec<_>>()];
        let cells = vec![vec![Some(Cell { value: 97.25, complete: true }); 15]; 3];
        let panels = vec![Panel { title: "image AUROC, %: a row with a long name".into(), cells, range: [97.0, 98.0] }; 2];
        let keys = ["loss.score.gamma", "loss.score.lambda"].map(String::from);
        let figure = Matrix { title: "t".into(), keys, values, panels, remark: String::new() };
        let room = Room::Print { width: 361.0 };
        let layout = figure.layout(room);
        assert_eq!(figure.size(room).0, 361);
        assert!(layout.corner(1)[0] + 15.0 * layout.cell <= 361.0 && layout.abreast == 1);
        let text = crate::report::plot::svg_print(&figure, crate::report::plot::Print::new(85.0, 8.0).unwrap()).unwrap();
        assert!(!text.contains(">\n97.2\n<") && text.contains(">\n0.00\n<"));
    }
}
