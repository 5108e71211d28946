//! archive.json: which files an archive holds, and what is in them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::file::check_format;
use crate::run::check_name;
use crate::{Error, Result};

pub const FORMAT: u32 = 1;

/// Its name, in the archive and in the folder that it is unpacked to.
pub const MANIFEST: &str = "archive.json";

/// Bytes of a manifest at most: some hundred thousand files.
pub const LONGEST: u64 = 64 << 20;

/// Bytes of a path at most.
pub const LONGEST_PATH: usize = 1024;

/// archive.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The sweep's name, which is the folder that all else lies in.
    pub sweep: String,
    /// Version of the program that wrote it.
    pub harness: String,
    /// Finished runs, by id.
    pub runs: Vec<String>,
    /// How many the plan names.
    pub planned: usize,
    /// All other files by path, `/` between folders.
    pub files: BTreeMap<String, Content>,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub bytes: u64,
    /// Hexadecimal.
    pub blake3: String,
}

impl Content {
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, blake3: blake3::hash(bytes).to_hex().to_string() }
    }
}

/// The error about an archive that is not in order.
pub fn broken(path: &Path, why: &str) -> Error {
    Error::environment(format!("{}: {why}", path.display()), "it is damaged, or not an archive of harness: fetch it again")
}

impl Manifest {
    /// Its file.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("a manifest is plain data") + "\n"
    }

    /// Reads one; `path` is named in errors.
    ///
    /// # Errors
    /// What is not a manifest, a newer one, and one that names anything but plain files below its folder.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let broken = |why: String| broken(path, &why);
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| broken(format!("{MANIFEST}: {e}")))?;
        check_format(path, value.get("format").and_then(serde_json::Value::as_u64), FORMAT)?;
        let manifest: Self = serde_json::from_value(value).map_err(|e| broken(format!("{MANIFEST}: {e}")))?;
        check_name("an archive", &manifest.sweep).map_err(|e| broken(e.what))?;
        if let Some(odd) = manifest.files.keys().find(|name| !is_plain(name) || *name == MANIFEST) {
            return Err(broken(format!("{MANIFEST} names {odd:?}, which does not stay below its folder")));
        }
        Ok(manifest)
    }

    /// Bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        self.files.values().fold(0, |sum, content| sum.saturating_add(content.bytes))
    }
}

/// Whether a path stays below the folder it is meant from, on every system: names between single slashes, none of which goes up, hides a
/// drive or is empty.
pub fn is_plain(path: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0']);
    path.len() <= LONGEST_PATH && path.split('/').all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_its_folder_is_not_plain() {
        for path in ["a", "results/runs/full/0123456789-s0/maps/S/gear/test/good/é 1.npy", "..a/b..", ".lock"] {
            assert!(is_plain(path), "{path}");
        }
        for path in ["", "/etc/passwd", "a/../../b", "..", "a//b", "a/", "./a", "c:\\x", "c:x", "a\\..\\b", "a\0b", &"x/".repeat(600)] {
            assert!(!is_plain(path), "{path}");
        }
    }

    #[test]
    fn a_manifest_reads_back_and_one_that_names_other_places_is_refused() {
        let files = BTreeMap::from([("a/b".to_owned(), Content::of(b"x"))]);
        let manifest = Manifest { format: FORMAT, sweep: "s".into(), harness: "0".into(), runs: vec![], planned: 0, files };
        let read = |manifest: &Manifest| Manifest::parse(manifest.text().as_bytes(), Path::new("x.tar"));
        assert_eq!(read(&manifest).unwrap(), manifest);
        for name in ["../x", "/x", MANIFEST] {
            let files = BTreeMap::from([(name.to_owned(), Content::of(b"x"))]);
            assert!(read(&Manifest { files, ..manifest.clone() }).unwrap_err().what.contains("does not stay below"), "{name}");
        }
        for sweep in ["..", "a/b", ""] {
            assert_eq!(read(&Manifest { sweep: sweep.into(), ..manifest.clone() }).unwrap_err().exit_code(), 3, "{sweep}");
        }
        assert!(read(&Manifest { format: 2, ..manifest }).unwrap_err().what.contains("format 2"));
    }
}
