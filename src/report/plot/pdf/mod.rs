//! A figure as a PDF of one page: what is drawn as it is drawn, then all text in the built-in font, which is embedded.
//!
//! Coordinates of the content are the backend's own, y downwards; one matrix at its beginning turns them into points. Nothing in the
//! file depends on time: it has neither dates nor an identifier.

mod font;
mod stream;

use std::collections::BTreeSet;
use std::convert::Infallible;

use pdf_writer::types::{LineCapStyle, LineJoinStyle};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str};
use plotters::style::RGBColor;
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

use crate::Result;
use font::Used;
use stream::compressed;

/// The objects of the file.
const CATALOG: Ref = Ref::new(1);
const PAGES: Ref = Ref::new(2);
const PAGE: Ref = Ref::new(3);
const CONTENT: Ref = Ref::new(4);
/// From here on the font's, then the opacities'.
const FONT: i32 = 5;
const OPACITIES: i32 = FONT + font::OBJECTS;

const FONT_NAME: Name = Name(b"F");

/// A circle's quarter as a cubic curve: how far its control points are from its ends, radii.
const QUARTER: f32 = 0.552_284_8;

/// A line of text; its baseline goes through `at`. Lengths are backend units.
pub struct Words {
    pub at: (i32, i32),
    pub line: String,
    pub em: f64,
    pub colour: RGBColor,
    /// The share of its width that stands before the point.
    pub before: f64,
    pub direction: Direction,
}

/// Which way text runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Across,
    /// From below upwards.
    Up,
}

type Drawn = std::result::Result<(), DrawingErrorKind<Infallible>>;

/// The page while it is drawn.
pub struct Sheet {
    size: (u32, u32),
    content: Content,
    /// Those that areas have, per cent.
    opacities: BTreeSet<u8>,
}

impl Sheet {
    /// A page of so many backend units.
    pub fn new(size: (u32, u32)) -> Self {
        let mut content = Content::new();
        content.set_line_cap(LineCapStyle::RoundCap).set_line_join(LineJoinStyle::RoundJoin);
        Self { size, content, opacities: BTreeSet::new() }
    }

    /// The file: a page of `size` points with what was drawn and this text; a backend unit has `scale` points.
    ///
    /// # Errors
    /// A font that cannot be made smaller: a fault of the program.
    pub fn document(self, text: &[Words], size: [f64; 2], scale: f64) -> Result<Vec<u8>> {
        let [width, height] = size.map(|v| v as f32);
        let used = Used::of(text.iter().map(|words| words.line.as_str()));
        let mut page = Content::new();
        let scale = scale as f32;
        page.transform([scale, 0.0, 0.0, -scale, 0.0, height]);
        let mut stream = page.finish().as_slice().to_vec();
        stream.push(b'\n');
        stream.extend(self.content.finish().as_slice());
        stream.push(b'\n');
        stream.extend(set(text, &used).finish().as_slice());

        let mut pdf = Pdf::new();
        pdf.catalog(CATALOG).pages(PAGES);
        pdf.pages(PAGES).kids([PAGE]).count(1);
        let mut sheet = pdf.page(PAGE);
        sheet.media_box(Rect::new(0.0, 0.0, width, height)).parent(PAGES).contents(CONTENT);
        let mut resources = sheet.resources();
        resources.fonts().pair(FONT_NAME, Ref::new(FONT));
        let names: Vec<(String, Ref)> =
            self.opacities.iter().zip(OPACITIES..).map(|(percent, id)| (format!("A{percent}"), Ref::new(id))).collect();
        let mut states = resources.ext_g_states();
        names.iter().for_each(|(name, id)| {
            states.pair(Name(name.as_bytes()), *id);
        });
        states.finish();
        resources.finish();
        sheet.finish();
        for (percent, (_, id)) in self.opacities.iter().zip(&names) {
            pdf.ext_graphics(*id).non_stroking_alpha(f32::from(*percent) / 100.0);
        }
        pdf.stream(CONTENT, &compressed(&stream)).filter(Filter::FlateDecode);
        used.embed(&mut pdf, FONT)?;
        Ok(pdf.finish())
    }

    fn fill(&mut self, colour: BackendColor) {
        let percent = (100.0 * colour.alpha).round() as u8;
        if percent < 100 || !self.opacities.is_empty() {
            self.opacities.insert(percent);
            self.content.set_parameters(Name(format!("A{percent}").as_bytes()));
        }
        let [r, g, b] = parts(colour.rgb);
        self.content.set_fill_rgb(r, g, b);
    }

    fn corners(&mut self, corners: impl IntoIterator<Item = BackendCoord>) {
        for (i, (x, y)) in corners.into_iter().enumerate() {
            match i {
                0 => self.content.move_to(x as f32, y as f32),
                _ => self.content.line_to(x as f32, y as f32),
            };
        }
    }
}

/// Red, green and blue, 0..=1.
fn parts((r, g, b): (u8, u8, u8)) -> [f32; 3] {
    [r, g, b].map(|c| f32::from(c) / 255.0)
}

