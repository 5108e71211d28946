//! `[cutpaste]`: a classifier of normal and pasted views, and a Gaussian of its features (CutPaste, Li et al. 2021).

use serde::{Deserialize, Serialize};

use super::method::{Method, Outputs};
use crate::config::{BackboneName, Checkpoint, Config, Family, Normalize};
use crate::{Error, Result};

pub(super) const METHOD: Method = Method {
    name: "cutpaste",
    defaults: include_str!("../../../experiments/detectors/cutpaste.toml"),
    reads: &[
        "run",
        "data",
        "pseudo.mode",
        "pseudo.cutpaste",
        "pseudo.scar",
        "model.backbone.name",
        "model.backbone.weights",
        "model.backbone.stride_in",
        "cutpaste",
        "optim",
        "train",
        "eval",
    ],
    version: 2,
    // A: the distances of the patches, spread over their pixels.
    outputs: |cfg| Outputs { maps: if cfg.cutpaste.patch == 0 { vec![] } else { vec!["A"] }, image: true },
    trained: true,
    backbones: |_| &[Family::Residual],
    check,
    describe,
};

/// Categories whose images show the object at the same place, as the paper's appendix A.5 lists them.
const IN_PLACE: [&str; 8] = ["bottle", "cable", "capsule", "metal_nut", "pill", "toothbrush", "transistor", "zipper"];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutPasteDetector {
    pub network: CutPasteNetwork,
    /// Side of the crops that are trained on, px; 0 = whole images.
    pub patch: usize,
    /// Side of the patches that are scored, px.
    pub window: usize,
    /// From one scored patch to the next, px.
    pub stride: usize,
    pub aligned: Aligned,
    /// Standard deviation of the Gaussian that spreads a patch's score, px.
    pub sigma: f64,
    pub shrink: Shrink,
    /// Widths of the head's hidden layers.
    pub hidden: Vec<i64>,
    /// Factor of the learning rate for the fine-tuned stage.
    pub backbone_lr: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutPasteNetwork {
    /// All four stages, from random values.
    Scratch,
    /// Stages 1 to 3 with given values, of which stage 3 is trained.
    Finetuned,
}

/// Whether each position of the image has a Gaussian of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Aligned {
    Always(bool),
    By(AlignedBy),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlignedBy {
    /// By the name of the category.
    Auto,
}

/// What keeps a covariance invertible.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shrink {
    /// This on its diagonal.
    Eps(f64),
    By(ShrinkBy),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShrinkBy {
    /// A share of a multiple of the identity (Ledoit and Wolf 2004).
    LedoitWolf,
}

impl CutPasteDetector {
    /// Patches that are scored in an image of `size` px, a side; 1 = the whole image.
    pub fn side(&self, size: usize) -> usize {
        if self.patch == 0 { 1 } else { (size - self.window) / self.stride + 1 }
    }

    /// Whether there is a category in which patches at different positions have Gaussians of their own.
    pub fn may_align(&self) -> bool {
        self.patch > 0 && self.aligned != Aligned::Always(false)
    }

    /// Whether they have in this one.
    pub fn is_aligned(&self, category: &str) -> bool {
        self.patch > 0
            && match self.aligned {
                Aligned::Always(aligned) => aligned,
                Aligned::By(AlignedBy::Auto) => IN_PLACE.contains(&category),
            }
    }
}

/// The bare name for what was published: ResNet-18 from scratch. Whatever else there is has its name beside it.
fn describe(cfg: &Config) -> String {
    let backbone = cfg.model.backbone.name.title();
    let network = match (cfg.cutpaste.network, cfg.model.backbone.name) {
        (CutPasteNetwork::Scratch, BackboneName::Resnet18) => "CutPaste".to_owned(),
        (CutPasteNetwork::Scratch, _) => format!("CutPaste, {backbone} from scratch"),
        (CutPasteNetwork::Finetuned, _) => format!("CutPaste, fine-tuned {backbone}"),
    };
    let patch = if cfg.cutpaste.patch == 0 { String::new() } else { format!(", patches of {} px", cfg.cutpaste.patch) };
    format!("{network}{patch}")
}

fn check(cfg: &Config) -> Result<()> {
    if cfg.train.checkpoint != Checkpoint::Last {
        return Err(Error::config(
            "train.checkpoint: cutpaste cannot score before its training has ended, when its Gaussians are fitted",
            "use train.checkpoint=last",
        ));
    }
    if cfg.cutpaste.network == CutPasteNetwork::Scratch && cfg.model.backbone.weights != "none" {
        return Err(Error::config(
            "cutpaste.network: \"scratch\" begins with random values, but model.backbone.weights names a file",
            "use model.backbone.weights=none, or cutpaste.network=finetuned",
        ));
    }
    if cfg.cutpaste.patch > 0 { check_patches(cfg) } else { Ok(()) }
}

fn check_patches(cfg: &Config) -> Result<()> {
    let (size, CutPasteDetector { patch, window, stride, .. }) = (cfg.data.size, &cfg.cutpaste);
    for (key, side) in [("patch", *patch), ("window", *window)] {
        if side > size {
            return Err(Error::config(
                format!("cutpaste.{key}: {side} px in an image of {size} px"),
                "use a smaller one, or a larger data.size",
            ));
        }
    }
    if !(size - window).is_multiple_of(*stride) {
        return Err(Error::config(
            format!("cutpaste.stride: steps of {stride} px do not end at the border: windows of {window} px in an image of {size} px"),
            "choose a stride that divides data.size - cutpaste.window",
        ));
    }
    if cfg.data.normalize != Normalize::Imagenet {
        return Err(Error::config(
            "data.normalize: local contrast is taken over a whole image, cutpaste.patch trains on crops",
            "use data.normalize=imagenet, or cutpaste.patch=0",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Detector, Profile, Request};

    fn resolved(profile: Profile, words: &[&str]) -> Result<Config> {
        let overrides = ["detector=cutpaste"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        Request { profile: Some(profile), overrides, ..Request::default() }.resolve().map(|resolved| resolved.config)
    }

    #[test]
    fn a_name_says_what_it_is() {
        let name = |profile, words: &[&str]| Detector::CUTPASTE.describe(&resolved(profile, words).unwrap());
        assert_eq!(name(Profile::Paper, &[]), "CutPaste");
        assert_eq!(name(Profile::Paper, &["cutpaste.patch=64"]), "CutPaste, patches of 64 px");
        assert_eq!(name(Profile::Paper, &["model.backbone.name=resnet34"]), "CutPaste, ResNet-34 from scratch");
        assert_eq!(name(Profile::Cpu, &[]), "CutPaste, fine-tuned ResNet-50");
        assert_eq!(name(Profile::Cpu, &["train.steps=0", "train.epochs=0"]), "CutPaste, fine-tuned ResNet-50, 0 steps");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (words, key) in [
            (vec!["train.checkpoint=best_test"], "train.checkpoint"),
            (vec!["model.backbone.weights=some.safetensors"], "cutpaste.network"),
            (vec!["cutpaste.patch=512"], "cutpaste.patch"),
            (vec!["cutpaste.patch=64", "cutpaste.window=512"], "cutpaste.window"),
            (vec!["cutpaste.patch=64", "cutpaste.stride=5"], "cutpaste.stride"),
            (vec!["cutpaste.patch=64", "data.normalize=lcn"], "data.normalize"),
            (vec!["eval.image_score=upsampled"], "eval.image_score"),
        ] {
            let error = resolved(Profile::Paper, &words).unwrap_err();
            assert!(error.what.starts_with(key), "{error}");
        }
        resolved(Profile::Paper, &["cutpaste.stride=5", "data.normalize=lcn"]).unwrap();
        resolved(Profile::Paper, &["cutpaste.patch=64", "eval.image_score=upsampled"]).unwrap();
    }

    #[test]
    fn the_categories_of_the_paper_are_aligned_unless_the_key_says_so() {
        let cfg = |words: &[&str]| resolved(Profile::Paper, words).unwrap().cutpaste;
        let auto = cfg(&["cutpaste.patch=64"]);
        assert!(auto.is_aligned("transistor") && !auto.is_aligned("screw") && !auto.is_aligned("leather"));
        assert!(cfg(&["cutpaste.patch=64", "cutpaste.aligned=true"]).is_aligned("screw"));
        assert!(!cfg(&["cutpaste.patch=64", "cutpaste.aligned=false"]).is_aligned("transistor"));
        assert!(!cfg(&[]).is_aligned("transistor"), "a whole image has one position");
        assert_eq!((auto.side(256), cfg(&[]).side(256)), (57, 1));
    }

    #[test]
    fn eps_or_a_rule_is_read() {
        let shrink = |word: &str| resolved(Profile::Paper, &[word]).map(|cfg| cfg.cutpaste.shrink);
        assert_eq!(shrink("cutpaste.shrink=ledoit_wolf").unwrap(), Shrink::By(ShrinkBy::LedoitWolf));
        assert_eq!(shrink("cutpaste.shrink=1e-4").unwrap(), Shrink::Eps(1e-4));
        assert!(shrink("cutpaste.shrink=0").is_err() && shrink("cutpaste.shrink=oas").is_err());
        assert_eq!(Detector::named("cutpaste").unwrap().name(), "cutpaste");
    }
}
