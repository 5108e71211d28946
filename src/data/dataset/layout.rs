//! MVTec AD's folder layout: `ROOT/<category>/{train/good, test/good, test/<defect>, ground_truth/<defect>/<stem>_mask.png}`.
//!
//! [`listing`] is what lies there, without judgement; [`Listing::refusal`] says why no run can use it. Hidden files and files that are not
//! images are skipped. Cost: one directory listing a folder; no file is opened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::form::{self, composed};
use super::item::{GOOD, Item};
use crate::image::codec::IMAGE_EXTENSIONS;
use crate::names::counted;
use crate::{Error, Result};

/// One folder of a split as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub name: String,
    pub path: PathBuf,
    /// Image files directly in it, sorted by name.
    pub images: Vec<PathBuf>,
    /// Other files directly in it: they are passed over.
    pub others: Vec<PathBuf>,
    /// Folders inside it: nothing in them is used.
    pub folders: Vec<String>,
}

/// Everything of one category on disk, whether or not it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    pub folder: PathBuf,
    /// The folders of `train`, `test` and `ground_truth`, each sorted by name.
    pub train: Vec<Folder>,
    pub test: Vec<Folder>,
    pub ground_truth: Vec<Folder>,
    /// Images directly in `train`, `test` or `ground_truth`, where none are looked for.
    pub stray: Vec<PathBuf>,
    /// Other files directly there.
    pub others: Vec<PathBuf>,
    /// Folders of images beside those of a plain folder: nothing in them is used.
    pub beside: Vec<PathBuf>,
}

/// The names of the categories under `root`, sorted: the folders that hold `train/good`, which may be none.
pub fn open(root: &Path) -> Result<Vec<String>> {
    if !root.is_dir() {
        let what = if root.exists() { "is not a folder" } else { "does not exist" };
        return Err(Error::environment(
            format!("data root {} {what}", root.display()),
            "set data.root to a folder of images of normal parts, or one that holds <category>/train/good, <category>/test/… and \
             <category>/ground_truth/…",
        ));
    }
    if root.join("train").join(GOOD).is_dir() {
        // "." has no parent by name, so the advice is made from the folder it stands for.
        let whole = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let (parent, name) = (whole.parent().unwrap_or(&whole), whole.file_name().unwrap_or_default());
        return Err(Error::environment(
            format!("{} is itself a category: it holds train/{GOOD}", root.display()),
            format!("give its parent: data.root = \"{}\" with data.categories = \"{}\"", parent.display(), name.display()),
        ));
    }
    let mut names = entries(root)?.folders;
    names.retain(|name| name != LOST);
    let is_category = |name: &String| is_folder(&root.join(name).join("train").join(GOOD));
    let held = names.iter().map(is_category).collect::<Result<Vec<bool>>>()?;
    Ok(names.into_iter().zip(held).filter(|(_, held)| *held).map(|(name, _)| name).collect())
}

/// Where a file system keeps what it found without a name, for its owner alone.
const LOST: &str = "lost+found";

/// Whether a folder is there.
///
/// # Errors
/// Where that cannot be told, as below a folder that may not be entered.
pub(in crate::data) fn is_folder(path: &Path) -> Result<bool> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match std::fs::metadata(path) {
        Ok(found) => Ok(found.is_dir()),
        Err(e) if matches!(e.kind(), NotFound | NotADirectory) => Ok(false),
        Err(e) => Err(Error::io("look into", path, &e)),
    }
}

/// What lies in a category's folder.
pub fn listing(folder: &Path) -> Result<Listing> {
    if !is_folder(folder)? {
        return Err(Error::environment(
            format!("category folder {} does not exist", folder.display()),
            "check data.root and data.categories",
        ));
    }
    let (mut stray, mut others) = (Vec::new(), Vec::new());
    let mut split = |name: &str| -> Result<Vec<Folder>> {
        let path = folder.join(name);
        if !is_folder(&path)? {
            return Ok(Vec::new());
        }
        let top = entries(&path)?;
        stray.extend(top.images);
        others.extend(top.others);
        top.folders
            .into_iter()
            .map(|name| {
                let path = path.join(&name);
                entries(&path).map(|e| Folder { name, path, images: e.images, others: e.others, folders: e.folders })
            })
            .collect()
    };
    let (train, test, ground_truth) = (split("train")?, split("test")?, split("ground_truth")?);
    Ok(Listing { folder: folder.to_owned(), train, test, ground_truth, stray, others, beside: Vec::new() })
}

impl Listing {
    /// Why no run can use this category, and the way out; `None` where one can.
    pub fn refusal(&self) -> Option<(String, String)> {
        self.fault().map(|(what, remedy)| (what, remedy.to_owned()))
    }

