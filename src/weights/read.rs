//! Tensors of a file that is not a network's: what a finished run keeps.

use std::path::Path;

use safetensors::SafeTensors;

use super::file::{Foreign, Tensor, Tensors, floats};
use crate::{Error, Result};

/// All tensors of a safetensors file, in f32.
///
/// # Errors
/// A file that cannot be read, is not a safetensors file, or holds something else than floats.
pub fn read(path: &Path) -> Result<Tensors> {
    let (tensors, foreign) = parts(path)?;
    match foreign.into_keys().next() {
        Some(name) => Err(damaged(path, &format!("`{name}` holds no floats"))),
        None => Ok(tensors),
    }
}

/// The tensors of floats of a safetensors file, in f32, and what else it holds.
///
/// # Errors
/// A file that cannot be read, or is not a safetensors file.
pub(super) fn parts(path: &Path) -> Result<(Tensors, Foreign)> {
    let bytes = crate::file::content(path).map_err(|e| Error::io("read", path, &e))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(path, &e.to_string()))?;
    let (mut tensors, mut foreign) = (Tensors::new(), Foreign::new());
    for (name, view) in file.tensors() {
        let shape = view.shape().to_vec();
        match floats(view.dtype(), view.data()) {
            Some(data) => drop(tensors.insert(name, Tensor { shape, data })),
            None => drop(foreign.insert(name, (format!("{:?}", view.dtype()), shape))),
        }
    }
    Ok((tensors, foreign))
}

fn damaged(path: &Path, why: &str) -> Error {
    Error::environment(format!("{} is damaged: {why}", path.display()), crate::error::AGAIN)
}
