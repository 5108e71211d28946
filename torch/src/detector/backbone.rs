//! A weights' file as first values of a network's backbone, and the input normalisation that goes with it.

use harness::config::Data;
use harness::data::Source;
use harness::weights::{File, IMAGENET_MEAN, IMAGENET_STD};
use harness::{Error, Result};
use tch::{Device, Tensor};

use super::Parts;
use crate::input::Normalization;
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

/// The input normalisation that needs no training image: the statistics of the weights' file, or ImageNet's.
pub fn fixed_normalization(parts: &Parts) -> Option<Normalization> {
    let (mean, std) = parts.weights.map_or((IMAGENET_MEAN, IMAGENET_STD), |file| (file.meta.input_mean, file.meta.input_std));
    Normalization::is_fixed(&parts.cfg.data).then(|| Normalization::channels(mean, std, parts.device))
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
