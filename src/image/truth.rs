//! Ground truth in files: which values of a mask are anomalous, by one rule for all masks of a category.
//!
//! A rule that looked at each file would call 1 anomalous in a file of 0 and 1, and normal in the next, of 0, 1 and 2.

use super::codec::{self, FORMATS};
use super::{Mask, Plane};
use crate::config::{MaskRule, Reading};
use crate::{Error, Result};
use ::image::DynamicImage;
use std::path::Path;

/// Values besides 0 that kinds of damage may have; a file of more is a grey picture.
pub const KINDS: usize = 32;

/// The values of a mask's file: the brightest channel, times alpha where there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    pub plane: Plane<u16>,
    /// Full scale: 255 or 65535.
    pub full: u16,
}

/// Reads a binary mask from an image of any format that [`codec::decode`] reads, turned as its tag asks: 1 = anomalous.
///
/// # Errors
/// A file that cannot be read, and a grey one where the rule is about kinds of damage.
pub fn decode_mask(path: &Path, rule: MaskRule) -> Result<Mask> {
    Values::of(&codec::read(path)?, path, Reading::default())?.mask(rule, path)
}

impl Values {
    /// From a file's content, turned as its tag asks if that is wanted; `name` stands in errors.
    ///
    /// # Errors
    /// What is not an image, and floating-point pixels.
    pub fn of(bytes: &[u8], name: &Path, reading: Reading) -> Result<Self> {
        let decoded = codec::raw(bytes, name, reading)?.pixels;
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        let brightest = |channels: &[u16], alpha: u16, full: u32| {
            let brightest = channels.iter().copied().max().unwrap_or(0);
            ((u32::from(brightest) * u32::from(alpha) + full / 2) / full) as u16
        };
        let mut full = u16::MAX;
        let values: Vec<u16> = match decoded {
            DynamicImage::ImageLuma16(p) => p.into_raw(),
            DynamicImage::ImageLuma8(p) => {
                full = 255;
                p.into_raw().into_iter().map(u16::from).collect()
            }
            DynamicImage::ImageLumaA16(p) => p.pixels().map(|p| brightest(&p.0[..1], p.0[1], 65535)).collect(),
            DynamicImage::ImageRgb16(p) => p.pixels().map(|p| brightest(&p.0, 65535, 65535)).collect(),
            DynamicImage::ImageRgba16(p) => p.pixels().map(|p| brightest(&p.0[..3], p.0[3], 65535)).collect(),
            DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_) => {
                return Err(Error::environment(format!("{} holds floating-point pixels, not a mask", name.display()), FORMATS));
            }
            eight_bits => {
                full = 255;
                eight_bits.to_rgba8().pixels().map(|p| brightest(&p.0.map(u16::from)[..3], u16::from(p.0[3]), 255)).collect()
            }
        };
        Ok(Self { plane: Plane::from_vec(width, height, values), full })
    }

    /// The distinct values besides 0, ascending.
    pub fn kinds(&self) -> Vec<u16> {
        let mut seen = vec![false; usize::from(self.full) + 1];
        self.plane.data.iter().for_each(|&value| seen[usize::from(value)] = true);
        (1..=self.full).filter(|&value| seen[usize::from(value)]).collect()
    }

    /// The mask by a rule; `name` stands in errors.
    ///
    /// # Errors
    /// A grey picture where the rule is [`MaskRule::Nonzero`].
    pub fn mask(&self, rule: MaskRule, name: &Path) -> Result<Mask> {
        let least = match rule {
            MaskRule::Nonzero => 1,
            MaskRule::Half => self.full / 2 + 1,
        };
        let kinds = self.kinds().len();
        if rule == MaskRule::Nonzero && kinds > KINDS {
            let what = format!("mask {} is grey: it has {kinds} values besides 0, too many to be labels", name.display());
            let remedy =
                "set data.mask_rule = \"half\" (half of full scale and more is anomalous), or save masks as 0 and 255, not as JPEG";
            return Err(Error::environment(what, remedy));
        }
        let (width, height) = (self.plane.width, self.plane.height);
        Ok(Mask::from_vec(width, height, self.plane.data.iter().map(|&v| u8::from(v >= least)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::image::{ImageBuffer, ImageFormat, Rgba};
    use std::io::Cursor;

    fn values(image: DynamicImage) -> Values {
        let mut out = Cursor::new(Vec::new());
        image.write_to(&mut out, ImageFormat::Png).unwrap();
        Values::of(&out.into_inner(), Path::new("some_mask.png"), Reading::default()).unwrap()
    }

    fn mask(image: DynamicImage, rule: MaskRule) -> Vec<u8> {
        values(image).mask(rule, Path::new("some_mask.png")).unwrap().data
    }

    fn grey(values: [u8; 4]) -> DynamicImage {
        DynamicImage::ImageLuma8(ImageBuffer::from_raw(4, 1, values.to_vec()).unwrap())
    }

    fn deep(values: [u16; 4]) -> DynamicImage {
        DynamicImage::ImageLuma16(ImageBuffer::from_raw(4, 1, values.to_vec()).unwrap())
    }

    #[test]
    fn all_but_zero_is_anomalous_whatever_else_the_file_holds() {
        let of = |image| mask(image, MaskRule::Nonzero);
        assert_eq!(of(grey([0, 1, 1, 0])), [0, 1, 1, 0]);
        assert_eq!(of(grey([0, 1, 2, 0])), [0, 1, 1, 0]);
        assert_eq!(of(grey([0, 255, 0, 255])), [0, 1, 0, 1]);
        assert_eq!(of(grey([0, 1, 255, 127])), [0, 1, 1, 1]);
        assert_eq!(of(grey([0, 0, 0, 0])), [0, 0, 0, 0]);
        assert_eq!(of(deep([0, 1, 255, 65535])), [0, 1, 1, 1]);
        let rgba = DynamicImage::ImageRgba8(ImageBuffer::from_fn(2, 1, |x, _| Rgba([255, 0, 0, if x == 0 { 255 } else { 0 }])));
        assert_eq!(of(rgba), [1, 0]);
    }

    #[test]
    fn half_of_full_scale_follows_from_the_bits_of_the_file_alone() {
        let of = |image| mask(image, MaskRule::Half);
        assert_eq!(of(grey([0, 127, 128, 255])), [0, 0, 1, 1]);
        assert_eq!(of(grey([0, 1, 1, 0])), [0, 0, 0, 0]);
        assert_eq!(of(deep([255, 32767, 32768, 65535])), [0, 0, 1, 1]);
    }

    #[test]
    fn a_grey_mask_is_refused_by_the_rule_that_would_widen_it() {
        let ramp = || values(DynamicImage::ImageLuma8(ImageBuffer::from_fn(200, 1, |x, _| ::image::Luma([x as u8]))));
        assert_eq!(ramp().kinds().len(), 199);
        let error = ramp().mask(MaskRule::Nonzero, Path::new("some_mask.png")).unwrap_err();
        assert!(error.what.contains("some_mask.png is grey") && error.remedy.contains("data.mask_rule"), "{error}");
        assert_eq!(ramp().mask(MaskRule::Half, Path::new("x")).unwrap().area(), 72);
        let few = DynamicImage::ImageLuma8(ImageBuffer::from_fn(KINDS as u32 + 1, 1, |x, _| ::image::Luma([x as u8])));
        assert_eq!(values(few).mask(MaskRule::Nonzero, Path::new("x")).unwrap().area(), KINDS);
    }
}
