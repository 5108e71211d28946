//! Runs as other programs read them, written while they run.
//!
//! An exporter is a module with a [`Follower`] in it and one line in [`followers`].

pub mod bundle;
mod clock;
pub mod onnx;
mod protobuf;
pub mod tensorboard;

pub use clock::Clock;

use crate::Result;
use crate::config::Config;
use crate::run::{Folder, Follower, Id};

/// All exporters of a run, begun, or why one could not begin. To be given to [`crate::run::Attempt::follow`], which notes
/// that and goes on without it. Whoever calls has the run's lock.
pub fn followers(folder: &Folder, id: &Id, category: &str, cfg: &Config, now: Clock) -> Vec<Result<Box<dyn Follower>>> {
    vec![boxed(tensorboard::Writer::start(folder, id, category, cfg, now))]
}

fn boxed<F: Follower + 'static>(started: Result<F>) -> Result<Box<dyn Follower>> {
    started.map(|follower| Box::new(follower) as Box<dyn Follower>)
}
