//! Who is told of a run while it is written, such as a file for another program.

use super::{Event, Outcome, Timing};
use crate::Result;

/// Told of everything that an [`super::Attempt`] writes, after it was written. What goes wrong here never fails the run: it
/// is noted in log.txt, and the follower is told no more.
pub trait Follower: std::fmt::Debug {
    fn event(&mut self, event: &Event) -> Result<()>;
    fn timing(&mut self, timing: &Timing) -> Result<()>;
    /// The attempt ends; figures stand in their folder if it is finished.
    fn end(&mut self, outcome: Outcome) -> Result<()>;
}
