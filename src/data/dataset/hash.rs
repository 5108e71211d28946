//! The content hash that stands for a data path in a run's identity.
//!
//! A category's hash is blake3 of its sorted list of (relative name, blake3 of the file), over every image and mask that a run
//! may read; neither the place of the folder nor its name is part of it. Where a file is turned upright as it is read, that is part of it. Files are hashed in parallel, and each hash is kept by
//! size, inode and both clocks (modification and change, ns) in one small file a category under `$XDG_CACHE_HOME/harness`: a copy
//! that keeps size and modification time has another inode or another time of change. That file is an optimisation and nothing
//! else: one that is missing, torn, of another version or not writable is silently ignored.
//!
//! The hashes of the single files are [`Contents`]: whoever reads a file later compares, so that no result is computed from other
//! bytes than those that its run is named by.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::category::{Category, Form};
use super::item::Item;
use crate::config::{MaskRule, Orientation, Roi};
use crate::data::digest::combine;
use crate::image::codec;
use crate::{Error, Result, file};

/// Version of the cache file.
const FORMAT: u32 = 3;

/// Follows the hash of a file that is turned upright as it is read: its bytes alone do not say what a run sees. Files that are not turned
/// have the hash that they had before images were.
const UPRIGHT: &str = " upright";

/// The name of the region of interest among the files, before any of theirs.
const ROI: &str = "\u{1f}roi";

/// A file that was changed this short a time ago may change again within one tick of its file system's clock.
const SETTLED: Duration = Duration::from_secs(2);

/// The hash of everything a run on this category reads, 64 hexadecimal digits.
pub fn category_hash(category: &Category) -> Result<String> {
    category_hash_in(category, cache_folder().as_deref(), SystemTime::now())
}

/// What the files of a category held when they were hashed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// [`category_hash`].
    pub hash: String,
    /// Images and masks that are turned upright as they are read.
    pub turned: usize,
    /// blake3 of each image and mask.
    files: HashMap<PathBuf, blake3::Hash>,
}

impl Contents {
    /// Of everything a run on this category reads.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of(category: &Category) -> Result<Self> {
        contents_in(category, cache_folder().as_deref(), SystemTime::now())
    }

    /// Refuses bytes that are not those which were hashed; a file that was not hashed passes.
    ///
    /// # Errors
    /// `Kind::Environment` naming the file.
    pub fn check(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        if self.files.get(path).is_none_or(|hash| *hash == blake3::hash(bytes)) {
            return Ok(());
        }
        Err(Error::environment(
            format!("{} changed while the run was using it: its content is not what the run's id stands for", path.display()),
            "do not change data while runs use them; repeat the command to run on the data as they are now",
        ))
    }
}

/// [`category_hash`] with the cache's folder (`None` = no cache) and the present time given.
pub fn category_hash_in(category: &Category, cache: Option<&Path>, now: SystemTime) -> Result<String> {
    contents_in(category, cache, now).map(|contents| contents.hash)
}

