//! Whether an archive, or the folder that it was unpacked to, holds what its manifest says.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use super::manifest::{LONGEST, MANIFEST, Manifest, broken};
use super::tape;
use crate::file::{self, is_link};
use crate::{Error, Result};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub manifest: Manifest,
    /// blake3 of the manifest, hexadecimal.
    pub digest: String,
    /// What is missing or not what it was, sorted.
    pub faults: Vec<String>,
    /// Files in a folder that the manifest does not name.
    pub others: usize,
}

/// Compares every file with the manifest. Nothing is written, and no more is kept in memory than the manifest.
///
/// # Errors
/// What is not an archive; of a tar file also links, paths that lead outside, and files that the manifest does not name or names smaller.
pub fn verify(path: &Path) -> Result<Verified> {
    if path.is_dir() { folder(path) } else { tar(path) }
}

fn tar(path: &Path) -> Result<Verified> {
    let broken = |why: String| broken(path, &why);
    let mut known = None::<(Manifest, String)>;
    let (mut faults, mut seen) = (vec![], BTreeSet::new());
    let top = tape::read(path, &mut |name, size, content| {
        let Some((manifest, _)) = &known else {
            if name != MANIFEST || size > LONGEST {
                return Err(broken(format!("it does not begin with {MANIFEST}")));
            }
            let mut bytes = vec![];
            content.take(LONGEST).read_to_end(&mut bytes).map_err(|e| Error::io("read", path, &e))?;
            known = Some((Manifest::parse(&bytes, path)?, blake3::hash(&bytes).to_hex().to_string()));
            return Ok(());
        };
        let expected = manifest.files.get(name).ok_or_else(|| broken(format!("{name} in it is not in its manifest")))?;
        if !seen.insert(name.to_owned()) {
            return Err(broken(format!("{name} is in it twice")));
        }
        if size != expected.bytes {
            faults.push(format!("{name}: {size} bytes instead of {}", expected.bytes));
            return Ok(());
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(content).map_err(|e| broken(format!("it is cut short in {name} ({e})")))?;
        if hasher.finalize().to_hex().as_str() != expected.blake3 {
            faults.push(format!("{name}: another content"));
        }
        Ok(())
    })?;
    let (manifest, digest) = known.ok_or_else(|| broken(format!("there is no {MANIFEST} in it")))?;
    if top != manifest.sweep {
        return Err(broken(format!("its folder is {top:?}, its manifest is of {:?}", manifest.sweep)));
    }
    faults.extend(manifest.files.keys().filter(|name| !seen.contains(*name)).map(|name| format!("{name}: missing")));
    faults.sort();
    Ok(Verified { manifest, digest, faults, others: 0 })
}

fn folder(path: &Path) -> Result<Verified> {
    let at = path.join(MANIFEST);
    let bytes = std::fs::metadata(&at).map(|data| data.len()).map_err(|e| Error::io("read", &at, &e))?;
    if bytes > LONGEST {
        return Err(Error::environment(format!("{} is too large for a manifest", at.display()), "fetch the archive again"));
    }
    let text = file::content(&at).map_err(|e| Error::io("read", &at, &e))?;
    let manifest = Manifest::parse(&text, &at)?;
    let fault = |(name, expected): (&String, &super::manifest::Content)| {
        let file = path.join(name);
        let Ok(data) = std::fs::symlink_metadata(&file) else { return Some(format!("{name}: missing")) };
        if is_link(&file) || !data.is_file() {
            return Some(format!("{name}: not a regular file"));
        }
        if data.len() != expected.bytes {
            return Some(format!("{name}: {} bytes instead of {}", data.len(), expected.bytes));
        }
        let hash =
            file::open_regular(&file).and_then(|mut open| blake3::Hasher::new().update_reader(&mut open).map(|hasher| hasher.finalize()));
        match hash {
            Ok(hash) if hash.to_hex().as_str() == expected.blake3 => None,
            Ok(_) => Some(format!("{name}: another content")),
            Err(error) => Some(format!("{name}: {error}")),
        }
    };
    let faults = manifest.files.iter().filter_map(fault).collect();
    let others = file::tree(path)?.iter().filter(|(name, _)| name != MANIFEST && !manifest.files.contains_key(name)).count();
    Ok(Verified { digest: blake3::hash(&text).to_hex().to_string(), manifest, faults, others })
}
