//! Who is told of a run while it is written: files for other programs ([`crate::export`] lists them).

use super::{Event, Outcome, Timing};
use crate::Result;

/// Told of everything that an [`super::Attempt`] writes, after it was written. What goes wrong here never fails the run: it
/// is noted in log.txt, the follower is told no more, and the others go on.
pub trait Follower: std::fmt::Debug {
    fn event(&mut self, event: &Event) -> Result<()>;
    fn timing(&mut self, timing: &Timing) -> Result<()>;
    /// The attempt ends; figures stand in their folder if it is finished.
    fn end(&mut self, outcome: Outcome) -> Result<()>;
}
