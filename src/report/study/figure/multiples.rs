//! Small plots beside and below one another: three on a screen, as many as a column holds in print.

use plotters::backend::DrawingBackend;

use super::look::{Entry, balanced, key, key_height, widest, wrapped};
use crate::Result;
use crate::report::plot::Room;
use crate::report::plot::frame::{LABEL, REMARK, remarks, title};
use crate::report::plot::paper::{Paper, Type, text_width};

/// What all plots of a figure are like, nominal pixels.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Width and height of a plot on a screen.
    pub screen: [f64; 2],
    /// Least width in print.
    pub narrow: f64,
    /// Height of a plot in print, as a share of its width.
    pub ratio: f64,
    /// Ticks and title of an axis to the left, in print, and below.
    pub before: f64,
    pub below: f64,
}

/// What stands around the plots.
pub struct Words<'a> {
    pub title: &'a str,
    pub entries: Vec<(Entry, String)>,
    pub remark: &'a str,
}

/// Their places.
#[derive(Debug, Clone)]
pub struct Multiples {
    margin: f64,
    before: f64,
    wide: f64,
    high: f64,
    abreast: usize,
    /// Upper edges of the bands' plots, and the lower edge of the last band.
    tops: Vec<f64>,
    /// Lines of the name above each plot.
    pub names: Vec<Vec<String>>,
    /// Of the whole figure.
    pub width: f64,
}

/// What an axis needs to the left of a plot on a screen, and its last tick to the right.
const BEFORE: f64 = 66.0;
const AFTER: f64 = 12.0;
const TOP: f64 = 36.0;
/// A long name begins so far to the right of what an axis needs.
const INDENT: f64 = 12.0;
const LINE: f64 = 15.0;
const ABREAST: [usize; 2] = [3, 5];

impl Multiples {
    /// Draws a figure of such plots: its title, and above each plot its name; `plot` draws the plot of that number at its place; then the key
    /// and the small print.
    pub fn draw<B: DrawingBackend>(
        &self,
        paper: &mut Paper<B>,
        words: &Words,
        mut plot: impl FnMut(&mut Paper<B>, usize, [f64; 4]) -> Result<()>,
    ) -> Result<()> {
        title(paper, self.margin, words.title)?;
        for (index, name) in self.names.iter().enumerate() {
            for (line, words) in name.iter().enumerate() {
                paper.text(self.name_at(index, line), words, Type::of(LABEL))?;
            }
            plot(paper, index, self.plot(index))?;
        }
        let (lines, height) = self.below(paper.room(), words.remark, &words.entries);
        key(paper, [self.margin, self.bottom()], self.width - 2.0 * self.margin, &words.entries)?;
        remarks(paper, [self.margin, height - 12.0], &lines)
    }

    /// Width and height of the whole figure.
    pub fn size(&self, room: Room, words: &Words) -> (u32, u32) {
        (self.width.ceil() as u32, self.below(room, words.remark, &words.entries).1.ceil() as u32)
    }

    /// A remark in lines of small print, and the height of the whole figure with it and with a key of these entries.
    fn below(&self, room: Room, remark: &str, entries: &[(Entry, String)]) -> (Vec<String>, f64) {
        let inner = self.width - 2.0 * self.margin();
        let lines = wrapped(remark, REMARK, inner);
        let small_print = room.either(14.0 * lines.len() as f64 + 20.0, 2.0);
        (lines, self.bottom() + key_height(entries, inner) + small_print)
    }

