//! One image, what is known about it, and the category that it belongs to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::layout::Listing;
use crate::config::{MaskRule, Masks, Orientation};

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

/// One category: at least two good training images. Without a test image a run is fitted only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// The data root.
    pub root: PathBuf,
    pub name: String,
    /// How it lies there.
    pub form: Form,
    /// Sorted by key.
    pub train: Vec<Item>,
    /// Sorted by key.
    pub test: Vec<Item>,
    /// `data.masks`: those that are to be ignored are not among the items any more.
    pub masks: Masks,
    /// `data.orientation`.
    pub orientation: Orientation,
}

/// How a category lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Folders, or a plain folder of images: everything in them, whether or not it is used.
    Folders(Listing),
    /// The list, and how many images of the category it has of the split `validation`.
    List { file: PathBuf, validation: usize },
}

impl Category {
    /// Its own folder; of a list the data root.
    pub fn folder(&self) -> PathBuf {
        match &self.form {
            Form::Folders(listing) => listing.folder.clone(),
            Form::List { .. } => self.root.clone(),
        }
    }

    /// All images that a run may read, those of `train` first.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.train.iter().chain(&self.test)
    }

    /// The splits' folders, also empty ones: train before test, as they are sorted on disk.
    pub fn folders(&self) -> Vec<(&'static str, String)> {
        match &self.form {
            Form::Folders(listing) => {
                let of = |split, folders: &[super::layout::Folder]| folders.iter().map(|f| (split, f.name.clone())).collect::<Vec<_>>();
                [of("train", &listing.train), of("test", &listing.test)].concat()
            }
            Form::List { .. } => {
                let kinds = |items: &[Item]| items.iter().map(|item| item.defect.clone()).collect::<BTreeSet<_>>();
                let of = |split, items: &[Item]| kinds(items).into_iter().map(|kind| (split, kind)).collect::<Vec<_>>();
                [of("train", &self.train), of("test", &self.test)].concat()
            }
        }
    }
}
