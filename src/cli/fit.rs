//! `harness fit`: from a folder of good images to a detector with a threshold, in one command.

use std::path::PathBuf;

use super::run;
use crate::config::{Config, Detector};
use crate::place::in_project;
use crate::{Result, data};

/// Normal images from which on a share of them is held out, instead of further fits: a fifth of them resolves five per cent.
const ENOUGH: usize = 100;

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

impl Args {
    /// The same as words of `harness run`: of a few images, and of a detector that fits at a glance, each image is scored by a fit
    /// without it; else a share of the images is held out.
    ///
    /// # Errors
    /// A detector that is not there, a folder without images.
    pub fn as_run(&self) -> Result<run::Args> {
        let root = format!("data.root={}", toml::Value::String(self.folder.display().to_string()));
        let mut words = vec![format!("detector={}", self.detector), root, format!("calibrate.rate={}", self.rate)];
        if !self.settings.iter().any(|word| word.trim_start().starts_with("calibrate.mode")) {
            words.push(format!("calibrate.mode={}", self.mode()?));
        }
        // A file stands before the settings that are laid over it.
        let (file, settings): (Vec<_>, Vec<_>) =
            self.settings.iter().cloned().partition(|word| word.ends_with(".toml") && !word.contains('='));
        Ok(run::Args::of_words([file, words, settings].concat(), &self.results))
    }

    fn mode(&self) -> Result<&'static str> {
        let trained = Detector::named(&self.detector).is_some_and(|detector| detector.method().trained);
        let dataset = data::Dataset::at(&self.folder, &Config::default().data)?;
        let counts = dataset.categories()?.iter().map(|name| Ok(dataset.category(name)?.train.len())).collect::<Result<Vec<_>>>()?;
        let few = counts.into_iter().min().unwrap_or(0) < ENOUGH;
        Ok(if few && !trained { "folds" } else { "holdout" })
    }
}
