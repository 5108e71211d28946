//! Tensors of a file that is not a network's: what a finished run keeps.

use std::path::Path;

use safetensors::SafeTensors;

use super::file::{Tensor, Tensors, floats};
use crate::{Error, Result};

/// All tensors of a safetensors file, in f32.
///
/// # Errors
/// A file that cannot be read, is not a safetensors file, or holds something else than floats.
pub fn read(path: &Path) -> Result<Tensors> {
    let damaged = |why: String| Error::environment(format!("{} is damaged: {why}", path.display()), crate::error::AGAIN);
    let bytes = crate::file::content(path).map_err(|e| Error::io("read", path, &e))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
    let tensor = |(name, view): (String, safetensors::tensor::TensorView)| {
        let data = floats(view.dtype(), view.data()).ok_or_else(|| damaged(format!("`{name}` holds no floats")))?;
        Ok((name, Tensor { shape: view.shape().to_vec(), data }))
    };
    file.tensors().into_iter().map(tensor).collect()
}
