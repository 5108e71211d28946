//! One run on disk: its identity, events, checkpoints, lock and environment.
//!
//! A run's folder is a function of what it computes ([`Id`]), so that a finished run is found again and a killed one is
//! resumed. [`open`] is the door in: it finds, resumes or starts; the [`Attempt`] it hands out writes events and
//! checkpoints and closes the run. Files are replaced whole or appended by line ([`crate::file`]), and carry a format
//! version; whether a run is alive is an operating-system lock, never a clock. Tensors pass through as bytes. All runs
//! together, and what is asked of them, are [`crate::store`].

mod attempt;
mod belong;
mod beside;
pub mod checkpoint;
pub mod env;
pub mod event;
mod folder;
mod follower;
mod id;
pub mod labels;
mod lock;
pub(crate) mod record;
mod signal;
pub mod summary;

pub use attempt::{Ask, Attempt, Opened, Repeat, open, open_within};
pub use beside::summary_compared;
pub use checkpoint::{Extent, Position};
pub use env::{Cpu, Environment, Git};
pub use event::{Event, Timing};
pub use folder::{Evidence, Folder, Status};
pub use follower::Follower;
pub use id::{Id, Inputs, METHOD_VERSION, SCHEMA_VERSION, canonical, check_name, identity, identity_under};
pub use labels::Labels;
pub use lock::Lock;
pub use record::{Outcome, Record};
pub use signal::Stop;
pub use summary::{Lineage, Summary, TimeSpent};

/// The present moment, for [`Ask::now`]: the one place of this module that reads the clock for its caller.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
