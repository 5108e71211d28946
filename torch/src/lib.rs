//! Everything that needs tensors: networks, losses, optimisers, training and scoring.
//!
//! The package `harness` beside it holds all that works without libtorch; see ARCHITECTURE.md.

pub mod bench;
pub mod boundary;
pub mod calibrate;
pub mod command;
pub mod detector;
pub mod device;
pub mod distil;
pub mod eval;
pub mod experiment;
pub mod fit;
pub mod input;
pub mod nn;
pub mod optim;
pub mod predict;
pub mod rank;
pub mod tensors;
pub mod train;

/// The libtorch that tch 0.24.0 is written for; torch-sys refuses to build against another.
pub const LIBTORCH_VERSION: &str = "2.11.0";
