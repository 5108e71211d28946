//! Scores of normal images that the detector was not fitted on, for p-values and thresholds (`[calibrate]`).

use std::sync::Arc;

use harness::calibration::{self, Calibration, Fold, Origin};
use harness::config::{CalibrateMode, Config};
use harness::data::{Item, Source};
use harness::eval::{self, OutputStore};
use harness::run::Attempt;
use harness::ui::{Progress, StepInfo};
use harness::{Result, file};

use super::task::Task;
use crate::detector::{self, Detector, Parts};
use crate::eval::score_all;
use crate::train::{Due, Sink, Step};

/// The training images that the run's own detector is fitted on.
///
/// # Errors
/// Too few images for what is to be held out.
pub fn fit(cfg: &Config, train: &[Item], seed: u64) -> Result<Vec<Item>> {
    match cfg.calibrate.mode {
        CalibrateMode::Holdout => Ok(pick(train, &calibration::holdout(train.len(), cfg.calibrate.share, seed)?.fit)),
        CalibrateMode::Folds => calibration::folds(train.len(), cfg.calibrate.folds, seed).map(|_| train.to_vec()),
        CalibrateMode::None => Ok(train.to_vec()),
    }
}

fn pick(items: &[Item], places: &[usize]) -> Vec<Item> {
    places.iter().map(|&place| items[place].clone()).collect()
}

/// Scores the normal images that were held out and keeps their scores beside the run; `None` where none were.
///
/// # Errors
/// `Kind::Stopped` once a stop is requested: folds that are finished are not fitted again.
pub fn calibrate(task: &Task, attempt: &mut Attempt, detector: &dyn Detector) -> Result<Option<Calibration>> {
    let (cfg, planned) = (task.session.cfg(), task.planned);
    let (train, seed) = (&planned.category.train, planned.id.seed);
    let held = Held { task, stored: OutputStore::of(&attempt.folder().maps(), &planned.category.name, &cfg.detector.outputs(cfg)) };
    let (origin, out) = match cfg.calibrate.mode {
        CalibrateMode::None => return Ok(None),
        CalibrateMode::Holdout => {
            let share = cfg.calibrate.share;
            let out = pick(train, &calibration::holdout(train.len(), share, seed)?.out);
            held.score(detector, &out)?;
            (Origin::Holdout { share, seed }, out)
        }
        CalibrateMode::Folds => {
            let folds = calibration::folds(train.len(), cfg.calibrate.folds, seed)?;
            held.fold(attempt, &folds)?;
            (Origin::Folds { folds: folds.len(), seed }, train.clone())
        }
    };
    let calibration = eval::calibrated(&held.source(out), &held.stored, cfg, &planned.id.to_string(), origin)?;
    calibration.write(&attempt.folder().calibration_json())?;
    Ok(Some(calibration))
}

/// Held-out images, and where what a detector gives of them is stored.
struct Held<'a> {
    task: &'a Task<'a>,
    stored: OutputStore,
}

impl Held<'_> {
    fn source(&self, items: Vec<Item>) -> Source {
        let cfg = self.task.session.cfg();
        Source::of(items, cfg, cfg.data.cache_mb).checked(&self.task.planned.contents).beside(self.task.session.textures.clone())
    }

    /// Stores what a detector gives of these images.
    fn score(&self, detector: &dyn Detector, items: &[Item]) -> Result<()> {
        let cfg = self.task.session.cfg();
        score_all(detector, &self.source(items.to_vec()), cfg.eval.batch, self.task.session.device, &mut |index, scored| {
            self.task.check_stop("calibrating")?;
            self.stored.take(&items[index].key, &scored.maps, scored.own)
        })
    }

    /// Fits a detector without each fold and scores that fold by it; those that an earlier attempt finished stand.
    fn fold(&self, attempt: &mut Attempt, folds: &[Fold]) -> Result<()> {
        let Task { session, planned, .. } = *self.task;
        let done_path = attempt.folder().folds_json();
        let done = file::read_json::<Done>(&done_path, Done::FORMAT)?.map_or(0, |done| done.folds);
        let parts = Parts { cfg: session.cfg(), seed: planned.id.seed, device: session.device, weights: session.weights.as_ref() };
        for (number, fold) in folds.iter().enumerate().skip(done) {
            let mut detector = detector::build(&parts)?;
            let source = Arc::new(self.source(pick(&planned.category.train, &fold.fit)));
            let mut progress =
                Progress::new(self.task.mode, &format!("fold {} of {}", number + 1, folds.len()), detector.estimate(source.len()).steps);
            progress.message(&format!("fit {} of {} without {} of the normal images", number + 1, folds.len(), fold.out.len()));
            let mut watch = Watch { task: self.task, progress };
            detector.fit(source, None, &mut watch)?;
            watch.progress.finish();
            self.score(detector.as_ref(), &pick(&planned.category.train, &fold.out))?;
            // What is called finished has to be on the disk.
            file::sync_all(&attempt.folder().maps())?;
            file::write_json(&done_path, &Done { format: Done::FORMAT, folds: number + 1 })?;
        }
        Ok(())
    }
}

/// How many folds are finished, from the first on.
#[derive(serde::Serialize, serde::Deserialize)]
struct Done {
    format: u32,
    folds: usize,
}

impl Done {
    const FORMAT: u32 = 1;
}

/// The fit of one fold: shown, and ended by a stop; it leaves neither events nor checkpoints.
struct Watch<'a> {
    task: &'a Task<'a>,
    progress: Progress,
}

impl Sink for Watch<'_> {
    fn step(&mut self, step: &Step) -> Result<()> {
        let info = StepInfo { epoch: step.epoch as u64, epochs: 0, step: step.step, losses: &[], images: step.images as u64 };
        self.progress.step(&info);
        Ok(())
    }

    fn due(&mut self) -> Due {
        if self.task.stop.requested() { Due::Stop } else { Due::Nothing }
    }
}
