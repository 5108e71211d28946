//! A sheet for a paper: exactly so wide, text in the paper's size, the rows' labels upright at the left; no title, no colour bar and no
//! caption, which stand below the picture in the paper. Pixels only.

use super::sheet::{Case, Sheet, TILE};
use crate::image::draw::{self, BLACK, WHITE};
use crate::image::{Rgb, resize};
use crate::report::label;

const GAP: usize = 8;
const GREY: [u8; 3] = [90; 3];

/// No tile is made larger, px.
const MOST: usize = TILE * 3 / 2;

/// Sizes of everything, px.
struct Look {
    width: usize,
    /// Height of a line of text.
    size: f32,
    line: usize,
    labels: Vec<Vec<String>>,
    /// Width of the labels, and of a tile's square.
    before: usize,
    tile: usize,
    columns: usize,
}

/// The sheet `width` px wide with lines of text `size` px high.
pub fn print(sheet: &Sheet, width: usize, size: f32) -> Rgb {
    let look = Look::of(sheet, width, size);
    let blocks: Vec<Rgb> = sheet
        .sections
        .iter()
        .flat_map(|section| {
            // A heading tells sections apart, and one alone says nothing that the caption does not.
            let heading = (sheet.sections.len() > 1).then(|| look.heading(&section.heading));
            heading.into_iter().chain(section.cases.chunks(look.columns).map(|cases| look.block(cases)))
        })
        .collect();
    let height = blocks.iter().map(|block| block.height).sum::<usize>().max(1);
    let mut canvas = Rgb::filled(width, height, WHITE);
    let mut top = 0;
    for block in &blocks {
        draw::blit(&mut canvas, block, 0, top as i64);
        top += block.height;
    }
    canvas
}

impl Look {
    fn of(sheet: &Sheet, width: usize, size: f32) -> Self {
        let line = draw::text_height(size);
        // As many as have about the size for which tiles are made; then they are stretched to fill the width, as far as they bear it.
        let most = sheet.sections.iter().map(|section| section.cases.len()).max().unwrap_or(1);
        let columns = (width / (TILE + GAP)).clamp(1, most.max(1));
        let square = |before: usize| (width.saturating_sub(before + GAP * columns) / columns).clamp(1, MOST);
        // What is below a row's name, such as ends of colours, stands in the caption too.
        let label = |row: &String| wrapped(row.lines().next().unwrap_or_default(), size, square(2 * line));
        let labels: Vec<Vec<String>> = sheet.rows.iter().map(label).collect();
        let before = line * labels.iter().map(Vec::len).max().unwrap_or(0);
        Self { width, size, line, labels, before, tile: square(before), columns }
    }

    fn heading(&self, words: &str) -> Rgb {
        let lines = wrapped(words, self.size, self.width);
        let mut canvas = Rgb::filled(self.width, self.line * (lines.len() + 1), WHITE);
        for (i, words) in lines.iter().enumerate() {
            draw::text(&mut canvas, 0, (self.line / 2 + i * self.line) as i64, self.size, BLACK, words);
        }
        canvas
    }

    /// Cases beside one another, each under its name and figures.
    fn block(&self, cases: &[Case]) -> Rgb {
        let words = |case: &Case| -> Vec<(String, [u8; 3])> {
            let of = |words: &str, colour: [u8; 3]| wrapped(words, self.size, self.tile).into_iter().map(move |line| (line, colour));
            of(&case.name, BLACK).chain(of(&case.figures, GREY)).collect()
        };
        let words: Vec<Vec<(String, [u8; 3])>> = cases.iter().map(words).collect();
        let head = self.line * words.iter().map(Vec::len).max().unwrap_or(0) + GAP / 2;
        let top = |row: usize| head + row * (self.tile + GAP);
        let mut canvas = Rgb::filled(self.width, top(self.labels.len()), WHITE);
        for (row, lines) in self.labels.iter().enumerate() {
            for (i, words) in lines.iter().enumerate() {
                let upright = draw::upright(words, self.size, BLACK);
                let x = self.before - self.line * (lines.len() - i);
                draw::blit(&mut canvas, &upright, x as i64, top(row) as i64 + (self.tile as i64 - upright.height as i64) / 2);
            }
        }
        for (column, (case, words)) in cases.iter().zip(&words).enumerate() {
            let left = self.before + GAP + column * (self.tile + GAP);
            let first = head - GAP / 2 - self.line * words.len();
            for (i, (line, colour)) in words.iter().enumerate() {
                draw::text(&mut canvas, left as i64, (first + i * self.line) as i64, self.size, *colour, line);
            }
            for (row, tile) in case.tiles.iter().enumerate() {
                let side = |length: usize| (length * self.tile / TILE).max(1);
                let tile = resize::bilinear(tile, side(tile.width), side(tile.height));
                let (x, y) = (left + (self.tile - tile.width) / 2, top(row) + (self.tile - tile.height) / 2);
                draw::blit(&mut canvas, &tile, x as i64, y as i64);
            }
        }
        canvas
    }
}

fn wrapped(words: &str, size: f32, width: usize) -> Vec<String> {
    label::lines(words, |line| draw::text_width(line, size) <= width)
}

#[cfg(test)]
mod tests {
    use super::super::Section;
    use super::*;

    #[test]
    fn a_sheet_fills_its_width_with_every_tile_and_wraps_what_is_long() {
        let case = |n: u8| Case {
            name: format!("bent_tooth_and_more/{n}"),
            figures: "not above 9 of 10 good".into(),
            tiles: (0..2).map(|row| Rgb::filled(TILE, TILE, [n + 1, row, 77])).collect(),
        };
        let section = |count: u8| Section { heading: "a row with a name".into(), cases: (0..count).map(case).collect() };
        let mut sheet = Sheet {
            title: "a title".into(),
            bar: ["map S".into(), "0".into(), "1".into()],
            rows: vec!["image with\nground truth".into(), "a row with a long name".into()],
            sections: vec![section(6)],
            caption: "word ".repeat(300),
        };
        for width in [700, 1004, 2067] {
            let look = Look::of(&sheet, width, 39.0);
            let used = look.before + look.columns * (look.tile + GAP);
            assert!(used <= width && (used + look.columns > width || look.tile == MOST), "{used} of {width}");
            let picture = print(&sheet, width, 39.0);
            assert_eq!(picture.width, width);
            for n in 0..6 {
                for row in 0..2 {
                    let count = picture.data.chunks_exact(3).filter(|p| *p == [n + 1, row, 77]).count();
                    assert_eq!(count, look.tile * look.tile, "tile {n} of row {row}");
                }
            }
        }
        let alone = print(&sheet, 1004, 39.0).height;
        sheet.sections.push(section(1));
        assert!(print(&sheet, 1004, 39.0).height > alone + 4 * 39, "two sections have headings");
    }
}
