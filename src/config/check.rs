//! What no single key can tell: values that must fit one another.

use super::{BackboneName, Checkpoint, Config, ImageScore, OptimKind, Outputs, StrideIn};
use crate::{Error, Result};

/// Checks the relations between keys; single values were checked as they were read.
///
/// # Errors
/// `Kind::Config` naming the keys and the remedy.
pub fn check(cfg: &Config) -> Result<()> {
    let require = |holds: bool, what: String, remedy: &str| if holds { Ok(()) } else { Err(Error::config(what, remedy)) };
    let size = cfg.data.size as i64;
    require(size > 0 && size % 32 == 0, format!("data.size: {size} is not a multiple of 32"), "use one, such as 128 or 256")?;
    check_device("run.device", &cfg.run.device)?;
    check_seeds("run.seeds", &cfg.run.seeds)?;

    cfg.pseudo.check()?;
    if cfg.train.checkpoint == Checkpoint::BestPseudoVal {
        // Held-out images get pseudo anomalies whatever pseudo.ratio says.
        cfg.pseudo.check_weights()?;
    }

    require(
        cfg.detector.method().trained || cfg.train.checkpoint == Checkpoint::Last,
        format!("train.checkpoint: {} is not trained and has no epochs to choose from", cfg.detector),
        "use train.checkpoint=last, or a trained detector such as detector=mlff",
    )?;
    require(
        !(cfg.optim.kind == OptimKind::Sgd && cfg.optim.nesterov && cfg.optim.momentum == 0.0),
        "optim.nesterov: there is no momentum to look ahead with".into(),
        "set optim.nesterov=false or optim.momentum above 0",
    )?;
    require(
        cfg.optim.milestones.is_sorted_by(|a, b| a < b),
        format!("optim.milestones: {:?} do not ascend", cfg.optim.milestones),
        "list each share of the run once, the first one first, as in [0.8, 0.9]",
    )?;
    let basic = matches!(cfg.model.backbone.name, BackboneName::Resnet18 | BackboneName::Resnet34);
    require(
        !(basic && cfg.model.backbone.stride_in == StrideIn::Conv2),
        "model.backbone.stride_in: blocks of ResNet-18 and -34 carry their stride in conv1".into(),
        "use \"auto\"",
    )?;
    check_image_score(cfg)?;
    (cfg.detector.method().check)(cfg)
}

/// An image score can only come from what the detector gives.
fn check_image_score(cfg: &Config) -> Result<()> {
    let Outputs { maps, image } = cfg.detector.outputs(cfg);
    match cfg.eval.image_score {
        ImageScore::Own if !image => Err(Error::config(
            format!("eval.image_score: {} has no image score of its own", cfg.detector),
            "use \"upsampled\", \"map\" or \"mean\", which come from its map",
        )),
        score if maps.is_empty() && score != ImageScore::Own => {
            Err(Error::config(format!("eval.image_score: {} gives no map", cfg.detector), "use \"own\""))
        }
        _ => Ok(()),
    }
}

/// Refuses what does not name a device; `place` names it in the error.
///
/// # Errors
/// `Kind::Config`.
pub fn check_device(place: &str, device: &str) -> Result<()> {
    if matches!(device, "auto" | "cpu" | "cuda") || device.strip_prefix("cuda:").is_some_and(|n| n.parse::<usize>().is_ok()) {
        return Ok(());
    }
    Err(Error::config(format!("{place}: `{device}` is not a valid device"), "use auto, cpu, cuda or cuda:N"))
}

/// The greatest seed: JSON and TOML carry it exactly in every program.
const GREATEST_SEED: u64 = (1 << 53) - 1;

