//! `[fcdd]`: fully convolutional data description (Liznerski et al. 2021).

use serde::{Deserialize, Serialize};

use super::method::{Method, Outputs};
use crate::Result;
use crate::config::{Config, Family};

pub(super) const METHOD: Method = Method {
    name: "fcdd",
    defaults: include_str!("../../../experiments/detectors/fcdd.toml"),
    reads: &[
        "run",
        "data",
        "pseudo",
        "model.backbone.name",
        "model.backbone.weights",
        "model.backbone.stride_in",
        "fcdd",
        "optim",
        "train",
        "eval",
    ],
    version: 1,
    outputs: |_| Outputs { maps: vec!["H"], image: true },
    trained: true,
    backbones,
    check: |_: &Config| -> Result<()> { Ok(()) },
    describe,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fcdd {
    pub network: FcddNetwork,
    pub border: FcddBorder,
    pub mask: FcddMask,
}

/// `fcdd.network`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FcddNetwork {
    /// The first parts of `model.backbone`, then one more part that is trained.
    Backbone,
    /// The authors' small network, from scratch.
    Cnn,
}

/// `fcdd.border`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FcddBorder {
    /// A sum of Gaussians: fewer of them reach a border.
    Published,
    /// That sum over what it is for a map of ones, times the gain of the middle.
    Normalized,
}

/// `fcdd.mask`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FcddMask {
    /// Every pixel of an image that was given a pseudo anomaly.
    Image,
    /// The pixels that changed.
    Pixel,
}

fn backbones(cfg: &Config) -> &'static [Family] {
    match cfg.fcdd.network {
        FcddNetwork::Cnn => &[],
        FcddNetwork::Backbone => &[Family::Residual, Family::Vgg],
    }
}

/// The network by name: the bare name of the method is that of no row.
fn describe(cfg: &Config) -> String {
    let (backbone, random) = (&cfg.model.backbone, cfg.model.backbone.weights == "none");
    match cfg.fcdd.network {
        FcddNetwork::Cnn => "FCDD (CNN224, from scratch)".into(),
        FcddNetwork::Backbone if random => format!("FCDD ({}, from scratch)", backbone.name.title()),
        FcddNetwork::Backbone => format!("FCDD ({})", backbone.name.title()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Detector;

    #[test]
    fn a_row_says_which_network_it_is_and_whether_it_was_pretrained() {
        let of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
            describe(&Config { detector: Detector::FCDD, ..Config::default() }.with(&words).unwrap())
        };
        assert_eq!(of(&[]), "FCDD (ResNet-50)");
        assert_eq!(of(&["model.backbone.name=vgg11_bn"]), "FCDD (VGG-11-BN)");
        assert_eq!(of(&["model.backbone.name=vgg11_bn", "model.backbone.weights=none"]), "FCDD (VGG-11-BN, from scratch)");
        assert_eq!(of(&["fcdd.network=cnn"]), "FCDD (CNN224, from scratch)");
    }
}
