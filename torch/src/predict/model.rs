//! What a finished run learned, ready to score.

use std::path::Path;

use harness::calibration::Calibration;
use harness::config::{Config, Profile, Resolved};
use harness::data::Source;
use harness::eval;
use harness::export::bundle::Unpacked;
use harness::image::{Map, Mask};
use harness::run::{Folder, Status, Summary};
use harness::store::{Store, config_with_weights};
use harness::{Error, Result, sayln};

use crate::detector::{self, Detector, Parts};
use crate::eval::{ImageScored, score_all};
use crate::experiment::Session;
use crate::{device, tensors};

/// A detector with everything that turns an image into its score.
pub struct Model {
    detector: Box<dyn Detector>,
    device: tch::Device,
    pub cfg: Config,
    pub summary: Summary,
    /// The run's folder; none of a bundle.
    pub folder: Option<Folder>,
    pub calibration: Option<Calibration>,
    /// The files of a bundle lie in a folder that goes with it.
    _unpacked: Option<Unpacked>,
}

/// What a detector says of one image, as the run scores it.
pub struct Scored {
    /// At the image's own size, smoothed; none of a detector without maps.
    pub map: Option<Map>,
    pub score: f32,
    /// Where it is scored; everywhere if none.
    pub inside: Option<Mask>,
}

impl Model {
    /// The finished run that `name` means, below `results`; `weights` is where its backbone lies, if not where it was.
    ///
    /// # Errors
    /// A run that is not there or not finished, weights that are not those that it began with.
    pub fn of_run(name: &str, results: &Path, weights: Option<&Path>, on: &str) -> Result<Self> {
        let entry = Store::new(results).find(name)?;
        if entry.status != Status::Finished {
            let what = format!("run {} is {}", entry.id, entry.status.name());
            return Err(Error::environment(what, "finish it first: repeat its `harness run` command"));
        }
        let summary = harness::run::summary_compared(&entry.folder)?
            .ok_or_else(|| Error::environment(format!("run {} has no summary", entry.id), harness::error::AGAIN))?;
        let cfg = config_with_weights(&entry.folder, &summary, weights)?;
        let calibration = Calibration::read(&entry.folder.calibration_json(), &summary.id)?;
        let (detector, device, cfg) = load(cfg, &entry.folder.learned()?, &summary, on)?;
        Ok(Self { detector, device, cfg, summary, folder: Some(entry.folder), calibration, _unpacked: None })
    }

    /// A file of `harness bundle`.
    ///
    /// # Errors
    /// What is not a whole bundle.
    pub fn of_bundle(file: &Path, on: &str) -> Result<Self> {
        let unpacked = Unpacked::open(file)?;
        let (summary, calibration) = (unpacked.summary.clone(), unpacked.calibration()?);
        let (detector, device, cfg) = load(unpacked.cfg.clone(), &unpacked.weights(), &summary, on)?;
        Ok(Self { detector, device, cfg, summary, folder: None, calibration, _unpacked: Some(unpacked) })
    }

    /// Images to a forward pass.
    pub fn batch(&self) -> usize {
        if self.device.is_cuda() { self.cfg.eval.batch.max(1) } else { 1 }
    }

    /// Calls `each(index, scored)` for the images of `source` in order, by the same path as the run's evaluation.
    ///
    /// # Errors
    /// An image that cannot be read, and those of `each`.
    pub fn score(&self, source: &Source, each: &mut dyn FnMut(usize, Scored, &ImageScored) -> Result<()>) -> Result<()> {
        score_all(self.detector.as_ref(), source, self.cfg.eval.batch, self.device, &mut |index, scored| {
            let (width, height) = eval::size(source, index, &self.cfg.eval)?;
            let inside = eval::inside(source, index, &self.cfg.eval)?;
            let (map, score) = eval::scored_within(&scored.headline(), (width, height), inside.as_ref(), &self.cfg.eval)?;
            each(index, Scored { map, score, inside }, &scored)
        })
    }
}

/// The detector of a finished run, its device, and the configuration with that device.
fn load(cfg: Config, weights: &Path, summary: &Summary, on: &str) -> Result<(Box<dyn Detector>, tch::Device, Config)> {
    let mut config = cfg;
    config.run.device = on.to_owned();
    let resolved = Resolved { config, profile: Profile::Cpu, experiment: "predict".into(), unread: vec![] };
    let session = Session::without_data(resolved, Path::new(""))?;
    let cfg = session.cfg();
    if session.weights_hash != summary.backbone.weights_hash {
        return Err(Error::environment(
            format!("{} is not what the run was trained with", cfg.weight_files().join(", ")),
            "put the run's own weights into weights/ (`harness predict` can be told where they lie: --weights); summary.json names their hash",
        ));
    }
    let parts = Parts { cfg, seed: summary.seed, device: session.device, weights: session.weights.as_ref() };
    let mut detector = detector::build(&parts)?;
    let bytes = std::fs::read(weights).map_err(|e| Error::io("read the trained weights", weights, &e))?;
    let stored = tensors::from_bytes(&bytes, weights)?;
    detector.restore(&|name| tensors::find(&stored, name))?;
    sayln!("run {} on {}", summary.id, device::name(session.device));
    let cfg = cfg.clone();
    Ok((detector, session.device, cfg))
}
