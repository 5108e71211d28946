//! Many runs from one file: what to run (a pure plan), what became of it (an append-only ledger), and doing it.
//!
//! | file | step |
//! |---|---|
//! | `file`, `axes` | the sweep file as written; the points that its axes span |
//! | `resolve` | file + base + command line -> rows with their configurations |
//! | `plan`, `changes` | rows + what data and weights are -> runs with their ids; how a plan differs from the last one |
//! | `sound` | whether a plan from a file can be one, and a run the one that it names |
//! | `request` | what is asked, and the command that asks it again |
//! | `conduct` | from a request to the end of the last run: the steps below in their order |
//! | `facts`, `name`, `slots` | what data and weights are; the sweep's name; how many runs at once, on which devices |
//! | `announce`, `dry` | what people are told before anything starts; what would be done |
//! | `folder` | the sweep's folder: plan and configurations, and who holds it |
//! | `decide` | state of a run -> start, resume, reuse, wait or give up |
//! | `ledger` | what was started and how it ended, a line each |
//! | `execute` | the loop that carries the plan out |
//! | `backend` | where runs are computed: child processes of this machine |
//! | `share`, `slurm` | where a worker among many begins; an array of them on a cluster |
//! | `progress` | progress for people and machines |
//! | `citation`, `published` | published figures of any system; the lines of the paper's own tables among them |
//! | `study` | plan + run store -> what was found, for tables and figures |

mod announce;
pub mod axes;
pub mod backend;
pub mod board;
mod changes;
pub mod chosen;
mod citation;
pub mod conduct;
pub mod decide;
pub mod design;
pub mod dry;
#[cfg(test)]
pub(crate) mod example;
pub mod execute;
mod facts;
pub mod file;
pub mod folder;
pub mod ledger;
mod measure;
mod name;
pub mod pilot;
pub mod plan;
pub mod progress;
pub mod published;
pub mod request;
pub mod resolve;
pub mod share;
mod slots;
pub mod slurm;
mod sound;
mod study;
mod values;

pub use axes::{Against, Axis, Counterpart};
pub use citation::Citation;
pub use plan::Plan;
pub use published::Published;
pub use study::{Cell, Outcome, Row, Study};
pub use values::Values;
