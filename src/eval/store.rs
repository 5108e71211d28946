//! Score maps on disk: one float32 `.npy` an image, in the data set's own folders, readable by any other tool.

use std::path::{Path, PathBuf};

use crate::image::{Map, npy};
use crate::{Error, Result};

/// Endings that are tried, in this order.
const ENDINGS: [&str; 3] = ["npy", "tiff", "tif"];

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
        let found = ENDINGS.iter().map(|e| self.path(category, key, e)).find(|p| p.is_file());
        match found {
            Some(path) => npy::read_map(&path),
            None => Err(Error::environment(
                format!("no score map {} (.npy, .tiff or .tif)", self.root.join(category).join(key).display()),
                "each test image needs its map at MAPS_ROOT/<category>/test/<defect>/<stem>.npy",
            )),
        }
    }

    /// Stems may hold dots, so the ending is appended, never replaced.
    fn path(&self, category: &str, key: &str, ending: &str) -> PathBuf {
        self.root.join(category).join(format!("{key}.{ending}"))
    }
}
