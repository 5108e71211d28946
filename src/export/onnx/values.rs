//! The numbers of a finished run by name: what it learned, and what the files give that it began with.

use std::path::Path;

use crate::config::Config;
use crate::run::{Folder, Summary};
use crate::weights::{self, Teacher, Tensor, Tensors};
use crate::{Error, Result};

/// Prefix of a backbone's parameters; behind it stands the name in the weights' file.
const BACKBONE: &str = "backbone.";
/// Prefix of the parameters of the teachers of `us`; behind it `p<p>.` and the name in the teacher's file.
const TEACHER: &str = "teacher.";

/// Where a detector's numbers are looked up.
pub struct Values {
    run: Tensors,
    /// blake3 of the run's own file, hex.
    pub hash: String,
    pub backbone: Option<weights::File>,
    teachers: Vec<Teacher>,
}

impl Values {
    /// The numbers of the finished run in `folder`.
    ///
    /// # Errors
    /// A file that is missing, damaged, or not the one that the run began with.
    pub fn open(folder: &Folder, cfg: &Config, summary: &Summary) -> Result<Self> {
        let path = &cfg.model.backbone.weights;
        let backbone = (cfg.has_backbone() && path != "none").then(|| weights::File::open(Path::new(path))).transpose()?;
        let teachers = Teacher::of(cfg)?;
        let hashes: Vec<&str> =
            backbone.iter().map(weights::File::content_hash).chain(teachers.iter().map(|teacher| teacher.hash.as_str())).collect();
        if weights::joined_hash(&hashes) != summary.backbone.weights_hash {
            return Err(Error::environment(
                format!("{} is not what the run was trained with", cfg.weight_files().join(", ")),
                "put the run's own weights back; summary.json names their hash",
            ));
        }
        let own = folder.learned()?;
        let bytes = crate::file::content(&own).map_err(|e| Error::io("read the trained weights", &own, &e))?;
        Ok(Self { run: weights::read(&own)?, hash: blake3::hash(&bytes).to_hex().to_string(), backbone, teachers })
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// Where no file holds it.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        match self.find(name)? {
            Some(tensor) => Ok(tensor),
            None if name.starts_with(BACKBONE) || name.starts_with(TEACHER) => Err(Error::config(
                format!("`{name}` was drawn from the run's seed and never trained: it is in no file"),
                "export a run that began with a weights' file (model.backbone.weights, us.teacher)",
            )),
            None => Err(Error::environment(
                format!("the stored detector lacks `{name}`"),
                format!("it belongs to another configuration or version; {}", crate::error::AGAIN),
            )),
        }
    }

    /// The same, or nothing.
    pub fn find(&self, name: &str) -> Result<Option<Tensor>> {
        if let Some(tensor) = self.run.get(name) {
            return Ok(Some(tensor.clone()));
        }
        if let (Some(file), Some(stored)) = (&self.backbone, name.strip_prefix(BACKBONE)) {
            return file.names().any(|n| n == stored).then(|| file.get(stored)).transpose();
        }
        let taught = name.strip_prefix(TEACHER).and_then(|name| name.split_once('.'));
        Ok(taught.and_then(|(field, own)| {
            let teacher = self.teachers.iter().find(|teacher| format!("p{}", teacher.teaching.field) == field)?;
            teacher.tensors.get(own).cloned()
        }))
    }

    /// Whether a file holds it.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_ok_and(|found| found.is_some())
    }
}
