//! `detector`: the systems behind the seam, as the half without tensors knows them.
//!
//! One file a detector holds its settings, what it reads, what it checks and how it is described; `SHIPPED` lists them. A
//! program that brings detectors of its own names them by [`bring`] before it reads a configuration.

mod cutpaste;
mod fcdd;
mod method;
mod mlff;
mod nearest;
mod padim;
mod psvdd;
mod rd;
mod supersimplenet;
mod teaching;
mod us;

pub use cutpaste::{Aligned, AlignedBy, CutPasteDetector, CutPasteNetwork, Shrink, ShrinkBy};
pub use fcdd::{Fcdd, FcddBorder, FcddMask, FcddNetwork};
pub use method::{Method, Outputs};
pub use mlff::check_batch;
pub use nearest::Nearest;
pub use padim::{Padim, padim_channels};
pub use psvdd::Psvdd;
pub use rd::{Rd, RdLoss, RdMap, RdWidth, check_rd_batch};
pub use supersimplenet::{Noise, NoiseMask, SuperSimpleNet};
pub use teaching::{Compact, Teaching};
pub use us::{US_FIELDS, Us};

use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Config, Freeze};

/// The detectors of this package, in the order in which lists show them.
const SHIPPED: &[&Method] = &[
    &mlff::METHOD,
    &padim::METHOD,
    &nearest::METHOD,
    &rd::METHOD,
    &fcdd::METHOD,
    &supersimplenet::METHOD,
    &cutpaste::METHOD,
    &psvdd::METHOD,
    &us::METHOD,
];

static BROUGHT: OnceLock<Vec<&'static Method>> = OnceLock::new();

/// Makes more detectors known to this program; once, before anything reads a configuration.
///
/// # Panics
/// When called twice, or with a name that is taken: a fault of the program.
pub fn bring(methods: Vec<&'static Method>) {
    let taken = |name: &str| SHIPPED.iter().any(|shipped| shipped.name == name);
    assert!(!methods.iter().any(|m| taken(m.name)), "a detector of this name exists");
    assert!(BROUGHT.set(methods).is_ok(), "detectors are brought once");
}

fn methods() -> impl Iterator<Item = &'static Method> {
    SHIPPED.iter().copied().chain(BROUGHT.get().into_iter().flatten().copied())
}

/// What is fitted and scores images: the value of the key `detector`.
#[derive(Clone, Copy)]
pub struct Detector(&'static Method);

impl Detector {
    /// The paper's multi-level feature fusion network.
    pub const MLFF: Self = Self(&mlff::METHOD);
    /// A Gaussian at each position (Defard et al. 2020).
    pub const PADIM: Self = Self(&padim::METHOD);
    /// Distance to the nearest of a memory of patches (PatchCore, Roth et al. 2022).
    pub const NEAREST: Self = Self(&nearest::METHOD);
    /// Reverse distillation (Deng & Li 2022).
    pub const RD: Self = Self(&rd::METHOD);
    /// Fully convolutional data description (Liznerski et al. 2021).
    pub const FCDD: Self = Self(&fcdd::METHOD);
    /// Heads on adapted features, trained on noise in them (SuperSimpleNet, Rolih et al. 2024).
    pub const SUPERSIMPLENET: Self = Self(&supersimplenet::METHOD);
    /// A classifier of pasted images, and Gaussians of its features (CutPaste, Li et al. 2021).
    pub const CUTPASTE: Self = Self(&cutpaste::METHOD);
    /// Distance to the nearest of a memory of patches as an encoder of its own describes them (Patch SVDD, Yi & Yoon 2020).
    pub const PSVDD: Self = Self(&psvdd::METHOD);
    /// Students that err on what they were not taught (Bergmann et al. 2020).
    pub const US: Self = Self(&us::METHOD);

    /// Every detector that this program knows.
    pub fn all() -> impl Iterator<Item = Self> {
        methods().map(Self)
    }

    /// The detector of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|detector| detector.0.name == name)
    }

    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// What it gives of an image under a configuration.
    pub fn outputs(self, cfg: &Config) -> Outputs {
        (self.0.outputs)(cfg)
    }

    pub fn method(self) -> &'static Method {
        self.0
    }

    /// The method in a few words; of a trained one whether it is left untrained.
    pub fn describe(self, cfg: &Config) -> String {
        let untrained = self.0.trained && (cfg.train.epochs, cfg.train.steps) == (0, 0);
        (self.0.describe)(cfg) + if untrained { ", 0 steps" } else { "" }
    }

    /// Whether its result may depend on the key at this dotted path, or on one below it. What masks mean, and what is held out for calibration,
    /// concerns every detector.
    pub fn reads(self, path: &str) -> bool {
        let below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
        matches!(path, "detector" | "data.mask_rule" | "calibrate")
            || below(path, "calibrate")
            || self.0.reads.iter().any(|read| path == *read || below(path, read) || below(read, path))
    }
}

