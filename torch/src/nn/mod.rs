//! What the networks of all detectors are made of: layers, named parameters with their first values, residual networks.

pub mod conv;
pub mod conv_bn;
pub mod norm;
pub mod param;
pub mod resnet;
mod state;
pub mod stride;
pub mod weights;

pub use norm::Mode;
pub use param::{Param, ParamKind, Params};
pub use weights::{Source, Values, Weights};
