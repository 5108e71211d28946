//! Writing the set: what to draw is a plain list, drawing it a parallel loop. Files appear whole or not at all, the folder
//! appears when it is complete, a killed attempt goes on where it was, and two processes wait for each other.

use super::{Category, PER_DEFECT, SIDE, Split, TEST_GOOD, TRAIN, VERSION, categories, render_at};
use crate::error::{Error, Result};
use crate::file;
use crate::image::codec::{write_mask_png, write_png};
use rayon::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

/// Written last, with the version.
const MARKER: &str = ".complete";

const ABOUT: &str = "\
The images in this folder are procedural: a program drew them from seeded random numbers. They show no real product.
Their authors dedicate them to the public domain under CC0 1.0 (https://creativecommons.org/publicdomain/zero/1.0/).

Layout: <category>/train/good, <category>/test/good, <category>/test/<defect>, and for each defective image a mask
<category>/ground_truth/<defect>/<stem>_mask.png, 255 where the picture differs from the same scene without the defect.
";

/// One picture to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    category: &'static str,
    split: Split,
    folder: &'static str,
    index: usize,
}

/// Counts a category.
#[derive(Debug, Clone, Copy)]
struct Counts {
    train: usize,
    test_good: usize,
    per_defect: usize,
}

impl Item {
    fn image(&self, root: &Path) -> PathBuf {
        root.join(self.category).join(self.split.name()).join(self.folder).join(format!("{:03}.png", self.index))
    }

    fn mask(&self, root: &Path) -> Option<PathBuf> {
        let folder = root.join(self.category).join("ground_truth").join(self.folder);
        (self.folder != "good").then(|| folder.join(format!("{:03}_mask.png", self.index)))
    }

    fn exists(&self, root: &Path) -> bool {
        self.image(root).exists() && self.mask(root).is_none_or(|m| m.exists())
    }
}

/// Everything a set holds.
fn plan(categories: &[Category], counts: Counts) -> Vec<Item> {
    let mut items = Vec::new();
    for category in categories {
        let mut add = |split, folder, count| {
            items.extend((0..count).map(|index| Item { category: category.name, split, folder, index }));
        };
        add(Split::Train, "good", counts.train);
        add(Split::Test, "good", counts.test_good);
        for defect in category.defects {
            add(Split::Test, defect, counts.per_defect);
        }
    }
    items
}

/// Makes sure that the whole set is in the folder `root`, which then holds the categories: draws what is missing, which
/// takes about a minute of processor time, spread over all cores, the first time; later it looks at the marker and the
/// files' names.
///
/// Errors: environment, where the disk refuses, or where `root` holds something else.
pub fn ensure(root: &Path) -> Result<()> {
    let items = plan(categories(), Counts { train: TRAIN, test_good: TEST_GOOD, per_defect: PER_DEFECT });
    ensure_items(root, &items, SIDE)
}

fn ensure_items(root: &Path, items: &[Item], side: usize) -> Result<()> {
    if complete(root, items) {
        return Ok(());
    }
    if let Some(parent) = root.parent() {
        fs::create_dir_all(parent).map_err(|e| Error::io("create the folder", parent, &e))?;
    }
    let _lock = lock(&sibling(root, "lock"))?;
    // Another process may have drawn it while this one waited.
    if complete(root, items) {
        return Ok(());
    }
    if is_ours(root) {
        // Some files were lost: draw them again, in place.
        return draw(items, root, side).and_then(|()| finish(root, items));
    }
    if root.exists() && fs::read_dir(root).map_err(|e| Error::io("read the folder", root, &e))?.next().is_some() {
        let what = format!("{} exists and is not version {VERSION} of the built-in images", root.display());
        return Err(Error::environment(what, "move it away, or choose another folder"));
    }
    let partial = sibling(root, "partial");
    draw(items, &partial, side)?;
    finish(&partial, items)?;
    if root.exists() {
        fs::remove_dir(root).map_err(|e| Error::io("replace the empty folder", root, &e))?;
    }
    fs::rename(&partial, root).map_err(|e| Error::io("move the finished images to", root, &e))
}

/// Writes a cut-down set for fast tests below `root`: `categories` by name, `size` px a side (16..=256; 64 px cost some
/// 20 ms an image), the first images of each folder. The scenes are those of the full set, drawn with fewer pixels. Files
/// that are there already stay.
///
/// Errors: configuration, for a category that doesn't exist or an impossible size; environment, where the disk refuses.
pub fn write_small(root: &Path, names: &[&str], train: usize, test_good: usize, per_defect: usize, size: usize) -> Result<()> {
    if !(16..=SIDE).contains(&size) {
        return Err(Error::config(format!("built-in images of {size} px"), format!("choose 16 to {SIDE} px")));
    }
    let chosen: Vec<Category> = names
        .iter()
        .map(|name| {
            categories().iter().copied().find(|c| c.name == *name).ok_or_else(|| {
                let known: Vec<&str> = categories().iter().map(|c| c.name).collect();
                Error::config(format!("the built-in set has no category {name:?}"), format!("choose from {}", known.join(", ")))
            })
        })
        .collect::<Result<_>>()?;
    draw(&plan(&chosen, Counts { train, test_good, per_defect }), root, size)
}

