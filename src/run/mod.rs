//! One run on disk: its identity, events, checkpoints, lock and environment.
//!
//! A run's folder is a function of what it computes ([`Id`]), so that a finished run is found again and a killed one is
//! resumed. [`open`] is the door in: it finds, resumes or starts; the [`Attempt`] it hands out writes events and
//! checkpoints and closes the run. Files are replaced whole (written, synced, renamed) or appended by line, and carry a
//! format version; whether a run is alive is an operating-system lock, never a clock. Tensors pass through as bytes.

mod attempt;
pub mod checkpoint;
mod cited;
mod difference;
pub mod env;
pub mod event;
pub mod file;
mod folder;
mod follower;
pub mod gc;
mod id;
pub mod line;
mod lock;
pub mod query;
mod record;
pub mod removal;
mod signal;
mod store;
pub mod summary;

pub use attempt::{Ask, Attempt, Opened, Repeat, open};
pub use checkpoint::Position;
pub use cited::Cited;
pub use difference::{Difference, Pair};
pub use env::{Cpu, Environment, Git};
pub use event::{Event, Timing};
pub use folder::{Folder, Seen, Status};
pub use follower::Follower;
pub use id::{Id, METHOD_VERSION, SCHEMA_VERSION, canonical, check_name, identity};
pub use lock::Lock;
pub use record::{Outcome, Record};
pub use signal::Stop;
pub use store::{Entry, Store};
pub use summary::{Lineage, Spent, Summary};

/// The present moment, for [`Ask::now`]: the one place of the store that reads the clock for its caller.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
