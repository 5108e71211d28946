//! The networks that are known here, with torchvision's tensor names or their publisher's: their names, and what a set of tensors lacks
//! to be one of them.
//!
//! What each consists of stands in a file of its own: `resnet`, `vgg`, `efficientnet`.

use std::path::Path;

pub use super::shapes::{Extent, Shapes};
use super::{efficientnet, resnet, vgg};
use crate::config::{BackboneName, Family};
use crate::{Error, Result};

/// All networks that are known.
pub const ALL: [BackboneName; 7] = [
    BackboneName::Resnet18,
    BackboneName::Resnet34,
    BackboneName::Resnet50,
    BackboneName::Resnet101,
    BackboneName::WideResnet50x2,
    BackboneName::Vgg11Bn,
    BackboneName::EfficientnetLite0,
];

/// The name in configurations, metadata and file names.
pub fn key(name: BackboneName) -> &'static str {
    match name {
        BackboneName::Resnet18 => "resnet18",
        BackboneName::Resnet34 => "resnet34",
        BackboneName::Resnet50 => "resnet50",
        BackboneName::Resnet101 => "resnet101",
        BackboneName::WideResnet50x2 => "wide_resnet50_2",
        BackboneName::Vgg11Bn => "vgg11_bn",
        BackboneName::EfficientnetLite0 => "efficientnet_lite0",
    }
}

/// The inverse of [`key`].
pub fn parse(text: &str) -> Option<BackboneName> {
    ALL.into_iter().find(|&name| key(name) == text)
}

/// All keys, for messages.
pub fn keys() -> String {
    ALL.map(key).join(", ")
}

/// Blocks of each of the four stages of a residual network.
pub fn blocks(name: BackboneName) -> [usize; 4] {
    resnet::blocks(name)
}

/// Every tensor that a forward pass needs, with its shape (`num_batches_tracked` isn't needed).
pub fn tensors(name: BackboneName, extent: Extent) -> Shapes {
    match name.family() {
        Family::Residual => resnet::tensors(name, extent),
        Family::Vgg => vgg::tensors(extent),
        Family::EfficientNetLite => efficientnet::tensors(extent),
    }
}

/// Whether a tensor belongs to what [`Extent::Stages`] leaves out.
fn is_beyond(name: BackboneName, tensor: &str) -> bool {
    match name.family() {
        Family::Residual => resnet::is_beyond(tensor),
        Family::Vgg => vgg::is_beyond(tensor),
        Family::EfficientNetLite => efficientnet::is_beyond(tensor),
    }
}

/// The network whose tensors these are; `None` where none fits.
pub fn infer(shapes: &Shapes) -> Option<BackboneName> {
    resnet::infer(shapes)
        .or_else(|| vgg::fits(shapes).then_some(BackboneName::Vgg11Bn))
        .or_else(|| efficientnet::fits(shapes).then_some(BackboneName::EfficientnetLite0))
}

/// One thing that is wrong with a set of tensors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("missing: {name} {expected:?}")]
    Missing { name: String, expected: Vec<usize> },
    #[error("wrong shape: {name} is {got:?}, expected {expected:?}")]
    Shape { name: String, expected: Vec<usize>, got: Vec<usize> },
    #[error("unexpected: {name} {got:?}")]
    Unexpected { name: String, got: Vec<usize> },
}

/// Compares `shapes` with those of `architecture`. With [`Extent::Stages`], what lies beyond may be there or not, in any
/// shape; batch norms' `num_batches_tracked` may always be there.
pub fn faults(shapes: &Shapes, architecture: BackboneName, extent: Extent) -> Vec<Fault> {
    let expected = tensors(architecture, extent);
    let mut faults = Vec::new();
    for (name, shape) in &expected {
        match shapes.get(name) {
            None => faults.push(Fault::Missing { name: name.clone(), expected: shape.clone() }),
            Some(got) if got != shape => faults.push(Fault::Shape { name: name.clone(), expected: shape.clone(), got: got.clone() }),
            Some(_) => {}
        }
    }
    let extra = |name: &str| {
        let dropped = extent == Extent::Stages && is_beyond(architecture, name);
        let counter = name.strip_suffix("num_batches_tracked").is_some_and(|norm| expected.contains_key(&format!("{norm}running_mean")));
        !dropped && !counter && !expected.contains_key(name)
    };
    let unexpected = shapes.iter().filter(|(name, _)| extra(name));
    faults.extend(unexpected.map(|(name, got)| Fault::Unexpected { name: name.clone(), got: got.clone() }));
    faults
}

/// [`faults`] as one error that names `path` and lists the first dozen.
///
/// # Errors
/// There is a fault.
pub fn check(path: &Path, shapes: &Shapes, name: BackboneName, extent: Extent) -> Result<()> {
    const SHOWN: usize = 12;
    let faults = faults(shapes, name, extent);
    if faults.is_empty() {
        return Ok(());
    }
    let mut what = format!("{} does not hold {} in its publisher's names; faults: {}", path.display(), key(name), faults.len());
    for fault in faults.iter().take(SHOWN) {
        what.push_str(&format!("\n  {fault}"));
    }
    if faults.len() > SHOWN {
        what.push_str(&format!("\n  and {} more", faults.len() - SHOWN));
    }
    let remedy = match infer(shapes) {
        Some(other) if other != name => format!("its shapes look like {}: name that instead", key(other)),
        _ => "take its publisher's own file, or what `just weights` or `just weights-lite` fetches".into(),
    };
    Err(Error::environment(what, remedy))
}
