//! Weight files: safetensors in their publisher's names, and the conversions into it. Pure, no tch.
//!
//! [`File`] reads what the network starts from; [`import`] makes such files from torchvision's own (`.safetensors`,
//! `.pth`) and from what `just weights` and `just weights-lite` fetch. What loading cannot show, the stride's place and the
//! input's normalisation, travels in the file's [`Meta`].

mod efficientnet;
mod file;
mod import;
pub mod network;
mod pickle;
mod pth;
mod read;
mod resnet;
mod shapes;
mod teacher;
mod tfjs;
mod vgg;
mod write;

pub use file::{File, IMAGENET_MEAN, IMAGENET_STD, Meta, Tensor, Tensors};
pub use import::{Imported, Options, import};
pub use read::read;
pub use teacher::{Teacher, joined_hash, write_teacher};
pub use write::{Precision, write};
