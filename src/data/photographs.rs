//! Photographs of anything: random patches of them are what a teacher is distilled on, whole ones what pseudo anomalies show.
//!
//! A patch depends on (seed, domain, step, index) and on nothing else: not on threads, nor on where the work was taken up. Images stay
//! decoded in memory up to 2 GiB; of what is beyond, each patch decodes its image again.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::digest::combine;
use crate::config::Config;
use crate::image::{Rgb, codec, resize};
use crate::pseudo::color;
use crate::{Error, Result, place, seed};

const CHANGED: &str = "do not change photographs while runs use them; repeat the command to use them as they are now";
/// Bytes of pixels that are kept.
const KEPT: usize = 2 << 30;
/// A patch shows at most so many times its own side.
const FARTHEST: f64 = 8.0;
/// How often a patch is grey.
const GREY: f64 = 0.1;
/// Batches that are made ahead.
const AHEAD: usize = 2;

/// Images, by whatever folders or files they were named.
pub struct Photographs {
    paths: Vec<PathBuf>,
    /// Of each file, as it was when all were hashed.
    hashes: Vec<blake3::Hash>,
    kept: Vec<OnceLock<Arc<Rgb>>>,
    room: AtomicUsize,
    name: String,
    hash: String,
}

impl Photographs {
    /// Those that a configuration takes textures from, if it does.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of(cfg: &Config) -> Result<Option<Arc<Self>>> {
        cfg.textures().map(|folder| Self::textures(folder).map(Arc::new)).transpose()
    }

    /// What is at `pseudo.perlin.textures`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn textures(folder: &str) -> Result<Self> {
        let named = |e: Error| Error { what: format!("pseudo.perlin.textures: {}", e.what), ..e };
        Self::open(&[place::find(Path::new(folder), &[])]).map_err(named)
    }

    /// The images at these places: files, and folders with all below them. Of a category in MVTec's layout, a folder with `train` and
    /// `test` in it, only `train` is read. Hashes every file.
    ///
    /// # Errors
    /// A place that is not there, or no image at all.
    pub fn open(places: &[PathBuf]) -> Result<Self> {
        let mut files = vec![];
        for place in places {
            if place.is_file() {
                files.push((place.file_name().unwrap_or_default().to_string_lossy().into_owned(), place.clone()));
            } else {
                walk(place, place, &mut files)?;
            }
        }
        if files.is_empty() {
            let listed = places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>().join(", ");
            return Err(Error::environment(format!("{listed}: no images are there"), codec::ENDINGS));
        }
        let hashed = |(name, path): (String, PathBuf)| Ok((name, blake3::hash(&codec::read(&path)?), path));
        let mut files: Vec<(String, blake3::Hash, PathBuf)> = files.into_par_iter().map(hashed).collect::<Result<_>>()?;
        // By name and content, so that a patch does not depend on where the folders lie, nor on their order.
        files.sort_by(|a, b| (&a.0, a.1.as_bytes(), &a.2).cmp(&(&b.0, b.1.as_bytes(), &b.2)));
        let listed: Vec<(&str, String)> = files.iter().map(|(name, hash, _)| (name.as_str(), hash.to_hex().to_string())).collect();
        let hash = combine(listed.iter().map(|(name, hash)| (*name, hash.as_str())));
        let (hashes, paths): (Vec<_>, Vec<_>) = files.into_iter().map(|(_, hash, path)| (hash, path)).unzip();
        let kept = paths.iter().map(|_| OnceLock::new()).collect();
        Ok(Self { paths, hashes, kept, room: AtomicUsize::new(KEPT), name: named(places), hash })
    }

    pub fn len(&self) -> usize {
        self.paths.len()
    }

    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The names of the places.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// blake3 of the sorted list of names and contents, hex.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// A square of one to eight times `side` px of an image, as far as the image is that large, brought to `side` px; now and then in
    /// grey.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub fn patch(&self, side: usize, draws: &mut ChaCha8Rng) -> Result<Rgb> {
        let image = self.get(draws.random_range(0..self.len()))?;
        let wanted = (side as f64 * draws.random_range(1.0..FARTHEST)).round() as usize;
        let shown = wanted.min(image.width).min(image.height);
        let [x, y] = [image.width, image.height].map(|length| draws.random_range(0..=length - shown));
        let mut patch = resize::bilinear(&image.crop(x, y, shown, shown), side, side);
        if draws.random_bool(GREY) {
            color::saturation(&mut patch, 0.0);
        }
        Ok(patch)
    }

    /// One of them, as it is.
    ///
    /// # Errors
    /// It cannot be read, or is not what was hashed.
    pub fn one(&self, draws: &mut ChaCha8Rng) -> Result<Arc<Rgb>> {
        self.get(draws.random_range(0..self.len()))
    }

    fn get(&self, index: usize) -> Result<Arc<Rgb>> {
        if let Some(kept) = self.kept[index].get() {
            return Ok(kept.clone());
        }
        let path = &self.paths[index];
        let bytes = codec::read(path)?;
        if blake3::hash(&bytes) != self.hashes[index] {
            return Err(Error::environment(format!("{} changed while it was being used", path.display()), CHANGED));
        }
        let image = Arc::new(codec::decode_bytes(&bytes, path)?.rgb);
        let take = |room: usize| room.checked_sub(image.data.len());
        if self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() && self.kept[index].set(image.clone()).is_err() {
            // Another thread kept the same image meanwhile.
            self.room.fetch_add(image.data.len(), Ordering::Relaxed);
        }
        Ok(image)
    }
}

