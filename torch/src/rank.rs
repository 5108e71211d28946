//! `harness rank`: which images are odd, before they spoil a fit or a shift.

use std::path::Path;

use harness::calibration::Origin;
use harness::cli::rank::Args;
use harness::data::{Dataset, Item, Source};
use harness::eval::{self, OutputStore};
use harness::image::{Map, Rgb, codec, draw, resize};
use harness::report::panel::{Case, Section, Sheet, TILE};
use harness::report::study::as_text;
use harness::{Error, Result, file, showln};

use crate::boundary;
use crate::predict::{Model, inputs};

/// One image, scored.
struct Ranked {
    index: usize,
    score: f32,
    map: Option<Map>,
}

/// Carries out `harness rank`.
///
/// # Errors
/// Images that cannot be read; without images, a run that has not scored its own training images.
pub fn run(args: &Args) -> Result<()> {
    let model = Model::of_run(&args.run, &args.results, None, &args.device)?;
    let (source, mut ranked) = if args.inputs.is_empty() { trained_on(&model)? } else { given(&model, args)? };
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    let p = |score: f32| Some(model.calibration.as_ref()?.scores().ok()?.p_value(f64::from(score)));
    let shown: Vec<&Ranked> = ranked.iter().take(args.most.into()).collect();
    let range = range(&shown);
    let case = |one: &&Ranked| -> Result<Case> {
        let item = &source.items()[one.index];
        let picture = source.picture(one.index)?;
        let tile = |image: &Rgb| {
            let scale = TILE as f64 / image.width.max(image.height) as f64;
            let side = |n: usize| ((n as f64 * scale).round() as usize).max(1);
            resize::bilinear(image, side(image.width), side(image.height))
        };
        let heat =
            one.map.as_ref().map(|map| draw::overlay(&resize::bilinear(&picture, map.width, map.height), map, range[0], range[1], 0.5));
        let figures = p(one.score).map_or(format!("{:.4}", one.score), |p| format!("{:.4}   p {p:.3}", one.score));
        Ok(Case { name: item.key.clone(), figures, tiles: [tile(&picture)].into_iter().chain(heat.as_ref().map(tile)).collect() })
    };
    let sheet = Sheet {
        title: format!("{}: {} images by score", model.summary.id, ranked.len()),
        bar: ["map".into(), format!("{:.4}", range[0]), format!("{:.4}", range[1])],
        rows: ["image".to_owned(), "map".to_owned()]
            .into_iter()
            .take(if shown.iter().all(|one| one.map.is_none()) { 1 } else { 2 })
            .collect(),
        sections: vec![Section { heading: "the oddest first".into(), cases: shown.iter().map(case).collect::<Result<_>>()? }],
        caption: "Below each name its score, and p where the run is calibrated: the chance that a good image scores as high.".into(),
    };
    codec::write_png(&args.out, &sheet.draw())?;
    let list = args.out.with_extension("csv");
    write(&list, &ranked.iter().map(|one| (&source.items()[one.index], one.score, p(one.score))).collect::<Vec<_>>())?;
    showln!("{}: the {} oddest of {} images; all of them in {}", args.out.display(), shown.len(), ranked.len(), list.display());
    Ok(())
}

/// The images that were named, scored by the run.
fn given(model: &Model, args: &Args) -> Result<(Source, Vec<Ranked>)> {
    let source = Source::of(inputs::collect(&args.inputs, None)?, &model.cfg, 0);
    let mut ranked = vec![];
    boundary::guard("scoring", "a smaller eval.batch", || {
        model.score(&source, &mut |index, scored, _| {
            ranked.push(Ranked { index, score: scored.score, map: scored.map });
            Ok(())
        })
    })?;
    Ok((source, ranked))
}

/// The run's own training images, as fits without them scored each.
fn trained_on(model: &Model) -> Result<(Source, Vec<Ranked>)> {
    let calibration = model.calibration.as_ref().filter(|found| !matches!(found.origin, Origin::Folder { .. }));
    let calibration = calibration.ok_or_else(|| {
        let what = format!("run {} has no scores of its own training images by fits without them", model.summary.id);
        Error::environment(what, "repeat it with calibrate.mode=folds, or name images: harness rank --run ID FOLDER")
    })?;
    let folder = model.folder.as_ref().expect("a run of the store has a folder");
    let category = Dataset::of(&model.cfg.data)?.category(&model.summary.category)?;
    let of = |key: &str| category.train.iter().find(|item| item.key == key).cloned();
    let gone = |key: &str| Error::environment(format!("{key}: this training image is not there any more"), "put the data back");
    let items: Vec<Item> = calibration.images.iter().map(|image| of(&image.key).ok_or_else(|| gone(&image.key))).collect::<Result<_>>()?;
    let (source, outputs) = (Source::of(items, &model.cfg, 0), model.cfg.detector.outputs(&model.cfg));
    let stored = OutputStore::of(&folder.maps(), &model.summary.category, &outputs);
    let ranked = calibration.images.iter().enumerate().map(|(index, image)| {
        let (width, height) = eval::size(&source, index, &model.cfg.eval)?;
        let map = match outputs.maps.first() {
            Some(name) => Some(eval::full(&stored.map(name, &image.key)?, width, height, &model.cfg.eval)),
            None => None,
        };
        Ok(Ranked { index, score: image.score, map })
    });
    let ranked = ranked.collect::<Result<_>>()?;
    Ok((source, ranked))
}

/// One range of colours for all that is shown.
fn range(shown: &[&Ranked]) -> [f32; 2] {
    let values = shown.iter().filter_map(|one| one.map.as_ref()).flat_map(|map| map.data.iter().copied());
    let [low, high] = values.fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)]);
    if low <= high { [low, high] } else { [0.0, 1.0] }
}

/// `rank,key,score,p` beside the sheet.
fn write(path: &Path, ranked: &[(&Item, f32, Option<f64>)]) -> Result<()> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut row = |fields: [String; 4]| table.write_record(fields).expect("a buffer in memory takes all");
    row(["rank", "key", "score", "p"].map(str::to_owned));
    for (rank, (item, score, p)) in (1..).zip(ranked) {
        row([rank.to_string(), as_text(&item.key), score.to_string(), p.map_or(String::new(), |p| p.to_string())]);
    }
    file::replace(path, &table.into_inner().expect("a buffer in memory takes all"))
}
