//! `harness rank`: which images are odd, before they spoil a fit or a shift.

use std::path::Path;

use harness::calibration::{Calibration, Origin};
use harness::cli::rank::Args;
use harness::data::{Dataset, Item, Source};
use harness::eval::{self, OutputStore};
use harness::image::{Map, Rgb, codec, draw, resize};
use harness::names::counted;
use harness::report::panel::{Case, Section, Sheet, TILE};
use harness::report::study::as_text;
use harness::{Error, Result, file, showln};

use crate::boundary;
use crate::predict::{Model, inputs};

/// Images with their scores, in the order of the source.
struct Scores {
    source: Source,
    scores: Vec<f32>,
}

/// Carries out `harness rank`.
///
/// # Errors
/// Images that cannot be read; without images, a run that has not scored its own training images.
pub fn run(args: &Args) -> Result<()> {
    let model = Model::of_run(&args.run, &args.results, None, &args.device)?;
    let Scores { source, scores } = if args.inputs.is_empty() { trained_on(&model)? } else { given(&model, args)? };
    let mut ranked: Vec<usize> = (0..source.len()).collect();
    ranked.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let normal = model.calibration.as_ref().map(Calibration::scores).transpose()?;
    let p = |index: usize| normal.as_ref().map(|normal| normal.p_value(f64::from(scores[index])));
    let shown = &ranked[..ranked.len().min(args.most.into())];
    let maps = maps(&model, &source, shown, args)?;
    let range = range(&maps);
    let case = |(&index, map): (&usize, &Option<Map>)| -> Result<Case> {
        let picture = source.picture(index)?;
        let heat = |map: &Map| draw::overlay(&resize::bilinear(&picture, map.width, map.height), map, range[0], range[1], 0.5);
        let figures = p(index).map_or(format!("{:.4}", scores[index]), |p| format!("{:.4}   p {p:.3}", scores[index]));
        let tiles = [tile(&picture)].into_iter().chain(map.as_ref().map(|map| tile(&heat(map)))).collect();
        Ok(Case { name: source.items()[index].key.clone(), figures, tiles })
    };
    let rows = if maps.iter().all(Option::is_none) { vec!["image".to_owned()] } else { ["image", "map"].map(str::to_owned).to_vec() };
    let sheet = Sheet {
        title: format!("{}: {} by score", model.summary.id, counted(ranked.len(), "image", "images")),
        bar: ["map".into(), format!("{:.4}", range[0]), format!("{:.4}", range[1])],
        rows,
        sections: vec![Section { heading: "the oddest first".into(), cases: shown.iter().zip(&maps).map(case).collect::<Result<_>>()? }],
        caption: "Below each name its score, and p where the run is calibrated: the chance that a good image scores as high.".into(),
    };
    codec::write_png(&args.out, &sheet.draw())?;
    let list = args.out.with_extension("csv");
    write(&list, &ranked.iter().map(|&index| (&source.items()[index], scores[index], p(index))).collect::<Vec<_>>())?;
    showln!("{}: the {} oddest of {} images; all of them in {}", args.out.display(), shown.len(), ranked.len(), list.display());
    Ok(())
}

/// An image as large as fits a tile of the sheet.
fn tile(image: &Rgb) -> Rgb {
    let scale = TILE as f64 / image.width.max(image.height) as f64;
    let side = |n: usize| ((n as f64 * scale).round() as usize).max(1);
    resize::bilinear(image, side(image.width), side(image.height))
}

/// The images that were named, scored by the run.
fn given(model: &Model, args: &Args) -> Result<Scores> {
    let source = Source::of(inputs::collect(&args.inputs, None)?, &model.cfg, 0);
    let mut scores = vec![];
    boundary::guard("scoring", "a smaller eval.batch", || {
        model.score(&source, &mut |_, scored, _| {
            scores.push(scored.score);
            Ok(())
        })
    })?;
    Ok(Scores { source, scores })
}

/// The run's own training images, as fits without them scored each.
fn trained_on(model: &Model) -> Result<Scores> {
    let calibration = model.calibration.as_ref().filter(|found| !matches!(found.origin, Origin::Folder { .. }));
    let calibration = calibration.ok_or_else(|| {
        let what = format!("run {} has no scores of its own training images by fits without them", model.summary.id);
        Error::environment(what, "repeat it with calibrate.mode=folds, or name images: harness rank --run ID FOLDER")
    })?;
    let category = Dataset::of(&model.cfg.data)?.category(&model.summary.category)?;
    let of = |key: &str| category.train.iter().find(|item| item.key == key).cloned();
    let gone = |key: &str| Error::environment(format!("{key}: this training image is not there any more"), "put the data back");
    let items: Vec<Item> = calibration.images.iter().map(|image| of(&image.key).ok_or_else(|| gone(&image.key))).collect::<Result<_>>()?;
    let scores = calibration.images.iter().map(|image| image.score).collect();
    Ok(Scores { source: Source::of(items, &model.cfg, 0), scores })
}

/// The maps of the images that are shown, at their own sizes; none of a detector without maps. What was named is scored once more: maps
/// of all images at once may be more than memory holds.
fn maps(model: &Model, source: &Source, shown: &[usize], args: &Args) -> Result<Vec<Option<Map>>> {
    let cfg = &model.cfg;
    let outputs = cfg.detector.outputs(cfg);
    let Some(name) = outputs.maps.first() else { return Ok(shown.iter().map(|_| None).collect()) };
    if args.inputs.is_empty() {
        let folder = model.folder.as_ref().expect("a run of the store has a folder");
        let stored = OutputStore::of(&folder.maps(), &model.summary.category, &outputs);
        let map = |&index: &usize| {
            let (width, height) = eval::size(source, index, &cfg.eval)?;
            Ok(Some(eval::full(&stored.map(name, &source.items()[index].key)?, width, height, &cfg.eval)))
        };
        return shown.iter().map(map).collect();
    }
    let again = Source::of(shown.iter().map(|&index| source.items()[index].clone()).collect(), cfg, 0);
    let mut maps = vec![];
    boundary::guard("scoring", "a smaller eval.batch", || {
        model.score(&again, &mut |_, scored, _| {
            maps.push(scored.map);
            Ok(())
        })
    })?;
    Ok(maps)
}

/// One range of colours for all that is shown.
fn range(maps: &[Option<Map>]) -> [f32; 2] {
    let values = maps.iter().flatten().flat_map(|map| map.data.iter().copied());
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
