//! Layouts that are MVTec AD's with other names.

use std::path::{Path, PathBuf};

use super::entry::{Entry, below, stem};
use crate::Result;
use crate::data::dataset::item::GOOD;
use crate::data::dataset::layout::entries as list;
use crate::data::dataset::list::Split;

/// Of good images that are not split, one of so many is tested.
const TESTED: usize = 5;

/// The names of the folders of a category.
#[derive(Debug, Clone)]
pub struct Names {
    pub train: String,
    pub validation: String,
    pub test: String,
    /// Below the category's folder, as `test_public/ground_truth`.
    pub truth: String,
    /// Images without a defect, in each split.
    pub good: String,
}

impl Default for Names {
    /// MVTec AD's.
    fn default() -> Self {
        let [train, validation, test, truth, good] = ["train", "validation", "test", "ground_truth", GOOD].map(String::from);
        Self { train, validation, test, truth, good }
    }
}

impl Names {
    /// MVTec AD 2's.
    pub fn mvtec2() -> Self {
        Self { test: "test_public".into(), truth: "test_public/ground_truth".into(), ..Self::default() }
    }
}

/// Every image of the categories below `root`, or of `root` where it is a category itself.
pub fn entries(root: &Path, names: &Names) -> Result<Vec<Entry>> {
    let is_category = |folder: &Path| folder.join(&names.train).join(&names.good).is_dir() || folder.join(&names.good).is_dir();
    let whole = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let own = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let categories: Vec<(String, PathBuf)> = if is_category(root) {
        vec![(own, root.to_owned())]
    } else {
        list(root)?.folders.into_iter().map(|name| (name.clone(), root.join(name))).filter(|(_, folder)| is_category(folder)).collect()
    };
    let each = categories.iter().map(|(name, folder)| {
        if folder.join(&names.train).is_dir() { split(root, name, folder, names) } else { flat(root, name, folder, names) }
    });
    Ok(each.collect::<Result<Vec<_>>>()?.concat())
}

/// A category with folders for training and testing.
fn split(root: &Path, name: &str, folder: &Path, names: &Names) -> Result<Vec<Entry>> {
    let mut found = vec![];
    for (split, part) in [(Split::Train, &names.train), (Split::Validation, &names.validation)] {
        found.extend(images(&folder.join(part).join(&names.good))?.into_iter().map(|image| Entry::good(name, split, below(root, &image))));
    }
    let test = folder.join(&names.test);
    let truth = folder.join(&names.truth);
    let kinds = if test.is_dir() { list(&test)?.folders } else { vec![] };
    for kind in kinds.into_iter().filter(|kind| test.join(kind) != truth) {
        for image in images(&test.join(&kind))? {
            found.push(of_test(root, (name, &kind), &image, names, &truth)?);
        }
    }
    Ok(found)
}

/// A category whose images are only sorted into good ones and kinds of defects.
fn flat(root: &Path, name: &str, folder: &Path, names: &Names) -> Result<Vec<Entry>> {
    let truth = folder.join(&names.truth);
    let mut found = vec![];
    for kind in list(folder)?.folders.into_iter().filter(|kind| folder.join(kind) != truth) {
        for (place, image) in images(&folder.join(&kind))?.into_iter().enumerate() {
            let trained = kind == names.good && place % TESTED != TESTED - 1;
            found.push(match trained {
                true => Entry::good(name, Split::Train, below(root, &image)),
                false => of_test(root, (name, &kind), &image, names, &truth)?,
            });
        }
    }
    Ok(found)
}

fn of_test(root: &Path, (name, kind): (&str, &str), image: &Path, names: &Names, truth: &Path) -> Result<Entry> {
    if kind == names.good || kind == GOOD {
        return Ok(Entry::good(name, Split::Test, below(root, image)));
    }
    let masks = masks(&truth.join(kind), &stem(image))?.iter().map(|mask| below(root, mask)).collect();
    let (category, defect) = (name.to_owned(), kind.to_owned());
    Ok(Entry { category, split: Split::Test, defect, image: below(root, image), masks, rule: None })
}

/// The masks of an image: `<stem>_mask.*`, `<stem>.*`, or all in a folder `<stem>`.
fn masks(folder: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let inner = folder.join(name);
    if inner.is_dir() {
        return images(&inner);
    }
    let files = images(folder)?;
    let called = |wanted: &str| files.iter().find(|path| stem(path) == wanted).cloned();
    Ok(called(&format!("{name}_mask")).or_else(|| called(name)).into_iter().collect())
}

/// The images directly in a folder, sorted; none of one that is not there.
pub(super) fn images(folder: &Path) -> Result<Vec<PathBuf>> {
    if folder.is_dir() { Ok(list(folder)?.images) } else { Ok(vec![]) }
}