/// Which patches are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    pub seed: u64,
    /// What they are for: patches of two purposes have nothing in common.
    pub domain: &'static str,
    /// px
    pub side: usize,
    /// Patches a step.
    pub batch: usize,
}

impl Draw {
    /// The patches of a step, `[batch, side, side, 3]`; in parallel on rayon's threads.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub fn step(&self, photographs: &Photographs, step: u64) -> Result<Vec<u8>> {
        let patch = |index: usize| photographs.patch(self.side, &mut seed::stream(self.seed, self.domain, step, index as u64));
        let patches: Vec<Rgb> = (0..self.batch).into_par_iter().map(patch).collect::<Result<_>>()?;
        Ok(patches.into_iter().flat_map(|patch| patch.data).collect())
    }

    /// The patches of the steps from `first` on, before `end`, made ahead by a thread.
    pub fn steps(self, photographs: Arc<Photographs>, first: u64, end: u64) -> Steps {
        let (sender, ready) = sync_channel(AHEAD);
        std::thread::spawn(move || {
            for step in first..end {
                let made = self.step(&photographs, step);
                let failed = made.is_err();
                // Who does not want more has gone.
                if sender.send(made).is_err() || failed {
                    return;
                }
            }
        });
        Steps(ready)
    }
}

/// Batches of patches, one a step.
pub struct Steps(Receiver<Result<Vec<u8>>>);

impl Iterator for Steps {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.recv().ok()
    }
}