/// Refuses an empty list, a seed that is listed twice (it would count as two samples where there is one) and one that is too great;
/// `place` names them in the error.
///
/// # Errors
/// `Kind::Config`.
pub fn check_seeds(place: &str, seeds: &[u64]) -> Result<()> {
    if let Some((_, seed)) = seeds.iter().enumerate().find(|(i, seed)| seeds[..*i].contains(seed)) {
        return Err(Error::config(format!("{place}: {seed} is listed twice"), "list each seed once"));
    }
    match seeds.iter().max() {
        None => Err(Error::config(format!("{place} is an empty list"), "list at least one seed, as in [0]")),
        Some(seed) if *seed > GREATEST_SEED => {
            Err(Error::config(format!("{place}: {seed} is too great"), format!("use seeds up to {GREATEST_SEED}")))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BaselineHead, Detector, Freeze};

    #[test]
    fn what_a_detector_does_not_use_need_not_fit() {
        let mut cfg = Config { detector: Detector::PADIM, ..Config::default() };
        cfg.model.ptfem.scales = vec![3];
        cfg.loss.consistency.patch = [3, 4];
        check(&cfg).unwrap();
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let refuse = |change: fn(&mut Config), key: &str| {
            let mut cfg = Config::default();
            change(&mut cfg);
            let e = check(&cfg).unwrap_err();
            assert!(e.what.starts_with(key), "{e}");
        };
        check(&Config::default()).unwrap();
        refuse(|c| c.model.ptfem.scales = vec![1, 3], "model.ptfem.scales");
        refuse(|c| c.loss.consistency.patch = [3, 4], "loss.consistency.patch");
        refuse(|c| c.pseudo.confetti.blur_kernel = 4, "pseudo.confetti.blur_kernel");
        refuse(
            |c| {
                (c.pseudo.ratio, c.train.checkpoint) = (0.0, Checkpoint::BestPseudoVal);
                (c.pseudo.weight.confetti, c.pseudo.weight.cutpaste) = (0.0, 0.0);
            },
            "pseudo.weight.confetti",
        );
        refuse(|c| c.optim.momentum = 0.0, "optim.nesterov");
        refuse(|c| c.optim.milestones = vec![0.9, 0.8], "optim.milestones");
        refuse(|c| c.optim.milestones = vec![0.8, 0.8], "optim.milestones");
        refuse(|c| c.run.device = "gpu".into(), "run.device");
        refuse(|c| c.run.seeds = vec![0, 1, 0], "run.seeds: 0 is listed twice");
        refuse(|c| c.run.seeds = vec![], "run.seeds");
        refuse(|c| c.run.seeds = vec![1 << 53], "run.seeds");
        refuse(|c| (c.detector, c.train.checkpoint) = (Detector::PADIM, Checkpoint::BestTest), "train.checkpoint");
        refuse(|c| (c.detector, c.model.backbone.name) = (Detector::PADIM, BackboneName::Resnet18), "padim.channels");
        refuse(|c| (c.detector, c.nearest.stages) = (Detector::NEAREST, vec![3, 2]), "nearest.stages");
        refuse(|c| c.eval.image_score = ImageScore::Own, "eval.image_score");
        refuse(|c| c.model.ptfem.scales = vec![2, 2], "model.ptfem.scales");
        refuse(|c| c.model.ptfem.scales = vec![], "model.ptfem.scales");
        refuse(|c| c.data.size = 100, "data.size");
        refuse(|c| (c.train.batch, c.data.size, c.model.ptfem.scales, c.loss.consistency.patch) = (1, 32, vec![1], [1, 1]), "train.batch");
        refuse(|c| (c.data.size, c.model.ptfem.scales) = (32, vec![8]), "model.ptfem.offset");
        let bare = |c: &mut Config| {
            (c.model.stlnet, c.model.self_calibration, c.loss.score.enabled, c.loss.consistency.enabled) = (false, false, false, false);
            (c.model.ablation.head, c.model.backbone.freeze) = (BaselineHead::Raw, Freeze::All);
        };
        refuse(bare, "model.ablation.head");
        let some: [fn(&mut Config); 2] = [|c| c.model.backbone.freeze = Freeze::Layer2, |c| c.loss.consistency.enabled = true];
        for train_some in some {
            let mut cfg = Config::default();
            bare(&mut cfg);
            train_some(&mut cfg);
            check(&cfg).unwrap();
        }
    }
}