impl Config {
    /// Whether a run's result may depend on the key at this dotted path, or on one below it: the detector reads it, and it is not about how
    /// a backbone is trained where the whole backbone is frozen.
    pub fn reads(&self, path: &str) -> bool {
        let trains = self.model.backbone.freeze != Freeze::All;
        self.detector.reads(path) && (trains || !matches!(path, "model.backbone_lr" | "model.backbone_norms"))
    }

    /// Whether a run is built on a backbone, and not on a network of the detector's own.
    pub fn has_backbone(&self) -> bool {
        !(self.detector.method().backbones)(self).is_empty()
    }

    /// What taught the networks that a detector learns from, where they are files of its own.
    pub fn teacher(&self) -> Option<String> {
        (self.detector == Detector::US).then(|| self.us.teacher())
    }

    /// The files that a run starts from: the backbone's, or those of the teachers; none for random values.
    pub fn weight_files(&self) -> Vec<String> {
        let backbone = &self.model.backbone.weights;
        if self.detector == Detector::US {
            return self.us.files();
        }
        if self.has_backbone() && backbone != "none" { vec![backbone.clone()] } else { vec![] }
    }
}

impl PartialEq for Detector {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Detector {}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Detector({})", self.0.name)
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl Serialize for Detector {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name)
    }
}

impl<'de> Deserialize<'de> for Detector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| serde::de::Error::custom(format!("this version has no detector {name:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reference;

    #[test]
    fn a_detector_reads_keys_that_exist_and_nothing_of_another_one() {
        let own: Vec<&str> = methods().map(|method| method.name).collect();
        for method in methods() {
            for read in method.reads {
                let below = format!("{read}.");
                assert!(reference::keys().iter().any(|k| k.path == *read || k.path.starts_with(&below)), "{}: {read}", method.name);
                assert!(*read == method.name || !own.contains(read), "{} reads [{read}]", method.name);
            }
        }
    }

    #[test]
    fn a_section_is_read_where_one_of_its_keys_is() {
        assert!(Detector::PADIM.reads("padim.channels") && Detector::PADIM.reads("padim") && Detector::PADIM.reads("model"));
        assert!(!Detector::PADIM.reads("model.stlnet") && !Detector::PADIM.reads("padimx") && !Detector::PADIM.reads("optim.lr"));
        assert!(Detector::MLFF.reads("optim.lr") && !Detector::MLFF.reads("nearest.dims"));
    }

    /// Adding a detector means adding these; the folder of its other half is checked by tests/detectors.rs.
    #[test]
    fn each_detector_has_its_file_of_defaults_and_its_line_in_the_reference() {
        for method in methods() {
            let file = crate::testing::root().join(format!("experiments/detectors/{}.toml", method.name));
            assert_eq!(std::fs::read_to_string(&file).unwrap(), method.defaults, "{}", file.display());
            let named = reference::key("detector").unwrap().doc.contains(&format!("{:?}", method.name));
            assert!(named, "base.toml explains `detector` without {:?}", method.name);
        }
    }
}
