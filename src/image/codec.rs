//! Image files to planes: PNG, JPEG, BMP, TIFF and WebP, told apart by their content, never by their name. The way back is
//! [`super::encode`].
//!
//! Grey, grey with alpha, RGB and RGBA, with 8 or 16 bits a channel, become 8-bit RGB: 16 bits are divided by 257 and
//! rounded, alpha is composited over black. Whatever bytes come in, the answer is an image or an [`Error`] that names
//! the file; sides, pixels and memory are bounded. BigTIFF is read, and of a TIFF with several pages the first. Where the fourth byte of
//! a BMP is 0 everywhere, it is not taken for alpha. A picture is turned as its orientation tag (EXIF) asks, where the caller wants it
//! ([`Orientation`]). Of an animated WebP the first picture is read. JPEG data that are damaged in the middle pass: the decoder has no
//! strict mode that `image` lets through.

use super::{Rgb, jpeg};
use crate::config::{Orientation, Reading};
use crate::file;
use crate::{Error, Result};
use ::image::error::{ImageError, LimitErrorKind};
use ::image::metadata::Orientation as Tag;
use ::image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

pub use super::encode::{encode_jpeg, encode_png, with_density, write_grey16_png, write_mask_png, write_png};

/// Extensions, in lower case, of files that are taken for images where a folder is listed.
pub const IMAGE_EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp"];

/// The same for people.
pub const ENDINGS: &str = "images end in .png, .jpg, .bmp, .tif or .webp";

/// Greatest width and height that is decoded, px.
pub const MAX_SIDE: usize = 65_535;

/// Images of more pixels than this are decoded one at a time, so that threads together need not much more than one does.
const LARGE: usize = 1 << 24;

/// Greatest memory that one decoder may take for all but pixels (profiles, texts), bytes.
const MAX_ASIDE: u64 = 64 << 20;

/// Bytes of the largest pixel: RGBA with 16 bits a channel.
const PIXEL_BYTES: u64 = 8;

pub(super) const FORMATS: &str = "use PNG, JPEG, BMP, TIFF or WebP with 8 or 16 bits a channel";

/// A decoded image and what its file was like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    pub rgb: Rgb,
    /// The file had an alpha channel, which was composited over black.
    pub had_alpha: bool,
    /// The greatest value of a file with 16 bits a channel and no alpha; `None` for others.
    pub deepest: Option<u16>,
    /// Nothing of it is opaque: it came out black.
    pub transparent: bool,
    /// The file has further pages, which were not read.
    pub more_pages: bool,
    /// The file's orientation tag (EXIF) asks for a turn or a flip, whether or not it was done.
    pub turned: bool,
}

/// Reads an image file of the default number of pixels at most, as its pixels lie in it. Errors: missing, truncated or of another format.
pub fn decode(path: &Path) -> Result<Rgb> {
    Ok(decode_bytes(&read(path)?, path)?.rgb)
}

/// Decodes the content of an image file, likewise; `name` stands in errors.
pub fn decode_bytes(bytes: &[u8], name: &Path) -> Result<Decoded> {
    decode_as(bytes, name, Reading { orientation: Orientation::Ignore, ..Reading::default() })
}

