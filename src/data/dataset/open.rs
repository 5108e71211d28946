//! `[data]` as a whole: where the categories are, and each as a run reads it.

use std::path::{Path, PathBuf};

use super::category::{Category, Form};
use super::item::GOOD;
use super::layout::Listing;
use super::list::List;
use super::{layout, plain, root, select};
use crate::config::{self, Categories, Masks};
use crate::names::counted;
use crate::{Error, Result};

/// What a data set may be, for errors.
const LAYOUTS: &str = "give a folder of images of normal parts, MVTec AD's layout (ROOT/<category>/{train/good, test/good, test/<defect>, \
                       ground_truth/<defect>}), or a list of any other (data.list; `harness data import`)";

/// `data.list` where there is none.
const NONE: &str = "none";

/// A data set by the keys that say what it holds: `data.root`, `data.list`, `data.masks`, `data.orientation`.
#[derive(Debug, Clone)]
pub struct Dataset {
    root: PathBuf,
    list: Option<List>,
    data: config::Data,
}

impl Dataset {
    /// What a configuration names; the built-in set is drawn if it is not there.
    ///
    /// # Errors
    /// Where the built-in set cannot be written, and a list that cannot be read.
    pub fn of(data: &config::Data) -> Result<Self> {
        if data.list != NONE && data.root == root::BUILTIN {
            let what = "data.list: its paths are below data.root, and that is the built-in set".to_owned();
            return Err(Error::config(what, "set data.root to the folder that the list was made for"));
        }
        Self::at(&root::resolve(data)?, data)
    }

    /// The same with its root elsewhere than the configuration says.
    ///
    /// # Errors
    /// As [`Dataset::of`].
    pub fn at(root: &Path, data: &config::Data) -> Result<Self> {
        let list = if data.list == NONE { None } else { Some(List::read(Path::new(&data.list), root)?) };
        Ok(Self { root: root.to_owned(), list, data: data.clone() })
    }

    /// The folder that `data.root` stands for.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a list says what it holds.
    pub fn is_list(&self) -> bool {
        self.list.is_some()
    }

    /// The keys by which it is read.
    pub fn data(&self) -> &config::Data {
        &self.data
    }

    /// The names of all categories, sorted.
    ///
    /// # Errors
    /// A root without any.
    pub fn categories(&self) -> Result<Vec<String>> {
        if let Some(list) = &self.list {
            return Ok(list.categories());
        }
        let names = layout::open(&self.root)?;
        if !names.is_empty() {
            return Ok(names);
        }
        match plain::find(&self.root)? {
            Some((name, _)) => Ok(vec![name]),
            None => Err(Error::environment(
                format!("no category under {}: no images in it, and none of its folders holds train/{GOOD}", self.root.display()),
                LAYOUTS,
            )),
        }
    }

    /// The wanted categories.
    ///
    /// # Errors
    /// As [`Dataset::categories`], and names that are not there.
    pub fn select(&self, wanted: &Categories) -> Result<Vec<String>> {
        select::select(&self.categories()?, wanted)
    }

    /// What lies there of one category, whether or not a run can use it.
    ///
    /// # Errors
    /// A folder that is missing or cannot be listed.
    pub fn look(&self, name: &str) -> Result<Category> {
        let (form, [mut train, mut test]) = match &self.list {
            Some(list) => {
                let found = list.category(name)?;
                (Form::List { file: list.path.clone(), validation: found.validation }, [found.train, found.test])
            }
            None => {
                let listing = self.listing(name)?;
                let items = ["train", "test"].map(|split| listing.items(split));
                (Form::Folders(listing), items)
            }
        };
        if self.data.masks == Masks::Ignore {
            train.iter_mut().chain(&mut test).for_each(|item| item.mask = None);
        }
        let (masks, orientation, roi) = (self.data.masks, self.data.orientation, self.data.roi.clone());
        Ok(Category { root: self.root.clone(), name: name.to_owned(), form, train, test, masks, orientation, roi })
    }

    fn listing(&self, name: &str) -> Result<Listing> {
        let folder = self.root.join(name);
        if folder.is_dir() && folder.join("train").is_dir() {
            return layout::listing(&folder);
        }
        match plain::find(&self.root) {
            Ok(Some((plain, listing))) if plain == name => Ok(listing),
            _ => layout::listing(&folder),
        }
    }

    /// One category, refused where a run could not use it; missing masks are left to the caller.
    ///
    /// # Errors
    /// As [`Dataset::look`], and what [`Category::refusal`] names.
    pub fn category(&self, name: &str) -> Result<Category> {
        let found = self.look(name)?;
        match found.refusal() {
            None => Ok(found),
            Some((what, remedy)) => Err(Error::environment(format!("category {name} ({}): {what}", found.folder().display()), remedy)),
        }
    }
}

impl Category {
    /// Why no run can use this category, and the way out; `None` where one can.
    pub fn refusal(&self) -> Option<(String, String)> {
        match &self.form {
            Form::Folders(listing) => listing.refusal(),
            Form::List { .. } => match (self.train.iter().find(|item| !item.is_good()), self.train.len()) {
                (Some(odd), _) => Some((format!("{} is to be trained on", odd.key), "give defective images the split test".into())),
                (None, found @ (0 | 1)) => {
                    let what = format!("{} the split train", counted(found, "image has", "images have"));
                    Some((what, "at least 2 normal images are needed to train".into()))
                }
                (None, _) => None,
            },
        }
    }
}

/// The names of the categories under `root`.
///
/// # Errors
/// As [`Dataset::categories`].
pub fn open(root: &Path) -> Result<Vec<String>> {
    Dataset::at(root, &config::Config::default().data)?.categories()
}

/// One category under `root`, read by the defaults.
///
/// # Errors
/// As [`Dataset::category`].
pub fn category(root: &Path, name: &str) -> Result<Category> {
    Dataset::at(root, &config::Config::default().data)?.category(name)
}
