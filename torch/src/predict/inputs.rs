//! The images that a command names: files, and folders with all below them.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use harness::data::Item;
use harness::image::codec;
use harness::{Error, Result, sayln};

/// The images that were named: files as they are, folders with everything below them but `out`, where results go. A key is the path
/// below the folder with its ending, so that no two of a folder are alike.
///
/// # Errors
/// A file or folder that is not there, a folder without images, and `out` itself as a folder of images.
pub fn collect(inputs: &[PathBuf], out: Option<&Path>) -> Result<Vec<Item>> {
    let mut files = vec![];
    let out = out.and_then(|out| out.canonicalize().ok());
    for input in inputs {
        if input.is_dir() {
            let before = files.len();
            if out.is_some() && input.canonicalize().ok() == out {
                let what = format!("--out {}: pictures of results would lie among the images", input.display());
                return Err(Error::config(what, "choose a folder of its own"));
            }
            let mut walk = Walk { root: input, seen: out.iter().cloned().collect(), passed: BTreeMap::new(), files: &mut files };
            walk.folder(input)?;
            walk.tell();
            if files.len() == before {
                return Err(Error::environment(format!("{}: no images in this folder", input.display()), codec::ENDINGS));
            }
        } else if input.is_file() {
            let name = input.file_name().map_or_else(|| "image".into(), |s| s.to_string_lossy().into_owned());
            files.push((input.clone(), name));
        } else {
            return Err(Error::environment(format!("{}: there is no such file or folder", input.display()), "check the path"));
        }
    }
    Ok(unique(files))
}

/// Items with a key each: the requested one, or that with the first number that is neither taken nor requested.
fn unique(files: Vec<(PathBuf, String)>) -> Vec<Item> {
    let mut taken: HashSet<String> = HashSet::new();
    let requested: HashSet<String> = files.iter().map(|(_, key)| key.clone()).collect();
    let mut free = |key: &str| taken.insert(key.to_owned());
    let items = files.into_iter().map(|(path, request)| {
        let numbered = (2..).map(|n| format!("{request}-{n}")).filter(|key| !requested.contains(key));
        let key = std::iter::once(request.clone()).chain(numbered).find(|key| free(key)).expect("numbers do not end");
        Item { path, key, defect: "good".into(), mask: None }
    });
    items.collect()
}

/// A walk through a folder and all below it.
struct Walk<'a> {
    root: &'a Path,
    /// The folders that are not to be entered, or not again, by their true places: links may lead back to them.
    seen: HashSet<PathBuf>,
    /// Pictures of a format that is not read, by ending.
    passed: BTreeMap<String, usize>,
    files: &'a mut Vec<(PathBuf, String)>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let io = |e: &std::io::Error| Error::io("read", folder, e);
        if !self.seen.insert(folder.canonicalize().map_err(|e| io(&e))?) {
            return Ok(());
        }
        let mut entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(|e| io(&e))?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for path in entries.iter().filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).map(std::fs::DirEntry::path) {
            if path.is_dir() { self.folder(&path)? } else { self.file(path) }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf) {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if !codec::IMAGE_EXTENSIONS.contains(&ending.as_str()) {
            if harness::data::check::is_picture(&path) {
                *self.passed.entry(ending).or_default() += 1;
            }
            return;
        }
        if path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("_mask")) {
            sayln!("warning: {} is scored as an image: by its name it is a mask", path.display());
        }
        let below = path.strip_prefix(self.root).unwrap_or(&path).to_string_lossy().into_owned();
        self.files.push((path, below));
    }

    /// Says aloud which pictures were passed over.
    fn tell(&self) {
        let count: usize = self.passed.values().sum();
        let kinds: Vec<String> = self.passed.iter().map(|(ending, count)| format!("{count} .{ending}")).collect();
        if count > 0 {
            let kinds = kinds.join(", ");
            sayln!(
                "warning: {}: {count} pictures are passed over ({kinds}): their format is not read; convert them to PNG",
                self.root.display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(inputs: &[PathBuf], out: Option<&Path>) -> Vec<String> {
        collect(inputs, out).unwrap().into_iter().map(|item| item.key).collect()
    }

    #[test]
    fn results_are_no_images() {
        let dir = tempfile::tempdir().unwrap();
        let (root, out) = (dir.path().to_owned(), dir.path().join("out"));
        std::fs::create_dir(&out).unwrap();
        for name in ["a.png", "a.jpg", "out/a.png.overlay.png", ".hidden.png"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(keys(std::slice::from_ref(&root), Some(&out)), ["a.jpg", "a.png"]);
        assert!(collect(std::slice::from_ref(&root), Some(&root)).unwrap_err().what.contains("among the images"));
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_in_circles_are_walked_once() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/0.png"), "").unwrap();
        for (from, to) in [(".", "loop"), ("..", "a/up"), ("a", "again")] {
            std::os::unix::fs::symlink(from, dir.path().join(to)).unwrap();
        }
        assert_eq!(keys(&[dir.path().to_owned()], None), ["a/0.png"]);
    }

    #[test]
    fn no_two_images_share_a_key_and_a_name_of_its_own_is_kept() {
        let files = ["a/000", "b/000", "c/000-2", "d/000", "e/000-2"].map(|p| (PathBuf::from(p), p[2..].to_owned()));
        let keys: Vec<String> = unique(files.to_vec()).into_iter().map(|item| item.key).collect();
        assert_eq!(keys, ["000", "000-3", "000-2", "000-4", "000-2-2"]);
    }
}
