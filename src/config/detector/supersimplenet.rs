//! `[supersimplenet]`: a map head and a decision head on adapted features, trained on noise in the features (Rolih et al. 2024).

use serde::{Deserialize, Serialize};

use super::method::{Method, Outputs};
use crate::config::{BackboneName, Config, Family};

pub(super) const METHOD: Method = Method {
    name: "supersimplenet",
    defaults: include_str!("../../../experiments/detectors/supersimplenet.toml"),
    reads: &[
        "run",
        "data",
        // Only where weights are selected on pseudo anomalies.
        "pseudo",
        "model.backbone.name",
        "model.backbone.weights",
        "model.backbone.stride_in",
        "supersimplenet",
        "optim",
        "train",
        "eval",
    ],
    version: 1,
    outputs: |cfg| Outputs { maps: vec!["S"], image: cfg.supersimplenet.decision },
    trained: true,
    backbones: |_| Family::STAGED,
    check: |_| Ok(()),
    describe,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuperSimpleNet {
    /// Cells of the map for each cell of stage 2, along a side: 1 or 2.
    pub upscale: i64,
    /// Hidden channels of the map head.
    pub hidden: i64,
    /// Whether there is a head that scores the image.
    pub decision: bool,
    /// Channels to which the adapted features are reduced before that head; 0 = not at all.
    pub reduce: i64,
    /// Whether that head leaves the map head alone: no gradient passes through the map that it looks at.
    pub stop_grad: bool,
    pub noise: Noise,
    /// Standard deviation of the noise, in the unit that `noise` says.
    pub noise_std: f64,
    pub mask: NoiseMask,
    /// Perlin noise above it is anomalous.
    pub threshold: f64,
    /// Share of the images that get an empty mask.
    pub empty: f64,
    /// Whether the map has a focal loss beside its hinge loss.
    pub focal: bool,
    /// Factors of `optim.lr` and `optim.weight_decay` for the adaptor.
    pub adaptor_lr: f64,
    pub adaptor_decay: f64,
}

/// The unit of the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// That of the features.
    Absolute,
    /// Each adapted channel's standard deviation over the normal images, before training.
    Relative,
}

/// Where the noise is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseMask {
    /// In binarised Perlin noise, in both copies of the batch.
    Perlin,
    /// In every cell of the second copy of the batch, in none of the first (SimpleNet).
    Halves,
}

/// The published method by its bare name, everything else with what differs.
fn describe(cfg: &Config) -> String {
    let keys = &cfg.supersimplenet;
    let simple = keys.upscale == 1 && !keys.decision && keys.mask == NoiseMask::Halves && !keys.focal;
    let backbone = match cfg.model.backbone.name {
        BackboneName::WideResnet50x2 => "",
        other => other.title(),
    };
    let mut differs: Vec<String> = Vec::new();
    let mut note = |where_so: bool, what: &str| differs.extend(where_so.then(|| what.to_owned()));
    note(!backbone.is_empty(), backbone);
    note(keys.noise == Noise::Relative, "relative noise");
    if !simple {
        note(keys.upscale == 1, "no upscaling");
        note(!keys.decision, "no decision head");
        note(keys.decision && keys.reduce > 0, &format!("decision head behind {} channels", keys.reduce));
        note(keys.decision && !keys.stop_grad, "no stopped gradient");
        note(keys.mask == NoiseMask::Halves, "no noise masks");
        note(!keys.focal, "map without focal loss");
    }
    let name = if simple { "SimpleNet" } else { "SuperSimpleNet" };
    if differs.is_empty() { name.into() } else { format!("{name} ({})", differs.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Detector;

    #[test]
    fn only_the_published_method_goes_by_its_bare_name() {
        let mut cfg = Config { detector: Detector::SUPERSIMPLENET, ..Config::default() };
        assert_eq!(describe(&cfg), "SuperSimpleNet (ResNet-50)");
        cfg.model.backbone.name = BackboneName::WideResnet50x2;
        assert_eq!(describe(&cfg), "SuperSimpleNet");
        let cpu = SuperSimpleNet { upscale: 1, reduce: 256, noise: Noise::Relative, ..cfg.supersimplenet.clone() };
        let variant = Config { supersimplenet: cpu, ..cfg.clone() };
        assert_eq!(describe(&variant), "SuperSimpleNet (relative noise, no upscaling, decision head behind 256 channels)");
        let keys = &mut cfg.supersimplenet;
        (keys.upscale, keys.decision, keys.mask, keys.focal) = (1, false, NoiseMask::Halves, false);
        assert_eq!(describe(&cfg), "SimpleNet");
        cfg.supersimplenet.focal = true;
        assert_eq!(describe(&cfg), "SuperSimpleNet (no upscaling, no decision head, no noise masks)");
    }
}
