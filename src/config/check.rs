//! What no single key can tell: values that must fit one another. Relations within a section stand beside its struct, those of a
//! detector in its file; here is what crosses them.

use super::{Backbone, CalibrateMode, Checkpoint, Config, ImageScore, StrideIn};
use crate::{Error, Result};

/// Checks the relations between keys; single values were checked as they were read.
///
/// # Errors
/// `Kind::Config` naming the keys and the remedy.
pub fn check(cfg: &Config) -> Result<()> {
    cfg.run.check()?;
    cfg.data.check()?;
    cfg.pseudo.check()?;
    cfg.optim.check()?;
    check_scored_by(cfg)?;
    check_selection(cfg)?;
    check_folds(cfg)?;
    check_stride(cfg)?;
    check_backbone(cfg)?;
    check_crop(cfg)?;
    (cfg.detector.method().check)(cfg)
}

/// A rule of selection needs epochs to choose from, and pseudo anomalies where it chooses by them.
fn check_selection(cfg: &Config) -> Result<()> {
    if !cfg.detector.method().trained && cfg.train.checkpoint != Checkpoint::Last {
        return Err(Error::config(
            format!("train.checkpoint: {} is not trained and has no epochs to choose from", cfg.detector),
            "use train.checkpoint=last, or a trained detector such as detector=mlff",
        ));
    }
    // Held-out images get pseudo anomalies whatever pseudo.ratio says.
    if cfg.train.checkpoint == Checkpoint::BestPseudoVal { cfg.pseudo.check_weights() } else { Ok(()) }
}

/// The fits of folds are trained to the end, each by itself: none may be chosen by what it was not asked about.
fn check_folds(cfg: &Config) -> Result<()> {
    if cfg.calibrate.mode == CalibrateMode::Folds && cfg.train.checkpoint != Checkpoint::Last {
        return Err(Error::config(
            "calibrate.mode: the fits of \"folds\" keep their last weights, and train.checkpoint chooses others",
            "use calibrate.mode=holdout, or train.checkpoint=last",
        ));
    }
    Ok(())
}

fn check_stride(cfg: &Config) -> Result<()> {
    let &Backbone { name, stride_in, .. } = &cfg.model.backbone;
    if !name.has_bottlenecks() && stride_in == StrideIn::Conv2 {
        return Err(Error::config(
            format!("model.backbone.stride_in: {} has no bottleneck blocks, so that conv2 cannot carry a stride", name.title()),
            "use \"auto\"",
        ));
    }
    Ok(())
}

/// A detector is built on some kinds of network and not on others.
fn check_backbone(cfg: &Config) -> Result<()> {
    let (name, fitting) = (cfg.model.backbone.name, (cfg.detector.method().backbones)(cfg));
    if fitting.is_empty() || fitting.contains(&name.family()) {
        return Ok(());
    }
    let examples: Vec<String> = fitting.iter().map(|family| format!("\"{}\"", family.example())).collect();
    Err(Error::config(
        format!("model.backbone.name: {} is not built on {}", cfg.detector, name.title()),
        format!("use a network of another kind, such as {}, with its weights", examples.join(" or ")),
    ))
}

fn check_crop(cfg: &Config) -> Result<()> {
    let (crop, size) = (cfg.data.crop, cfg.data.size);
    if crop > 0 && cfg.data.margin > 0 && cfg.reads("data.crop") {
        return Err(Error::config("data.margin and data.crop exclude each other", "set data.crop or data.margin to 0"));
    }
    if crop == 0 || crop >= size || !cfg.reads("data.crop") {
        return Ok(());
    }
    Err(Error::config(format!("data.crop: no crop of {size} px fits into images of {crop} px"), "use 0, or at least data.size"))
}

