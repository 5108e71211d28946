//! Real-IAD: a JSON file a category names its images.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::entry::Entry;
use crate::data::dataset::layout::entries as list;
use crate::data::dataset::list::Split;
use crate::{Error, Result};

/// The folder of the standard split.
const SPLITS: &str = "realiad_jsons";

/// Folders inside each other that are looked into.
const DEPTH: usize = 3;

#[derive(Deserialize)]
struct Category {
    meta: Meta,
    train: Vec<Image>,
    test: Vec<Image>,
}

#[derive(Deserialize)]
struct Meta {
    normal_class: String,
    /// The category's folder below that of the images.
    prefix: String,
}

#[derive(Deserialize)]
struct Image {
    category: String,
    anomaly_class: String,
    image_path: PathBuf,
    mask_path: Option<PathBuf>,
}

/// Real-IAD at any of its sizes.
pub fn realiad(root: &Path) -> Result<Vec<Entry>> {
    let mut files = vec![];
    walk(&root.join(SPLITS), DEPTH, &mut files)?;
    let mut found = vec![];
    for path in files {
        let text = std::fs::read(&path).map_err(|e| Error::io("read", &path, &e))?;
        let odd = |e| Error::environment(format!("{} is not a split of Real-IAD: {e}", path.display()), "copy the file again");
        let category: Category = serde_json::from_slice(&text).map_err(odd)?;
        let folder = images_of(root, &category, &path)?;
        for (split, images) in [(Split::Train, &category.train), (Split::Test, &category.test)] {
            found.extend(images.iter().map(|image| entry(&folder, &category.meta, split, image)));
        }
    }
    Ok(found)
}

fn entry(folder: &Path, meta: &Meta, split: Split, image: &Image) -> Entry {
    let place = |path: &PathBuf| folder.join(path);
    let good = Entry::good(&image.category, split, place(&image.image_path));
    if image.anomaly_class == meta.normal_class {
        return good;
    }
    let masks = image.mask_path.iter().map(place).collect();
    Entry { defect: image.anomaly_class.clone(), masks, ..good }
}

/// The folder of a category's images, below the root: the first, by name, in which the first image lies.
fn images_of(root: &Path, category: &Category, path: &Path) -> Result<PathBuf> {
    let Some(first) = category.train.first() else { return Ok(PathBuf::new()) };
    let places = list(root)?.folders.into_iter().map(|name| Path::new(&name).join(&category.meta.prefix));
    let mut places = places.chain([PathBuf::from(&category.meta.prefix)]);
    places.find(|place| root.join(place).join(&first.image_path).is_file()).ok_or_else(|| {
        let what = format!("{}: no folder of {} holds {}", path.display(), root.display(), first.image_path.display());
        Error::environment(what, "unpack the images beside realiad_jsons, such as into realiad_256")
    })
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.is_dir() || depth == 0 {
        return Ok(());
    }
    let found = list(folder)?;
    files.extend(found.others.into_iter().filter(|path| path.extension().is_some_and(|e| e == "json")));
    found.folders.iter().try_for_each(|name| walk(&folder.join(name), depth - 1, files))
}