/// All text.
fn set(text: &[Words], used: &Used) -> Content {
    let mut content = Content::new();
    for words in text {
        let RGBColor(r, g, b) = words.colour;
        let [r, g, b] = parts((r, g, b));
        let before = words.em * words.before * used.width(&words.line);
        let (x, y) = (f64::from(words.at.0), f64::from(words.at.1));
        // Letters stand upright although y runs downwards.
        let matrix = match words.direction {
            Direction::Across => [1.0, 0.0, 0.0, -1.0, x - before, y],
            Direction::Up => [0.0, -1.0, -1.0, 0.0, x, y + before],
        };
        content.begin_text().set_fill_rgb(r, g, b).set_font(FONT_NAME, words.em as f32).set_text_matrix(matrix.map(|v| v as f32));
        let mut shown = content.show_positioned();
        let mut items = shown.items();
        for (glyph, kern) in used.glyphs(&words.line) {
            if kern != 0.0 {
                items.adjust(kern);
            }
            items.show(Str(&glyph.to_be_bytes()));
        }
        items.finish();
        shown.finish();
        content.end_text();
    }
    content
}

impl DrawingBackend for Sheet {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Drawn {
        self.draw_rect((x, y), (x + 1, y + 1), &colour, true)
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, _filled: bool) -> Drawn {
        self.fill_polygon([from, (to.0, from.1), to, (from.0, to.1)], style)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let [r, g, b] = parts(style.color().rgb);
        self.content.set_stroke_rgb(r, g, b).set_line_width(style.stroke_width() as f32);
        self.corners(path);
        self.content.stroke();
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, (x, y): BackendCoord, radius: u32, style: &S, _filled: bool) -> Drawn {
        let (x, y, r) = (x as f32, y as f32, radius as f32);
        let k = QUARTER * r;
        self.fill(style.color());
        self.content
            .move_to(x + r, y)
            .cubic_to(x + r, y + k, x + k, y + r, x, y + r)
            .cubic_to(x - k, y + r, x - r, y + k, x - r, y)
            .cubic_to(x - r, y - k, x - k, y - r, x, y - r)
            .cubic_to(x + k, y - r, x + r, y - k, x + r, y)
            .fill_nonzero();
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, corners: I, style: &S) -> Drawn {
        self.fill(style.color());
        self.corners(corners);
        self.content.close_path().fill_nonzero();
        Ok(())
    }

    /// All text waits for [`Sheet::document`].
    fn draw_text<T: BackendTextStyle>(&mut self, _text: &str, _style: &T, _at: BackendCoord) -> Drawn {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn page() -> Vec<u8> {
        let mut sheet = Sheet::new((100, 50));
        sheet.draw_path([(0, 0), (10, 20)], &BackendColor { alpha: 1.0, rgb: (255, 0, 0) }).unwrap();
        sheet.draw_circle((5, 5), 3, &BackendColor { alpha: 0.4, rgb: (0, 0, 255) }, true).unwrap();
        let words =
            |line: &str, direction| Words { at: (10, 10), line: line.into(), em: 8.0, colour: RGBColor(0, 0, 0), before: 0.0, direction };
        let text = [words("AUROC — Δ", Direction::Across), words("upwards", Direction::Up)];
        sheet.document(&text, [200.0, 100.0], 2.0).unwrap()
    }

    fn inflated(bytes: &[u8]) -> Vec<String> {
        let at = |from: usize, word: &[u8]| bytes[from..].windows(word.len()).position(|w| w == word).map(|i| from + i);
        let mut streams = vec![];
        let mut from = 0;
        while let Some(start) = at(from, b"stream\n") {
            let mut text = vec![];
            let _ = flate2::read::ZlibDecoder::new(&bytes[start + 7..]).read_to_end(&mut text);
            streams.push(String::from_utf8_lossy(&text).into_owned());
            from = at(start, b"endstream").unwrap() + 9;
        }
        streams
    }

    #[test]
    fn a_page_has_its_size_its_paths_and_text_that_can_be_searched() {
        let bytes = page();
        let plain = String::from_utf8_lossy(&bytes).into_owned();
        assert!(plain.starts_with("%PDF-1.7") && plain.trim_end().ends_with("%%EOF"));
        assert!(plain.contains("/MediaBox [0 0 200 100]") && plain.contains("/FontFile2") && plain.contains("/ca 0.4"), "{plain}");
        let streams = inflated(&bytes);
        let content = &streams[0];
        assert!(content.starts_with("2 0 0 -2 0 100 cm"), "{content}");
        for drawn in ["1 0 0 RG", "0 0 m\n10 20 l\nS", "0 0 1 rg", "/A40 gs", "0 -1 -1 0 10 10 Tm", "1 0 0 -1 10 10 Tm"] {
            assert!(content.contains(drawn), "{drawn}: {content}");
        }
        let map = streams.iter().find(|s| s.contains("beginbfchar")).unwrap();
        assert!(map.contains("<0394>") && map.contains("<2014>"), "{map}");
        for word in ["CreationDate", "/ID", "Producer"] {
            assert!(!plain.contains(word), "{word}");
        }
    }

    #[test]
    fn the_same_page_has_the_same_bytes_and_no_more_than_its_letters() {
        assert_eq!(page(), page());
        assert!(page().len() < 20_000, "{} bytes", page().len());
    }
}
