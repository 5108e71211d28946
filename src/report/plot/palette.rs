//! Colours that stay apart for colour-blind readers: Okabe and Ito, "Color Universal Design" (2008).

use plotters::style::RGBColor;

pub const BLACK: RGBColor = RGBColor(0, 0, 0);
pub const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub const SKY: RGBColor = RGBColor(86, 180, 233);
pub const GREEN: RGBColor = RGBColor(0, 158, 115);
pub const BLUE: RGBColor = RGBColor(0, 114, 178);
pub const VERMILLION: RGBColor = RGBColor(213, 94, 0);
pub const PURPLE: RGBColor = RGBColor(204, 121, 167);
/// Of remarks and minor lines.
pub const GREY: RGBColor = RGBColor(96, 96, 96);
/// Of the grid.
pub const PALE: RGBColor = RGBColor(225, 225, 225);

/// The colour with a share `white`, 0..=1, of white: what stands behind.
pub fn tint(RGBColor(r, g, b): RGBColor, white: f64) -> RGBColor {
    let mix = |c: u8| (f64::from(c) + (255.0 - f64::from(c)) * white).round() as u8;
    RGBColor(mix(r), mix(g), mix(b))
}
