//! How a teacher of uninformed students was made: what its file says of itself.

use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::config::BackboneName;
use crate::names::counted;

/// Format and version of a teacher's file.
const FORMAT: &str = "harness-us-teacher/1";

/// Greatest header that is read, bytes.
const MAX_HEADER: u64 = 1 << 20;

/// What the descriptions of different patches are kept apart by while a teacher is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Compact {
    /// The correlations of the descriptions of different patches of a batch.
    Samples,
    /// The correlations of different numbers of a description over a batch.
    Dims,
    /// Nothing.
    None,
}

/// From what, how and how well a teacher was distilled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Teaching {
    /// The network whose features it learned to give.
    pub backbone: BackboneName,
    /// blake3 of the network's file, hex.
    pub backbone_hash: String,
    /// What the set of images is called.
    pub images: String,
    /// blake3 of names and contents of the images, hex.
    pub images_hash: String,
    pub image_count: usize,
    /// p: side of the patches, px.
    pub field: usize,
    /// Factor of the published widths.
    pub width: f64,
    /// Numbers of a description.
    pub descriptor: usize,
    pub steps: u64,
    pub seed: u64,
    pub batch: usize,
    pub lr: f64,
    pub compact: Compact,
    /// Share of the variance of the backbone's features that it does not explain, on patches that it was not trained on.
    pub unexplained: f64,
}

impl Teaching {
    /// What the file at `path` says; `None` where it says nothing of this kind or cannot be read. Reads the header alone.
    pub fn of_file(path: &Path) -> Option<Self> {
        let mut file = std::fs::File::open(path).ok()?;
        let mut length = [0; 8];
        file.read_exact(&mut length).ok()?;
        let length = u64::from_le_bytes(length);
        let mut header = vec![];
        file.take(length.min(MAX_HEADER)).read_to_end(&mut header).ok()?;
        let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
        let entry = |key: &str| header.get("__metadata__")?.get(key)?.as_str();
        if entry("format")? != FORMAT {
            return None;
        }
        serde_json::from_str(entry("teaching")?).ok()
    }

    /// The entries of a file's metadata.
    pub fn entries(&self) -> Vec<(&'static str, String)> {
        vec![("format", FORMAT.into()), ("teaching", serde_json::to_string(self).expect("plain data is JSON"))]
    }

    /// How it was taught, without its field: `20000 steps on photographs`.
    pub fn course(&self) -> String {
        format!("{} on {}", counted(self.steps as usize, "step", "steps"), self.images)
    }
}
