//! Axes with their grid, and legends beside them.

use plotters::backend::DrawingBackend;

use super::palette;
use super::paper::{Anchor, Paper, Run, Stroke, Type, text_width};
use super::scale::{Scale, Tick};
use crate::Result;

/// Sizes of text, em in nominal pixels.
pub const TITLE: f64 = 14.0;
pub use super::room::LABEL;
pub const TICK: f64 = 11.0;
pub const REMARK: f64 = 10.0;

/// Height of a line of a legend.
pub const LEGEND_LINE: f64 = 18.0;

/// One axis: what it shows, its range and its marks.
pub struct Axis<'a> {
    pub title: &'a str,
    pub scale: Scale,
    pub ticks: Vec<Tick>,
}

impl<'a> Axis<'a> {
    pub fn new(title: &'a str, scale: Scale) -> Self {
        Self { title, scale, ticks: scale.ticks(6) }
    }

    /// An axis of counts.
    pub fn whole(title: &'a str, scale: Scale) -> Self {
        Self { title, scale, ticks: scale.whole_ticks(8) }
    }

    /// An axis of rates, all of 0..=1.
    pub fn rate(title: &'a str) -> Self {
        let scale = Scale::Linear { low: 0.0, high: 1.0 };
        Self { title, scale, ticks: scale.ticks(5) }
    }
}

/// A rectangle, in nominal pixels, on which values have their places.
pub struct Frame<'a> {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
    pub x: Axis<'a>,
    pub y: Axis<'a>,
}

impl Frame<'_> {
    /// The place of a pair of values.
    pub fn at(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let (across, up) = (self.x.scale.place(x), self.y.scale.place(y));
        [self.left + across * (self.right - self.left), self.bottom - up * (self.bottom - self.top)]
    }

    /// Axes, ticks, grid and titles.
    pub fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
        let (grid, axis) = (Stroke::solid(palette::PALE, 0.75), Stroke::solid(palette::BLACK, 1.0));
        let Self { left, top, right, bottom, .. } = *self;
        // At least so wide that titles of frames above one another stand in one line.
        let mut widest = 34.0_f64;
        for Tick { at, label } in &self.y.ticks {
            let y = bottom - self.y.scale.place(*at) * (bottom - top);
            if let Some(label) = label {
                if y < bottom - 0.5 {
                    paper.line(&[[left, y], [right, y]], grid)?;
                }
                paper.text([left - 8.0, y + 0.36 * TICK], label, Type::of(TICK).anchored(Anchor::Right))?;
                widest = widest.max(text_width(label, TICK));
            }
            paper.line(&[[left - if label.is_some() { 5.0 } else { 3.0 }, y], [left, y]], axis)?;
        }
        for Tick { at, label } in &self.x.ticks {
            let x = left + self.x.scale.place(*at) * (right - left);
            if let Some(label) = label {
                if x > left + 0.5 {
                    paper.line(&[[x, top], [x, bottom]], grid)?;
                }
                paper.text([x, bottom + 8.0 + 0.8 * TICK], label, Type::of(TICK).anchored(Anchor::Middle))?;
            }
            paper.line(&[[x, bottom], [x, bottom + if label.is_some() { 5.0 } else { 3.0 }]], axis)?;
        }
        paper.line(&[[left, top], [left, bottom], [right, bottom]], axis)?;
        let title = Type::of(LABEL).anchored(Anchor::Middle);
        paper.text([(left + right) / 2.0, bottom + 36.0], self.x.title, title)?;
        paper.text([left - 16.0 - widest, (top + bottom) / 2.0], self.y.title, Type { run: Run::Up, ..title })
    }

    /// A line through pairs of values.
    pub fn curve<B: DrawingBackend>(&self, paper: &mut Paper<B>, values: &[[f64; 2]], stroke: Stroke) -> Result<()> {
        let points: Vec<[f64; 2]> = values.iter().map(|&v| self.at(v)).collect();
        paper.line(&points, stroke)
    }

    /// Words in the middle of a frame that has nothing to show.
    pub fn instead<B: DrawingBackend>(&self, paper: &mut Paper<B>, words: &str) -> Result<()> {
        let look = Type::of(LABEL).anchored(Anchor::Middle).coloured(palette::GREY);
        paper.text([(self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0], words, look)
    }
}

/// What stands before the words of a legend's line.
#[derive(Debug, Clone, Copy)]
pub enum Swatch {
    Line(Stroke),
    /// A line over a paler area of its colour and this opacity.
    Area(Stroke, f64),
}

/// Lines of a legend downwards from the upper left corner `at`.
pub fn legend<B: DrawingBackend>(paper: &mut Paper<B>, at: [f64; 2], lines: &[(Swatch, String)]) -> Result<()> {
    const SWATCH: f64 = 26.0;
    for (i, (swatch, words)) in lines.iter().enumerate() {
        let (x, y) = (at[0], at[1] + LEGEND_LINE * (i as f64 + 0.5));
        match *swatch {
            Swatch::Line(stroke) => paper.line(&[[x, y], [x + SWATCH, y]], stroke)?,
            Swatch::Area(stroke, opacity) => {
                paper.rect([x, y - 5.0], [x + SWATCH, y + 5.0], stroke.colour, opacity)?;
                paper.line(&[[x, y - 5.0], [x + SWATCH, y - 5.0]], stroke)?;
            }
        }
        paper.text([x + SWATCH + 7.0, y + 0.36 * LABEL], words, Type::of(LABEL))?;
    }
    Ok(())
}

/// A figure's title at its upper left corner; in a paper the caption has it.
pub fn title<B: DrawingBackend>(paper: &mut Paper<B>, left: f64, words: &str) -> Result<()> {
    if !paper.room().is_screen() {
        return Ok(());
    }
    paper.text([left, 24.0], words, Type::of(TITLE))
}

/// Grey lines of small print that end at `bottom`; in a paper the caption has them.
pub fn remarks<B: DrawingBackend>(paper: &mut Paper<B>, [left, bottom]: [f64; 2], lines: &[String]) -> Result<()> {
    if !paper.room().is_screen() {
        return Ok(());
    }
    let look = Type::of(REMARK).coloured(palette::GREY);
    let line = |i: usize| bottom - 14.0 * (lines.len() - 1 - i) as f64;
    lines.iter().enumerate().try_for_each(|(i, words)| paper.text([left, line(i)], words, look))
}
