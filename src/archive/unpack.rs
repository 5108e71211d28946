//! From an archive to a folder of its own.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::manifest::MANIFEST;
use super::verify::verify;
use super::{Verified, tape};
use crate::file::{self, Durable};
use crate::{Error, Result};

/// Verifies the archive, and unpacks it where nothing is wrong with it: below `dir`, into a new folder of its sweep's name; that folder.
///
/// # Errors
/// As [`verify`]; a folder that is there already, and one that cannot be written. What was written until then goes.
pub fn unpack(path: &Path, dir: &Path) -> Result<(Verified, Option<PathBuf>)> {
    let verified = verify(path)?;
    if !verified.faults.is_empty() {
        return Ok((verified, None));
    }
    let target = dir.join(&verified.manifest.sweep);
    std::fs::create_dir_all(dir).map_err(|e| Error::io("create", dir, &e))?;
    std::fs::create_dir(&target).map_err(|e| Error::io("create", &target, &e))?;
    let written = tape::read(path, &mut |name, size, content| {
        // The file may be another one by now: nothing that was not verified is written.
        let known = name == MANIFEST || verified.manifest.files.get(name).is_some_and(|known| known.bytes == size);
        if !known {
            return Err(Error::environment(format!("{} changed meanwhile", path.display()), "repeat the command"));
        }
        let file = target.join(name);
        let folder = file.parent().expect("a file lies in a folder");
        std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, &e))?;
        file::replace_with(&file, Durable::OnceSynced, |out| std::io::copy(&mut content.take(size), out).and_then(|_| out.flush()))
    });
    let whole = written.and_then(|_| file::sync_all(&target)).and_then(|()| verify(&target));
    match whole {
        Ok(found) if found.faults.is_empty() => Ok((verified, Some(target))),
        Ok(found) => {
            let _ = std::fs::remove_dir_all(&target);
            Ok((found, None))
        }
        Err(error) => {
            let _ = std::fs::remove_dir_all(&target);
            Err(error)
        }
    }
}
