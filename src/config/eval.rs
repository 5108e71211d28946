//! `[eval]`: from what a detector gives to metrics.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eval {
    pub resolution: Resolution,
    /// Corner alignment of the bilinear upsampling of score maps.
    pub align_corners: bool,
    /// Smoothing of the upsampled map, px of that map; 0 = none.
    pub gaussian_sigma: f64,
    /// Side of the square image whose px `gaussian_sigma` counts; 0 = px of each map.
    pub gaussian_side: usize,
    pub image_score: ImageScore,
    pub map: ScoreMap,
    /// Images a forward pass.
    pub batch: usize,
    pub pro: Pro,
}

impl Eval {
    /// Standard deviation of the smoothing of a map of `width` x `height`, px of that map: where `gaussian_side` is set, in proportion to
    /// the side of a square of as many pixels, so that one part scores alike whatever size it is photographed at.
    pub fn sigma(&self, width: usize, height: usize) -> f64 {
        match self.gaussian_side {
            0 => self.gaussian_sigma,
            side => self.gaussian_sigma * ((width * height) as f64).sqrt() / side as f64,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// Each image's own size.
    Original,
    /// `data.size`, masks reduced by nearest.
    Input,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageScore {
    /// Maximum of the upsampled map.
    Upsampled,
    /// Maximum of the map as the network gives it.
    Map,
    /// Mean of the map as the network gives it.
    Mean,
    /// What the detector gives beside its maps, or instead of any.
    Own,
}

/// The map that an image is scored by, where a detector has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScoreMap {
    /// The one that the detector names first.
    #[serde(rename = "own")]
    Own,
    S,
    A,
    /// The mean of S and A, each in units of its deviation over normal images: map Z.
    #[serde(rename = "mean_z")]
    MeanZ,
}

impl ScoreMap {
    /// The map's name.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Own => None,
            Self::S => Some("S"),
            Self::A => Some("A"),
            Self::MeanZ => Some("Z"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pro {
    pub variant: ProVariant,
    /// Greatest false positive rate of the integral, 0 < limit <= 1.
    pub limit: f64,
    /// Neighbours that join two pixels into one region: 4 or 8.
    pub connectivity: u8,
}

/// How the area under the PRO curve is computed (`metric::Variant` says who uses what).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProVariant {
    /// One point per distinct score; the reference.
    Exact,
    /// Per image, 200 linear thresholds, then averaged (reverse distillation).
    RdPerImage,
    /// 200 linear thresholds over the category, FPR rescaled by its own maximum.
    Grid,
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn smoothing_follows_the_size_of_the_image_where_it_is_asked_to() {
        let mut eval = Config::default().eval;
        eval.gaussian_sigma = 4.0;
        assert_eq!([eval.sigma(256, 256), eval.sigma(1024, 768)], [4.0, 4.0]);
        eval.gaussian_side = 256;
        assert_eq!([eval.sigma(256, 256), eval.sigma(1024, 1024), eval.sigma(512, 128)], [4.0, 16.0, 4.0]);
    }
}
