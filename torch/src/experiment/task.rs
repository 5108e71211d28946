//! What one run works with, apart from its folder.

use harness::run::Stop;
use harness::ui::Mode;
use harness::{Error, Result};

use super::session::{Planned, Session};

/// One run to be carried out.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    pub session: &'a Session,
    pub planned: &'a Planned,
    /// How progress is shown.
    pub mode: Mode,
    pub stop: &'a Stop,
}

impl Task<'_> {
    /// An error once a stop was requested; `during` says what it interrupts.
    ///
    /// # Errors
    /// `Kind::Stopped`.
    pub fn check_stop(&self, during: &str) -> Result<()> {
        if self.stop.requested() { Err(Error::stopped(format!("stopped while {during}"))) } else { Ok(()) }
    }
}