/// An image score and the map that it is scored by come from what the detector gives.
fn check_scored_by(cfg: &Config) -> Result<()> {
    let (eval, detector, outputs) = (&cfg.eval, cfg.detector, cfg.detector.outputs(cfg));
    if let Some(name) = eval.map.name()
        && outputs.maps.first() != Some(&name)
    {
        return Err(Error::config(
            format!("eval.map: {detector} is not scored by a map {name} with these settings; it gives {}", outputs.maps.join(", ")),
            "use \"own\"; mlff can be scored by S, A or both where loss.score.enabled or loss.consistency.enabled is true",
        ));
    }
    match eval.image_score {
        ImageScore::Own if !outputs.image => Err(Error::config(
            format!("eval.image_score: {detector} has no image score of its own"),
            "use \"upsampled\", \"map\" or \"mean\", which come from its map",
        )),
        score if outputs.maps.is_empty() && score != ImageScore::Own => {
            Err(Error::config(format!("eval.image_score: {detector} gives no map"), "use \"own\""))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BackboneName, BaselineHead, Detector, Freeze, ScoreMap};

    #[test]
    fn what_a_detector_does_not_use_need_not_fit() {
        let mut cfg = Config { detector: Detector::PADIM, ..Config::default() };
        cfg.model.ptfem.scales = vec![3];
        cfg.loss.consistency.patch = [3, 4];
        check(&cfg).unwrap();
    }

    #[test]
    fn a_detector_takes_the_backbones_that_it_can_be_built_on() {
        let refusal = |detector, name| {
            let mut cfg = Config { detector, ..Config::default() };
            (cfg.model.backbone.name, cfg.padim.channels) = (name, 100);
            check(&cfg).err()
        };
        for detector in [Detector::MLFF, Detector::PADIM, Detector::NEAREST] {
            assert_eq!(refusal(detector, BackboneName::EfficientnetLite0), None, "{detector}");
            let e = refusal(detector, BackboneName::Vgg11Bn).unwrap();
            assert!(e.what.contains("VGG-11-BN") && e.remedy.contains("\"resnet50\" or \"efficientnet_lite0\""), "{e}");
        }
        assert_eq!(refusal(Detector::SUPERSIMPLENET, BackboneName::EfficientnetLite0), None);
        let e = refusal(Detector::RD, BackboneName::EfficientnetLite0).unwrap();
        assert!(e.remedy.contains("such as \"resnet50\","), "{e}");
        assert_eq!(refusal(Detector::PSVDD, BackboneName::Vgg11Bn), None, "its network is its own");
        assert_eq!(refusal(Detector::FCDD, BackboneName::Vgg11Bn), None);
        let e = refusal(Detector::FCDD, BackboneName::EfficientnetLite0).unwrap();
        assert!(e.what.contains("fcdd is not built on EfficientNet-Lite0"), "{e}");
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
        refuse(|c| (c.detector, c.eval.map) = (Detector::PADIM, ScoreMap::S), "eval.map");
        refuse(|c| (c.eval.map, c.train.checkpoint) = (ScoreMap::MeanZ, Checkpoint::BestPseudoVal), "eval.map");
        refuse(|c| (c.eval.map, c.loss.score.enabled, c.loss.consistency.enabled) = (ScoreMap::MeanZ, false, false), "eval.map");
        refuse(|c| c.model.ptfem.scales = vec![2, 2], "model.ptfem.scales");
        refuse(|c| c.model.ptfem.scales = vec![], "model.ptfem.scales");
        refuse(|c| c.data.size = 100, "data.size");
        refuse(|c| c.data.crop = 255, "data.crop");
        refuse(|c| (c.data.crop, c.data.margin) = (288, 16), "data.margin");
        refuse(|c| c.model.backbone.name = BackboneName::Vgg11Bn, "model.backbone.name");
        for name in [BackboneName::Resnet34, BackboneName::EfficientnetLite0] {
            let mut cfg = Config::default();
            (cfg.model.backbone.name, cfg.model.backbone.stride_in) = (name, StrideIn::Conv2);
            assert!(check(&cfg).unwrap_err().what.starts_with("model.backbone.stride_in"), "{name:?}");
        }
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
