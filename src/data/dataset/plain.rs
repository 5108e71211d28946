//! A plain folder of images: all of them normal, in it or in one `good/` inside. One category, named after the folder, fit only.

use std::path::Path;

use super::item::GOOD;
use super::layout::{Folder, Listing, entries, is_folder};
use crate::names::counted;
use crate::{Error, Result};

/// The category that a plain folder is: its name, and what lies there. `None` of another folder.
///
/// # Errors
/// A folder that cannot be listed, or holds images in both places.
pub fn find(root: &Path) -> Result<Option<(String, Listing)>> {
    let top = entries(root)?;
    let inside = root.join(GOOD);
    let good = if is_folder(&inside)? { Some(entries(&inside)?).filter(|good| !good.images.is_empty()) } else { None };
    let (path, found) = match (top.images.is_empty(), good) {
        (true, None) => return Ok(None),
        (true, Some(good)) => (inside, good),
        (false, None) => (root.to_owned(), entries(root)?),
        (false, Some(good)) => {
            let (here, there) = (top.images.len(), good.images.len());
            return Err(Error::environment(
                format!("{} holds {}, and {there} in {GOOD}/", root.display(), counted(here, "image", "images")),
                format!(
                    "move those of normal parts into {GOOD}/ and the others away, or name one folder alone: data.root = \"{}\"",
                    inside.display()
                ),
            ));
        }
    };
    let with_images = |name: &&String| **name != GOOD && entries(&root.join(name)).is_ok_and(|found| !found.images.is_empty());
    let beside = top.folders.iter().filter(with_images).map(|name| root.join(name)).collect();
    let others = if path == root { Vec::new() } else { top.others };
    let train = vec![Folder { name: GOOD.to_owned(), path, images: found.images, others: found.others, folders: Vec::new() }];
    let listing = Listing { folder: root.to_owned(), train, test: vec![], ground_truth: vec![], stray: vec![], others, beside };
    Ok(Some((name(root), listing)))
}

/// The folder's name, without dots in front; of `part/train/good` it is `part`.
fn name(root: &Path) -> String {
    let whole = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let mut names = whole.ancestors().filter_map(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = names.find(|name| !["train", GOOD].contains(&name.as_str())).unwrap_or_default();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "images".to_owned() } else { name.to_owned() }
}
