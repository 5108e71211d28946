//! The configuration of a finished run with its data and weights where they lie now: run and command may have moved since.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::data::root;
use crate::place;
use crate::run::{Folder, Summary};
use crate::weights;
use crate::{Error, Result};

/// The configuration of a run with each relative path as it is found from here: in the present folder, in the project, in the folder that
/// the run was started in, or in that which holds its results. A path that is found nowhere stays as it is.
///
/// # Errors
/// As [`Folder::config`].
pub fn config_found(folder: &Folder) -> Result<Config> {
    let mut cfg = folder.config()?;
    let bases = bases(folder)?;
    let found = |path: &str| place::find(Path::new(path), &bases).display().to_string();
    if cfg.data.root == root::BUILTIN {
        let set = place::find(&root::builtin_folder(), &bases);
        // Drawn again only where it is nowhere.
        if set.is_dir() {
            cfg.data.root = set.display().to_string();
        }
    } else {
        cfg.data.root = found(&cfg.data.root);
    }
    if cfg.data.list != "none" {
        cfg.data.list = found(&cfg.data.list);
    }
    if let Some(file) = cfg.data.roi.file() {
        cfg.data.roi = crate::config::Roi::Named(found(&file.display().to_string()));
    }
    if cfg.us.teacher != "none" {
        let whole = |base: &&PathBuf| cfg.us.files().iter().all(|file| base.join(file).is_file());
        let here = cfg.us.files().iter().all(|file| Path::new(file).is_file());
        if let Some(base) = bases.iter().find(whole).filter(|_| !here) {
            cfg.us.teacher = base.join(&cfg.us.teacher).display().to_string();
        }
    }
    Ok(cfg)
}

/// The same, with a backbone whose content is that which the run was trained with, wherever it lies: where [`config_found`] looks, in a
/// folder `weights` there, beside the run, or at `given`, a file or a folder.
///
/// # Errors
/// As [`config_found`], and a `given` place without that file.
pub fn config_with_weights(folder: &Folder, summary: &Summary, given: Option<&Path>) -> Result<Config> {
    let mut cfg = config_found(folder)?;
    let wanted = summary.backbone.weights_hash.as_deref().filter(|_| cfg.has_backbone() && cfg.teacher().is_none());
    let Some(wanted) = wanted else { return Ok(cfg) };
    let typed = PathBuf::from(&cfg.model.backbone.weights);
    let bases = bases(folder)?;
    let places: Vec<PathBuf> = match given {
        Some(given) => vec![given.to_owned()],
        None => {
            let weights = place::candidates(Path::new("weights"), &bases);
            place::candidates(&typed, &bases).into_iter().chain(weights).chain([folder.path().to_owned()]).collect()
        }
    };
    let fits = |path: &PathBuf| weights::File::open(path).is_ok_and(|file| file.content_hash() == wanted);
    match (places.iter().flat_map(|place| files(place)).find(fits), given) {
        (Some(file), _) => cfg.model.backbone.weights = file.display().to_string(),
        (None, Some(given)) => {
            return Err(Error::environment(
                format!("--weights {}: no file there is what the run was trained with", given.display()),
                format!("its blake3 begins with {:.16}; summary.json has all of it", wanted),
            ));
        }
        // Whoever opens it says what is missing.
        (None, None) => cfg.model.backbone.weights = place::find(&typed, &bases).display().to_string(),
    }
    Ok(cfg)
}

/// The folders that a run's relative paths may be meant from: where it was started, and what holds its results.
fn bases(folder: &Folder) -> Result<Vec<PathBuf>> {
    let started = folder.record()?.and_then(|record| record.folder).map(PathBuf::from);
    // HERE/results/runs/<experiment>/<run>
    Ok(started.into_iter().chain(folder.path().ancestors().nth(4).map(Path::to_owned)).collect())
}

/// A file, or the weight files of a folder, sorted.
fn files(place: &Path) -> Vec<PathBuf> {
    if !place.is_dir() {
        return vec![place.to_owned()];
    }
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
    files.sort();
    files
}
