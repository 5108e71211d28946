//! A run's pictures at a size that fits a screen: the files themselves stay in `figures/`, and are not kept twice.

use std::path::Path;

use super::message;
use crate::export::protobuf::Message;
use crate::image::{codec, resize};
use crate::{Error, Result};

/// Bytes up to which a picture is taken as it is: curves with their sharp lines.
const SMALL: usize = 256 << 10;

/// The longer side of what is larger, px.
const SCREEN: usize = 1600;

const QUALITY: u8 = 86;

/// The PNG at `path` under `tag`; as a JPEG that fits a screen where it is large. `None` where it is no PNG.
///
/// # Errors
/// A file that cannot be read.
pub fn fitted(tag: &str, path: &Path) -> Result<Option<Message>> {
    let bytes = crate::file::content(path).map_err(|e| Error::io("read", path, &e))?;
    if bytes.len() <= SMALL {
        return Ok(message::png(tag, &bytes));
    }
    let Ok(decoded) = codec::decode_bytes(&bytes, path) else { return Ok(None) };
    let picture = decoded.rgb;
    let scale = (SCREEN as f64 / picture.width.max(picture.height) as f64).min(1.0);
    let [width, height] = [picture.width, picture.height].map(|side| ((side as f64 * scale).round() as usize).max(1));
    let jpeg = codec::encode_jpeg(&resize::bilinear(&picture, width, height), QUALITY);
    Ok(Some(message::picture(tag, [width as u64, height as u64, 3], &jpeg)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Rgb;

    #[test]
    fn a_large_picture_is_kept_at_the_size_of_a_screen_and_a_small_one_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        let message = |picture: &Rgb| {
            let png = codec::encode_png(picture);
            std::fs::write(&path, &png).unwrap();
            (png, fitted("a", &path).unwrap().unwrap().as_bytes().to_vec())
        };
        let holds = |message: &[u8], part: &[u8]| message.windows(part.len()).any(|window| window == part);
        let (png, small) = message(&Rgb::filled(40, 30, [9; 3]));
        assert!(holds(&small, &png));
        // Noise, which no PNG makes smaller.
        let noise = |side: usize| Rgb {
            data: (0..3 * side * side).map(|i| ((i * i) as u32 ^ (i as u32).wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
            width: side,
            height: side,
        };
        let (png, large) = message(&noise(2000));
        assert!(
            png.len() > 4 * SMALL && large.len() < png.len() / 2 && holds(&large, b"\xff\xd8\xff") && !holds(&large, b"\x89PNG\r\n\x1a\n"),
            "{} {}",
            png.len(),
            large.len()
        );
        // height and width as varints: fields 1 and 2.
        assert!(holds(&large, &[1 << 3, 0xc0, 0x0c, 2 << 3, 0xc0, 0x0c]), "1600 px");
        std::fs::write(&path, vec![7; SMALL + 1]).unwrap();
        assert!(fitted("a", &path).unwrap().is_none());
    }
}
