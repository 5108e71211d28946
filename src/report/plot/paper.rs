//! What figures are drawn on: lines, areas and text in nominal pixels, on an SVG, a bitmap or a PDF.
//!
//! Backends take whole coordinates, so each nominal pixel has several of them ([`UNITS`] on a screen): smooth curves in the SVG, whose
//! view box is that much larger than its nominal size, and four samples a pixel in the PNG, which is drawn large and then halved.

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, IntoFont, IntoTextStyle, RGBColor, ShapeStyle, TextStyle};

use super::dashes::dashes;
use super::pdf;
use super::room::{DENSE, Print, Room};
use crate::image::{Rgb, codec, draw};
use crate::names::in_line;
use crate::{Error, Result};

pub use super::ink::{Anchor, Run, Stroke, Type};

/// What can be drawn.
pub trait Figure {
    /// Width and height in nominal pixels.
    fn size(&self, room: Room) -> (u32, u32);

    fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()>;
}

/// Backend units of a nominal pixel.
const UNITS: u32 = 4;

/// Samples of a PNG's pixel in each direction.
const SAMPLES: u32 = 2;

/// Backend units of a nominal pixel in a PDF, where they cost nothing.
const FINE: u32 = 16;

/// The font and what replaces it where an SVG's reader lacks it.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Height of a line of the built-in font and of its part above the baseline, em.
const LINE_EM: f64 = 1.1640625;
const ASCENT_EM: f64 = 0.92822265625;

/// The SVG backend divides the font's size by this and sets text so far below its point, em.
const SVG_EM: f64 = 1.24;
const SVG_TOP_EM: f64 = 0.76;

/// What the two backends do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Medium {
    Vector,
    /// Text waits in [`Paper::letters`]: the backend's own rasteriser sets letters without their side bearings.
    Raster,
    /// Text waits too: a font is written of the letters that are there.
    Pdf,
}

/// A line of text that is still to be set; its baseline goes through `at`, backend units.
struct Letters {
    at: (i32, i32),
    line: String,
    look: Type,
}

/// A white sheet.
pub struct Paper<B> {
    backend: B,
    medium: Medium,
    room: Room,
    /// Backend units of a nominal pixel.
    units: u32,
    letters: Vec<Letters>,
}

/// The figure as an SVG document.
pub fn svg(figure: &impl Figure) -> Result<String> {
    let (width, height) = figure.size(Room::Screen);
    let nominal = format!("width=\"{width}\" height=\"{height}\"");
    vector(figure, Room::Screen, &nominal)
}

/// The figure as an SVG document of a paper's width.
pub fn svg_print(figure: &impl Figure, print: Print) -> Result<String> {
    let (width, height) = figure.size(print.room());
    let high = f64::from(height) * print.width_mm() / f64::from(width);
    vector(figure, print.room(), &format!("width=\"{:.2}mm\" height=\"{high:.2}mm\"", print.width_mm()))
}

fn vector(figure: &impl Figure, room: Room, nominal: &str) -> Result<String> {
    let (width, height) = figure.size(room);
    let (w, h) = (width * UNITS, height * UNITS);
    let mut text = String::new();
    let backend = SVGBackend::with_string(&mut text, (w, h));
    Paper { backend, medium: Medium::Vector, room, units: UNITS, letters: vec![] }.fill(figure)?;
    // The backend writes one size for both; joints and ends are round, as the bitmap draws them.
    let nominal = format!("{nominal} stroke-linejoin=\"round\" stroke-linecap=\"round\" viewBox");
    Ok(text.replacen(&format!("width=\"{w}\" height=\"{h}\" viewBox"), &nominal, 1))
}

/// The figure as the bytes of a PNG.
pub fn png(figure: &impl Figure) -> Result<Vec<u8>> {
    Ok(codec::encode_png(&raster(figure, Room::Screen, UNITS)?))
}

/// The figure as a PNG of a paper's width, with at least 300 dots an inch and a note of how many.
pub fn png_print(figure: &impl Figure, print: Print) -> Result<Vec<u8>> {
    let dots_a_unit = 72.0 / print.scale() / f64::from(SAMPLES);
    let units = (DENSE / dots_a_unit).ceil() as u32;
    let picture = raster(figure, print.room(), units)?;
    Ok(bitmap(&picture, print))
}

