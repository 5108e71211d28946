//! One image and what is known about it.

use std::path::{Path, PathBuf};

use crate::config::MaskRule;

/// The folder name, and the kind of defect, of images without a defect.
pub const GOOD: &str = "good";

/// One image and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The image file.
    pub path: PathBuf,
    /// Its name in every output: split, folder and stem, as in `test/scratch/003`. Unique within a category.
    pub key: String,
    /// The folder: [`GOOD`] or the kind of defect.
    pub defect: String,
    /// The ground truth of a defective image; `None` for a good one, and for a defective one whose mask is missing.
    pub mask: Option<Truth>,
}

impl Item {
    /// True for an image without a defect.
    pub fn is_good(&self) -> bool {
        self.defect == GOOD
    }
}

/// The ground truth of an image in files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// At least one; a pixel is anomalous where it is in any of them.
    pub files: Vec<PathBuf>,
    /// Which values are anomalous, where the files' own rule is known; else `data.mask_rule`.
    pub rule: Option<MaskRule>,
}

impl From<PathBuf> for Truth {
    /// One file, read by `data.mask_rule`.
    fn from(file: PathBuf) -> Self {
        Self { files: vec![file], rule: None }
    }
}

impl Truth {
    /// The first file: by it the ground truth is named.
    pub fn path(&self) -> &Path {
        self.files.first().expect("a ground truth has at least one file")
    }
}