    fn fault(&self) -> Option<(String, &'static str)> {
        if let Some(odd) = self.train.iter().find(|f| f.name != GOOD && !f.images.is_empty()) {
            let what =
                format!("train/{} holds {}, but only train/{GOOD} is trained on", odd.name, counted(odd.images.len(), "image", "images"));
            return Some((what, "move images with a defect to test/<defect>, those without to train/good"));
        }
        let train = self.train.iter().map(|f| f.images.len()).sum::<usize>();
        if train < 2 {
            let found = if train == 0 { "no image" } else { "only one image" };
            return Some((format!("{found} in train/{GOOD}"), "at least 2 normal images are needed to train"));
        }
        let folders: Vec<&str> = self.test.iter().map(|f| f.name.as_str()).collect();
        if let Some((one, other)) = form::twins(&folders) {
            return Some((
                format!("test/{one} ({}) and test/{other} ({}) look the same", escaped(one), escaped(other)),
                "put the images into one folder: the names differ only in how their letters are composed",
            ));
        }
        let [train, test] = [("train", &self.train), ("test", &self.test)].map(|(split, folders)| same_key(split, folders));
        let (key, files) = train.or(test)?;
        Some((
            format!("{files} images would be called {key}"),
            "rename all but one: a name without its extension must be unique in its folder",
        ))
    }

    /// The items of `train` or `test`, sorted by key, each defective one with the mask that belongs to it.
    pub fn items(&self, split: &str) -> Vec<Item> {
        let folders = if split == "train" { &self.train } else { &self.test };
        let mut items: Vec<Item> = folders.iter().flat_map(|folder| self.folder_items(split, folder)).collect();
        items.sort_by(|a, b| a.key.cmp(&b.key));
        items
    }

    fn folder_items(&self, split: &str, folder: &Folder) -> Vec<Item> {
        let belongs = |f: &&Folder| form::alike(&f.name, &folder.name) && folder.name != GOOD && split == "test";
        let truth = self.ground_truth.iter().filter(belongs);
        // Of several files of one stem the last is kept: a PNG before others, then the first by name.
        let mut files: Vec<&PathBuf> = truth.flat_map(|f| f.images.iter().rev()).collect();
        files.sort_by_key(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")));
        let masks: BTreeMap<String, &PathBuf> = files.into_iter().map(|path| (composed(&stem(path)).into_owned(), path)).collect();
        let item = |path: &PathBuf| {
            let stem = stem(path);
            let plain = composed(&stem);
            let mask = masks.get(&format!("{plain}_mask")).or_else(|| masks.get(plain.as_ref())).map(|path| (*path).clone().into());
            Item { path: path.clone(), key: format!("{split}/{}/{stem}", folder.name), defect: folder.name.clone(), mask }
        };
        folder.images.iter().map(item).collect()
    }
}

/// The first key that several files of one folder share, with how many do.
fn same_key(split: &str, folders: &[Folder]) -> Option<(String, usize)> {
    folders.iter().find_map(|folder| {
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        folder.images.iter().for_each(|path| *count.entry(composed(&stem(path)).into_owned()).or_default() += 1);
        count.into_iter().find(|(_, n)| *n > 1).map(|(stem, n)| (format!("{split}/{}/{stem}", folder.name), n))
    })
}

/// A name with its letters spelled out, so that two that look the same are told apart.
fn escaped(name: &str) -> String {
    name.chars().flat_map(|c| if c.is_ascii() { vec![c] } else { c.escape_unicode().collect() }).collect()
}

/// A file's name without its extension.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// True where the extension, in any case, is that of an image format we read.
fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    IMAGE_EXTENSIONS.contains(&extension.as_str())
}

pub(in crate::data) struct Entries {
    pub folders: Vec<String>,
    pub images: Vec<PathBuf>,
    pub others: Vec<PathBuf>,
}

/// The folders (names), image files and other files (paths) in `folder`, sorted; links are followed, hidden entries skipped.
pub(in crate::data) fn entries(folder: &Path) -> Result<Entries> {
    let fault = |e: &std::io::Error| Error::io("list the folder", folder, e);
    let mut found = Entries { folders: Vec::new(), images: Vec::new(), others: Vec::new() };
    for entry in std::fs::read_dir(folder).map_err(|e| fault(&e))? {
        let path = entry.map_err(|e| fault(&e))?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            return Err(Error::environment(
                format!("the name of {} is not Unicode", path.display()),
                "rename it: names appear in reports and tables",
            ));
        };
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            found.folders.push(name.to_owned());
        } else if is_image(&path) {
            found.images.push(path);
        } else {
            found.others.push(path);
        }
    }
    found.folders.sort();
    found.images.sort();
    found.others.sort();
    Ok(found)
}
