//! Layouts in which each image has its mask beside it, and the mask says whether there is a defect.

use std::path::{Path, PathBuf};

use super::entry::{Entry, below, stem};
use super::tree::images;
use crate::Result;
use crate::config::MaskRule;
use crate::data::dataset::layout::entries as list;
use crate::data::dataset::list::Split;
use crate::image::truth::decode_mask;

/// One of so many folders of KolektorSDD is tested.
const TESTED: usize = 3;

/// What defects are called where there is one kind.
const DEFECT: &str = "defect";

/// KolektorSDD: `kos<n>/Part<n>.jpg` with `Part<n>_label.bmp`.
pub fn kolektor(root: &Path) -> Result<Vec<Entry>> {
    let folders: Vec<String> = list(root)?.folders.into_iter().filter(|name| name.starts_with("kos")).collect();
    let mut found = vec![];
    for (place, folder) in folders.iter().enumerate() {
        let split = if place % TESTED == TESTED - 1 { Split::Test } else { Split::Train };
        for (image, mask) in pairs(&root.join(folder), "_label")? {
            found.push(entry(root, ("kolektor", split), &image, mask.as_deref())?);
        }
    }
    // What is defective is tested, wherever it lies.
    found.iter_mut().filter(|entry: &&mut Entry| !entry.masks.is_empty()).for_each(|entry| entry.split = Split::Test);
    Ok(found)
}

/// KolektorSDD2: `{train,test}/<n>.png` with `<n>_GT.png`.
pub fn kolektor2(root: &Path) -> Result<Vec<Entry>> {
    let mut found = vec![];
    for split in [Split::Train, Split::Test] {
        let folder = root.join(split.name());
        if folder.is_dir() {
            for (image, mask) in pairs(&folder, "_GT")? {
                found.push(entry(root, ("kolektor2", split), &image, mask.as_deref())?);
            }
        }
    }
    found.retain(is_usable);
    Ok(found)
}

/// DAGM 2007: `Class<n>/{Train,Test}/<n>.PNG`, the masks of defective ones in `Label/<n>_label.PNG`.
pub fn dagm(root: &Path) -> Result<Vec<Entry>> {
    let mut found = vec![];
    for class in list(root)?.folders.into_iter().filter(|name| name.starts_with("Class")) {
        for (split, folder) in [(Split::Train, "Train"), (Split::Test, "Test")] {
            let folder = root.join(&class).join(folder);
            let labels = images(&folder.join("Label"))?;
            for image in images(&folder)? {
                let mask = labels.iter().find(|label| stem(label) == format!("{}_label", stem(&image)));
                found.push(entry(root, (&class, split), &image, mask.map(PathBuf::as_path))?);
            }
        }
    }
    found.retain(is_usable);
    Ok(found)
}

/// Defective images are not trained on.
fn is_usable(entry: &Entry) -> bool {
    entry.split != Split::Train || entry.masks.is_empty()
}

/// The images of a folder with their masks, which are called as they are with `ending` behind.
fn pairs(folder: &Path, ending: &str) -> Result<Vec<(PathBuf, Option<PathBuf>)>> {
    let (masks, images): (Vec<_>, Vec<_>) = list(folder)?.images.into_iter().partition(|path| stem(path).ends_with(ending));
    let of = |image: &Path| masks.iter().find(|mask| stem(mask) == stem(image) + ending).cloned();
    Ok(images
        .into_iter()
        .map(|image| {
            let mask = of(&image);
            (image, mask)
        })
        .collect())
}

/// An image that is defective where its mask marks something.
fn entry(root: &Path, (category, split): (&str, Split), image: &Path, mask: Option<&Path>) -> Result<Entry> {
    let good = Entry::good(category, split, below(root, image));
    let Some(mask) = mask else { return Ok(good) };
    if decode_mask(mask, MaskRule::Half)?.is_empty() {
        return Ok(good);
    }
    Ok(Entry { defect: DEFECT.into(), masks: vec![below(root, mask)], rule: Some(MaskRule::Half), ..good })
}
