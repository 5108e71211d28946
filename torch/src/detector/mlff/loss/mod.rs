//! The losses: what training minimises over a batch.
//!
//! Names used throughout: F, the feature map psi [B, C, h, w]; A [B, 1, h, w], its distance to the centre; S [B, 1, h, w],
//! the score map; mask [B, 1, H, W], 1 at anomalous pixels, 0 elsewhere, where H and W are the input's size.
//!
//! Every loss is a 0-dimensional float64 tensor, defined for every input: a batch that lacks a class, or is empty, gives
//! a zero that is still connected to the graph. Maps in bf16 are read as float32; float64 stays float64, for tests. Nothing
//! here reads a tensor's values on the host, except the pair term on the CPU, where there is nothing to wait for.

pub mod consistency;
pub mod feature;
mod maps;
pub mod pair;
mod rank;
pub mod score;
pub mod total;

pub use consistency::{RowEntropies, consistency};
pub use feature::{distance, feature};
pub use pair::pair_hinge;
pub use score::{activate, normal_hinge};
pub use total::{Terms, total};
