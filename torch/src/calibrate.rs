//! `harness calibrate --images`: what a finished run's scores mean for images of another camera, of another day; without training.

use harness::calibration::{Calibration, Origin};
use harness::cli::calibrate::{Args, print};
use harness::data::Source;
use harness::eval::{self, OutputStore};
use harness::num::rank_shift;
use harness::{Result, file, sayln};

use crate::boundary;
use crate::predict::{Model, inputs};

/// The category under which what a detector gives of these images is stored.
const PLACE: &str = "calibration";

/// Carries out `harness calibrate --run ID --images FOLDER`.
///
/// # Errors
/// A run that is not there, images that cannot be read.
pub fn run(args: &Args) -> Result<()> {
    let model = Model::of_run(&args.run, &args.results, None, &args.device)?;
    let folder = model.folder.clone().expect("a run of the store has a folder");
    let images = args.images.clone().into_iter().collect::<Vec<_>>();
    let items = inputs::collect(&images, None)?;
    let source = Source::of(items, &model.cfg, 0);
    let stored = OutputStore::of(&folder.maps(), PLACE, &model.cfg.detector.outputs(&model.cfg));
    // Maps are kept beside the run's own, so that they can be looked at again.
    boundary::guard("scoring", "a smaller eval.batch", || {
        model.score(&source, &mut |index, _, given| stored.take(&source.items()[index].key, &given.maps, given.own))
    })?;
    let origin = Origin::Folder { folder: shown(args) };
    let found = eval::calibrated(&source, &stored, &model.cfg, &model.summary.id, origin)?;
    compare(model.calibration.as_ref(), &found)?;
    file::sync_all(&folder.maps())?;
    found.write(&folder.calibration_json())?;
    print(&found, args.promise.rate.unwrap_or(model.cfg.calibrate.rate), args)
}

fn shown(args: &Args) -> String {
    args.images.as_ref().map_or(String::new(), |path| path.display().to_string())
}

/// Says whether the new scores look like the old ones.
fn compare(old: Option<&Calibration>, new: &Calibration) -> Result<()> {
    let Some(old) = old else { return Ok(()) };
    let scores = |calibration: &Calibration| calibration.images.iter().map(|image| f64::from(image.score)).collect::<Vec<_>>();
    let shift = rank_shift(&scores(old), &scores(new), 0);
    let (chance, p) = (100.0 * shift.superiority, shift.p);
    let verdict = if p < 0.05 { "they differ: the old thresholds may not hold for these images" } else { "no difference can be told" };
    sayln!("a new score exceeds an old one with a chance of {chance:.0} % (50 % where nothing changed; p = {p:.4}): {verdict}");
    sayln!("the old calibration had {}; it is replaced", old.origin.describe(old.images.len()));
    Ok(())
}
