//! A category as a run reads it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::item::Item;
use super::layout::{Folder, Listing};
use crate::config::{Masks, Orientation, Roi};

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
    /// `data.roi`.
    pub roi: Roi,
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
                let of = |split, folders: &[Folder]| folders.iter().map(|f| (split, f.name.clone())).collect::<Vec<_>>();
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