/// The bytes of a picture with a note of how wide it is in a paper.
pub fn bitmap(picture: &Rgb, print: Print) -> Vec<u8> {
    let dots_a_metre = picture.width as f64 / print.width_mm() * 1000.0;
    codec::with_density(codec::encode_png(picture), dots_a_metre.round() as u32)
}

fn raster(figure: &impl Figure, room: Room, units: u32) -> Result<Rgb> {
    let (width, height) = figure.size(room);
    let (w, h) = (width * units, height * units);
    let mut buffer = vec![0; 3 * w as usize * h as usize];
    let backend = BitMapBackend::with_buffer(&mut buffer, (w, h));
    let (_, letters) = Paper { backend, medium: Medium::Raster, room, units, letters: vec![] }.fill(figure)?;
    let mut large = Rgb::from_vec(w as usize, h as usize, buffer);
    letters.iter().for_each(|letters| letters.set(&mut large, units));
    Ok(reduced(&large, SAMPLES as usize))
}

/// The figure as a PDF of a paper's width, its text in the built-in font, of which it holds the letters that are used.
pub fn pdf_print(figure: &impl Figure, print: Print) -> Result<Vec<u8>> {
    let (width, height) = figure.size(print.room());
    let backend = pdf::Sheet::new((width * FINE, height * FINE));
    let paper = Paper { backend, medium: Medium::Pdf, room: print.room(), units: FINE, letters: vec![] };
    let (sheet, letters) = paper.fill(figure)?;
    let a_unit = print.scale() / f64::from(FINE);
    let text: Vec<pdf::Words> = letters.into_iter().map(Letters::words).collect();
    sheet.document(&text, [print.width_pt(), f64::from(height) * print.scale()], a_unit)
}

/// The means of squares of `side` x `side` pixels; what is left at the edges is dropped.
fn reduced(image: &Rgb, side: usize) -> Rgb {
    let (width, height) = (image.width / side, image.height / side);
    let mut data = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            let mut sums = [0_usize; 3];
            for row in 0..side {
                let start = 3 * ((y * side + row) * image.width + x * side);
                for pixel in image.data[start..][..3 * side].chunks_exact(3) {
                    sums.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += usize::from(value));
                }
            }
            data.extend(sums.map(|sum| ((sum + side * side / 2) / (side * side)) as u8));
        }
    }
    Rgb::from_vec(width, height, data)
}

/// Width of a line of text, nominal pixels.
pub fn text_width(line: &str, em: f64) -> f64 {
    draw::text_width(line, (em * LINE_EM) as f32) as f64
}

impl<B: DrawingBackend> Paper<B> {
    /// What the figure stands in.
    pub fn room(&self) -> Room {
        self.room
    }

    /// Draws the figure; gives the backend and the text that it did not set.
    fn fill(mut self, figure: &impl Figure) -> Result<(B, Vec<Letters>)> {
        let (width, height) = figure.size(self.room);
        self.rect([0.0, 0.0], [f64::from(width), f64::from(height)], RGBColor(255, 255, 255), 1.0)?;
        figure.draw(&mut self)?;
        self.backend.present().map_err(fault)?;
        Ok((self.backend, self.letters))
    }

    fn units(&self, length: f64) -> i32 {
        (length * f64::from(self.units)).round() as i32
    }

    fn place(&self, point: &[f64; 2]) -> (i32, i32) {
        (self.units(point[0]), self.units(point[1]))
    }

    /// A line through points; parts with a coordinate that is not finite are left out.
    pub fn line(&mut self, points: &[[f64; 2]], stroke: Stroke) -> Result<()> {
        for run in points.split(|p| !p[0].is_finite() || !p[1].is_finite()).filter(|run| run.len() > 1) {
            match stroke.dash {
                None => self.path(run, stroke)?,
                Some((dash, gap)) => dashes(run, dash, gap).iter().try_for_each(|piece| self.path(piece, stroke))?,
            }
        }
        Ok(())
    }

