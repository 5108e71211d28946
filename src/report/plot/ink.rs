//! How lines and text look.

use plotters::style::RGBColor;

use super::palette;

/// Where a point of text stands: to its right, around it, or to its left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    Left,
    Middle,
    Right,
}

/// Which way text runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    Across,
    /// From below upwards.
    Up,
}

/// How text looks: its size is the em in nominal pixels.
#[derive(Debug, Clone, Copy)]
pub struct Type {
    pub em: f64,
    pub colour: RGBColor,
    pub anchor: Anchor,
    pub run: Run,
}

impl Type {
    /// Black text that starts at its point.
    pub fn of(em: f64) -> Self {
        Self { em, colour: palette::BLACK, anchor: Anchor::Left, run: Run::Across }
    }

    pub fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub fn coloured(self, colour: RGBColor) -> Self {
        Self { colour, ..self }
    }
}

/// How a line looks; its width in nominal pixels.
#[derive(Debug, Clone, Copy)]
pub struct Stroke {
    pub colour: RGBColor,
    pub width: f64,
    /// Lengths of a dash and of the gap after it.
    pub dash: Option<(f64, f64)>,
}

impl Stroke {
    pub fn solid(colour: RGBColor, width: f64) -> Self {
        Self { colour, width, dash: None }
    }

    pub fn dashed(colour: RGBColor, width: f64) -> Self {
        Self { colour, width, dash: Some((7.0, 3.5)) }
    }
}
