//! `harness fit`: from a folder of good images to a detector with a threshold, in one command.

use std::path::PathBuf;

use super::run;
use crate::calibration::Normal;
use crate::config::{Config, Detector};
use crate::place::in_project;
use crate::{Error, Result, data};

/// Normal images from which on a share of them is held out, instead of further fits: a fifth of them resolves five per cent.
const ENOUGH: usize = 100;

/// px of the image that smoothing is meant for, whatever the size of the photographs: the size at which systems are published.
const SIDE: usize = 256;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Good images: a folder of them, one with a folder `good` inside, or a data set with several categories
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// An experiment file and further settings, as for `harness run`
    #[arg(value_name = "FILE | KEY=VALUE")]
    pub settings: Vec<String>,
    /// The detector
    #[arg(long, value_name = "NAME", default_value = "nearest")]
    pub detector: String,
    /// False-alarm rate: of good parts, so many may be called odd
    #[arg(long, value_name = "RATE", default_value_t = 0.05)]
    pub rate: f64,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    pub results: PathBuf,
}

/// As many of `n` images as base.toml's share holds out.
fn held_out(n: usize) -> usize {
    (Config::default().calibrate.share * n as f64).round() as usize
}

impl Args {
    /// The same as words of `harness run`: of a few images, and of a detector that fits at a glance, each image is scored by a fit
    /// without it; else a share of the images is held out.
    ///
    /// # Errors
    /// A detector that is not there, a folder without images.
    pub fn as_run(&self) -> Result<run::Args> {
        let root = format!("data.root={}", toml::Value::String(self.folder.display().to_string()));
        let mut words = vec![
            format!("detector={}", self.detector),
            root,
            format!("calibrate.rate={}", self.rate),
            format!("eval.gaussian_side={SIDE}"),
        ];
        if !self.settings.iter().any(|word| word.trim_start().starts_with("calibrate.")) {
            words.push(format!("calibrate.mode={}", self.mode()?));
        }
        // A file stands before the settings that are laid over it.
        let (file, settings): (Vec<_>, Vec<_>) =
            self.settings.iter().cloned().partition(|word| word.ends_with(".toml") && !word.contains('='));
        Ok(run::Args::of_words([file, words, settings].concat(), &self.results))
    }

    /// How the calibration is made.
    ///
    /// # Errors
    /// A rate that it could not promise afterwards.
    fn mode(&self) -> Result<&'static str> {
        let trained = Detector::named(&self.detector).is_some_and(|detector| detector.method().trained);
        let dataset = data::Dataset::at(&self.folder, &Config::default().data)?;
        let counts = dataset.categories()?.iter().map(|name| Ok(dataset.category(name)?.train.len())).collect::<Result<Vec<_>>>()?;
        let fewest = counts.into_iter().min().unwrap_or(0);
        let (mode, calibrated) = if fewest < ENOUGH && !trained { ("folds", fewest) } else { ("holdout", held_out(fewest)) };
        // Any scores will do: what can be promised depends on their number alone.
        Normal::new(&vec![0.0; calibrated.max(1)])?.threshold(self.rate).map_err(|error| Error {
            what: format!("{}: {fewest} images, {calibrated} to calibrate with ({mode}): {}", self.folder.display(), error.what),
            ..error
        })?;
        Ok(mode)
    }
}