fn contents_in(category: &Category, cache: Option<&Path>, now: SystemTime) -> Result<Contents> {
    let place = match &category.form {
        Form::Folders(listing) => listing.folder.clone(),
        Form::List { file, .. } => file.canonicalize().unwrap_or_else(|_| file.clone()).join(&category.name),
    };
    let cache = cache.map(|below| below.join(cache_name(&place)));
    let known = cache.as_deref().and_then(read).unwrap_or_default();

    let hashed: Vec<(PathBuf, String, Entry)> = files(category)
        .into_par_iter()
        .map(|(name, path)| hash_file(&path, known.get(&name)).map(|entry| (path, name, entry)))
        .collect::<Result<_>>()?;
    let turns = |entry: &Entry| entry.turned && category.orientation == Orientation::Apply;
    let hash_of = |entry: &Entry| blake3::Hash::from_hex(&entry.blake3).expect("entries hold hashes");
    let files = hashed.iter().map(|(path, _, entry)| (path.clone(), hash_of(entry))).collect();
    let entries: BTreeMap<String, Entry> = hashed.into_iter().map(|(_, name, entry)| (name, entry)).collect();

    if let Some(path) = cache {
        let settled: BTreeMap<_, _> = entries.iter().filter(|(_, e)| e.is_settled(now)).map(|(n, e)| (n.clone(), e.clone())).collect();
        if settled != known {
            // Losing the cache costs time, never a result.
            let _ = write(&path, settled);
        }
    }
    let rectangle = match category.roi {
        Roi::Rect(sides) => Some((ROI, sides.map(|side| side.to_string()).join(","))),
        Roi::Named(_) => None,
    };
    let read_as: Vec<(&str, String)> = rectangle
        .into_iter()
        .chain(entries.iter().map(|(name, entry)| (name.as_str(), entry.blake3.clone() + if turns(entry) { UPRIGHT } else { "" })))
        .collect();
    let turned = entries.values().filter(|entry| turns(entry)).count();
    Ok(Contents { hash: combine(read_as.iter().map(|(name, hash)| (*name, hash.as_str()))), turned, files })
}

/// Every image and mask of the category, with a name: the file's below the category's folder; of a list, which says what files are, what it
/// says of this one.
fn files(category: &Category) -> Vec<(String, PathBuf)> {
    let of = |item: &Item| -> Vec<(String, PathBuf)> {
        let masks = item.mask.iter().flat_map(|truth| truth.files.iter().enumerate().map(|(i, path)| (i, truth.rule, path)));
        match &category.form {
            Form::Folders(listing) => std::iter::once(&item.path)
                .chain(masks.map(|(.., path)| path))
                .map(|path| (relative(&listing.folder, path), path.clone()))
                .collect(),
            Form::List { .. } => {
                let rule = |rule: Option<MaskRule>| rule.map_or("", MaskRule::name);
                let masks = masks.map(|(i, by, path)| (format!("{}\u{1f}mask {i} {}", item.key, rule(by)), path.clone()));
                std::iter::once((item.key.clone(), item.path.clone())).chain(masks).collect()
            }
        }
    };
    let roi = category.roi.file().map(|path| (ROI.to_owned(), path.to_owned()));
    roi.into_iter().chain(category.items().flat_map(of)).collect()
}

/// `path` below `folder` with `/` between its parts, on every system.
fn relative(folder: &Path, path: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    below.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    stamp: Stamp,
    blake3: String,
    /// Its orientation tag asks for a turn or a flip.
    turned: bool,
}

/// What betrays a file's change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size_bytes: u64,
    /// Nanoseconds since 1970; `u64` holds them until 2554.
    mtime_ns: u64,
    /// Of the last change of content, name or times, which no program can set; 0 where the system has none.
    ctime_ns: u64,
    inode: u64,
}

impl Stamp {
    fn of(found: &std::fs::Metadata) -> Self {
        let mtime_ns = found.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_nanos() as u64);
        #[cfg(unix)]
        let (ctime_ns, inode) = {
            use std::os::unix::fs::MetadataExt;
            (found.ctime().saturating_mul(1_000_000_000).saturating_add(found.ctime_nsec()).max(0) as u64, found.ino())
        };
        #[cfg(not(unix))]
        let (ctime_ns, inode) = (0, 0);
        Self { size_bytes: found.len(), mtime_ns, ctime_ns, inode }
    }
}

impl Entry {
    /// True where size and time can be trusted to betray the file's next change.
    fn is_settled(&self, now: SystemTime) -> bool {
        UNIX_EPOCH + Duration::from_nanos(self.stamp.mtime_ns.max(self.stamp.ctime_ns)) + SETTLED < now
    }
}

