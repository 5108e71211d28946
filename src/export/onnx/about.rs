//! What a model says of itself: the `metadata_props` of its file.

use super::parts::Parts;
use super::pixels::{self, Input};
use super::run::Run;
use crate::Result;
use crate::calibration::Calibration;
use crate::config::{ImageScore, Orientation, Resolution};
use crate::eval::{self, MapName};
use crate::run::METHOD_VERSION;

/// Key and value of each entry, in the order in which they are written; docs/formats.md explains them.
///
/// # Errors
/// Settings of [eval] that have no meaning.
pub fn entries(p: &Parts, run: &Run, input: Input, map: MapName) -> Result<Vec<(String, String)>> {
    let (cfg, lineage) = (run.cfg, &run.summary.backbone);
    let numbers = |values: [f64; 3]| serde_json::to_string(&values).expect("three numbers are JSON");
    let (mean, std) = pixels::statistics(p).map_or_else(Default::default, |(mean, std)| (numbers(mean), numbers(std)));
    let license = p.values.backbone.as_ref().map_or_else(String::new, |file| format!("{} ({})", file.meta.license, file.meta.source));
    let entries = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("run", run.summary.id.clone()),
        ("detector", cfg.detector.name().into()),
        ("method", cfg.detector.describe(cfg)),
        ("method_version", format!("{METHOD_VERSION}.{}", cfg.detector.method().version)),
        ("category", run.summary.category.clone()),
        ("seed", run.summary.seed.to_string()),
        ("input", described(input, cfg.data.size)),
        ("orientation", if cfg.data.orientation == Orientation::Apply { "apply" } else { "ignore" }.into()),
        ("resize", pixels::rule(p)),
        ("normalize", if mean.is_empty() { "local contrast" } else { "channels" }.into()),
        ("mean", mean),
        ("std", std),
        ("map", map.into()),
        ("image_score", score(cfg.eval.image_score).into()),
        ("protocol", eval::protocol(cfg, None)?.describe()),
        ("data_hash", run.summary.data_hash.clone()),
        ("learned_hash", p.values.hash.clone()),
        ("weights_hash", lineage.weights_hash.clone().unwrap_or_default()),
        ("weights", format!("{} {}", lineage.name, lineage.lineage).trim().to_owned()),
        ("weights_license", license),
    ];
    // Scores of maps at another size than that of the calibrated images mean something else.
    let as_calibrated = input != Input::Network || cfg.eval.resolution == Resolution::Input;
    let thresholds = if as_calibrated { thresholds(run, map)? } else { vec![] };
    Ok(entries.into_iter().chain(thresholds).map(|(key, value)| (format!("harness.{key}"), value)).collect())
}

/// What a calibrated run's scores mean: nothing of a run that is not, of another map than its headline, and at a rate that it cannot
/// promise. The caller compares: an image is anomalous where its score is greater.
fn thresholds(run: &Run, map: MapName) -> Result<Vec<(&'static str, String)>> {
    let Run { folder, cfg, summary } = *run;
    let headline = eval::names(&cfg.detector.outputs(cfg))[0];
    let found = Calibration::read(&folder.calibration_json(), &summary.id)?.filter(|_| map == headline);
    let levels = found.and_then(|found| Some((found.levels(cfg.calibrate.rate, None).ok()?, found.origin)));
    let Some((levels, origin)) = levels else { return Ok(vec![]) };
    let origin = serde_json::to_string(&origin).expect("plain data");
    let mut entries = vec![
        ("threshold_rate", cfg.calibrate.rate.to_string()),
        ("threshold_score", levels.image.level.to_string()),
        ("threshold_n", levels.image.n.to_string()),
        ("threshold_origin", origin),
    ];
    entries.extend(levels.pixel.map(|pixel| ("threshold_map", pixel.level.to_string())));
    Ok(entries)
}

fn described(input: Input, size: usize) -> String {
    match input {
        Input::Image(width, height) => format!("image, {width}x{height} px"),
        Input::Network => format!("the network's own input, {size}x{size} px, resized and cropped before"),
    }
}

fn score(score: ImageScore) -> &'static str {
    match score {
        ImageScore::Upsampled => "maximum of map",
        ImageScore::Map => "maximum of map_network",
        ImageScore::Mean => "mean of map_network",
        ImageScore::Own => "the detector's own",
    }
}
