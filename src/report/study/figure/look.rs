//! What the figures of a study share: signs of rows, captions in lines.

use plotters::backend::DrawingBackend;
use plotters::style::RGBColor;

use crate::Result;
use crate::report::label::{self, Shortened};
use crate::report::plot::frame::{LABEL, LEGEND_LINE};
use crate::report::plot::palette;
use crate::report::plot::paper::{Anchor, Paper, Stroke, Type, text_width};
use crate::sweep::Study;

/// White paper.
pub const WHITE: RGBColor = RGBColor(255, 255, 255);

/// Of the runs' mean where all rows look alike.
pub const OURS: RGBColor = palette::BLUE;

/// The outline of a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    /// A triangle that stands on its tip.
    Wedge,
    Bar,
}

/// A full sign stands for complete figures, an open one for what is incomplete or published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    Full,
    Open,
}

/// A mark at a value; the radius in nominal pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sign {
    pub shape: Shape,
    pub colour: RGBColor,
    pub fill: Fill,
    pub radius: f64,
}

const COLOURS: [RGBColor; 7] =
    [palette::BLUE, palette::VERMILLION, palette::GREEN, palette::ORANGE, palette::PURPLE, palette::SKY, palette::BLACK];
const SHAPES: [Shape; 6] = [Shape::Circle, Shape::Square, Shape::Triangle, Shape::Diamond, Shape::Wedge, Shape::Bar];

impl Sign {
    /// The mean of runs.
    pub const MEAN: Self = Self { shape: Shape::Circle, colour: OURS, fill: Fill::Full, radius: 4.5 };

    /// The mean of the runs that are finished, where others are missing.
    pub const INCOMPLETE: Self = Self { fill: Fill::Open, ..Self::MEAN };

    /// One seed.
    pub const SEED: Self = Self { shape: Shape::Circle, colour: RGBColor(150, 190, 215), fill: Fill::Full, radius: 2.25 };

    /// The paper's figure.
    pub const PUBLISHED: Self = Self { shape: Shape::Diamond, colour: palette::BLACK, fill: Fill::Open, radius: 4.5 };

    /// The sign of a row among others: colour and shape together are unique up to 42 rows, each alone up to 7 and 6.
    pub fn of_row(row: usize) -> Self {
        Self { shape: SHAPES[row % SHAPES.len()], colour: COLOURS[row % COLOURS.len()], fill: Fill::Full, radius: 3.75 }
    }

    pub fn filled(self, fill: Fill) -> Self {
        Self { fill, ..self }
    }

    /// Draws the sign with a thin white edge, so that signs that overlap stay apart.
    pub fn draw<B: DrawingBackend>(self, paper: &mut Paper<B>, at: [f64; 2]) -> Result<()> {
        let Self { colour, radius, .. } = self;
        self.body(paper, at, radius + 0.75, WHITE)?;
        self.body(paper, at, radius, colour)?;
        match self.fill {
            Fill::Full => Ok(()),
            Fill::Open => self.body(paper, at, radius - 1.5, WHITE),
        }
    }

    fn body<B: DrawingBackend>(self, paper: &mut Paper<B>, [x, y]: [f64; 2], r: f64, colour: RGBColor) -> Result<()> {
        // All of about the same area.
        let corners: Vec<[f64; 2]> = match self.shape {
            Shape::Circle => return paper.dot([x, y], r, colour),
            Shape::Square => vec![[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]],
            Shape::Triangle => vec![[0.0, -1.3], [1.2, 0.8], [-1.2, 0.8]],
            Shape::Diamond => vec![[0.0, -1.3], [1.3, 0.0], [0.0, 1.3], [-1.3, 0.0]],
            Shape::Wedge => vec![[0.0, 1.3], [1.2, -0.8], [-1.2, -0.8]],
            Shape::Bar => vec![[-0.5, -1.3], [0.5, -1.3], [0.5, 1.3], [-0.5, 1.3]],
        };
        let corners: Vec<[f64; 2]> = corners.into_iter().map(|[u, v]| [x + r * u, y + r * v]).collect();
        paper.area(&corners, colour, 1.0)
    }
}

/// Lines of at most `width` nominal pixels.
pub fn wrapped(words: &str, em: f64, width: f64) -> Vec<String> {
    label::lines(words, |line| text_width(line, em) <= width)
}

