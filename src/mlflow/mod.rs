//! Runs and sweeps on an MLflow server, by its REST interface (2.0, of MLflow 2 and 3).
//!
//! A run of ours is a run there; a sweep is one too, the parent of its runs. Nothing is kept here of what was sent: each is found again by
//! a tag, and what it lacks is sent. The same command twice therefore changes nothing, and one that was cut off is repeated. Times of
//! points follow from the run's start and their steps, never from the clock, because the server takes another time for another point.
//!
//! [`Content`] is what is to stand there, made of files alone; [`Exporter`] brings it there; [`watch()`] goes on until all has ended.

mod access;
mod client;
mod content;
mod exporter;
mod fault;
mod group;
mod names;
mod options;
mod points;
mod run;
mod send;
mod server;
mod subject;
mod sweep;
mod times;
#[cfg(feature = "https")]
mod tls;
mod watch;

pub use access::Access;
pub use content::Content;
pub use exporter::{Counts, Exporter, Round};
pub use fault::{Fault, Reply};
pub use options::{Attach, Options, Params};
pub use subject::Subject;
pub use watch::{PAUSE, watch};
