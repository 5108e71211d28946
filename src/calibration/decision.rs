//! The one rule by which a score becomes a decision: predict, report and exports use it alike.

use super::conformal::{Normal, percent, rounded};
use super::record::{Calibration, Levels};
use crate::Result;
use crate::image::{Map, Mask};
use crate::names::counted;

/// A calibration at one false-alarm rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    normal: Normal,
    pub levels: Levels,
}

/// What it says of one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The chance that a normal image scores at least as high.
    pub p: f64,
    pub anomalous: bool,
}

impl Rule {
    /// # Errors
    /// A rate that so few images cannot promise.
    pub fn of(calibration: &Calibration, rate: f64, confidence: Option<f64>) -> Result<Self> {
        Ok(Self { normal: calibration.scores()?, levels: calibration.levels(rate, confidence)? })
    }

    pub fn decide(&self, score: f32) -> Decision {
        let score = f64::from(score);
        Decision { p: self.normal.p_value(score), anomalous: self.levels.image.alarms(score) }
    }

    /// The pixels of a scored map above the pixel threshold: 1 = marked. None of a detector without maps.
    pub fn marked(&self, map: &Map) -> Option<Mask> {
        let pixel = self.levels.pixel?;
        let marks = map.data.iter().map(|&value| u8::from(pixel.alarms(f64::from(value)))).collect();
        Some(Mask::from_vec(map.width, map.height, marks))
    }

    /// The range of colours in which maps are drawn, the pixel threshold in its middle: from the level that a tenth of all normal
    /// pixels exceeds, or, where that is not below the threshold, from as far below it as it is from 0.
    pub fn range(&self, calibration: &Calibration) -> Option<[f32; 2]> {
        let threshold = self.levels.pixel?.level as f32;
        let low = calibration.pixels.first().map(|level| level.level).filter(|low| *low < threshold);
        let low = low.unwrap_or(threshold - threshold.abs().max(1e-6));
        Some([low, threshold + (threshold - low)])
    }
}

impl Calibration {
    /// What it promises at a rate, for people: lines without an end.
    pub fn tell(&self, rate: f64, confidence: Option<f64>) -> Vec<String> {
        let n = self.images.len();
        let from = format!("calibrated with {}", self.origin.describe(n));
        let levels = match self.levels(rate, confidence) {
            Ok(levels) => levels,
            Err(error) => return vec![from, format!("no threshold: {}; {}", error.what, error.remedy)],
        };
        let certain = match confidence {
            Some(confidence) => format!("at most {} false alarms, with {} confidence", percent(rate), percent(confidence)),
            None => {
                let truth = levels.image.true_rate();
                let (mean, most) = (percent(truth.mean), percent(truth.most));
                format!("{mean} false alarms on average; this threshold's own rate is at most {most} with 90 % confidence")
            }
        };
        let smallest = percent(1.0 / (n + 1) as f64);
        let mut lines = vec![
            from,
            format!(
                "image threshold {}: {certain}; {} can promise no rate below {smallest}",
                rounded(levels.image.level),
                counted(n, "image", "images")
            ),
        ];
        if let Some(pixel) = levels.pixel {
            let share = percent((pixel.n + 1 - pixel.k) as f64 / (pixel.n + 1) as f64);
            lines.push(format!("pixel threshold {}: {share} of good images have any pixel above it, on average", rounded(pixel.level)));
        }
        if !self.origin.is_exact() {
            lines.push(
                "by folds the promise is approximate: the detector that scores was fitted on more images than those that were calibrated"
                    .into(),
            );
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FORMAT, Image, Origin, PixelLevel};
    use super::*;

    fn calibration(origin: Origin) -> Calibration {
        let image = |n: usize| Image { key: format!("train/good/{n:03}"), score: n as f32, highest: Some(n as f32 / 10.0) };
        let pixels = vec![PixelLevel { share: 0.1, level: 0.5 }];
        Calibration {
            format: FORMAT,
            run: "full/0123456789-s0".into(),
            origin,
            map: Some("A".into()),
            images: (1..=39).map(image).collect(),
            pixels,
        }
    }

    #[test]
    fn a_score_above_the_threshold_is_anomalous_and_its_pixels_are_marked() {
        let found = calibration(Origin::Holdout { share: 0.2, seed: 0 });
        let rule = Rule::of(&found, 0.05, None).unwrap();
        assert_eq!(rule.levels.image.level, 38.0);
        assert_eq!(rule.decide(38.0), Decision { p: 3.0 / 40.0, anomalous: false });
        assert_eq!(rule.decide(38.5), Decision { p: 2.0 / 40.0, anomalous: true });
        let marked = rule.marked(&Map::from_vec(3, 1, vec![3.7, 3.8, 3.9])).unwrap();
        assert_eq!(marked.data, [0, 0, 1]);
        assert_eq!(rule.range(&found), Some([0.5, 3.8 + (3.8 - 0.5)]));
        assert!(Rule::of(&found, 0.01, None).is_err());
    }

    #[test]
    fn what_is_promised_is_told_with_its_limits() {
        let text = calibration(Origin::Holdout { share: 0.2, seed: 0 }).tell(0.05, None).join("\n");
        for part in [
            "39 normal images that were held out",
            "image threshold 38.00: 5 % false alarms",
            "no rate below 2.5 %",
            "pixel threshold 3.800",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("approximate"));
        assert!(calibration(Origin::Folds { folds: 5, seed: 0 }).tell(0.05, None).join("\n").contains("approximate"));
        let few = calibration(Origin::Folder { folder: "parts".into() }).tell(0.001, None).join("\n");
        assert!(few.contains("39 images of parts") && few.contains("no threshold: 39 normal images promise"), "{few}");
    }
}
