//! Pictures as text within a page.

use std::path::Path;

use crate::image::{Rgb, codec, resize};
use crate::{Error, Result};

/// What all bitmaps of a page may weigh together, bytes before base64, which adds a third.
const BUDGET: usize = 6 << 20;

const QUALITY: u8 = 86;

/// No bitmap is made narrower than that, px.
const NARROWEST: usize = 640;

/// An image file as a `data:` address. An SVG and a small bitmap stay as they are; a bitmap that weighs more than its share of
/// the page, which holds `bitmaps` of them, becomes a JPEG, smaller by steps until it fits.
///
/// # Errors
/// A file that cannot be read, or whose name ends on neither `.svg` nor `.png`.
pub fn address(path: &Path, bitmaps: usize) -> Result<String> {
    let bytes = crate::file::content(path).map_err(|e| Error::io("read", path, &e))?;
    match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => Ok(format!("data:image/svg+xml;base64,{}", base64(&bytes))),
        Some("png") => {
            let share = BUDGET / bitmaps.max(1);
            if bytes.len() <= share {
                return Ok(format!("data:image/png;base64,{}", base64(&bytes)));
            }
            let picture = codec::decode_bytes(&bytes, path)?.rgb;
            Ok(format!("data:image/jpeg;base64,{}", base64(&within(&picture, share))))
        }
        _ => Err(Error::run(format!("{} is neither an SVG nor a PNG", path.display()), "")),
    }
}

/// The picture as a JPEG of at most `share` bytes, or as narrow as it may become.
fn within(picture: &Rgb, share: usize) -> Vec<u8> {
    let (mut width, mut bytes) = (picture.width, jpeg(picture));
    while bytes.len() > share && width > NARROWEST {
        width = (width * 4 / 5).max(NARROWEST);
        let height = (picture.height * width / picture.width).max(1);
        bytes = jpeg(&resize::bilinear(picture, width, height));
    }
    bytes
}

fn jpeg(picture: &Rgb) -> Vec<u8> {
    codec::encode_jpeg(picture, QUALITY)
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, &b| bits << 8 | u32::from(b)) << (8 * (3 - three.len()));
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= three.len() { letter as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy")];
        for (plain, coded) in vectors {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[255, 254, 253]), "//79");
    }

    #[test]
    fn a_picture_that_is_too_heavy_becomes_smaller_until_it_fits() {
        let noise = (0..3 * 1400 * 500_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let picture = Rgb::from_vec(1400, 500, noise);
        let small = within(&picture, 250_000);
        let back = codec::decode_bytes(&small, Path::new("x.jpg")).unwrap().rgb;
        assert!(small.len() <= 250_000 && back.width >= NARROWEST && back.width < 1400);
        assert!((back.height as f64 / back.width as f64 - 500.0 / 1400.0).abs() < 0.01, "its shape stays");
        assert_eq!(codec::decode_bytes(&within(&picture, 10), Path::new("x.jpg")).unwrap().rgb.width, NARROWEST);
    }

    #[test]
    fn files_of_other_kinds_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.gif"), "GIF89a").unwrap();
        assert!(address(&dir.path().join("a.gif"), 1).unwrap_err().what.contains("a.gif"));
        assert!(address(&dir.path().join("b.svg"), 1).unwrap_err().what.contains("b.svg"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn base64_can_be_read_back(bytes in prop::collection::vec(0..=255_u8, 0..40)) {
            // Slow twin: six bits at a time.
            let text = base64(&bytes);
            let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let bits: Vec<u8> = text.chars().filter_map(|c| letters.find(c)).flat_map(|v| (0..6).rev().map(move |b| (v >> b & 1) as u8)).collect();
            let back: Vec<u8> = bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |v, b| v << 1 | b)).collect();
            prop_assert!(back == bytes && text.len().is_multiple_of(4));
        }
    }
}