/// Decodes the content of an image file, turned as its tag asks if that is wanted; `name` stands in errors.
pub fn decode_as(bytes: &[u8], name: &Path, reading: Reading) -> Result<Decoded> {
    let Raw { pixels: decoded, turned } = raw(bytes, name, reading)?;
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let had_alpha = decoded.color().has_alpha();
    let deepest = match &decoded {
        DynamicImage::ImageLuma16(p) => p.iter().max().copied(),
        DynamicImage::ImageRgb16(p) => p.iter().max().copied(),
        _ => None,
    };
    let transparent = match &decoded {
        DynamicImage::ImageLumaA8(p) => p.pixels().all(|p| p.0[1] == 0),
        DynamicImage::ImageRgba8(p) => p.pixels().all(|p| p.0[3] == 0),
        DynamicImage::ImageLumaA16(p) => p.pixels().all(|p| p.0[1] == 0),
        DynamicImage::ImageRgba16(p) => p.pixels().all(|p| p.0[3] == 0),
        _ => false,
    };
    let data = match decoded {
        DynamicImage::ImageLuma8(p) => p.into_raw().iter().flat_map(|&v| [v; 3]).collect(),
        DynamicImage::ImageLumaA8(p) => p.pixels().flat_map(|p| [over_black(p.0[0], p.0[1]); 3]).collect(),
        DynamicImage::ImageRgb8(p) => p.into_raw(),
        DynamicImage::ImageRgba8(p) => p.pixels().flat_map(|p| [0, 1, 2].map(|c| over_black(p.0[c], p.0[3]))).collect(),
        DynamicImage::ImageLuma16(p) => p.into_raw().iter().flat_map(|&v| [narrow(v); 3]).collect(),
        DynamicImage::ImageLumaA16(p) => p.pixels().flat_map(|p| [narrow_over_black(p.0[0], p.0[1]); 3]).collect(),
        DynamicImage::ImageRgb16(p) => p.into_raw().iter().map(|&v| narrow(v)).collect(),
        DynamicImage::ImageRgba16(p) => p.pixels().flat_map(|p| [0, 1, 2].map(|c| narrow_over_black(p.0[c], p.0[3]))).collect(),
        _ => return Err(floats(name)),
    };
    let more_pages = tiff_facts(bytes).is_some_and(|facts| facts.more_pages);
    Ok(Decoded { rgb: Rgb::from_vec(width, height, data), had_alpha, deepest, transparent, more_pages, turned })
}

/// Width and height of an image file, px, from its header alone: those of [`decode_as`], which refuses what this refuses.
pub fn dimensions(path: &Path, reading: Reading) -> Result<(usize, usize)> {
    let file = file::open_regular(path).map_err(|e| Error::io("open", path, &e))?;
    header(BufReader::new(file), path)?.bounded(path, reading)
}

/// [`dimensions`] of a file's content; `name` stands in errors.
pub fn dimensions_bytes(bytes: &[u8], name: &Path, reading: Reading) -> Result<(usize, usize)> {
    header(Cursor::new(bytes), name)?.bounded(name, reading)
}

/// What a file says before its pixels.
struct Header {
    width: usize,
    height: usize,
    tag: Tag,
}

impl Header {
    /// Width and height as they are read, px, unless these are too many.
    fn bounded(&self, name: &Path, Reading { orientation, max_pixels }: Reading) -> Result<(usize, usize)> {
        let (width, height) = (self.width, self.height);
        if width.saturating_mul(height) > max_pixels {
            return Err(Error::environment(
                format!("{} has {width}x{height} px, more than {max_pixels} in all", name.display()),
                "raise data.max_pixels if there is memory for it, make the image smaller, or cut it into tiles",
            ));
        }
        let lies = matches!(self.tag, Tag::Rotate90 | Tag::Rotate270 | Tag::Rotate90FlipH | Tag::Rotate270FlipH);
        Ok(if lies && orientation == Orientation::Apply { (height, width) } else { (width, height) })
    }
}

fn header<R: BufRead + Seek>(source: R, name: &Path) -> Result<Header> {
    guarded(name, || {
        let mut decoder = open(source, name, 0)?.into_decoder().map_err(|e| failure(&e, name))?;
        // A tag that cannot be read asks for nothing.
        let tag = decoder.orientation().unwrap_or(Tag::NoTransforms);
        let (width, height) = decoder.dimensions();
        Ok(Header { width: width as usize, height: height as usize, tag })
    })
}

/// Whether a file's orientation tag (EXIF) asks for a turn or a flip; not of a file that is no image.
pub fn asks_for_a_turn(source: impl BufRead + Seek, name: &Path) -> bool {
    header(source, name).is_ok_and(|header| header.tag != Tag::NoTransforms)
}

/// The content of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    file::content(path).map_err(|e| Error::io("read", path, &e))
}

/// The pixels of a file in the depth in which it holds them.
pub(super) struct Raw {
    pub pixels: DynamicImage,
    /// As in [`Decoded`].
    pub turned: bool,
}

