//! Planes to image files: PNG and JPEG.

use super::{Map, Mask, Rgb};
use crate::file::{self, Durable};
use crate::{Error, Result};
use ::image::{ExtendedColorType, ImageEncoder};
use std::io::Write;
use std::path::Path;

/// Writes an image of at least one pixel as an 8-bit RGB PNG, replacing the file whole; the folders on the way are made. Pictures
/// come by the hundred: they are [`Durable::OnceSynced`].
pub fn write_png(path: &Path, image: &Rgb) -> Result<()> {
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, &e))?;
    }
    write_many(path, &encode_png(image))
}

/// Writes a mask of at least one pixel as an 8-bit grey PNG of 0 and 255, replacing the file whole; [`Durable::OnceSynced`].
pub fn write_mask_png(path: &Path, mask: &Mask) -> Result<()> {
    let grey: Vec<u8> = mask.data.iter().map(|&p| if p == 0 { 0 } else { 255 }).collect();
    write_many(path, &png(&grey, mask.width, mask.height, ExtendedColorType::L8))
}

/// Writes a map as a 16-bit grey PNG, 0 at the `low` end of a range and 65535 at its `high` one, values beyond clipped; replacing the
/// file whole; [`Durable::OnceSynced`].
pub fn write_grey16_png(path: &Path, map: &Map, [low, high]: [f32; 2]) -> Result<()> {
    let scale = if high > low { 65535.0 / (high - low) } else { 0.0 };
    let grey: Vec<u8> = map.data.iter().flat_map(|v| (((v - low) * scale).round().clamp(0.0, 65535.0) as u16).to_ne_bytes()).collect();
    write_many(path, &png(&grey, map.width, map.height, ExtendedColorType::L16))
}

/// The bytes of an 8-bit RGB PNG. The image must have at least one pixel.
pub fn encode_png(image: &Rgb) -> Vec<u8> {
    png(&image.data, image.width, image.height, ExtendedColorType::Rgb8)
}

/// The bytes of a JPEG of this quality (1..=100). The image must have at least one pixel, and at most 65535 in a row or column.
pub fn encode_jpeg(image: &Rgb, quality: u8) -> Vec<u8> {
    use ::image::codecs::jpeg::JpegEncoder;
    let mut bytes = Vec::new();
    let (width, height) = (image.width as u32, image.height as u32);
    let written = JpegEncoder::new_with_quality(&mut bytes, quality).encode(&image.data, width, height, ExtendedColorType::Rgb8);
    written.expect("a picture in memory can be encoded");
    bytes
}

/// A PNG with a note of how many pixels a metre it has, after its header: where a picture stands in a text, it is so large.
pub fn with_density(mut png: Vec<u8>, pixels_a_metre: u32) -> Vec<u8> {
    // Signature, then the header: length, name, 13 bytes and their sum.
    const AFTER_HEADER: usize = 8 + 4 + 4 + 13 + 4;
    let mut chunk = b"pHYs".to_vec();
    chunk.extend([pixels_a_metre.to_be_bytes(), pixels_a_metre.to_be_bytes()].concat());
    // The unit is the metre.
    chunk.push(1);
    let mut sum = flate2::Crc::new();
    sum.update(&chunk);
    let length = chunk.len() as u32 - 4;
    png.splice(AFTER_HEADER..AFTER_HEADER, [&length.to_be_bytes()[..], &chunk, &sum.sum().to_be_bytes()].concat());
    png
}

fn png(data: &[u8], width: usize, height: usize, colour: ExtendedColorType) -> Vec<u8> {
    use ::image::codecs::png::{CompressionType, FilterType, PngEncoder};
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(data, width as u32, height as u32, colour)
        .expect("a PNG of at least one pixel is written to memory");
    bytes
}

/// Writes one of many files, which are synced together.
pub(super) fn write_many(path: &Path, bytes: &[u8]) -> Result<()> {
    file::replace_with(path, Durable::OnceSynced, |out| out.write_all(bytes))
}
