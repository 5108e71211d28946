//! Where `data.root` lies: a user's folder, or the built-in set, which is drawn on first use.

use std::path::PathBuf;

use crate::Result;
use crate::config::Data;
use crate::data::builtin;
use crate::place::in_project;
use crate::sayln;

/// `data.root` that stands for the built-in set.
pub const BUILTIN: &str = "builtin";

/// Where the built-in set is kept: `data/builtin-v<version>` in the project, or else below the current folder.
pub fn builtin_folder() -> PathBuf {
    in_project("data").join(builtin::folder_name())
}

/// The folder that holds the categories. The built-in set is written there first if it is not complete.
///
/// # Errors
/// Where the built-in set cannot be written.
pub fn resolve(cfg: &Data) -> Result<PathBuf> {
    if cfg.root != BUILTIN {
        return Ok(PathBuf::from(&cfg.root));
    }
    let folder = builtin_folder();
    if !folder.is_dir() {
        sayln!("drawing the built-in data set into {} (once)", folder.display());
    }
    builtin::ensure(&folder)?;
    Ok(folder)
}
