//! Metrics over two varied keys: one map of cells a metric, the values printed in the cells.

use plotters::backend::DrawingBackend;
use plotters::style::RGBColor;
use serde_json::Value;

use super::group::{Group, groups};
use super::look::{WHITE, wrapped};
use super::means::sample;
use crate::Result;
use crate::report::plot::frame::{LABEL, REMARK, TICK, remarks, title};
use crate::report::plot::paper::{Anchor, Paper, Run, Stroke, Type, text_width};
use crate::report::plot::{Figure, palette};
use crate::report::spell::{heading, spelled};
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
    /// Complete values at the pale and at the dark end; not finite where there is none.
    pub range: [f64; 2],
}

/// A mean that is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    pub value: f64,
    pub complete: bool,
}

const MARGIN: f64 = 20.0;
const TOP: f64 = 44.0;
const CELL: [f64; 2] = [58.0, 34.0];
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
        let panel = |name: &String, group: &Group| {
            let cell = |a: &Value, b: &Value| {
                let is = |row: usize, key: &str, value: &Value| study.rows[row].settings.get(key) == Some(value);
                let row = group.rows.iter().find(|&&row| is(row, &down.key, a) && is(row, &across.key, b))?;
                let figure = comparison.lines.get(*row)?.figures.get(name)?;
                Some(Cell { value: 100.0 * figure.mean?, complete: figure.complete })
            };
            let cells: Vec<Vec<Option<Cell>>> = down.values.iter().map(|a| across.values.iter().map(|b| cell(a, b)).collect()).collect();
            let values = || cells.iter().flatten().flatten().filter(|c| c.complete).map(|c| c.value);
            let range = [values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max)];
            let of = if groups.len() > 1 { format!(": {}", group.name) } else { String::new() };
            Panel { title: format!("{}, %{of}", heading(name)), cells, range }
        };
        let panels = comparison.metrics.iter().flat_map(|name| groups.iter().map(move |group| panel(name, group)));
        let panels: Vec<Panel> = panels.filter(|p| p.cells.iter().flatten().any(Option::is_some)).collect();
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
        remark += " Each map has its own range of colours, from its least to its greatest complete value.";
        let names = |values: &[Value]| values.iter().map(spelled).collect();
        Some(Self {
            title: format!("{}: {} and {}", study.title, down.key, across.key),
            keys: [down.key.clone(), across.key.clone()],
            values: [names(&down.values), names(&across.values)],
            panels,
            remark,
        })
    }

    fn layout(&self) -> Layout {
        let widest = |values: &[String]| values.iter().map(|v| text_width(v, TICK)).fold(0.0, f64::max);
        let cell = CELL[0].max(widest(&self.values[1]) + 12.0);
        let before = widest(&self.values[0]) + 34.0;
        let width_of = |panel: &Panel| (cell * self.values[1].len() as f64).max(text_width(&panel.title, LABEL));
        let panel = before + self.panels.iter().map(width_of).fold(0.0, f64::max) + APART;
        let high = CELL[1] * self.values[0].len() as f64;
        // Beside one another as far as 900 px reach.
        let abreast = ((900.0 / panel) as usize).clamp(1, self.panels.len());
        let width = (2.0 * MARGIN + abreast as f64 * panel - APART).max(2.0 * MARGIN + text_width(&self.title, 14.0)).max(480.0);
        let band = 26.0 + high + 82.0;
        let lines = wrapped(&self.remark, REMARK, width - 2.0 * MARGIN);
        let height = TOP + self.panels.len().div_ceil(abreast) as f64 * band + 14.0 * lines.len() as f64 + 14.0;
        Layout { cell, before, panel, high, abreast, band, width, lines, height }
    }
}

