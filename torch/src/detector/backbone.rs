//! A weights' file as first values of a network's backbone, and the input normalisation that goes with it.

use harness::config::{Data, Normalize};
use harness::data::Source;
use harness::weights::{File, IMAGENET_MEAN, IMAGENET_STD};
use harness::{Error, Result};
use tch::{Device, Tensor};

use super::contract::Parts;
use crate::input::Normalization;
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

/// The input normalisation that needs no training image: the statistics of the weights' file, or ImageNet's.
pub fn fixed_normalization(parts: &Parts) -> Option<Normalization> {
    let (mean, std) = parts.weights.map_or((IMAGENET_MEAN, IMAGENET_STD), |file| (file.meta.input_mean, file.meta.input_std));
    (parts.cfg.data.normalize == Normalize::Imagenet).then(|| Normalization::channels(mean, std, parts.device))
}

/// The one that is learned from the training images.
pub fn learned_normalization(source: &Source, data: &Data, device: Device) -> Result<Normalization> {
    let images = (0..source.len()).map(|i| source.get(i)).collect::<Result<Vec<_>>>()?;
    Ok(Normalization::lcn(images.iter().map(|i| i.data.as_slice()), data.size, device))
}

/// The learned one as a finished run keeps it.
pub fn stored_normalization(get: &dyn Fn(&str) -> Option<Tensor>, device: Device) -> Option<Normalization> {
    let (min, max) = (get("input.min")?, get("input.max")?);
    Some(Normalization::Lcn { min: min.to_device(device), max: max.to_device(device) })
}
