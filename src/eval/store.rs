//! Score maps on disk: one float32 `.npy` an image, in the data set's own folders, readable by any other tool.

use std::path::{Path, PathBuf};

use super::{IMAGE, MapName, Output, names};
use crate::config::Outputs;
use crate::data::{Item, form};
use crate::image::{Map, npy};
use crate::{Error, Result};

/// Training images whose outputs a run without a test image stores, at most.
const SAMPLES: usize = 8;

/// Some training images, evenly among all, under keys of their own (`sample/<key>`): what a run without a test image stores of them, a
/// model that is exported from it can be compared with.
pub fn samples(train: &[Item]) -> Vec<Item> {
    let count = train.len().min(SAMPLES);
    let sample = |item: &Item| Item { key: format!("sample/{}", item.key), ..item.clone() };
    (0..count).map(|k| sample(&train[k * train.len() / count])).collect()
}

/// Endings of maps; the first is written.
const ENDINGS: [&str; 3] = ["npy", "tiff", "tif"];

/// The outputs of a run's detector on disk: a folder of maps for each name, own image scores as maps of one pixel.
pub struct OutputStore {
    root: PathBuf,
    category: String,
    names: Vec<MapName>,
}

impl OutputStore {
    /// The folder `maps` of a run of `category`.
    pub fn of(root: &Path, category: &str, outputs: &Outputs) -> Self {
        Self { root: root.to_owned(), category: category.to_owned(), names: names(outputs) }
    }

    /// What is stored, the headline first; without what an earlier version of the detector did not give.
    pub fn stored(&self) -> Vec<MapName> {
        self.names.iter().copied().filter(|name| self.root.join(name).is_dir()).collect()
    }

    /// Stores the map of `key` (`test/<defect>/<stem>`) under `name`.
    pub fn write(&self, name: MapName, key: &str, map: &Map) -> Result<()> {
        self.store(name).write(&self.category, key, map)
    }

    /// Stores all that a detector gave of an image: its maps in their order, and its own score if it gives one.
    pub fn take(&self, key: &str, maps: &[Map], own: Option<f32>) -> Result<()> {
        self.names.iter().zip(maps).try_for_each(|(name, map)| self.write(name, key, map))?;
        own.map_or(Ok(()), |score| self.write(IMAGE, key, &Map::from_vec(1, 1, vec![score])))
    }

    /// The map of `key` under `name`.
    ///
    /// # Errors
    /// As [`MapStore::read`].
    pub fn map(&self, name: MapName, key: &str) -> Result<Map> {
        self.store(name).read(&self.category, key)
    }

    /// What is evaluated under `name`: its map with the detector's own score, or that score alone.
    ///
    /// # Errors
    /// As [`MapStore::read`], and a stored score that is not one number.
    pub fn read(&self, name: MapName, key: &str) -> Result<Output> {
        let map = (name != IMAGE).then(|| self.map(name, key)).transpose()?;
        let own = self.names.contains(&IMAGE).then(|| self.own(key)).transpose()?;
        Ok(Output { map, own })
    }

    fn own(&self, key: &str) -> Result<f32> {
        match self.map(IMAGE, key)?.data.as_slice() {
            [score] => Ok(*score),
            more => Err(Error::environment(
                format!(
                    "{}: {} numbers, where an image's score is one",
                    self.root.join(IMAGE).join(&self.category).join(key).display(),
                    more.len()
                ),
                crate::error::AGAIN,
            )),
        }
    }

    fn store(&self, name: MapName) -> MapStore {
        MapStore::at(&self.root.join(name))
    }
}

/// A folder of maps: `ROOT/<category>/test/<defect>/<stem>.npy`.
pub struct MapStore {
    root: PathBuf,
}

impl MapStore {
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Stores the map of `key` (`test/<defect>/<stem>`).
    pub fn write(&self, category: &str, key: &str, map: &Map) -> Result<()> {
        let path = self.path(category, key, ENDINGS[0]);
        let folder = path.parent().expect("a key has folders");
        std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, &e))?;
        npy::write(&path, map)
    }

    /// Reads the map of `key`.
    ///
    /// # Errors
    /// Where it is missing or unreadable; the error names the file that was looked for.
    pub fn read(&self, category: &str, key: &str) -> Result<Map> {
        npy::read_map(&self.find(category, key)?)
    }

    /// The one file that holds the map of `key`.
    ///
    /// # Errors
    /// Where there is none, and where there are two.
    pub fn find(&self, category: &str, key: &str) -> Result<PathBuf> {
        let mut found: Vec<PathBuf> = ENDINGS.iter().map(|e| self.path(category, key, e)).filter(|p| p.is_file()).collect();
        if found.is_empty() && !key.is_ascii() {
            // Copied by a system that composes letters in another way.
            found = ENDINGS.iter().flat_map(|e| form::find(&self.root.join(category), &format!("{key}.{e}"))).collect();
        }
        let name = || self.root.join(category).join(key).display().to_string();
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(Error::environment(
                format!("no score map {} (.npy, .tiff or .tif)", name()),
                "each test image needs its map at MAPS_ROOT/<category>/test/<defect>/<stem>.npy",
            )),
            more => {
                let files: Vec<_> = more.iter().filter_map(|path| path.file_name()).map(|n| n.to_string_lossy()).collect();
                let what = format!("{} has {} score maps: {}", name(), files.len(), files.join(", "));
                Err(Error::environment(what, "keep the right one and remove the other"))
            }
        }
    }

    /// Stems may hold dots, so the ending is appended, never replaced.
    fn path(&self, category: &str, key: &str, ending: &str) -> PathBuf {
        self.root.join(category).join(format!("{key}.{ending}"))
    }
}