/// Decodes a file, turned as its tag asks if that is wanted.
pub(super) fn raw(bytes: &[u8], name: &Path, reading: Reading) -> Result<Raw> {
    if tiff_facts(bytes).is_some_and(|facts| facts.float) {
        return Err(floats(name));
    }
    let header = header(Cursor::new(bytes), name)?;
    let (width, height) = header.bounded(name, reading)?;
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = (width * height > LARGE).then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
    let reader = open(Cursor::new(bytes), name, width * height)?;
    let format = reader.format();
    if format == Some(ImageFormat::Jpeg)
        && let Some(why) = jpeg::fault(bytes)
    {
        return Err(Error::environment(format!("{} {why}", name.display()), "copy the file again"));
    }
    let decoded = guarded(name, || reader.decode().map_err(|e| failure(&e, name)))?;
    let mut pixels = match decoded {
        // Cameras leave the fourth byte of a pixel 0; as alpha it would make the picture vanish.
        DynamicImage::ImageRgba8(p) if format == Some(ImageFormat::Bmp) && p.pixels().all(|p| p.0[3] == 0) => {
            DynamicImage::ImageRgba8(p).to_rgb8().into()
        }
        other => other,
    };
    if reading.orientation == Orientation::Apply {
        pixels.apply_orientation(header.tag);
    }
    Ok(Raw { pixels, turned: header.tag != Tag::NoTransforms })
}

fn floats(name: &Path) -> Error {
    Error::environment(format!("{} holds floating-point pixels, not an image", name.display()), FORMATS)
}

/// What a TIFF file says of itself that its decoding does not show; `None` for other files, and where it cannot be told.
struct TiffFacts {
    float: bool,
    more_pages: bool,
}

fn tiff_facts(bytes: &[u8]) -> Option<TiffFacts> {
    use tiff::decoder::Decoder;
    use tiff::tags::Tag;
    /// SampleFormat of IEEE floats.
    const FLOAT: u16 = 3;
    let magic = bytes.get(..4)?;
    if !["II*\0", "MM\0*", "II+\0", "MM\0+"].iter().any(|known| known.as_bytes() == magic) {
        return None;
    }
    let read = || {
        let mut decoder = Decoder::new(Cursor::new(bytes)).ok()?;
        let formats = decoder.find_tag(Tag::SampleFormat).ok()?.and_then(|value| value.into_u16_vec().ok()).unwrap_or_default();
        Some(TiffFacts { float: formats.contains(&FLOAT), more_pages: decoder.more_images() })
    };
    std::panic::catch_unwind(AssertUnwindSafe(read)).ok().flatten()
}

/// A reader that may take the memory of so many pixels.
fn open<'a, R: BufRead + Seek + 'a>(source: R, name: &Path, pixels: usize) -> Result<ImageReader<R>> {
    let mut reader = ImageReader::new(source).with_guessed_format().map_err(|e| Error::io("read", name, &e))?;
    if reader.format().is_none() {
        reader = as_big_tiff(reader, name)?;
    }
    if reader.format().is_none_or(|f| !f.reading_enabled()) {
        return Err(Error::environment(format!("{} is not an image of a known format", name.display()), FORMATS));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE as u32);
    limits.max_image_height = Some(MAX_SIDE as u32);
    limits.max_alloc = Some(MAX_ASIDE + PIXEL_BYTES * pixels as u64);
    reader.limits(limits);
    Ok(reader)
}

/// BigTIFF begins otherwise than TIFF, and is read by the same decoder.
fn as_big_tiff<R: BufRead + Seek>(reader: ImageReader<R>, name: &Path) -> Result<ImageReader<R>> {
    let mut source = reader.into_inner();
    let mut magic = [0; 4];
    let begun = source.read_exact(&mut magic).is_ok();
    source.rewind().map_err(|e| Error::io("read", name, &e))?;
    let mut reader = ImageReader::new(source);
    if begun && (&magic == b"II+\0" || &magic == b"MM\0+") {
        reader.set_format(ImageFormat::Tiff);
    }
    Ok(reader)
}

/// Decoders promise not to panic; on hostile bytes that promise is not ours to make, so a panic is a broken file too.
fn guarded<T>(name: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        Err(Error::environment(format!("cannot decode {}: the decoder gave up", name.display()), "copy or convert the file again"))
    })
}

fn failure(error: &ImageError, name: &Path) -> Error {
    let name = name.display();
    match error {
        ImageError::Limits(e) if e.kind() == LimitErrorKind::DimensionError => {
            Error::environment(format!("{name} is larger than {MAX_SIDE} px"), "make the image smaller")
        }
        ImageError::Limits(_) => {
            let what = format!("{name} needs more than {} MiB to decode, beyond its pixels", MAX_ASIDE >> 20);
            Error::environment(what, "save it again without embedded profiles and text")
        }
        ImageError::Unsupported(e) => Error::environment(format!("cannot decode {name}: {e}"), FORMATS),
        e => Error::environment(format!("cannot decode {name}: {e}"), "the file is damaged or truncated: copy it again"),
    }
}

