//! What the networks of all detectors are made of: layers, named parameters with their first values, pretrained networks.

pub mod activation;
pub mod backbone;
pub mod conv;
pub mod conv_bn;
pub mod efficientnet;
pub mod first;
pub mod linear;
pub mod norm;
pub mod param;
pub mod resnet;
pub mod stages;
pub mod stride;
pub mod transpose;
pub mod weights;

pub use first::First;
pub use norm::Mode;
pub use param::{Param, ParamKind, Params};
pub use stages::Stages;
pub use weights::{Source, Values, Weights};