/// Draws every item that isn't there yet.
fn draw(items: &[Item], root: &Path, side: usize) -> Result<()> {
    items.par_iter().filter(|item| !item.exists(root)).try_for_each(|item| {
        let (rgb, mask) =
            render_at(item.category, item.split, item.folder, item.index, side).expect("the plan names only what can be drawn");
        // The mask first: an image without its mask must never be seen.
        if let (Some(mask), Some(path)) = (&mask, item.mask(root)) {
            folder_of(&path)?;
            write_mask_png(&path, mask)?;
        }
        let path = item.image(root);
        folder_of(&path)?;
        write_png(&path, &rgb)
    })
}

/// Creates the folder of a file.
fn folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().expect("every file of the set lies in a folder");
    fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))
}

/// Adds the note on the licence and the marker.
fn finish(root: &Path, items: &[Item]) -> Result<()> {
    file::replace(&root.join("LICENSE.txt"), ABOUT.as_bytes())?;
    // The marker promises the whole set, also after a power failure.
    file::sync_all(root)?;
    file::replace(&root.join(MARKER), format!("version {VERSION}\nimages {}\n", items.len()).as_bytes())
}

/// Whether the marker of this version lies in the folder.
fn is_ours(root: &Path) -> bool {
    let text = fs::read_to_string(root.join(MARKER)).unwrap_or_default();
    text.lines().next() == Some(&format!("version {VERSION}"))
}

fn complete(root: &Path, items: &[Item]) -> bool {
    is_ours(root) && items.iter().all(|item| item.exists(root))
}

/// A hidden neighbour of the folder: `.<name>.v<version>.<what>`.
fn sibling(root: &Path, what: &str) -> PathBuf {
    let name = root.file_name().map_or_else(|| "builtin".into(), |n| n.to_string_lossy().into_owned());
    root.with_file_name(format!(".{name}.v{VERSION}.{what}"))
}

/// Waits for the lock; file systems without locks go without, since every file is replaced whole anyway.
fn lock(path: &Path) -> Result<fs::File> {
    let file = file::open_own(path, fs::OpenOptions::new().write(true).create(true).truncate(false));
    let file = file.map_err(|e| Error::io("create the lock", path, &e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::Error(e)) if e.kind() == std::io::ErrorKind::Unsupported => {}
        Err(_) => file::wait::lock(&file, path, file::wait::Share::Alone)?,
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn few() -> Vec<Item> {
        plan(&categories()[..1], Counts { train: 2, test_good: 1, per_defect: 1 })
    }

    #[test]
    fn the_plan_of_the_set_has_the_promised_counts() {
        let items = plan(categories(), Counts { train: TRAIN, test_good: TEST_GOOD, per_defect: PER_DEFECT });
        assert_eq!(items.len(), 4 * 120);
        assert_eq!(items.iter().filter(|i| i.folder != "good").count(), 4 * 40);
        let mut paths: Vec<PathBuf> = items.iter().map(|i| i.image(Path::new(""))).collect();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), items.len());
    }

    #[test]
    fn a_killed_attempt_is_resumed_and_what_was_drawn_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (root, items) = (folder.path().join("set"), few());
        let kept = items[0].image(&sibling(&root, "partial"));
        folder_of(&kept).unwrap();
        fs::write(&kept, "drawn earlier").unwrap();
        ensure_items(&root, &items, 32).unwrap();
        assert!(complete(&root, &items) && !sibling(&root, "partial").exists());
        assert_eq!(fs::read_to_string(items[0].image(&root)).unwrap(), "drawn earlier");
    }

    #[test]
    fn a_lost_file_is_drawn_again() {
        let folder = tempfile::tempdir().unwrap();
        let (root, items) = (folder.path().join("set"), few());
        ensure_items(&root, &items, 32).unwrap();
        let before = fs::read(root.join(MARKER)).unwrap();
        let lost = items.last().and_then(|i| i.mask(&root)).unwrap();
        fs::remove_file(&lost).unwrap();
        ensure_items(&root, &items, 32).unwrap();
        assert!(lost.exists());
        assert_eq!(fs::read(root.join(MARKER)).unwrap(), before, "the same bytes are drawn again");
    }

    #[test]
    fn a_folder_of_something_else_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        let error = ensure_items(folder.path(), &few(), 32).unwrap_err();
        assert!(error.to_string().contains("is not version") && !error.remedy.is_empty());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let _ = fs::remove_file(sibling(folder.path(), "lock"));
    }

    #[test]
    fn two_at_once_write_one_whole_set() {
        let folder = tempfile::tempdir().unwrap();
        let (root, items) = (folder.path().join("set"), few());
        std::thread::scope(|scope| {
            let both = [0, 1].map(|_| scope.spawn(|| ensure_items(&root, &items, 32)));
            for one in both {
                one.join().unwrap().unwrap();
            }
        });
        assert!(complete(&root, &items));
    }
}