    fn path(&mut self, points: &[[f64; 2]], stroke: Stroke) -> Result<()> {
        let width = self.units(stroke.width).max(1) as u32;
        let style = ShapeStyle { color: stroke.colour.to_rgba(), filled: false, stroke_width: width };
        let mut places: Vec<(i32, i32)> = points.iter().map(|point| self.place(point)).collect();
        places.dedup();
        match self.medium {
            Medium::Vector | Medium::Pdf => self.backend.draw_path(places, &style).map_err(fault),
            // The rasteriser leaves holes where a wide path meets itself, so every piece is drawn alone, with round joints.
            Medium::Raster => {
                let joint = style.color.filled();
                for &at in &places {
                    self.backend.draw_circle(at, width / 2, &joint, true).map_err(fault)?;
                }
                places.windows(2).try_for_each(|w| self.backend.draw_path([w[0], w[1]], &style)).map_err(fault)
            }
        }
    }

    /// The inside of a polygon that does not cross itself.
    pub fn area(&mut self, points: &[[f64; 2]], colour: RGBColor, opacity: f64) -> Result<()> {
        let style = colour.mix(opacity).filled();
        let places: Vec<(i32, i32)> = points.iter().map(|point| self.place(point)).collect();
        self.backend.fill_polygon(places, &style).map_err(fault)
    }

    /// A filled rectangle between two corners.
    pub fn rect(&mut self, from: [f64; 2], to: [f64; 2], colour: RGBColor, opacity: f64) -> Result<()> {
        let (from, to) = (self.place(&from), self.place(&to));
        self.backend.draw_rect(from, to, &colour.mix(opacity).filled(), true).map_err(fault)
    }

    /// A filled circle.
    pub fn dot(&mut self, at: [f64; 2], radius: f64, colour: RGBColor) -> Result<()> {
        let (at, radius) = (self.place(&at), self.units(radius) as u32);
        self.backend.draw_circle(at, radius, &colour.filled(), true).map_err(fault)
    }

    /// A line of text whose baseline goes through `at`.
    pub fn text(&mut self, at: [f64; 2], line: &str, look: Type) -> Result<()> {
        let (at, line) = (self.place(&at), &*in_line(line));
        if self.medium != Medium::Vector {
            self.letters.push(Letters { at, line: line.to_owned(), look });
            return Ok(());
        }
        let em = look.em * f64::from(self.units);
        let top = (em * SVG_TOP_EM).round() as i32;
        let horizontal = match look.anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        let (at, transform) = match look.run {
            Run::Across => ((at.0, at.1 - top), FontTransform::None),
            Run::Up => ((at.0 - top, at.1), FontTransform::Rotate270),
        };
        let style: TextStyle = (FAMILY, em * SVG_EM).into_font().transform(transform).color(&look.colour).into_text_style(&(1, 1));
        self.backend.draw_text(line, &style.pos(Pos::new(horizontal, VPos::Top)), at).map_err(fault)
    }
}

impl Letters {
    /// For a PDF.
    fn words(self) -> pdf::Words {
        let Type { em, colour, anchor, run } = self.look;
        let before = match anchor {
            Anchor::Left => 0.0,
            Anchor::Middle => 0.5,
            Anchor::Right => 1.0,
        };
        let direction = match run {
            Run::Across => pdf::Direction::Across,
            Run::Up => pdf::Direction::Up,
        };
        pdf::Words { at: self.at, line: self.line, em: em * f64::from(FINE), colour, before, direction }
    }

    /// Sets the text into an image in backend units.
    fn set(&self, canvas: &mut Rgb, units: u32) {
        let em = self.look.em * f64::from(units);
        let (size, ascent) = ((em * LINE_EM) as f32, (em * ASCENT_EM).round() as i64);
        let width = draw::text_width(&self.line, size) as i64;
        let before = match self.look.anchor {
            Anchor::Left => 0,
            Anchor::Middle => width / 2,
            Anchor::Right => width,
        };
        let (x, y) = (i64::from(self.at.0), i64::from(self.at.1));
        let RGBColor(r, g, b) = self.look.colour;
        match self.look.run {
            Run::Across => draw::text(canvas, x - before, y - ascent, size, [r, g, b], &self.line),
            Run::Up => {
                draw::blit(canvas, &draw::upright(&self.line, size, [r, g, b]), x - ascent, y + before - width);
            }
        }
    }
}

