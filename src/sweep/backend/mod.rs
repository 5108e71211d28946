//! Where the runs of a sweep are computed. The loop in `execute` knows this contract and nothing of processes.
//!
//! | file | backend |
//! |---|---|
//! | `local` | child processes of this machine, one a slot; `child` is one of them |
//!
//! Other machines need no other backend: each of them carries out the same sweep, and takes what is free, see [`super::slurm`].

mod child;
mod local;

pub use local::Local;

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::ledger::How;
use crate::Result;
use crate::run::Id;

/// What a run is started with.
#[derive(Debug, Clone, Copy)]
pub struct LaunchSpec<'a> {
    /// The row's whole configuration as a file.
    pub config: &'a Path,
    pub id: &'a Id,
    pub category: &'a str,
    pub results: &'a Path,
    /// The sweep's name.
    pub sweep: &'a str,
}

/// A run that a backend was given, by the number that it gave it. No two runs of one backend share a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u64);

/// A run that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    pub handle: Handle,
    pub pid: u32,
    pub device: String,
}

/// What a backend tells of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Update {
    /// Progress, or a message for people.
    Message(RunMessage),
    /// It ended; nothing more will be told of it.
    Ended(Ended),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    pub how: How,
    /// Why it failed, as far as the run said; else the end of its output.
    pub error: String,
    /// The end of its output that was neither progress nor its error.
    pub output: String,
}

/// What a run says, a line of JSON each; everything else is output of libraries.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RunMessage {
    Step(Step),
    Message { text: String },
    Error { text: String },
}

/// A training step.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Step {
    /// From 0.
    pub epoch: u64,
    pub epochs: u64,
    pub step: u64,
    pub steps: u64,
    #[serde(default)]
    pub losses: serde_json::Map<String, serde_json::Value>,
    pub images_per_s: Option<f64>,
    /// Seconds, as the run itself estimates them.
    pub left_s: Option<f64>,
}

/// A place where runs are computed.
pub trait Backend {
    /// How many further runs it takes now.
    fn free(&self) -> usize;

    /// Takes a run. Only while [`Backend::free`] is not 0.
    ///
    /// # Errors
    /// The run cannot be started at all.
    fn start(&mut self, spec: &LaunchSpec) -> Result<Started>;

    /// What happened since it was last asked, in order; waits up to `patience` for something to happen.
    ///
    /// # Errors
    /// The backend cannot be asked any more.
    fn poll(&mut self, patience: Duration) -> Result<Vec<(Handle, Update)>>;

    /// Asks every run to write its checkpoint and stop. Their ends are told by [`Backend::poll`].
    fn stop(&mut self);
}
