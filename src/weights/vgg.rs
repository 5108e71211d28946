//! Names and shapes of torchvision's VGG-11 with batch norm (Simonyan and Zisserman 2015, column A).
//!
//! Layers are counted in `features`: a convolution with bias, its batch norm, a ReLU and, in places, a pooling. Behind
//! `features.28` stand three linear maps, `classifier.{0,3,6}`.

use super::shapes::{Extent, Shapes};

/// Index and channels of each convolution; its batch norm is the next layer.
const CONVOLUTIONS: [(usize, usize); 8] = [(0, 64), (4, 128), (8, 256), (11, 256), (15, 512), (18, 512), (22, 512), (25, 512)];

/// Convolutions that are used: up to `features.20`, where a cell is 8 px.
const USED: usize = 6;

/// Index, inputs and outputs of the classifier's maps.
const CLASSIFIER: [(usize, usize, usize); 3] = [(0, 512 * 7 * 7, 4096), (3, 4096, 4096), (6, 4096, 1000)];

/// Every tensor that a forward pass needs, with its shape.
pub(super) fn tensors(extent: Extent) -> Shapes {
    let mut shapes = Shapes::new();
    let mut inner = 3;
    let count = if extent == Extent::Full { CONVOLUTIONS.len() } else { USED };
    for (index, channels) in CONVOLUTIONS.into_iter().take(count) {
        shapes.insert(format!("features.{index}.weight"), vec![channels, inner, 3, 3]);
        shapes.insert(format!("features.{index}.bias"), vec![channels]);
        for part in ["weight", "bias", "running_mean", "running_var"] {
            shapes.insert(format!("features.{}.{part}", index + 1), vec![channels]);
        }
        inner = channels;
    }
    if extent == Extent::Full {
        for (index, inputs, outputs) in CLASSIFIER {
            shapes.insert(format!("classifier.{index}.weight"), vec![outputs, inputs]);
            shapes.insert(format!("classifier.{index}.bias"), vec![outputs]);
        }
    }
    shapes
}

/// Whether a tensor belongs to a layer that is not used.
pub(super) fn is_beyond(tensor: &str) -> bool {
    let index = tensor.strip_prefix("features.").and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
    tensor.starts_with("classifier.") || index.is_some_and(|index| index >= CONVOLUTIONS[USED].0)
}

/// Whether all that is used is there.
pub(super) fn fits(shapes: &Shapes) -> bool {
    tensors(Extent::Stages).iter().all(|(name, shape)| shapes.get(name) == Some(shape))
}