/// The same in as few lines, of about the same length.
pub fn balanced(words: &str, em: f64, width: f64) -> Vec<String> {
    let mut lines = wrapped(words, em, width);
    let mut room = width;
    while lines.len() > 1 {
        // A little less than the longest needs.
        room = widest(&lines, em).min(room) - 0.5;
        let narrower = wrapped(words, em, room);
        let whole = narrower.iter().all(|line| text_width(line, em) <= room && words.contains(line.as_str()));
        if narrower.len() > lines.len() || !whole || breaks_words(words, &narrower) {
            break;
        }
        lines = narrower;
    }
    lines
}

/// Whether a line ends within a word.
fn breaks_words(words: &str, lines: &[String]) -> bool {
    lines.iter().map(|line| line.split_whitespace().count()).sum::<usize>() > words.split_whitespace().count()
}

/// Width of the longest line, nominal pixels.
pub fn widest<'a>(lines: impl IntoIterator<Item = &'a String>, em: f64) -> f64 {
    lines.into_iter().map(|line| text_width(line, em)).fold(0.0, f64::max)
}

/// The names of all rows without what they share.
pub fn names(study: &Study) -> Shortened {
    label::shortened(&study.rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>())
}

/// A remark with what is left out of the names.
pub fn with_shared(remark: &str, names: &Shortened) -> String {
    [remark.trim(), &names.said()].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ")
}

/// An entry of a key: a sign, a line, or the number that stands for a long name.
#[derive(Debug, Clone, Copy)]
pub enum Entry {
    Sign(Sign),
    /// A sign on its interval.
    Interval(Sign),
    Line(Stroke),
    /// A line within its band.
    Band(Stroke),
    Number(usize),
}

const SWATCH: f64 = 26.0;
const APART: f64 = 22.0;

/// One entry in its place: lines of words, and the upper left corner.
struct Placed {
    lines: Vec<String>,
    at: [f64; 2],
}

/// The entries of a key that flows over lines of `width` nominal pixels, and its height. Words that are too long for a line are wrapped.
fn flow(entries: &[(Entry, String)], width: f64) -> (Vec<Placed>, f64) {
    let (mut x, mut top, mut below, mut placed) = (0.0, 0.0, 0.0_f64, vec![]);
    let mut last_is_number = false;
    for (entry, words) in entries {
        let lines = wrapped(words, LABEL, width - SWATCH - 6.0);
        let needed = SWATCH + 6.0 + widest(&lines, LABEL);
        let is_number = matches!(entry, Entry::Number(_));
        // Names stand apart from signs.
        if x > 0.0 && (x + needed > width || is_number != last_is_number) {
            (x, top) = (0.0, below);
        }
        below = below.max(top + LEGEND_LINE * lines.len().max(1) as f64);
        placed.push(Placed { lines, at: [x, top] });
        x += needed + APART;
        last_is_number = is_number;
    }
    (placed, below)
}

/// Height of a key, nominal pixels.
pub fn key_height(entries: &[(Entry, String)], width: f64) -> f64 {
    flow(entries, width).1
}

/// Draws a key downwards from its upper left corner.
pub fn key<B: DrawingBackend>(paper: &mut Paper<B>, [left, top]: [f64; 2], width: f64, entries: &[(Entry, String)]) -> Result<()> {
    for ((entry, _), Placed { lines, at: [x, y] }) in entries.iter().zip(flow(entries, width).0) {
        let (x, y) = (left + x, top + y + 0.5 * LEGEND_LINE);
        let across = [[x, y], [x + SWATCH, y]];
        match *entry {
            Entry::Sign(sign) => sign.draw(paper, [x + SWATCH / 2.0, y])?,
            Entry::Interval(sign) => {
                paper.line(&across, Stroke::solid(sign.colour, 1.75))?;
                sign.draw(paper, [x + SWATCH / 2.0, y])?;
            }
            Entry::Line(stroke) => paper.line(&across, stroke)?,
            Entry::Band(stroke) => {
                paper.rect([x, y - 5.0], [x + SWATCH, y + 5.0], palette::tint(stroke.colour, 0.75), 1.0)?;
                paper.line(&across, stroke)?;
            }
            Entry::Number(number) => {
                let look = Type::of(LABEL).anchored(Anchor::Right);
                paper.text([x + SWATCH - 3.0, y + 0.36 * LABEL], &number.to_string(), look)?;
            }
        }
        for (i, line) in lines.iter().enumerate() {
            paper.text([x + SWATCH + 6.0, y + 0.36 * LABEL + LEGEND_LINE * i as f64], line, Type::of(LABEL))?;
        }
    }
    Ok(())
}

