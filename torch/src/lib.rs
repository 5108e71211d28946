//! Everything that needs tensors: networks, losses, optimisers, training and scoring.
//!
//! The package `harness` beside it holds all that works without libtorch; see ARCHITECTURE.md.

pub mod detector;
pub mod eval;
pub mod loss;
pub mod model;
pub mod optim;
pub mod train;
