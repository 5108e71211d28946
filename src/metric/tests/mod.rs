//! Slow twins, invariants and oracle numbers of the metrics.

mod invariants;
mod limits;
mod oracle;
pub mod slow;