/// Two strokes across the lower left end of a horizontal axis: it does not start at zero.
pub fn cut_across<B: DrawingBackend>(paper: &mut Paper<B>, [x, y]: [f64; 2]) -> Result<()> {
    paper.rect([x + 4.5, y - 1.5], [x + 9.5, y + 1.5], WHITE, 1.0)?;
    [x + 4.5, x + 9.5]
        .into_iter()
        .try_for_each(|x| paper.line(&[[x - 2.0, y + 5.0], [x + 2.0, y - 5.0]], Stroke::solid(palette::BLACK, 1.0)))
}

/// The same on a vertical axis.
pub fn cut_up<B: DrawingBackend>(paper: &mut Paper<B>, [x, y]: [f64; 2]) -> Result<()> {
    paper.rect([x - 1.5, y - 9.5], [x + 1.5, y - 4.5], WHITE, 1.0)?;
    [y - 4.5, y - 9.5]
        .into_iter()
        .try_for_each(|y| paper.line(&[[x - 5.0, y + 2.0], [x + 5.0, y - 2.0]], Stroke::solid(palette::BLACK, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_of_forty_rows_look_alike_and_neighbours_differ_in_colour_and_shape() {
        let signs: Vec<Sign> = (0..40).map(Sign::of_row).collect();
        for (i, a) in signs.iter().enumerate() {
            assert!(signs[..i].iter().all(|b| (a.shape, a.colour) != (b.shape, b.colour)));
        }
        assert!(signs.windows(2).all(|w| w[0].shape != w[1].shape && w[0].colour != w[1].colour));
    }

    #[test]
    fn a_key_flows_within_its_width_and_no_entry_touches_another() {
        let entries: Vec<_> = (0..12).map(|i| (Entry::Sign(Sign::of_row(i)), format!("+ a row with a long name {i}"))).collect();
        let (placed, height) = flow(&entries, 500.0);
        assert!(height > 3.0 * LEGEND_LINE && key_height(&entries, 500.0) == height);
        for (pair, names) in placed.windows(2).zip(entries.windows(2)) {
            let end = pair[0].at[0] + SWATCH + text_width(&names[0].1, LABEL);
            assert!(end <= 500.0 && (pair[1].at[1] > pair[0].at[1] || pair[1].at[0] > end));
        }
        assert_eq!(key_height(&[], 100.0), 0.0);
    }

    #[test]
    fn words_that_are_too_long_for_a_key_are_wrapped_and_the_next_entry_stands_below_them() {
        let entries = [(Entry::Number(1), "a name of many words ".repeat(5)), (Entry::Number(2), "another".to_owned())];
        let (placed, height) = flow(&entries, 200.0);
        assert!(placed[0].lines.len() > 2 && widest(&placed[0].lines, LABEL) <= 200.0 - SWATCH - 6.0);
        assert_eq!(placed[1].at, [0.0, LEGEND_LINE * placed[0].lines.len() as f64]);
        assert_eq!(height, LEGEND_LINE * (placed[0].lines.len() + 1) as f64);
    }
    #[test]
    fn balanced_lines_are_as_few_and_no_word_is_broken_for_it() {
        let width = text_width("image AUROC,", LABEL) + 1.0;
        assert_eq!(wrapped("image AUROC, %", LABEL, width), ["image AUROC,", "%"]);
        assert_eq!(balanced("image AUROC, %", LABEL, width), ["image", "AUROC, %"]);
        assert_eq!(balanced("gear, %", LABEL, 500.0), ["gear, %"]);
        assert!(balanced("", LABEL, 500.0).is_empty());
        let long = "self-calibration and a score-constraint";
        let (plain, even) = (wrapped(long, LABEL, 120.0), balanced(long, LABEL, 120.0));
        assert!(plain.len() == even.len() && even.join(" ") == long && widest(&even, LABEL) <= widest(&plain, LABEL), "{plain:?} {even:?}");
    }
}
