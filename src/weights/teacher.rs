//! The files of teachers of uninformed students: safetensors with how they were made in the metadata.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

use super::file::{Tensor, Tensors, check_values, floats};
use super::write::write_entries;
use crate::config::{Config, Teaching};
use crate::{Error, Result, place};

/// A teacher in memory.
pub struct Teacher {
    pub path: PathBuf,
    pub teaching: Teaching,
    /// The network by the names of its layers: `conv1.weight`, `conv1.bias`, …
    pub tensors: Tensors,
    /// blake3 of the file, hex.
    pub hash: String,
}

impl Teacher {
    /// Reads the teacher at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or is not a teacher's.
    pub fn open(path: &Path) -> Result<Self> {
        let broken = |why: String| {
            Error::environment(format!("{} is not the file of a teacher: {why}", path.display()), "`harness weights distil us` makes one")
        };
        let bytes = crate::file::content(path).map_err(|e| Error::io("read", path, &e))?;
        let teaching = Teaching::of_file(path).ok_or_else(|| broken("it does not say how it was made".into()))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| broken(e.to_string()))?;
        let mut tensors = Tensors::new();
        for (name, view) in file.tensors() {
            let data = floats(view.dtype(), view.data()).ok_or_else(|| broken(format!("`{name}` holds no floats")))?;
            check_values(path, &name, &data)?;
            tensors.insert(name, Tensor { shape: view.shape().to_vec(), data });
        }
        Ok(Self { path: path.to_owned(), teaching, tensors, hash: blake3::hash(&bytes).to_hex().to_string() })
    }

    /// The teachers that a configuration names, one a field; none for random ones, and for other detectors.
    ///
    /// # Errors
    /// One that is missing or was made for other fields or widths; the remedy is the command that makes it.
    pub fn of(cfg: &Config) -> Result<Vec<Self>> {
        if cfg.teacher().is_none() {
            return Ok(vec![]);
        }
        cfg.us
            .files()
            .iter()
            .zip(&cfg.us.fields)
            .map(|(file, &field)| Self::fitting(cfg, &place::find(Path::new(file), &[]), field))
            .collect()
    }

    fn fitting(cfg: &Config, path: &Path, field: usize) -> Result<Self> {
        let (width, descriptor) = (cfg.us.width, cfg.us.descriptor);
        let mut words = vec![];
        if width != 1.0 {
            words.push(format!(" --width {width}"));
        }
        if descriptor != 128 {
            words.push(format!(" --descriptor {descriptor}"));
        }
        let make = format!("harness weights distil us --images DIR --p {field}{} --out {}", words.concat(), path.display());
        if !path.exists() {
            return Err(Error::environment(
                format!("us.teacher: there is no file {}", path.display()),
                format!(
                    "make it once, of a folder of photographs: `{make}` (`just teacher` makes that of the CPU profile); or us.teacher=none for a random teacher"
                ),
            ));
        }
        let teacher = Self::open(path)?;
        let Teaching { field: p, width: w, descriptor: d, .. } = teacher.teaching;
        if (p, w, d) != (field, width, descriptor) {
            let is = |p: usize, w: f64, d: usize| format!("patches of {p} px, widths x {w}, {d} numbers");
            return Err(Error::environment(
                format!("us.teacher: {} is of {}, not of {}", path.display(), is(p, w, d), is(field, width, descriptor)),
                format!("change us.fields, us.width or us.descriptor, or make another: `{make}`"),
            ));
        }
        Ok(teacher)
    }
}

/// Writes a teacher, replacing the file whole: equal content gives equal bytes.
///
/// # Errors
/// The file cannot be written.
pub fn write_teacher(path: &Path, teaching: &Teaching, tensors: &Tensors) -> Result<()> {
    write_entries(path, teaching.entries(), tensors)
}

/// What stands for several weight files in a run's identity: of one its hash, of none nothing.
pub fn joined_hash(hashes: &[&str]) -> Option<String> {
    match hashes {
        [] => None,
        [one] => Some((*one).to_owned()),
        several => Some(blake3::hash(several.join("\n").as_bytes()).to_hex().to_string()),
    }
}