fn over_black(value: u8, alpha: u8) -> u8 {
    ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8
}

fn narrow(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// Composites and narrows with one rounding.
fn narrow_over_black(value: u16, alpha: u16) -> u8 {
    const FULL: u64 = 65535 * 257;
    ((u64::from(value) * u64::from(alpha) + FULL / 2) / FULL) as u8
}

#[cfg(test)]
mod tests {
    use super::super::truth::{self, Values};
    use super::*;
    use crate::config::MaskRule;
    use crate::image::Mask;
    use ::image::{ExtendedColorType, ImageBuffer, ImageEncoder, Luma, LumaA, Rgb as P3, Rgba};
    use proptest::prelude::*;

    fn bytes_of(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        image.write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    fn pattern() -> Rgb {
        Rgb::from_vec(7, 5, (0..105).map(|i| (i * 37 % 256) as u8).collect())
    }

    fn here() -> &'static Path {
        Path::new("folder/some.png")
    }

    #[test]
    fn lossless_formats_give_the_pixels_back() {
        let image = pattern();
        let dynamic = DynamicImage::ImageRgb8(ImageBuffer::from_raw(7, 5, image.data.clone()).unwrap());
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
            let decoded = decode_bytes(&bytes_of(&dynamic, format), here()).unwrap();
            assert_eq!(
                decoded,
                Decoded { rgb: image.clone(), had_alpha: false, deepest: None, transparent: false, more_pages: false, turned: false },
                "{format:?}"
            );
        }
        let jpeg = decode_bytes(&bytes_of(&dynamic, ImageFormat::Jpeg), here()).unwrap().rgb;
        assert_eq!((jpeg.width, jpeg.height), (7, 5));
    }

    #[test]
    fn sixteen_bits_are_divided_by_257_and_rounded() {
        for v in 0..=65535_u16 {
            assert_eq!(narrow(v), (f64::from(v) / 257.0).round() as u8);
        }
        let grey = DynamicImage::ImageLuma16(ImageBuffer::from_fn(4, 1, |x, _| Luma([[0, 128, 129, 65535][x as usize]])));
        let rgb = decode_bytes(&bytes_of(&grey, ImageFormat::Png), here()).unwrap().rgb;
        assert_eq!(rgb.data, [0, 0, 0, 0, 0, 0, 1, 1, 1, 255, 255, 255]);
        let tiff = DynamicImage::ImageRgb16(ImageBuffer::from_pixel(2, 2, P3([257, 514, 65535])));
        assert_eq!(decode_bytes(&bytes_of(&tiff, ImageFormat::Tiff), here()).unwrap().rgb.at(1, 1), [1, 2, 255]);
    }

    #[test]
    fn alpha_is_composited_over_black_and_reported() {
        for (image, want) in [
            (DynamicImage::ImageRgba8(ImageBuffer::from_pixel(1, 1, Rgba([200, 100, 50, 128]))), [100, 50, 25]),
            (DynamicImage::ImageLumaA8(ImageBuffer::from_pixel(1, 1, LumaA([200, 0]))), [0, 0, 0]),
            (DynamicImage::ImageRgba16(ImageBuffer::from_pixel(1, 1, Rgba([65535, 32768, 0, 65535]))), [255, 128, 0]),
            (DynamicImage::ImageLumaA16(ImageBuffer::from_pixel(1, 1, LumaA([65535, 32768]))), [128, 128, 128]),
        ] {
            let decoded = decode_bytes(&bytes_of(&image, ImageFormat::Png), here()).unwrap();
            assert!(decoded.had_alpha);
            assert_eq!(decoded.rgb.at(0, 0), want);
        }
    }

    /// A PNG of one row made of chunks that no encoder of ours writes.
    fn png_of(width: u32, [depth, colour]: [u8; 2], extra: &[(&[u8; 4], &[u8])], row: &[u8]) -> Vec<u8> {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut zlib, &[&[0], row].concat()).unwrap();
        let zlib = zlib.finish().unwrap();
        let header = [&width.to_be_bytes()[..], &1_u32.to_be_bytes(), &[depth, colour, 0, 0, 0]].concat();
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in [(b"IHDR", &header[..])].into_iter().chain(extra.iter().copied()).chain([(b"IDAT", &zlib[..]), (b"IEND", &[])])
        {
            let mut sum = flate2::Crc::new();
            sum.update(&[&kind[..], data].concat());
            bytes.extend([&(data.len() as u32).to_be_bytes()[..], kind, data, &sum.sum().to_be_bytes()].concat());
        }
        bytes
    }

    #[test]
    fn palettes_single_bits_and_transparent_colours_are_read() {
        let decoded = |bytes: Vec<u8>| decode_bytes(&bytes, here()).map(|d| (d.rgb.data, d.had_alpha)).unwrap();
        let palette: (&[u8; 4], &[u8]) = (b"PLTE", &[10, 20, 30, 200, 100, 50]);
        assert_eq!(decoded(png_of(2, [8, 3], &[palette], &[1, 0])), (vec![200, 100, 50, 10, 20, 30], false));
        assert_eq!(decoded(png_of(2, [1, 3], &[palette], &[0b1000_0000])), (vec![200, 100, 50, 10, 20, 30], false));
        assert_eq!(decoded(png_of(3, [1, 0], &[], &[0b1010_0000])), (vec![255, 255, 255, 0, 0, 0, 255, 255, 255], false));
        assert_eq!(decoded(png_of(2, [4, 0], &[], &[0x3f])), (vec![51, 51, 51, 255, 255, 255], false));
        // The colour that tRNS names is transparent, hence black.
        assert_eq!(decoded(png_of(2, [8, 3], &[palette, (b"tRNS", &[255, 0])], &[1, 0])), (vec![0, 0, 0, 10, 20, 30], true));
        assert_eq!(decoded(png_of(2, [8, 0], &[(b"tRNS", &[0, 9])], &[9, 8])), (vec![0, 0, 0, 8, 8, 8], true));
        assert_eq!(decoded(png_of(2, [8, 2], &[(b"tRNS", &[0, 1, 0, 2, 0, 3])], &[1, 2, 3, 1, 2, 4])), (vec![0, 0, 0, 1, 2, 4], true));
    }

    #[test]
    fn a_small_file_of_too_many_pixels_is_refused_before_they_are_made() {
        let header = |width: u32, height: u32| {
            let mut bytes = png_of(width, [1, 0], &[], &[0; 4]);
            bytes[20..24].copy_from_slice(&height.to_be_bytes());
            let mut sum = flate2::Crc::new();
            sum.update(&bytes[12..29]);
            bytes[29..33].copy_from_slice(&sum.sum().to_be_bytes());
            bytes
        };
        for asked in [
            decode_bytes(&header(16_384, 16_384), here()).map(drop),
            dimensions_bytes(&header(16_384, 4097), here(), Reading::default()).map(drop),
        ] {
            let error = asked.unwrap_err();
            assert!(error.what.contains("some.png has 16384x") && error.what.contains("more than 67108864 in all"), "{error}");
            assert!(error.remedy.contains("data.max_pixels"), "{error}");
        }
        assert_eq!(dimensions_bytes(&header(16_384, 4096), here(), Reading::default()).unwrap(), (16_384, 4096));
        let with = |max_pixels: usize| Reading { max_pixels, ..Reading::default() };
        assert_eq!(dimensions_bytes(&header(16_384, 16_384), here(), with(1 << 28)).unwrap(), (16_384, 16_384));
        let square = png_of(3, [1, 0], &[], &[0b1010_0000]);
        assert!(decode_as(&square, here(), with(3)).is_ok() && decode_as(&square, here(), with(2)).is_err());
        assert!(Values::of(&square, here(), with(3)).is_ok() && Values::of(&square, here(), with(2)).is_err());
    }

    #[test]
    fn the_fourth_byte_of_a_bmp_is_no_alpha_where_it_is_zero_everywhere() {
        let of = |alpha: u8| {
            let image = DynamicImage::ImageRgba8(ImageBuffer::from_fn(2, 1, |x, _| Rgba([200, 100, 50, if x == 0 { alpha } else { 0 }])));
            decode_bytes(&bytes_of(&image, ImageFormat::Bmp), here()).unwrap()
        };
        let (ignored, kept) = (of(0), of(255));
        assert_eq!((ignored.rgb.data, ignored.had_alpha, ignored.transparent), (vec![200, 100, 50, 200, 100, 50], false, false));
        assert_eq!((kept.rgb.data, kept.had_alpha), (vec![200, 100, 50, 0, 0, 0], true));
        let png = DynamicImage::ImageRgba8(ImageBuffer::from_pixel(2, 1, Rgba([200, 100, 50, 0])));
        assert!(decode_bytes(&bytes_of(&png, ImageFormat::Png), here()).unwrap().transparent);
    }

    #[test]
    fn big_tiff_is_read_and_further_pages_are_noted() {
        use tiff::encoder::{TiffEncoder, colortype::Gray8};
        let mut bytes = Cursor::new(Vec::new());
        TiffEncoder::new_big(&mut bytes).unwrap().write_image::<Gray8>(2, 1, &[7, 9]).unwrap();
        let decoded = decode_bytes(bytes.get_ref(), here()).unwrap();
        assert_eq!((decoded.rgb.data, decoded.more_pages), (vec![7, 7, 7, 9, 9, 9], false));
        assert_eq!(dimensions_bytes(bytes.get_ref(), here(), Reading::default()).unwrap(), (2, 1));
        let mut bytes = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
        (0..3).for_each(|page| encoder.write_image::<Gray8>(2, 1, &[page, 9]).unwrap());
        let decoded = decode_bytes(bytes.get_ref(), here()).unwrap();
        assert_eq!((decoded.rgb.data, decoded.more_pages), (vec![0, 0, 0, 9, 9, 9], true));
        let mut bytes = Cursor::new(Vec::new());
        TiffEncoder::new(&mut bytes).unwrap().write_image::<tiff::encoder::colortype::Gray32Float>(1, 1, &[0.5]).unwrap();
        assert!(decode_bytes(bytes.get_ref(), here()).unwrap_err().what.contains("floating-point pixels"));
    }

    /// A picture of 2x1 px in each format that carries an orientation tag, which says `tag`.
    fn tagged(tag: u8) -> Vec<(&'static str, Vec<u8>)> {
        use ::image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
        let exif = || [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[tag, 0, 0, 0, 0, 0, 0, 0]].concat();
        fn written(mut encoder: impl ImageEncoder, exif: Vec<u8>) {
            encoder.set_exif_metadata(exif).unwrap();
            let pixels = [[200_u8; 3], [10; 3]].concat();
            encoder.write_image(&pixels, 2, 1, ExtendedColorType::Rgb8).unwrap();
        }
        let (mut png, mut jpeg, mut webp) = (vec![], vec![], vec![]);
        written(PngEncoder::new(&mut png), exif());
        written(JpegEncoder::new_with_quality(&mut jpeg, 100), exif());
        written(WebPEncoder::new_lossless(&mut webp), exif());
        vec![("PNG", png), ("JPEG", jpeg), ("WebP", webp)]
    }

    #[test]
    fn a_picture_is_turned_as_its_tag_asks_if_that_is_wanted() {
        // By the EXIF standard (CIPA DC-008, tag 0x0112): where the bright pixel of [bright, dark] stands when the picture is upright.
        let standing = [(1, 2, 0), (2, 2, 1), (3, 2, 1), (4, 2, 0), (5, 1, 0), (6, 1, 0), (7, 1, 1), (8, 1, 1)];
        for (tag, width, bright) in standing {
            for (format, bytes) in tagged(tag) {
                let at = |decoded: &Decoded, place: usize| decoded.rgb.data[3 * place] > 100;
                let turned = decode_as(&bytes, here(), Reading::default()).unwrap();
                assert_eq!((turned.rgb.width, at(&turned, bright), at(&turned, 1 - bright)), (width, true, false), "{format} {tag}");
                assert_eq!(dimensions_bytes(&bytes, here(), Reading::default()).unwrap(), (width, 3 - width), "{format} {tag}");
                let plain = decode_bytes(&bytes, here()).unwrap();
                assert_eq!((plain.rgb.width, at(&plain, 0), plain.turned), (2, true, tag != 1), "{format} {tag}");
                assert_eq!(asks_for_a_turn(Cursor::new(&bytes), here()), tag != 1, "{format} {tag}");
                let mask = Values::of(&bytes, here(), Reading::default()).unwrap().mask(MaskRule::Half, here()).unwrap();
                assert_eq!((mask.width, mask.data[bright]), (width, 1), "{format} {tag}");
            }
        }
        for (_, bytes) in tagged(9) {
            assert!(!decode_bytes(&bytes, here()).unwrap().turned, "the standard has no 9");
        }
    }

    #[test]
    fn floating_point_tiff_is_refused() {
        let image = DynamicImage::ImageRgb32F(ImageBuffer::from_pixel(2, 2, P3([0.5, 0.5, 0.5])));
        let error = decode_bytes(&bytes_of(&image, ImageFormat::Tiff), here()).unwrap_err();
        assert!(error.what.contains("folder/some.png") && error.what.contains("floating-point"), "{error}");
    }

    #[test]
    fn every_truncation_is_an_error_that_names_the_file() {
        let noise = Rgb::from_vec(16, 16, (0..768_u32).map(|i| (i.wrapping_mul(2654435761) >> 24) as u8).collect());
        let dynamic = DynamicImage::ImageRgb8(ImageBuffer::from_raw(16, 16, noise.data).unwrap());
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Jpeg, ImageFormat::WebP] {
            let bytes = bytes_of(&dynamic, format);
            for keep in [0, 1, 8, bytes.len() / 4, bytes.len() / 2, bytes.len() * 3 / 4] {
                let error = decode_bytes(&bytes[..keep], here()).expect_err(&format!("{format:?}, {keep} of {} bytes", bytes.len()));
                assert_eq!(error.exit_code(), 3);
                assert!(error.what.contains("folder/some.png"), "{error}");
            }
        }
    }

    #[test]
    fn a_tiny_file_that_claims_a_huge_image_is_refused() {
        let mut bmp = bytes_of(&DynamicImage::ImageRgb8(ImageBuffer::new(1, 1)), ImageFormat::Bmp);
        bmp[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
        bmp[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
        let error = decode_bytes(&bmp, here()).unwrap_err();
        assert!(error.what.contains("60000x60000 px, more than"), "{error}");
        assert!(decode_bytes(b"not an image at all, only text", here()).unwrap_err().what.contains("known format"));
    }

    #[test]
    fn files_are_written_read_and_measured() {
        let folder = tempfile::tempdir().unwrap();
        // The content decides, not the name.
        let path = folder.path().join("picture.jpg");
        write_png(&path, &pattern()).unwrap();
        assert_eq!(decode(&path).unwrap(), pattern());
        assert_eq!(dimensions(&path, Reading::default()).unwrap(), (7, 5));
        let mask = Mask::from_vec(3, 2, vec![0, 1, 0, 1, 1, 0]);
        let path = folder.path().join("mask.png");
        write_mask_png(&path, &mask).unwrap();
        assert_eq!(truth::decode_mask(&path, MaskRule::Nonzero).unwrap(), mask);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside them");
        let missing = folder.path().join("missing.png");
        assert!(decode(&missing).unwrap_err().what.contains("missing.png"));
        assert!(dimensions(&missing, Reading::default()).is_err());
        write_png(&folder.path().join("new/folder/picture.png"), &pattern()).unwrap();
        assert!(write_png(&path.join("below a file.png"), &pattern()).is_err());
    }

    #[test]
    fn a_reader_never_sees_part_of_a_picture_that_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture.png");
        let noise =
            |seed: u32| Rgb::from_vec(64, 64, (0..12_288_u32).map(|i| ((i ^ seed).wrapping_mul(2_654_435_761) >> 24) as u8).collect());
        let pictures = [noise(1), noise(77)];
        write_png(&path, &pictures[0]).unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..200).for_each(|round| write_png(&path, &pictures[round % 2]).unwrap());
                done.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let seen = decode(&path).unwrap();
                assert!(pictures.contains(&seen));
            }
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn hostile_bytes_never_panic(which in 0..5_usize, at in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12)) {
            let dynamic = DynamicImage::ImageRgb8(ImageBuffer::from_raw(7, 5, pattern().data).unwrap());
            let mut bytes = bytes_of(&dynamic, [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Jpeg, ImageFormat::WebP][which]);
            for (index, value) in at {
                let i = index.index(bytes.len());
                bytes[i] = value;
            }
            if let Err(error) = decode_bytes(&bytes, here()) {
                prop_assert!(error.what.contains("folder/some.png"));
            }
        }
    }
}
