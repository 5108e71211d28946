//! The sheet that the panels stand on: a header with the colour bar, sections of tiles, a caption. Pixels only.

use crate::image::draw::{self, BLACK, WHITE};
use crate::image::{Rgb, draw::text_width};
use crate::report::spell;

/// Side of the square that an image is fitted into, px.
pub const TILE: usize = 208;

const GAP: usize = 8;
const MARGIN: usize = 20;

/// Least and greatest width of the rows' labels.
const LABELS: [usize; 2] = [118, 230];

/// Columns of a full row: three kinds of defects with three images each.
const COLUMNS: usize = 9;

/// Columns that the text needs at least.
const LEAST_COLUMNS: usize = 4;

const TITLE_PX: f32 = 26.0;
const HEADING_PX: f32 = 20.0;
const TEXT_PX: f32 = 16.0;
const LINE: usize = 22;
const GREY: [u8; 3] = [90; 3];
const PALE: [u8; 3] = [236; 3];

/// One image: a name, a line of figures, and its tiles from above down, each at most [`TILE`] px in both directions.
pub struct Case {
    pub name: String,
    pub figures: String,
    pub tiles: Vec<Rgb>,
}

/// Cases under a heading.
pub struct Section {
    pub heading: String,
    pub cases: Vec<Case>,
}

/// Everything on the sheet.
pub struct Sheet {
    pub title: String,
    /// What the colour bar belongs to, its lower and its upper end.
    pub bar: [String; 3],
    /// What each row of tiles shows; a line break is kept, and what is too long is broken between words.
    pub rows: Vec<String>,
    pub sections: Vec<Section>,
    pub caption: String,
}

impl Sheet {
    /// The sheet as a picture.
    pub fn draw(&self) -> Rgb {
        let most = self.sections.iter().map(|s| s.cases.len()).max().unwrap_or(0);
        let columns = most.clamp(LEAST_COLUMNS, COLUMNS);
        let width = 2 * MARGIN + self.labels() + columns * (TILE + GAP) - GAP;
        let caption = wrapped(&self.caption, TEXT_PX, width - 2 * MARGIN);
        let block = 2 * LINE + self.rows.len() * (TILE + GAP) + GAP;
        let blocks = |s: &Section| s.cases.len().div_ceil(columns);
        let section = |s: &Section| 44 + blocks(s) * block;
        let header = MARGIN + 44 + 30;
        let height = header + self.sections.iter().map(section).sum::<usize>() + 14 + caption.len() * LINE + MARGIN;

        let mut canvas = Rgb::filled(width, height, WHITE);
        let title = draw::fitted(&self.title, TITLE_PX, width - 2 * MARGIN);
        write(&mut canvas, MARGIN, MARGIN, TITLE_PX, BLACK, &title);
        self.draw_bar(&mut canvas, MARGIN + 44);
        let mut top = header;
        for s in &self.sections {
            draw::fill_rect(&mut canvas, MARGIN as i64, (top + 8) as i64, width - 2 * MARGIN, 1, GREY);
            write(&mut canvas, MARGIN, top + 14, HEADING_PX, BLACK, &draw::fitted(&s.heading, HEADING_PX, width - 2 * MARGIN));
            top += 44;
            for row in s.cases.chunks(columns) {
                self.draw_row(&mut canvas, top, row);
                top += block;
            }
        }
        for (i, line) in caption.iter().enumerate() {
            write(&mut canvas, MARGIN, top + 14 + i * LINE, TEXT_PX, GREY, line);
        }
        canvas
    }

    /// Width of the rows' labels.
    fn labels(&self) -> usize {
        let widest = self.rows.iter().flat_map(|label| label.lines()).map(|line| text_width(line, TEXT_PX) + GAP).max();
        widest.unwrap_or(0).clamp(LABELS[0], LABELS[1])
    }

    fn draw_bar(&self, canvas: &mut Rgb, top: usize) {
        const LENGTH: usize = 240;
        let [name, low, high] = &self.bar;
        let mut x = MARGIN;
        for (words, after) in [(name, 14), (low, 8)] {
            write(canvas, x, top, TEXT_PX, BLACK, words);
            x += text_width(words, TEXT_PX) + after;
        }
        for i in 0..LENGTH {
            draw::fill_rect(canvas, (x + i) as i64, top as i64 + 1, 1, 16, draw::heat(i as f32 / (LENGTH - 1) as f32));
        }
        write(canvas, x + LENGTH + 8, top, TEXT_PX, BLACK, high);
    }

    fn draw_row(&self, canvas: &mut Rgb, top: usize, cases: &[Case]) {
        let row_top = |r: usize| top + 2 * LINE + r * (TILE + GAP);
        for (r, label) in self.rows.iter().enumerate() {
            let room = self.labels() - GAP;
            let lines: Vec<String> = label.lines().flat_map(|line| wrapped(line, TEXT_PX, room)).take(TILE / LINE).collect();
            let first = row_top(r) + (TILE - LINE * lines.len()) / 2;
            for (i, line) in lines.iter().enumerate() {
                write(canvas, MARGIN, first + i * LINE, TEXT_PX, BLACK, &draw::fitted(line, TEXT_PX, room));
            }
        }
        for (c, case) in cases.iter().enumerate() {
            let left = MARGIN + self.labels() + c * (TILE + GAP);
            write(canvas, left, top, TEXT_PX, BLACK, &draw::fitted(&case.name, TEXT_PX, TILE));
            write(canvas, left, top + LINE - 2, TEXT_PX, GREY, &draw::fitted(&case.figures, TEXT_PX, TILE));
            for (r, tile) in case.tiles.iter().enumerate() {
                draw::fill_rect(canvas, left as i64, row_top(r) as i64, TILE, TILE, PALE);
                let (x, y) = (left + (TILE - tile.width) / 2, row_top(r) + (TILE - tile.height) / 2);
                draw::blit(canvas, tile, x as i64, y as i64);
            }
        }
    }
}

fn write(canvas: &mut Rgb, x: usize, y: usize, size_px: f32, colour: [u8; 3], line: &str) {
    draw::text(canvas, x as i64, y as i64, size_px, colour, line);
}

/// Lines of at most `width` px.
fn wrapped(words: &str, size_px: f32, width: usize) -> Vec<String> {
    spell::wrapped(words, |line| text_width(line, size_px) <= width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_stands_whole_on_the_sheet() {
        let sizes = [(TILE, TILE), (1, TILE), (TILE, 1), (100, 40)];
        let case = |n: usize| {
            let (w, h) = sizes[n % sizes.len()];
            let tiles = (0..3).map(|r| Rgb::filled(w, h, [n as u8 + 1, r, 77])).collect();
            Case { name: format!("kind/{n}"), figures: "1.2 %".into(), tiles }
        };
        let section =
            |n: usize| Section { heading: "a heading that is far too long for its sheet ".repeat(9), cases: (0..n).map(case).collect() };
        let sheet = Sheet {
            title: "a title".into(),
            bar: ["map S".into(), "0".into(), "1".into()],
            rows: ["image", "ground truth", "map S"].map(String::from).to_vec(),
            sections: vec![section(11)],
            caption: "word ".repeat(300),
        };
        let picture = sheet.draw();
        for n in 0..11 {
            let (w, h) = sizes[n % sizes.len()];
            for r in 0..3 {
                let count = picture.data.chunks_exact(3).filter(|p| *p == [n as u8 + 1, r, 77]).count();
                assert_eq!(count, w * h, "tile {n} of row {r}");
            }
        }
    }
}
