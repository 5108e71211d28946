//! The losses against their slow twins and their invariants.

mod consistency;
mod feature;
mod golden;
mod score;
mod slow;
mod total;
