//! `harness calibrate --images`: what a finished run's scores mean for images of another camera, of another day; without training.

use harness::calibration::{self, Calibration, Image, Origin, PixelLevel};
use harness::cli::calibrate::{Args, print};
use harness::data::Source;
use harness::eval::{self, OutputStore};
use harness::num::rank_shift;
use harness::{Error, Result, sayln};

use crate::boundary;
use crate::predict::{Model, Scored, inputs};

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
    let found = boundary::guard("scoring", "a smaller eval.batch", || score(&model, &source, &stored))?;
    let found = Calibration { origin: Origin::Folder { folder: shown(args) }, ..found };
    compare(model.calibration.as_ref(), &found)?;
    found.write(&folder.calibration_json())?;
    print(&found, args.promise.rate.unwrap_or(model.cfg.calibrate.rate), args)
}

fn shown(args: &Args) -> String {
    args.images.as_ref().map_or(String::new(), |path| path.display().to_string())
}

/// Scores every image; maps are stored beside the run's own, so that they can be looked at again.
fn score(model: &Model, source: &Source, stored: &OutputStore) -> Result<Calibration> {
    let outputs = model.cfg.detector.outputs(&model.cfg);
    let mut images = vec![];
    model.score(source, &mut |index, scored, raw| {
        let key = &source.items()[index].key;
        outputs.maps.iter().zip(&raw.maps).try_for_each(|(name, map)| stored.write(name, key, map))?;
        raw.own.map_or(Ok(()), |score| stored.write_score(key, score))?;
        let highest = scored.pixels()?.map(|map| map.data.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        images.push(Image { key: key.clone(), score: scored.score, highest });
        Ok(())
    })?;
    let headline = eval::names(&outputs)[0];
    let map = |index: usize| {
        let (width, height) = eval::size(source, index, &model.cfg.eval)?;
        let inside = eval::inside(source, index, &model.cfg.eval)?;
        let output = stored.read(headline, &source.items()[index].key)?;
        let (map, score) = eval::scored_within(&output, (width, height), inside.as_ref(), &model.cfg.eval)?;
        Scored { map, score, inside }.pixels()?.ok_or_else(|| Error::run("a map is missing", "repeat the command"))
    };
    let pixels = if outputs.maps.is_empty() { vec![] } else { PixelLevel::of(source.len(), &map)? };
    let map = outputs.maps.first().map(|name| (*name).to_owned());
    let origin = Origin::Folder { folder: String::new() };
    Ok(Calibration { format: calibration::FORMAT, run: model.summary.id.clone(), origin, map, images, pixels })
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
