//! `[psvdd]`: distance to the nearest normal patch, as an encoder of its own describes patches (Patch SVDD, Yi and Yoon 2020).

use serde::{Deserialize, Serialize};

use super::method::{Method, Outputs};
use crate::config::{Checkpoint, Config};
use crate::{Error, Result};

pub(super) const METHOD: Method = Method {
    name: "psvdd",
    defaults: include_str!("../../../experiments/detectors/psvdd.toml"),
    reads: &[
        "run",
        "data.root",
        "data.categories",
        "data.size",
        "data.repeat",
        "data.augment",
        "data.resize",
        "data.workers",
        "data.cache_mb",
        "psvdd",
        "optim",
        "train",
        "eval",
    ],
    version: 2,
    // A: the product of the maps of patches of 32 and of 64 px, which follow.
    outputs: |_| Outputs::of_maps(&["A", "A32", "A64"]),
    trained: true,
    backbones: |_| &[],
    check,
    describe,
};

/// Side of the largest patches, px.
const LARGEST: usize = 64;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Psvdd {
    /// Weight of the distance between neighbouring patches.
    pub lambda: f64,
    /// Share of the training patches that is remembered.
    pub fraction: f64,
}

fn describe(cfg: &Config) -> String {
    let Psvdd { lambda, fraction } = cfg.psvdd;
    let remembered = if fraction < 1.0 { format!(", {} % of the patches", 100.0 * fraction) } else { String::new() };
    format!("Patch SVDD, lambda {lambda}{remembered}")
}

fn check(cfg: &Config) -> Result<()> {
    if cfg.train.checkpoint != Checkpoint::Last {
        return Err(Error::config(
            "train.checkpoint: psvdd cannot score before its training has ended, when it remembers the normal patches",
            "use train.checkpoint=last",
        ));
    }
    if cfg.data.size < LARGEST {
        return Err(Error::config(format!("data.size: an image of {} px has no patches of {LARGEST} px", cfg.data.size), "use 64 or more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Detector, Profile, Request};

    fn resolved(words: &[&str]) -> Result<Config> {
        let overrides = ["detector=psvdd"].iter().chain(words).map(|word| (*word).to_owned()).collect();
        Request { profile: Some(Profile::Paper), overrides, ..Request::default() }.resolve().map(|resolved| resolved.config)
    }

    #[test]
    fn a_name_says_what_it_is() {
        let name = |words: &[&str]| Detector::PSVDD.describe(&resolved(words).unwrap());
        assert_eq!(name(&[]), "Patch SVDD, lambda 1");
        assert_eq!(name(&["psvdd.lambda=1e-3", "psvdd.fraction=0.25"]), "Patch SVDD, lambda 0.001, 25 % of the patches");
        assert_eq!(name(&["train.epochs=0"]), "Patch SVDD, lambda 1, 0 steps");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (words, key) in [(["train.checkpoint=best_test"], "train.checkpoint"), (["data.size=32"], "data.size")] {
            let error = resolved(&words).unwrap_err();
            assert!(error.what.starts_with(key), "{error}");
        }
        resolved(&["data.size=64"]).unwrap();
    }
}
