//! Many runs from one file: what to run (a pure plan), what became of it (an append-only ledger), and doing it (child
//! processes).
//!
//! | file | step |
//! |---|---|
//! | `file`, `axes` | the sweep file as written; the points that its axes span |
//! | `plan` | file + base + command line + what data and weights are -> rows and runs with their ids |
//! | `decide` | state of a run -> start, resume, reuse, wait or give up |
//! | `place` | the sweep's folder: plan and configurations, and who holds it |
//! | `ledger` | what was started and how it ended, a line each |
//! | `execute`, `child` | the loop that carries the plan out, one child process a run |
//! | `board` | progress for people and machines |
//! | `published` | the paper's own figures |
//! | `study` | plan + run store -> what was found, for tables and figures |

pub mod axes;
pub mod board;
mod child;
pub mod decide;
pub mod execute;
pub mod file;
pub mod ledger;
pub mod place;
pub mod plan;
pub mod published;
mod study;

pub use plan::Plan;
pub use study::{Against, Axis, Cell, Outcome, Published, Row, Study};