fn fault(error: impl std::fmt::Display) -> Error {
    Error::run(format!("a figure cannot be drawn: {error}"), "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::palette;
    use std::path::Path;

    struct Marks;

    impl Figure for Marks {
        fn size(&self, _: Room) -> (u32, u32) {
            (60, 40)
        }

        fn draw<B: DrawingBackend>(&self, paper: &mut Paper<B>) -> Result<()> {
            paper.rect([10.0, 20.0], [20.0, 30.0], palette::BLUE, 1.0)?;
            paper.line(&[[5.0, 5.0], [f64::NAN, 5.0], [30.0, 5.0], [50.0, 5.0]], Stroke::solid(palette::BLACK, 2.0))?;
            paper.text([6.0, 38.0], "HH", Type { run: Run::Up, ..Type::of(10.0) })?;
            paper.text([30.0, 35.0], "H < H", Type::of(10.0))
        }
    }

    #[test]
    fn both_media_have_the_figure_at_its_place() {
        let image = codec::decode_bytes(&png(&Marks).unwrap(), Path::new("marks.png")).unwrap().rgb;
        assert_eq!((image.width, image.height), (120, 80));
        assert_eq!((image.at(30, 50), image.at(50, 50)), ([0, 114, 178], [255; 3]));
        assert_eq!((image.at(80, 10), image.at(12, 10), image.at(40, 10)), ([0; 3], [255; 3], [255; 3]), "nothing is drawn to a NaN");
        let ink = |xs: std::ops::Range<usize>, ys: std::ops::Range<usize>| {
            let places = ys.flat_map(|y| xs.clone().map(move |x| (x, y)));
            let dark: Vec<_> = places.filter(|&(x, y)| image.at(x, y).iter().all(|&c| c < 128)).collect();
            let of = |f: fn(&(usize, usize)) -> usize| (dark.iter().map(f).min().unwrap(), dark.iter().map(f).max().unwrap());
            (of(|p| p.0), of(|p| p.1))
        };
        // Capitals are 0.729 em high: 14.6 px of 20 above the baseline.
        let ((left, _), (top, bottom)) = ink(60..120, 40..80);
        assert_eq!((top, bottom), (55, 69), "the text stands on its baseline");
        assert!((60..64).contains(&left), "it begins at its point, after the letter's side bearing: {left}");
        let ((left, right), (_, bottom)) = ink(0..13, 30..80);
        assert!(right == 11 && (0..=0).contains(&left) && (72..76).contains(&bottom), "it reads upwards: {left} {right} {bottom}");
        let text = svg(&Marks).unwrap();
        assert!(text.starts_with("<svg width=\"60\" height=\"40\"") && text.contains("viewBox=\"0 0 240 160\""), "{text}");
        assert!(text.contains("H &lt; H") && text.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn a_paper_gets_its_width_in_every_format_and_the_same_bytes_again() {
        let print = Print::new(50.8, 12.0).unwrap();
        let text = svg_print(&Marks, print).unwrap();
        assert!(text.starts_with("<svg width=\"50.80mm\" height=\"33.87mm\""), "{text}");
        let bytes = png_print(&Marks, print).unwrap();
        let image = codec::decode_bytes(&bytes, Path::new("marks.png")).unwrap().rgb;
        // The room is 144 px for 2 inches, of which these marks fill 60.
        assert!((600..700).contains(&(image.width * 144 / 60)), "{} px", image.width);
        assert!(image.at(image.width / 4, image.height * 5 / 8) == [0, 114, 178], "the square is where it was");
        let place = bytes.windows(4).position(|w| w == b"pHYs").unwrap();
        let density = u32::from_be_bytes(bytes[place + 4..place + 8].try_into().unwrap());
        assert_eq!(density, (image.width as f64 / 0.0508).round() as u32);
        assert_eq!((pdf_print(&Marks, print).unwrap(), png_print(&Marks, print).unwrap()), (pdf_print(&Marks, print).unwrap(), bytes));
    }
}
