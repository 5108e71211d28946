//! The entries of a tar file that somebody else may have made: plain files under one folder, one after another, nothing kept in memory
//! but their names.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use tar::EntryType;

use super::manifest::{LONGEST_PATH, broken, is_plain};
use crate::file::open_regular;
use crate::{Error, Result};

/// Whoever is told of each file: its path below the archive's one folder, its size as its header says it, and its bytes.
pub type Visit<'a> = &'a mut dyn FnMut(&str, u64, &mut dyn Read) -> Result<()>;

/// Tells `visit` of each file in the order of the archive; the name of its folder.
///
/// # Errors
/// Those of `visit`; what is not a tar file, links, devices and other special entries, a path that leads outside, a second folder.
pub fn read(path: &Path, visit: Visit) -> Result<String> {
    let broken = |why: String| broken(path, &why);
    let file = open_regular(path).map_err(|e| Error::io("read", path, &e))?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    let mut top = None::<String>;
    let mut long = None::<String>;
    // Raw: what lengthens names is bounded here and not by what an entry says of itself.
    for entry in entries(&mut archive).map_err(|e| broken(e.to_string()))? {
        let mut entry = entry.map_err(|e| broken(format!("it is not a whole tar file ({e})")))?;
        let size = entry.header().size().map_err(|e| broken(e.to_string()))?;
        let kind = entry.header().entry_type();
        if kind == EntryType::GNULongName {
            long = Some(longer(&mut entry, size).ok_or_else(|| broken("it has a name that is too long".into()))?);
            continue;
        }
        let short =
            || std::str::from_utf8(&entry.path_bytes()).map(str::to_owned).map_err(|_| broken("it has a name that is not text".into()));
        let name = long.take().map_or_else(short, Ok)?;
        match kind {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory => continue,
            other => return Err(broken(format!("{name:?} in it is neither a file nor a folder ({other:?})"))),
        }
        let (folder, below) = name
            .split_once('/')
            .filter(|_| is_plain(&name))
            .ok_or_else(|| broken(format!("{name:?} in it does not stay below one folder")))?;
        if top.get_or_insert_with(|| folder.to_owned()) != folder {
            return Err(broken(format!("it has files in {:?} and in {folder:?}", top.unwrap_or_default())));
        }
        visit(below, size, &mut entry)?;
    }
    top.ok_or_else(|| broken("there is nothing in it".into()))
}

fn entries(
    archive: &mut tar::Archive<BufReader<File>>,
) -> std::io::Result<impl Iterator<Item = std::io::Result<tar::Entry<'_, BufReader<File>>>>> {
    Ok(archive.entries()?.raw(true))
}

/// The name that an entry of GNU tar gives to the next one.
fn longer(entry: &mut impl Read, size: u64) -> Option<String> {
    if size > LONGEST_PATH as u64 + 1 {
        return None;
    }
    let mut name = vec![];
    entry.read_to_end(&mut name).ok()?;
    let name = String::from_utf8(name).ok()?;
    Some(name.trim_end_matches('\0').to_owned())
}
