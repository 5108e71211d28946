//! The store: all runs below a results folder. Which there are, which meet a condition, in what two differ, what can be removed.
//!
//! There is no index: the folders are the truth, so that any number of processes may start, end and list runs at once. One
//! run by itself is [`crate::run`].

mod cited;
mod difference;
mod found;
pub mod gc;
pub mod merge;
pub mod query;
pub mod removal;
mod runs;
pub mod slim;

pub use cited::{Cited, PLAN_FORMAT, Place, varied};
pub use difference::{Difference, Pair};
pub use found::{config_found, config_with_weights};
pub use runs::{Entry, Store};
