//! Runs as other programs read them.

pub mod tensorboard;
