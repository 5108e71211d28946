//! calibration.json of a run: scores of normal images that its detector was not fitted on.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::conformal::{Normal, Threshold};
use super::pixels::PixelLevel;
use crate::names::counted;
use crate::{Error, Result, file};

/// Format of calibration.json.
pub const FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    pub format: u32,
    /// The run whose detector scored.
    pub run: String,
    pub origin: Origin,
    /// The map of which levels are, none of a detector without one.
    pub map: Option<String>,
    pub images: Vec<Image>,
    /// Levels that so small a share of all pixels of these images exceeds.
    pub pixels: Vec<PixelLevel>,
}

/// Where the images came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Origin {
    /// A share of the normal training images that the detector was not fitted on.
    Holdout { share: f64, seed: u64 },
    /// All of them, each scored by a detector that was fitted on the other folds; the run's own was fitted on all.
    Folds { folds: usize, seed: u64 },
    /// A folder of further good images.
    Folder { folder: String },
}

/// One normal image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    pub key: String,
    /// As the run scores images (`eval.image_score`).
    pub score: f32,
    /// The greatest value of its map as it is scored.
    pub highest: Option<f32>,
}

/// Everything that a false-alarm rate decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// Of image scores.
    pub image: Threshold,
    /// Of pixels: a share of normal images of at most the rate has any pixel above it.
    pub pixel: Option<Threshold>,
}

impl Origin {
    /// Whether the promise of a rate is exact: for folds it is not, since the detector that scores is none of those that were
    /// calibrated. Its rate is then at most twice the promised one and a little more, if each fold's detector is as good (Barber
    /// et al. 2021), and near it in practice.
    pub fn is_exact(&self) -> bool {
        !matches!(self, Self::Folds { .. })
    }

    /// For people: "12 held-out images".
    pub fn describe(&self, n: usize) -> String {
        match self {
            Self::Holdout { .. } => format!("{n} normal images that were held out of the fit"),
            Self::Folds { folds, .. } => format!("{n} normal images, each scored by one of {folds} fits without it"),
            Self::Folder { folder } => format!("{} of {folder}", counted(n, "image", "images")),
        }
    }
}

impl Calibration {
    /// Reads calibration.json; `None` where there is none.
    ///
    /// # Errors
    /// A file that cannot be read, of a newer format, or of another run.
    pub fn read(path: &Path, run: &str) -> Result<Option<Self>> {
        let Some(found) = file::read_json::<Self>(path, FORMAT)? else { return Ok(None) };
        let odd = found.images.is_empty() || found.images.iter().any(|image| !image.score.is_finite());
        if found.run != run || odd {
            let what = if odd { "holds no scores".to_owned() } else { format!("is that of run {}", found.run) };
            return Err(Error::environment(
                format!("{} {what}", path.display()),
                format!("calibrate again: harness calibrate --run {run} --images FOLDER"),
            ));
        }
        Ok(Some(found))
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        file::write_json(path, self)
    }

    /// The image scores.
    pub fn scores(&self) -> Result<Normal> {
        Normal::new(&self.images.iter().map(|image| f64::from(image.score)).collect::<Vec<_>>())
    }

    /// The highest values of the maps; none of a detector without one.
    pub fn highest(&self) -> Option<Result<Normal>> {
        let highest: Option<Vec<f64>> = self.images.iter().map(|image| image.highest.map(f64::from)).collect();
        highest.map(|highest| Normal::new(&highest))
    }

    /// The levels of a false-alarm rate; with a confidence, the rate holds for these levels and not on average.
    ///
    /// # Errors
    /// A rate that so few images cannot promise.
    pub fn levels(&self, rate: f64, confidence: Option<f64>) -> Result<Levels> {
        let level = |normal: Normal| match confidence {
            None => normal.threshold(rate),
            Some(confidence) => normal.threshold_with(rate, confidence),
        };
        Ok(Levels { image: level(self.scores()?)?, pixel: self.highest().map(|highest| highest.and_then(level)).transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(scores: &[f32]) -> Calibration {
        let image = |(n, &score): (usize, &f32)| Image { key: format!("train/good/{n:03}"), score, highest: Some(2.0 * score) };
        Calibration {
            format: FORMAT,
            run: "full/0123456789-s0".into(),
            origin: Origin::Holdout { share: 0.2, seed: 0 },
            map: Some("S".into()),
            images: scores.iter().enumerate().map(image).collect(),
            pixels: vec![],
        }
    }

    #[test]
    fn a_calibration_reads_back_and_another_runs_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("calibration.json");
        assert_eq!(Calibration::read(&path, "full/0123456789-s0").unwrap(), None);
        let mut written = calibration(&[0.1, 0.2, 1.0 / 3.0]);
        for origin in
            [Origin::Holdout { share: 0.2, seed: 1 }, Origin::Folds { folds: 5, seed: 1 }, Origin::Folder { folder: "parts".into() }]
        {
            written.origin = origin;
            written.write(&path).unwrap();
            assert_eq!(Calibration::read(&path, "full/0123456789-s0").unwrap().as_ref(), Some(&written));
        }
        assert!(Calibration::read(&path, "full/0123456789-s1").unwrap_err().what.contains("that of run full/0123456789-s0"));
        calibration(&[]).write(&path).unwrap();
        assert!(Calibration::read(&path, "full/0123456789-s0").unwrap_err().what.contains("no scores"));
    }

    #[test]
    fn pixels_have_a_level_of_their_own() {
        let scores: Vec<f32> = (1..=19).map(|v| v as f32).collect();
        let levels = calibration(&scores).levels(0.05, None).unwrap();
        assert_eq!((levels.image.level, levels.pixel.unwrap().level), (19.0, 38.0));
        assert!(calibration(&scores).levels(0.01, None).is_err());
        let mut mapless = calibration(&scores);
        mapless.images[3].highest = None;
        assert_eq!(mapless.levels(0.05, None).unwrap().pixel, None);
    }
}
