//! What the half without tensors knows of a detector: the contract of the files beside this one.

use crate::Result;
use crate::config::{Config, Family};

/// What is known of a detector before it is built.
#[derive(Debug)]
pub struct Method {
    /// The word in configurations, the folder below `torch/src/detector`, the file below `experiments/detectors`.
    pub name: &'static str,
    /// What it wants otherwise than base.toml: the text of `experiments/detectors/<name>.toml`.
    pub defaults: &'static str,
    /// Keys, or sections as a dotted beginning of keys, on which its result may depend. Only they are part of a run's
    /// identity; `config check` warns where another one is set.
    pub reads: &'static [&'static str],
    /// Raise it with every change that moves a result of this detector alone; `METHOD_VERSION` moves those of all.
    pub version: u32,
    /// What it gives of an image.
    pub outputs: fn(&Config) -> Outputs,
    /// Whether an optimiser trains it, epoch by epoch; otherwise it looks at each image once.
    pub trained: bool,
    /// The kinds of backbone that it can be built on; none where its network is its own.
    pub backbones: fn(&Config) -> &'static [Family],
    /// The relations between its keys.
    ///
    /// # Errors
    /// `Kind::Config` naming the keys and the remedy.
    pub check: fn(&Config) -> Result<()>,
    /// The method in a few words, for the first line of a run.
    pub describe: fn(&Config) -> String,
}

/// What a detector gives of an image: maps by name, an image score of its own, or both. One of them at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outputs {
    /// The detector's own names, the headline first: the map that its metrics are of. Folder names, none of them `image`.
    pub maps: Vec<&'static str>,
    /// Whether it scores an image by itself.
    pub image: bool,
}

impl Outputs {
    /// Maps alone.
    pub fn of_maps(maps: &[&'static str]) -> Self {
        Self { maps: maps.to_vec(), image: false }
    }
}
