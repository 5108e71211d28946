//! The room that a figure has: a screen, on which it is as wide as it needs, or a column of a paper, which it fills exactly.

use crate::{Error, Result};

/// Size of the text of names and legends, em in nominal pixels.
pub const LABEL: f64 = 12.0;

/// Points (1/72 inch) of a millimetre.
const POINTS_A_MM: f64 = 72.0 / 25.4;

/// The least resolution of a bitmap for a paper, dots an inch.
pub const DENSE: f64 = 300.0;

/// Widths that have room for axes and a page that can hold them, mm; sizes of text that can be read, points.
const WIDTHS: [f64; 2] = [50.0, 600.0];
const SIZES: [f64; 2] = [4.0, 24.0];

/// Where a figure stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Room {
    /// A page of its own: under its title, above its small print, as wide as it needs.
    Screen,
    /// A paper, whose caption says what title and small print would: so many nominal pixels wide.
    Print { width: f64 },
}

impl Room {
    /// What a figure keeps free at its sides, nominal pixels.
    pub fn margin(self) -> f64 {
        if self.is_screen() { 20.0 } else { 3.0 }
    }

    pub fn is_screen(self) -> bool {
        self == Self::Screen
    }

    /// The first where there is a title above, else the second.
    pub fn either<T>(self, screen: T, print: T) -> T {
        if self.is_screen() { screen } else { print }
    }

    /// Width of a figure that needs `wanted` on a screen, nominal pixels.
    pub fn width(self, wanted: f64) -> f64 {
        match self {
            Self::Screen => wanted,
            Self::Print { width } => width,
        }
    }

    /// How many of `count` panels of at least `least` px stand beside one another with `apart` between them, at most `most`; and how
    /// wide each is: `screen` on a screen, all of `inner` in print, where bands have about as many panels each.
    pub fn abreast(self, inner: f64, [screen, least, apart]: [f64; 3], [count, most]: [usize; 2]) -> (usize, f64) {
        let most = most.min(count).max(1);
        match self {
            Self::Screen => (most, screen),
            Self::Print { .. } => {
                let fits = (((inner + apart) / (least + apart)).floor() as usize).clamp(1, most);
                let across = count.max(1).div_ceil(count.max(1).div_ceil(fits));
                (across, (inner - apart * (across - 1) as f64) / across as f64)
            }
        }
    }
}

/// The size of a figure in a paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Print {
    width_mm: f64,
    font_pt: f64,
}

impl Print {
    /// A figure `width_mm` wide, in which the names of axes and legends have `font_pt` points; marks at axes are a tenth smaller.
    ///
    /// # Errors
    /// A width or a size that no figure can be drawn in.
    pub fn new(width_mm: f64, font_pt: f64) -> Result<Self> {
        let check = |name: &str, value: f64, [low, high]: [f64; 2], unit: &str| {
            let remedy = format!("from {low} to {high} {unit} can be drawn; a column is some 85 mm wide, a page 175 mm, and text has 8 pt");
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Error::config(format!("{name}: {value:.1} {unit} is no size of a figure"), remedy))
            }
        };
        check("--width", width_mm, WIDTHS, "mm")?;
        check("--font-size", font_pt, SIZES, "pt")?;
        Ok(Self { width_mm, font_pt })
    }

    pub fn width_mm(self) -> f64 {
        self.width_mm
    }

    /// Width, points.
    pub fn width_pt(self) -> f64 {
        self.width_mm * POINTS_A_MM
    }

    /// Points of a nominal pixel.
    pub fn scale(self) -> f64 {
        self.font_pt / LABEL
    }

    /// Width of a bitmap and height of its lines of text, px, at [`DENSE`] dots an inch.
    pub fn pixels(self) -> (usize, f32) {
        // The font's line is so many em high.
        const LINE_EM: f64 = 1.164;
        let dots_a_point = DENSE / 72.0;
        ((self.width_pt() * dots_a_point).round() as usize, (self.font_pt * dots_a_point * LINE_EM) as f32)
    }

    /// The room in nominal pixels, of which there is a whole number.
    pub fn room(self) -> Room {
        Room::Print { width: (self.width_pt() / self.scale()).floor() }
    }
}

/// A length such as `85mm`, `8.5cm`, `3.35in` or `241pt`, mm.
///
/// # Errors
/// What it was and what a length looks like.
pub fn millimetres(text: &str) -> std::result::Result<f64, String> {
    measure(text, &[("mm", 1.0), ("cm", 10.0), ("in", 25.4), ("pt", 1.0 / POINTS_A_MM)])
        .ok_or_else(|| format!("`{text}` is no width; write 85mm, 8.5cm, 3.35in or 241pt"))
}

/// A size of text such as `8pt` or `8`, points.
///
/// # Errors
/// What it was and what a size looks like.
pub fn points(text: &str) -> std::result::Result<f64, String> {
    measure(text, &[("pt", 1.0), ("mm", POINTS_A_MM), ("", 1.0)]).ok_or_else(|| format!("`{text}` is no size of text; write 8pt"))
}

/// The number before the first unit that the text ends on, times what the unit is.
fn measure(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let of = |&(unit, factor): &(&str, f64)| {
        Some(text.trim().strip_suffix(unit)?.trim().parse::<f64>().ok().filter(|v| v.is_finite())? * factor)
    };
    units.iter().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_every_unit() {
        let near = |text: &str, mm: f64| assert!((millimetres(text).unwrap() - mm).abs() < 1e-9, "{text}");
        [("85mm", 85.0), ("8.5 cm", 85.0), ("1in", 25.4), ("72pt", 25.4)].into_iter().for_each(|(text, mm)| near(text, mm));
        assert_eq!([points("8pt"), points("8"), points(" 9.5 pt")], [Ok(8.0), Ok(8.0), Ok(9.5)]);
        for text in ["85", "wide", "85px", "mm", "nanmm"] {
            assert!(millimetres(text).unwrap_err().contains("85mm"), "{text}");
        }
    }

    #[test]
    fn a_column_holds_as_many_nominal_pixels_as_its_text_leaves() {
        let column = Print::new(85.0, 8.0).unwrap();
        assert!((column.width_pt() - 240.945).abs() < 1e-3);
        assert_eq!(column.room(), Room::Print { width: 361.0 }, "12 px are 8 pt");
        assert_eq!(Print::new(85.0, 12.0).unwrap().room(), Room::Print { width: 240.0 });
        for (width, font) in [(10.0, 8.0), (85.0, 1.0), (f64::NAN, 8.0)] {
            assert!(Print::new(width, font).unwrap_err().remedy.contains("85 mm"));
        }
    }

    #[test]
    fn panels_fill_the_column_and_none_is_narrower_than_it_may_be() {
        let room = Room::Print { width: 361.0 };
        let sizes = [216.0, 70.0, 20.0];
        assert_eq!(room.abreast(250.0, sizes, [3, 3]), (3, 70.0));
        assert_eq!(room.abreast(249.0, sizes, [3, 3]), (2, 114.5));
        assert_eq!(room.abreast(40.0, sizes, [3, 3]), (1, 40.0));
        assert_eq!(room.abreast(340.0, sizes, [5, 5]), (3, 100.0), "three and two, not four and one");
        assert_eq!(Room::Screen.abreast(40.0, sizes, [7, 3]), (3, 216.0));
    }
}
