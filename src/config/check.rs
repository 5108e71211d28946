//! What no single key can tell: values that must fit one another.

use super::{BackboneName, BaselineHead, Checkpoint, Config, Detector, Freeze, Offset, OptimKind, detector};
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

    let [low, high] = cfg.pseudo.confetti.size;
    require(low <= high, format!("pseudo.confetti.size: [{low}, {high}] is no range"), "put the smaller side first")?;
    require(
        cfg.pseudo.confetti.blur_kernel % 2 == 1,
        format!("pseudo.confetti.blur_kernel: {} is even", cfg.pseudo.confetti.blur_kernel),
        "use an odd side",
    )?;
    let [low, high] = cfg.pseudo.cutpaste.area;
    require(low <= high, format!("pseudo.cutpaste.area: [{low}, {high}] is no range"), "put the smaller share first")?;

    let network = cfg.detector == Detector::Mlff;
    if network && cfg.model.stlnet {
        let side = size / cfg.model.low.stride as i64;
        let scales = &cfg.model.ptfem.scales;
        require(!scales.is_empty(), "model.ptfem.scales is empty".into(), "name a scale at least, as in [1, 2, 4, 8]")?;
        for (place, &scale) in scales.iter().enumerate() {
            require(!scales[..place].contains(&scale), format!("model.ptfem.scales: {scale} stands twice"), "name each scale once")?;
            require(
                scale > 0 && side % scale == 0,
                format!("model.ptfem.scales: {scale} does not divide the low-level map of {side}x{side} cells"),
                "choose scales that divide data.size / model.low.stride",
            )?;
            if let Offset::One([dy, dx]) = cfg.model.ptfem.offset {
                let cells = side / scale;
                require(
                    dy.abs() < cells && dx.abs() < cells,
                    format!("model.ptfem.offset: [{dy}, {dx}] leaves every region of {cells}x{cells} cells (scale {scale})"),
                    "use a smaller offset, fewer regions or a larger data.size",
                )?;
            }
        }
    }
    if network && cfg.loss.consistency.enabled {
        let (side, [h, w]) = (size / cfg.model.fusion.stride as i64, cfg.loss.consistency.patch);
        require(
            h > 0 && w > 0 && side % h == 0 && side % w == 0,
            format!("loss.consistency.patch: [{h}, {w}] does not divide the feature map of {side}x{side} cells"),
            "choose a patch that divides data.size / model.fusion.stride",
        )?;
    }
    let trains = cfg.model.stlnet
        || cfg.model.self_calibration
        || cfg.loss.score.enabled
        || cfg.loss.consistency.enabled
        || cfg.model.ablation.head == BaselineHead::Same
        || cfg.model.backbone.freeze != Freeze::All;
    require(
        trains || !network,
        "model.ablation.head: \"raw\" leaves nothing to train where the backbone is frozen and every module is off".into(),
        "use model.ablation.head = \"same\", or train some of the backbone (model.backbone.freeze = \"layer2\")",
    )?;
    if network {
        check_batch(cfg, cfg.train.batch)?;
    }
    require(
        network || cfg.train.checkpoint == Checkpoint::Last,
        "train.checkpoint: a detector that is not trained has no epochs to choose from".into(),
        "use train.checkpoint=last, or detector=mlff",
    )?;
    let (kept, all) = (cfg.padim.channels, detector::channels(cfg.model.backbone.name));
    require(
        cfg.detector != Detector::Padim || kept <= all,
        format!("padim.channels: {kept} of the backbone's {all}"),
        "keep fewer: 100 is the published number for ResNet-18",
    )?;
    require(
        cfg.nearest.stages.is_sorted_by(|a, b| a < b),
        format!("nearest.stages: {:?} do not ascend", cfg.nearest.stages),
        "name each stage once, the finest first, as in [2, 3]",
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
        !(basic && cfg.model.backbone.stride_in == super::StrideIn::Conv2),
        "model.backbone.stride_in: blocks of ResNet-18 and -34 carry their stride in conv1".into(),
        "use \"auto\"",
    )
}

/// Checks that each batch norm of the network has two values a channel in a batch of `images`: with one, its running variance
/// is no number. The smallest batch of an epoch is known with the data only.
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

/// Refuses what is no device; `place` names it in the error.
///
/// # Errors
/// `Kind::Config`.
pub fn check_device(place: &str, device: &str) -> Result<()> {
    if matches!(device, "auto" | "cpu" | "cuda") || device.strip_prefix("cuda:").is_some_and(|n| n.parse::<usize>().is_ok()) {
        return Ok(());
    }
    Err(Error::config(format!("{place}: `{device}` is no device"), "use auto, cpu, cuda or cuda:N"))
}

/// The greatest seed: JSON and TOML carry it exactly in every program.
const GREATEST_SEED: u64 = (1 << 53) - 1;

/// Refuses no seeds, one that stands twice (it would count as two samples where there is one) and one that is too great;
/// `place` names them in the error.
///
/// # Errors
/// `Kind::Config`.
pub fn check_seeds(place: &str, seeds: &[u64]) -> Result<()> {
    if let Some((_, seed)) = seeds.iter().enumerate().find(|(i, seed)| seeds[..*i].contains(seed)) {
        return Err(Error::config(format!("{place}: {seed} stands twice"), "name each seed once"));
    }
    match seeds.iter().max() {
        None => Err(Error::config(format!("{place} is an empty list"), "name at least one seed, as in [0]")),
        Some(seed) if *seed > GREATEST_SEED => {
            Err(Error::config(format!("{place}: {seed} is too great"), format!("use seeds up to {GREATEST_SEED}")))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_detector_does_not_use_need_not_fit() {
        let mut cfg = Config { detector: Detector::Padim, ..Config::default() };
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
        refuse(|c| c.pseudo.cutpaste.area = [0.2, 0.1], "pseudo.cutpaste.area");
        refuse(|c| c.optim.momentum = 0.0, "optim.nesterov");
        refuse(|c| c.optim.milestones = vec![0.9, 0.8], "optim.milestones");
        refuse(|c| c.optim.milestones = vec![0.8, 0.8], "optim.milestones");
        refuse(|c| c.run.device = "gpu".into(), "run.device");
        refuse(|c| c.run.seeds = vec![0, 1, 0], "run.seeds: 0 stands twice");
        refuse(|c| c.run.seeds = vec![], "run.seeds");
        refuse(|c| c.run.seeds = vec![1 << 53], "run.seeds");
        refuse(|c| (c.detector, c.train.checkpoint) = (Detector::Padim, Checkpoint::BestTest), "train.checkpoint");
        refuse(|c| (c.detector, c.model.backbone.name) = (Detector::Padim, BackboneName::Resnet18), "padim.channels");
        refuse(|c| c.nearest.stages = vec![3, 2], "nearest.stages");
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