/// The file's hash: the known one where nothing betrays a change, else by reading it.
fn hash_file(path: &Path, known: Option<&Entry>) -> Result<Entry> {
    // Taken before the file is read: a change while reading then shows as another time.
    let stamp = Stamp::of(&std::fs::metadata(path).map_err(|e| Error::io("read", path, &e))?);
    if let Some(known) = known.filter(|k| k.stamp == stamp && stamp.mtime_ns != 0) {
        return Ok(known.clone());
    }
    let mut hasher = blake3::Hasher::new();
    let mut file = file::open_regular(path).map_err(|e| Error::io("read", path, &e))?;
    std::io::copy(&mut file, &mut hasher).map_err(|e| Error::io("read", path, &e))?;
    file.rewind().map_err(|e| Error::io("read", path, &e))?;
    let turned = codec::asks_for_a_turn(BufReader::new(file), path);
    Ok(Entry { stamp, turned, blake3: hasher.finalize().to_hex().to_string() })
}

#[derive(Serialize, Deserialize)]
struct Cache {
    format: u32,
    files: BTreeMap<String, Entry>,
}

fn read(path: &Path) -> Option<BTreeMap<String, Entry>> {
    let cache: Cache = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let sound = cache.format == FORMAT && cache.files.values().all(|e| blake3::Hash::from_hex(&e.blake3).is_ok());
    sound.then_some(cache.files)
}

/// Replaces the file whole, so that runs side by side never see half of it.
fn write(path: &Path, files: BTreeMap<String, Entry>) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, &e))?;
    let json = serde_json::to_vec(&Cache { format: FORMAT, files }).expect("names and numbers are JSON");
    file::replace(path, &json)
}

/// The cache file's name: it follows the folder's place, so that copies of one name do not take turns in it.
fn cache_name(folder: &Path) -> String {
    let place = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    format!("data-{}.json", &blake3::hash(place.as_os_str().as_encoded_bytes()).to_hex()[..16])
}

/// `$XDG_CACHE_HOME/harness`, or `~/.cache/harness`; `None` where neither is known.
pub fn cache_folder() -> Option<PathBuf> {
    let absolute = |key: &str| std::env::var_os(key).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("harness"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_blake3_of_the_sorted_list() {
        let one = blake3::hash(b"x").to_hex().to_string();
        let expected = blake3::hash(format!("a\0{one}\nb\0{one}\n").as_bytes()).to_hex().to_string();
        assert_eq!(combine([("a", one.as_str()), ("b", one.as_str())].into_iter()), expected);
    }

    fn category(root: &Path) -> Category {
        std::fs::create_dir_all(root.join("nut/train/good")).unwrap();
        std::fs::create_dir_all(root.join("nut/test/good")).unwrap();
        for name in ["train/good/0.png", "train/good/1.png", "test/good/0.png"] {
            std::fs::write(root.join("nut").join(name), name).unwrap();
        }
        super::super::open::category(root, "nut").unwrap()
    }

    #[test]
    fn bytes_that_are_not_those_which_were_hashed_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let contents = contents_in(&category(dir.path()), None, SystemTime::now()).unwrap();
        let path = dir.path().join("nut/test/good/0.png");
        contents.check(&path, b"test/good/0.png").unwrap();
        let error = contents.check(&path, b"test/good/O.png").unwrap_err();
        assert!(error.what.contains("test/good/0.png changed while"), "{error}");
        assert!(contents.check(Path::new("elsewhere.png"), b"").is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn the_cache_is_not_fooled_by_a_file_of_the_same_size_and_time() {
        let dir = tempfile::tempdir().unwrap();
        let (category, cache) = (category(dir.path()), dir.path().join("cache"));
        let later = SystemTime::now() + Duration::from_secs(60);
        let hash = || category_hash_in(&category, Some(&cache), later).unwrap();
        let before = hash();
        assert_eq!(hash(), before);
        let path = dir.path().join("nut/test/good/0.png");
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::write(&path, "TEST/GOOD/0.PNG").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), modified);
        assert_ne!(hash(), before);
    }
}
