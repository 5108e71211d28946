//! The tensors of a network by name and shape, and how many of them are meant.

use std::collections::BTreeMap;

/// Shape of each tensor by name.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// How much of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What the detectors use: stem and stages 1 to 3, VGG-11's first six convolutions, EfficientNet-Lite0's first
    /// eleven blocks.
    Stages,
    /// The rest and the classifier too.
    Full,
}
