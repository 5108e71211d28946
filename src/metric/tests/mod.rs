//! Slow twins, invariants and oracle numbers of the metrics.

mod invariants;
mod limits;
mod not_scored;
mod oracle;
mod reweighted;
pub mod slow;