    /// The places of plots under these names, which may be empty, and under a title.
    pub fn of(room: Room, names: &[String], title: &str, shape: Shape) -> Self {
        let margin = room.margin();
        let before = room.either(BEFORE, shape.before);
        let inner = room.width(0.0) - 2.0 * margin - before - AFTER;
        let sizes = [shape.screen[0], shape.narrow, before + AFTER];
        let (abreast, wide) = room.abreast(inner, sizes, [names.len(), room.either(ABREAST[0], ABREAST[1])]);
        let high = room.either(shape.screen[1], shape.ratio * wide);
        let panels = 2.0 * margin + abreast as f64 * (before + wide + AFTER);
        let width = room.width(panels.max(2.0 * margin + text_width(title, 14.0)).max(480.0));
        let names: Vec<Vec<String>> = names.iter().map(|name| balanced(name, LABEL, wide + before - INDENT)).collect();
        let mut tops = vec![];
        let mut bottom = room.either(TOP, 0.0);
        for band in names.chunks(abreast) {
            let lines = band.iter().map(Vec::len).max().unwrap_or(0);
            tops.push(bottom + 11.0 + LINE * lines as f64);
            bottom = tops[tops.len() - 1] + high + shape.below;
        }
        tops.push(bottom);
        Self { margin, before, wide, high, abreast, tops, names, width }
    }

    /// Left, top, right and bottom of a plot.
    pub fn plot(&self, index: usize) -> [f64; 4] {
        let left = self.margin + (index % self.abreast) as f64 * (self.before + self.wide + AFTER) + self.before;
        let top = self.tops[index / self.abreast];
        [left, top, left + self.wide, top + self.high]
    }

    /// Where each line of a plot's name begins.
    pub fn name_at(&self, index: usize, line: usize) -> [f64; 2] {
        let [left, top, ..] = self.plot(index);
        let after = self.names[index].len() - 1 - line;
        // Over the ticks, so that long names have room: all of them, so that they stand alike.
        let indent = if self.names.iter().any(|lines| widest(lines, LABEL) > self.wide) { self.before - INDENT } else { 0.0 };
        [left - indent, top - 10.0 - LINE * after as f64]
    }

    /// Lower edge of all plots.
    pub fn bottom(&self) -> f64 {
        self.tops[self.tops.len() - 1] + 4.0
    }

    pub fn margin(&self) -> f64 {
        self.margin
    }
}

/// As much of a key's end as fits into a width: whole parts, the last in any case. The caption names the whole key.
pub fn short_key(key: &str, width: f64) -> &str {
    let starts = std::iter::once(0).chain(key.match_indices('.').map(|(at, _)| at + 1));
    let mut ends = starts.map(|at| &key[at..]).filter(|end| !end.is_empty());
    let last = key.rsplit('.').find(|part| !part.is_empty()).unwrap_or(key);
    ends.find(|end| text_width(end, LABEL) <= width).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { screen: [200.0, 130.0], narrow: 80.0, ratio: 0.7, before: 60.0, below: 46.0 };

    #[test]
    fn plots_and_names_stand_within_the_width_and_none_overlaps_another() {
        let names: Vec<String> = (0..7).map(|i| format!("{i} a name of several words, 0 steps ").repeat(1 + i % 2)).collect();
        for room in [Room::Screen, Room::Print { width: 361.0 }, Room::Print { width: 744.0 }, Room::Print { width: 220.0 }] {
            let places = Multiples::of(room, &names, "a title", SHAPE);
            let plots: Vec<[f64; 4]> = (0..7).map(|i| places.plot(i)).collect();
            assert!(
                plots.iter().all(|p| p[2] + AFTER <= places.width && p[3] + 46.0 <= places.bottom() && p[0] >= 60.0),
                "{room:?} {plots:?}"
            );
            for (i, a) in plots.iter().enumerate() {
                let [x, y] = places.name_at(i, 0);
                assert!(x >= 0.0 && y >= 10.0 && x + widest(&places.names[i], LABEL) <= places.width);
                for b in &plots[..i] {
                    assert!(a[0] >= b[2] || b[0] >= a[2] || a[1] >= b[3] || b[1] >= a[3]);
                    assert!(y - 11.0 >= b[3] || a[1] <= b[1] + 1.0, "a name stands below the plots above it");
                }
            }
        }
    }

    #[test]
    fn a_key_is_cut_at_its_dots_alone() {
        assert_eq!(short_key("loss.score.gamma", 1000.0), "loss.score.gamma");
        assert_eq!(short_key("loss.score.gamma", text_width("score.gamma", LABEL)), "score.gamma");
        assert_eq!(short_key("loss.score.gamma", 1.0), "gamma");
    }
}