/// The last names of the places, each once.
fn named(places: &[PathBuf]) -> String {
    let mut names: Vec<String> = vec![];
    for place in places {
        let whole = place.canonicalize().unwrap_or_else(|_| place.clone());
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
    let io = |e: &std::io::Error| Error::io("read", folder, e);
    let mut entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(|e| io(&e))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let is_category = ["train", "test"].iter().all(|part| folder.join(part).is_dir());
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            if !is_category || entry.file_name() == "train" {
                walk(root, &path, files)?;
            }
        } else if path.extension().is_some_and(|e| codec::IMAGE_EXTENSIONS.contains(&e.to_string_lossy().to_lowercase().as_str())) {
            let below = path.strip_prefix(root).unwrap_or(&path);
            let name = below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
            files.push((name, path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::codec::write_png;

    const DRAW: Draw = Draw { seed: 3, domain: "test", side: 17, batch: 6 };

    /// Two photographs of a folder, and a category beside them.
    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let picture = |name: &str, width: usize, height: usize, tint: usize| {
            let data = (0..width * height).flat_map(|i| [i % 251, i / width, tint].map(|v| v as u8)).collect();
            write_png(&dir.path().join(name), &Rgb::from_vec(width, height, data)).unwrap();
        };
        picture("a/one.png", 300, 200, 10);
        picture("a/deeper/two.png", 40, 90, 200);
        picture("gear/train/good/000.png", 64, 64, 90);
        picture("gear/test/hole/000.png", 64, 64, 30);
        picture("gear/ground_truth/hole/000_mask.png", 64, 64, 0);
        dir
    }

    fn open(dir: &tempfile::TempDir, names: &[&str]) -> Arc<Photographs> {
        Arc::new(Photographs::open(&names.iter().map(|name| dir.path().join(name)).collect::<Vec<_>>()).unwrap())
    }

    #[test]
    fn of_a_category_only_the_training_images_are_read() {
        let dir = folder();
        let photographs = open(&dir, &["a", "gear"]);
        assert_eq!((photographs.len(), photographs.name()), (3, "a, gear"));
        assert!(photographs.paths.iter().all(|path| !path.to_string_lossy().contains("hole")));
        assert_eq!(open(&dir, &["a/one.png", "gear/train"]).len(), 2);
        for missing in ["b", "gear/test/none"] {
            assert_eq!(Photographs::open(&[dir.path().join(missing)]).err().unwrap().exit_code(), 3);
        }
        std::fs::create_dir(dir.path().join("empty")).unwrap();
        assert!(Photographs::open(&[dir.path().join("empty")]).err().unwrap().what.contains("no images"));
    }

    #[test]
    fn patches_depend_on_content_and_place_alone() {
        let dir = folder();
        let photographs = open(&dir, &["a", "gear"]);
        let here = DRAW.step(&photographs, 5).unwrap();
        assert_eq!(here.len(), 6 * 17 * 17 * 3);
        assert_eq!(here, DRAW.step(&open(&dir, &["gear", "a"]), 5).unwrap(), "the order of the folders does not show");
        let ahead: Vec<Vec<u8>> = DRAW.steps(photographs.clone(), 4, 7).map(Result::unwrap).collect();
        assert_eq!((ahead.len(), &ahead[1]), (3, &here));
        for other in [Draw { seed: 4, ..DRAW }, Draw { domain: "other", ..DRAW }] {
            assert_ne!(here, other.step(&photographs, 5).unwrap());
        }
        assert_ne!(here, ahead[0]);
        let (hash, path) = (photographs.hash().to_owned(), dir.path().join("gear/train/good/000.png"));
        write_png(&path, &Rgb::filled(64, 64, [1; 3])).unwrap();
        assert_ne!(hash, open(&dir, &["a", "gear"]).hash());
    }

    #[test]
    fn a_patch_is_a_square_of_an_image_and_sometimes_grey() {
        let dir = folder();
        let photographs = open(&dir, &["a/one.png"]);
        let mut draws = seed::stream(1, "test", 0, 0);
        let patches: Vec<Rgb> = (0..300).map(|_| photographs.patch(33, &mut draws).unwrap()).collect();
        let grey = |patch: &Rgb| patch.data.chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]);
        let count = patches.iter().filter(|patch| grey(patch)).count();
        // Thirty expected; four deviations of a binomial are 21.
        assert!((9..=51).contains(&count), "{count}");
        // The second channel counts rows: from the first row of a patch to its last.
        let spans: Vec<i32> =
            patches.iter().filter(|patch| !grey(patch)).map(|patch| i32::from(patch.at(0, 32)[1]) - i32::from(patch.at(0, 0)[1])).collect();
        let (least, greatest) = (spans.iter().min().unwrap(), spans.iter().max().unwrap());
        assert!((31..60).contains(least) && (170..200).contains(greatest), "{least} {greatest}");
    }
}