struct Layout {
    cell: f64,
    before: f64,
    panel: f64,
    high: f64,
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
        [MARGIN + across as f64 * self.panel + self.before, TOP + down as f64 * self.band + 26.0]
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
    fn size(&self) -> (u32, u32) {
        let layout = self.layout();
        (layout.width.ceil() as u32, layout.height.ceil() as u32)
    }

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        let layout = self.layout();
        title(paper, MARGIN, &self.title)?;
        for (index, panel) in self.panels.iter().enumerate() {
            self.draw_panel(paper, &layout, layout.corner(index), panel)?;
        }
        remarks(paper, [MARGIN, layout.height - 12.0], &layout.lines)
    }
}

impl Matrix {
    fn draw_panel<B: DrawingBackend>(&self, paper: &mut Paper<B>, layout: &Layout, [left, top]: [f64; 2], panel: &Panel) -> Result<()> {
        let middle = Type::of(TICK).anchored(Anchor::Middle);
        let wide = layout.cell * self.values[1].len() as f64;
        paper.text([left, top - 9.0], &panel.title, Type::of(LABEL))?;
        for (d, cells) in panel.cells.iter().enumerate() {
            for (a, cell) in cells.iter().enumerate() {
                let corner = [left + a as f64 * layout.cell, top + d as f64 * CELL[1]];
                draw_cell(paper, corner, layout.cell, *cell, panel.range)?;
            }
        }
        for (d, value) in self.values[0].iter().enumerate() {
            let y = top + CELL[1] * (d as f64 + 0.5) + 0.36 * TICK;
            paper.text([left - 7.0, y], value, Type::of(TICK).anchored(Anchor::Right))?;
        }
        for (a, value) in self.values[1].iter().enumerate() {
            paper.text([left + layout.cell * (a as f64 + 0.5), top + layout.high + 16.0], value, middle)?;
        }
        let [down, across] = &self.keys;
        paper.text([left + wide / 2.0, top + layout.high + 33.0], across, Type { em: LABEL, ..middle })?;
        paper.text([left - layout.before + 12.0, top + layout.high / 2.0], down, Type { em: LABEL, run: Run::Up, ..middle })?;
        draw_bar(paper, [left, top + layout.high + 46.0], wide, panel.range)
    }
}

fn draw_cell<B: DrawingBackend>(
    paper: &mut Paper<B>,
    [x, y]: [f64; 2],
    width: f64,
    cell: Option<Cell>,
    [low, high]: [f64; 2],
) -> Result<()> {
    let end = [x + width - 1.0, y + CELL[1] - 1.0];
    let middle = [x + width / 2.0, y + CELL[1] / 2.0 + 0.36 * TICK];
    let look = Type::of(TICK).anchored(Anchor::Middle);
    let Some(Cell { value, complete }) = cell else {
        let hatch = Stroke::solid(palette::PALE, 1.0);
        let mut from = x;
        while from < end[0] {
            let length = (CELL[1] - 1.0).min(end[0] - from);
            paper.line(&[[from, end[1]], [from + length, end[1] - length]], hatch)?;
            from += 8.0;
        }
        return paper.text(middle, "—", look.coloured(palette::GREY));
    };
    if !complete {
        paper.rect([x, y], end, palette::PALE, 1.0)?;
        return paper.text(middle, &format!("{value:.1}*"), look.coloured(palette::GREY));
    }
    let colour = shade(if high > low { (value - low) / (high - low) } else { 0.5 });
    paper.rect([x, y], end, colour, 1.0)?;
    paper.text(middle, &format!("{value:.1}"), look.coloured(ink(colour)))
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
        let layout = figure.layout();
        let [left, top] = layout.corner(0);
        let at = |d: f64, a: f64| image.at((2.0 * (left + a * layout.cell + 3.0)) as usize, (2.0 * (top + d * CELL[1] + 3.0)) as usize);
        assert_eq!([at(1.0, 0.0), at(1.0, 1.0)], [[240, 246, 252], [8, 48, 107]]);
        assert!(at(0.0, 0.0).windows(2).all(|c| c[0] == c[1]), "an incomplete one is grey");
        assert!(at(0.0, 1.0).iter().all(|&c| c >= 224), "no colour of a value");
    }
}
