//! The paper's method: relations between the keys of `[model]` and `[loss]`.

use super::method::{Method, Outputs};
use crate::config::{BaselineHead, Checkpoint, Config, Family, Freeze, Join, Offset, ScoreMap};
use crate::{Error, Result};

pub(super) const METHOD: Method = Method {
    name: "mlff",
    defaults: include_str!("../../../experiments/detectors/mlff.toml"),
    reads: &["run", "data", "pseudo", "model", "loss", "optim", "train", "eval"],
    version: 1,
    outputs,
    trained: true,
    backbones: |_| Family::STAGED,
    check,
    describe,
};

/// The paper scores with eta(F), map S, where the score constraint trains it, else with the distance to the centre, map A
/// (Table 4). Both are there where the score head is: for the score or the consistency constraint; then `eval.map` may choose.
fn outputs(cfg: &Config) -> Outputs {
    let (scored, trained) = (cfg.loss.score.enabled || cfg.loss.consistency.enabled, cfg.loss.score.enabled);
    Outputs::of_maps(match cfg.eval.map {
        _ if !scored => &["A"],
        ScoreMap::MeanZ => &["Z", "S", "A"],
        ScoreMap::S => &["S", "A"],
        ScoreMap::Own if trained => &["S", "A"],
        ScoreMap::A | ScoreMap::Own => &["A", "S"],
    })
}

/// The parts that can be taken away, by name: all, none, or those that are there.
fn describe(cfg: &Config) -> String {
    let parts = [
        ("self-calibration", cfg.model.self_calibration),
        ("stlnet", cfg.model.stlnet),
        ("score", cfg.loss.score.enabled),
        ("consistency", cfg.loss.consistency.enabled),
    ];
    let on: Vec<_> = parts.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    match on.len() {
        4 => "full method".into(),
        0 => "baseline".into(),
        _ => format!("baseline + {}", on.join(" + ")),
    }
}

fn check(cfg: &Config) -> Result<()> {
    if cfg.model.stlnet {
        check_scales(cfg)?;
    }
    if cfg.loss.consistency.enabled {
        check_patch(cfg)?;
    }
    check_head(cfg)?;
    check_map(cfg)?;
    check_something_trains(cfg)?;
    check_batch(cfg, cfg.train.batch)
}

fn check_scales(cfg: &Config) -> Result<()> {
    let side = cfg.data.size as i64 / cfg.model.low.stride as i64;
    let scales = &cfg.model.ptfem.scales;
    if scales.is_empty() {
        return Err(Error::config("model.ptfem.scales is empty", "list at least one scale, as in [1, 2, 4, 8]"));
    }
    for (place, &scale) in scales.iter().enumerate() {
        if scales[..place].contains(&scale) {
            return Err(Error::config(format!("model.ptfem.scales: {scale} is listed twice"), "list each scale once"));
        }
        if scale <= 0 || side % scale != 0 {
            return Err(Error::config(
                format!("model.ptfem.scales: {scale} does not divide the low-level map of {side}x{side} cells"),
                "choose scales that divide data.size / model.low.stride",
            ));
        }
        let cells = side / scale;
        if let Offset::One([dy, dx]) = cfg.model.ptfem.offset
            && (dy.abs() >= cells || dx.abs() >= cells)
        {
            return Err(Error::config(
                format!("model.ptfem.offset: [{dy}, {dx}] leaves every region of {cells}x{cells} cells (scale {scale})"),
                "use a smaller offset, fewer regions or a larger data.size",
            ));
        }
    }
    Ok(())
}

fn check_patch(cfg: &Config) -> Result<()> {
    let (side, [h, w]) = (cfg.data.size as i64 / cfg.model.fusion.stride as i64, cfg.loss.consistency.patch);
    if h > 0 && w > 0 && side % h == 0 && side % w == 0 {
        return Ok(());
    }
    Err(Error::config(
        format!("loss.consistency.patch: [{h}, {w}] does not divide the feature map of {side}x{side} cells"),
        "choose a patch that divides data.size / model.fusion.stride",
    ))
}

fn check_head(cfg: &Config) -> Result<()> {
    if cfg.model.stlnet && cfg.model.stl.join == Join::Add && cfg.model.ablation.head == BaselineHead::Raw && !cfg.loss.score.enabled {
        return Err(Error::config(
            "model.stl.join: \"add\" needs the head's convolutions, and model.ablation.head = \"raw\" has none",
            "use model.stl.join = \"replace\" or model.ablation.head = \"same\"",
        ));
    }
    Ok(())
}

fn check_map(cfg: &Config) -> Result<()> {
    if cfg.eval.map == ScoreMap::MeanZ && cfg.train.checkpoint != Checkpoint::Last {
        return Err(Error::config(
            "eval.map: the unit of \"mean_z\" is known after training, and train.checkpoint chooses an epoch before",
            "use train.checkpoint = \"last\", or eval.map = \"S\" or \"A\"",
        ));
    }
    Ok(())
}

fn check_something_trains(cfg: &Config) -> Result<()> {
    let trains = cfg.model.stlnet
        || cfg.model.self_calibration
        || cfg.loss.score.enabled
        || cfg.loss.consistency.enabled
        || cfg.model.ablation.head == BaselineHead::Same
        || cfg.model.backbone.freeze != Freeze::All;
    if trains {
        return Ok(());
    }
    Err(Error::config(
        "model.ablation.head: \"raw\" leaves nothing to train where the backbone is frozen and every module is off",
        "use model.ablation.head = \"same\", or train some of the backbone (model.backbone.freeze = \"layer2\")",
    ))
}

/// Checks that each batch norm of the network has two values a channel in a batch of `images`: with one, its running variance
/// is not a number. The smallest batch of an epoch is known with the data only.
///
/// # Errors
/// `Kind::Config` naming the keys and the remedy.
pub fn check_batch(cfg: &Config, images: usize) -> Result<()> {
    let sc = &cfg.model.sc;
    let cells = (cfg.data.size as i64 / 16 + sc.r - 1) / sc.r;
    if !cfg.model.self_calibration || images as i64 * cells * cells >= 2 {
        return Ok(());
    }
    Err(Error::config(
        format!(
            "train.batch: a batch of {images} leaves self-calibration one value a channel at model.sc.r = {}: batch norm needs two",
            sc.r
        ),
        "use train.batch = 2 or more and train.drop_last = true, a smaller model.sc.r or a larger data.size",
    ))
}
