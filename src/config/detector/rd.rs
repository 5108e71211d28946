//! `[rd]`: reverse distillation (Deng & Li 2022).

use serde::{Deserialize, Serialize};

use super::method::{Method, Outputs};
use crate::config::{BackboneName, Config, Family};
use crate::{Error, Result};

pub(super) const METHOD: Method = Method {
    name: "rd",
    defaults: include_str!("../../../experiments/detectors/rd.toml"),
    reads: &[
        "run",
        "data",
        // Held-out images get pseudo anomalies where `train.checkpoint` chooses by them.
        "pseudo",
        "model.backbone.name",
        "model.backbone.weights",
        "model.backbone.stride_in",
        "rd",
        "optim",
        "train",
        "eval",
    ],
    version: 1,
    outputs: |_| Outputs::of_maps(&["A"]),
    trained: true,
    backbones: |_| &[Family::Residual],
    check: |cfg| check_rd_batch(cfg, cfg.train.batch),
    describe,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rd {
    pub width: RdWidth,
    /// Blocks of the embedding and of each of the decoder's stages; 0 = the published numbers.
    pub blocks: usize,
    pub loss: RdLoss,
    pub map: RdMap,
    /// Bound of the teacher's stored maps, MiB; never changes a result.
    pub cache_mb: usize,
}

/// Inner width of the embedding's bottlenecks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RdWidth {
    /// 512 times the backbone's own width factor.
    Backbone,
    /// 512.
    Narrow,
}

/// Over what the cosine of the loss is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RdLoss {
    /// The whole map of an image as one vector.
    Flat,
    /// The channels at each position.
    Pixel,
}

/// How the levels' maps become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RdMap {
    Sum,
    Product,
}

/// The name with the teacher, and all in which the network or its score is not the published one.
fn describe(cfg: &Config) -> String {
    let Rd { width, blocks, loss, map, .. } = cfg.rd;
    let wide = cfg.model.backbone.name == BackboneName::WideResnet50x2;
    let blocks = match blocks {
        0 => String::new(),
        1 => "1 block a stage".into(),
        n => format!("{n} blocks a stage"),
    };
    let words = [
        blocks.as_str(),
        if width == RdWidth::Narrow && wide { "narrow embedding" } else { "" },
        if loss == RdLoss::Pixel { "loss per position" } else { "" },
        if map == RdMap::Product { "product of the maps" } else { "" },
    ];
    let parts = [cfg.model.backbone.name.title()].into_iter().chain(words).filter(|word| !word.is_empty());
    format!("RD ({})", parts.collect::<Vec<_>>().join(", "))
}

/// Checks that the batch norms of the embedding, whose maps are the smallest, have two values a channel in a batch of `images`.
///
/// # Errors
/// `Kind::Config` naming the keys and the remedy.
pub fn check_rd_batch(cfg: &Config, images: usize) -> Result<()> {
    if images * (cfg.data.size / 32).pow(2) >= 2 {
        return Ok(());
    }
    Err(Error::config(
        format!("train.batch: a batch of {images} leaves the embedding one value a channel at {} px: batch norm needs two", cfg.data.size),
        "use train.batch = 2 or more and train.drop_last = true, or a larger data.size",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Detector, check};

    fn with(changes: &[&str]) -> Config {
        let words: Vec<String> = changes.iter().map(|&change| change.to_owned()).collect();
        Config { detector: Detector::RD, ..Config::default() }.with(&words).unwrap()
    }

    #[test]
    fn its_name_says_in_what_it_is_not_the_published_one() {
        for (changes, name) in [
            (vec!["model.backbone.name=wide_resnet50_2"], "RD (wide ResNet-50-2)"),
            (vec![], "RD (ResNet-50)"),
            (vec!["rd.blocks=1"], "RD (ResNet-50, 1 block a stage)"),
            // Only a wide backbone has a wide embedding.
            (vec!["rd.width=narrow"], "RD (ResNet-50)"),
            (
                vec!["model.backbone.name=wide_resnet50_2", "rd.width=narrow", "rd.loss=pixel", "rd.map=product"],
                "RD (wide ResNet-50-2, narrow embedding, loss per position, product of the maps)",
            ),
        ] {
            assert_eq!(describe(&with(&changes)), name);
        }
    }

    #[test]
    fn a_batch_that_its_batch_norms_cannot_bear_is_refused() {
        let mut cfg = with(&["data.size=32"]);
        cfg.train.batch = 1;
        assert!(check(&cfg).unwrap_err().what.starts_with("train.batch"));
        cfg.train.batch = 2;
        check(&cfg).unwrap();
        (cfg.train.batch, cfg.data.size) = (1, 64);
        check(&cfg).unwrap();
    }
}
