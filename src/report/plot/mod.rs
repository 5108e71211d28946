//! Figures as SVG, PNG and PDF, drawn by the same code.
//!
//! A figure is plain data that can draw itself on a [`Paper`], which hides the backend, in a [`Room`]. Lengths are nominal pixels: on a
//! screen an SVG of 600 x 400 has that size in a browser, its PNG twice as many pixels in each direction; in a paper 12 px are the size
//! of the text ([`Print`]). The text is DejaVu Sans in all: set in the PNG, embedded in the PDF, named in the SVG. Bytes depend on the
//! data alone.
//!
//! | file | step |
//! |---|---|
//! | `palette` | colours |
//! | `room` | a screen, or a column of a paper |
//! | `paper` | lines, areas and text on any backend |
//! | `pdf` | the backend that writes a PDF |
//! | `dashes` | a line -> its dashes |
//! | `scale`, `frame` | values -> ticks and places; axes, grid, legends |
//! | `series` | long curves -> curves that can be drawn |
//! | `history`, `loss` | events -> loss and gradient norm over the epochs |
//! | `roc`, `pro`, `histogram` | evaluations -> curves and distributions |

mod dashes;
pub(in crate::report) mod frame;
mod histogram;
mod history;
mod ink;
mod loss;
pub(in crate::report) mod palette;
pub(in crate::report) mod paper;
mod pdf;
mod pro;
mod roc;
pub mod room;
pub(in crate::report) mod scale;
pub(in crate::report) mod series;

pub use histogram::Histogram;
pub use history::{History, Series};
pub use loss::Loss;
pub use paper::{Figure, Paper, bitmap, pdf_print, png, png_print, svg, svg_print};
pub use pro::Pro;
pub use roc::Roc;
pub use room::{Print, Room};

use std::path::Path;

use crate::Result;
use crate::eval::{self, MapName};
use crate::file;

/// Writes `folder/NAME.svg` and `folder/NAME.png`, each replaced whole; without a figure, removes what an earlier run left.
///
/// # Errors
/// A file that cannot be written, by its path.
pub fn write(folder: &Path, name: &str, figure: Option<&impl Figure>) -> Result<()> {
    let [vector, raster] = ["svg", "png"].map(|ending| folder.join(format!("{name}.{ending}")));
    match figure {
        Some(figure) => {
            file::replace(&vector, svg(figure)?.as_bytes())?;
            file::replace(&raster, &png(figure)?)
        }
        None => file::remove(&vector).and_then(|()| file::remove(&raster)),
    }
}

/// What a figure for a paper is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PrintFormat {
    Svg,
    Png,
    Pdf,
}

impl PrintFormat {
    pub fn ending(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Pdf => "pdf",
        }
    }
}

/// Writes `folder/NAME.<ending>` of each format, of a paper's width.
///
/// # Errors
/// A file that cannot be written, by its path.
pub fn write_print(folder: &Path, name: &str, figure: &impl Figure, print: Print, formats: &[PrintFormat]) -> Result<()> {
    for format in formats {
        let bytes = match format {
            PrintFormat::Svg => svg_print(figure, print)?.into_bytes(),
            PrintFormat::Png => png_print(figure, print)?,
            PrintFormat::Pdf => pdf_print(figure, print)?,
        };
        file::replace(&folder.join(format!("{name}.{}", format.ending())), &bytes)?;
    }
    Ok(())
}

/// The line of an evaluation by its place among those of a run, the same in every figure; told apart by its dashes too, for
/// prints without colours.
fn stroke_of(place: usize) -> paper::Stroke {
    match place {
        0 => paper::Stroke::solid(palette::BLUE, 2.0),
        1 => paper::Stroke::dashed(palette::VERMILLION, 2.0),
        2 => paper::Stroke::dashed(palette::GREEN, 2.0),
        _ => paper::Stroke::dashed(palette::PURPLE, 2.0),
    }
}

/// The name of what was evaluated, in a legend.
fn name_of(map: MapName, headline: MapName) -> String {
    let name = if map == eval::IMAGE { "the detector's own score".to_owned() } else { format!("map {map}") };
    if map == headline { format!("{name} (headline)") } else { name }
}
