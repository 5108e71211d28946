//! Order-preserving integer keys of float scores: `a < b` as floats exactly when `key(a) < key(b)` as integers.
//!
//! IEEE 754 floats of one sign already order like their bits; setting the sign bit of the positive ones and flipping all
//! bits of the negative ones joins the two halves. Both zeros get the key of +0.0.

use std::sync::Arc;

use crate::image::Map;
use crate::{Error, Result};

const SIGN: u32 = 0x8000_0000;
const INFINITY: u32 = 0x7f80_0000;

/// What to do about a score that is not a number.
pub const NOT_FINITE: &str = "scores must be finite: the training may have diverged; lower optim.lr or set train.clip_norm";

/// The key of a finite score.
#[inline]
pub fn key(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits(); // -0.0 + 0.0 is +0.0
    let negative = ((bits as i32) >> 31) as u32; // all ones below zero
    bits ^ (negative | SIGN)
}

/// The score of a key: the inverse of [`key`], but for the sign of zero.
#[inline]
pub fn score(key: u32) -> f32 {
    let positive = ((key as i32) >> 31) as u32; // all ones from zero upwards
    f32::from_bits(key ^ (!positive | SIGN))
}

/// What the keys of a ranking stand for.
#[derive(Debug, Clone, Default)]
pub enum Scale {
    /// Float32 scores, by [`key`].
    #[default]
    Float32,
    /// Places in this ascending list of distinct scores.
    Ranks(Arc<Vec<f64>>),
}

impl Scale {
    /// The score of a key.
    #[inline]
    pub fn score(&self, key: u32) -> f64 {
        match self {
            Self::Float32 => f64::from(score(key)),
            Self::Ranks(scores) => scores[key as usize],
        }
    }
}

/// Refuses a map with a NaN or an infinity, naming `name` (the image's file) and the first such pixel.
pub fn check_finite(name: &str, map: &Map) -> Result<()> {
    // One vectorised sweep in the ordinary case; the pixel is looked for only once there is one.
    let greatest = map.data.iter().fold(0, |m, s| m.max(s.to_bits() & !SIGN));
    if greatest < INFINITY {
        return Ok(());
    }
    let at = map.data.iter().position(|s| !s.is_finite()).expect("a pixel has the bits of a NaN or an infinity");
    Err(Error::environment(
        format!("the score map of {name} has {} at x = {}, y = {}", map.data[at], at % map.width, at / map.width),
        NOT_FINITE,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_zeros_share_a_key() {
        assert_eq!(key(-0.0), key(0.0));
        assert_eq!(score(key(-0.0)).to_bits(), 0.0_f32.to_bits());
    }

    #[test]
    fn the_extremes_are_in_order() {
        let ordered = [f32::MIN, -1.0, -f32::MIN_POSITIVE, -1e-45, 0.0, 1e-45, f32::MIN_POSITIVE, 1.0, f32::MAX];
        assert!(ordered.windows(2).all(|w| key(w[0]) < key(w[1])));
        assert!(ordered.iter().all(|&s| score(key(s)) == s));
    }

    #[test]
    fn a_map_that_is_not_finite_is_refused_by_file_and_pixel() {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut map = Map::filled(5, 4, 0.5);
            map.set(3, 2, bad);
            let message = check_finite("bottle/test/broken_large/003.png", &map).unwrap_err().to_string();
            assert!(message.contains("bottle/test/broken_large/003.png") && message.contains("x = 3, y = 2"), "{message}");
        }
        assert!(check_finite("ok", &Map::from_vec(2, 1, vec![f32::MAX, f32::MIN])).is_ok());
    }

    proptest! {
        #[test]
        fn keys_order_as_scores_do(a in any::<f32>().prop_filter("finite", |v| v.is_finite()), b in any::<f32>().prop_filter("finite", |v| v.is_finite())) {
            prop_assert_eq!(key(a).cmp(&key(b)), (a + 0.0).partial_cmp(&(b + 0.0)).unwrap());
            prop_assert_eq!(score(key(a)), a);
        }
    }
}
