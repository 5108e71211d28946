//! `harness calibrate`: what a run's scores mean, and its calibration on a new folder of good images.

use std::path::PathBuf;

use super::finished::Finished;
use crate::calibration::{Calibration, Threshold};
use crate::place::in_project;
use crate::{Error, Result, console, showln};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The run: its id, a unique prefix of its hash, or `latest`
    #[arg(long, value_name = "ID")]
    pub run: String,
    /// Good images to calibrate with instead, without training: of another camera, of another day
    #[arg(long, value_name = "FOLDER")]
    pub images: Option<PathBuf>,
    #[command(flatten)]
    pub promise: Promise,
    /// Print calibration and thresholds as JSON
    #[arg(long)]
    pub json: bool,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    pub results: PathBuf,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
}

/// Which false alarms are allowed.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Promise {
    /// False-alarm rate: of good parts, so many may be called odd [default: the run's calibrate.rate]
    #[arg(long, value_name = "RATE")]
    pub rate: Option<f64>,
    /// The chance with which this threshold keeps the rate, such as 0.9 [default: it keeps it on average]
    #[arg(long, value_name = "CONFIDENCE")]
    pub confidence: Option<f64>,
}

/// Prints what the run's own calibration says.
pub fn show(args: &Args) -> Result<()> {
    let found = Finished::find(&args.results, &args.run)?;
    let calibration =
        Calibration::read(&found.folder.calibration_json(), &found.id.to_string())?.ok_or_else(|| missing(&found.id.to_string()))?;
    print(&calibration, args.promise.rate.unwrap_or(found.cfg.calibrate.rate), args)
}

/// Prints a calibration as it was asked for.
///
/// # Errors
/// A rate that was typed and cannot be promised; with `--json`, the run's own too.
pub fn print(calibration: &Calibration, rate: f64, args: &Args) -> Result<()> {
    if args.promise.rate.is_some() || args.promise.confidence.is_some() {
        calibration.levels(rate, args.promise.confidence)?;
    }
    if !args.json {
        calibration.tell(rate, args.promise.confidence).iter().for_each(|line| showln!("{line}"));
        return Ok(());
    }
    let levels = calibration.levels(rate, args.promise.confidence)?;
    let one = |threshold: &Threshold| serde_json::json!({ "level": threshold.level, "k": threshold.k, "n": threshold.n, "mean_rate": threshold.true_rate().mean, "rate_90": threshold.true_rate().most });
    let json = serde_json::json!({
        "run": calibration.run, "origin": calibration.origin, "exact": calibration.origin.is_exact(), "rate": rate,
        "confidence": args.promise.confidence, "image": one(&levels.image), "pixel": levels.pixel.as_ref().map(one), "pixels": calibration.pixels,
    });
    console::raw(&(serde_json::to_string_pretty(&json).expect("plain data") + "\n"));
    Ok(())
}

/// The error of a run without a calibration.
pub fn missing(run: &str) -> Error {
    Error::environment(
        format!("run {run} is not calibrated: its scores have no p-values and no threshold"),
        format!("harness calibrate --run {run} --images FOLDER-OF-GOOD-IMAGES, or repeat it with calibrate.mode=folds or holdout"),
    )
}
