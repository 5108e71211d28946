//! A weights' file as first values of a network's backbone.

use harness::weights::File;
use harness::{Error, Result};

use crate::model::Values;

/// Prefix of backbone parameters; behind it stands torchvision's name.
const PREFIX: &str = "backbone.";

/// The stored value of a backbone parameter, or `None` for a parameter of another part.
///
/// # Errors
/// A backbone parameter that the file lacks: it belongs to another architecture.
pub fn first_value(file: &File, name: &str) -> Result<Option<Values>> {
    let Some(stored) = name.strip_prefix(PREFIX) else { return Ok(None) };
    if !file.names().any(|n| n == stored) {
        return Err(Error::environment(
            format!("{}: there is no tensor `{stored}`", file.path().display()),
            "set model.backbone.name to the file's architecture (`harness weights show FILE`), or choose other weights",
        ));
    }
    let tensor = file.get(stored)?;
    Ok(Some(Values { shape: tensor.shape.iter().map(|&d| d as i64).collect(), data: tensor.data }))
}
