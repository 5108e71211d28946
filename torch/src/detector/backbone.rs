//! A weights' file as first values of a network's backbone.

use harness::weights::File;
use harness::{Error, Result};

use super::contract::Parts;
use crate::nn::stride::{Stride, stride};
use crate::nn::{Values, Weights};

/// Prefix of backbone parameters; behind it stands the name in the weights' file.
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

/// Calls `build` with what the weights' file gives, if there is one.
pub fn with_weights<T>(parts: &Parts, build: impl FnOnce(Option<&Weights>) -> Result<T>) -> Result<T> {
    let first = |name: &str| parts.weights.map_or(Ok(None), |file| first_value(file, name));
    build(parts.weights.map(|file| Weights { source: &first, stride_in: Some(file.meta.stride_in) }).as_ref())
}

/// Which convolution of a block carries the stride in the backbone as built, `conv1` or `conv2`; empty where it has no blocks.
///
/// # Errors
/// A configuration that contradicts the weights.
pub fn stride_in(parts: &Parts) -> Result<&'static str> {
    let name = parts.cfg.model.backbone.name;
    if !name.is_residual() {
        return Ok("");
    }
    Ok(match with_weights(parts, |weights| stride(parts.cfg, weights))? {
        Stride::Conv2 if name.has_bottlenecks() => "conv2",
        _ => "conv1",
    })
}
