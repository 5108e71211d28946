//! Ctrl-C and SIGTERM ask for a checkpoint; a second Ctrl-C ends the process at once.

use crate::error::exit;
use crate::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the process was asked to stop. Clones share the answer.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    requested: Arc<AtomicBool>,
}

impl Stop {
    /// Listens for SIGINT and SIGTERM from now on, in the whole process; call it once. Without it (`Stop::default()`) only
    /// [`Stop::request`] asks.
    ///
    /// A second SIGINT exits with [`exit::INTERRUPTED`] without clean-up. SIGTERM never does: a parent may send it to a child that got the
    /// terminal's SIGINT already.
    pub fn install() -> Result<Self> {
        use signal_hook::flag;
        let stop = Self::default();
        let interrupted = Arc::new(AtomicBool::new(false));
        // The shutdown stands before what arms it: handlers run in this order.
        let installed = flag::register_conditional_shutdown(SIGINT, i32::from(exit::INTERRUPTED), interrupted.clone())
            .and_then(|_| flag::register(SIGINT, interrupted))
            .and_then(|_| flag::register(SIGINT, stop.requested.clone()))
            .and_then(|_| flag::register(SIGTERM, stop.requested.clone()));
        installed.map_err(|e| Error::environment(format!("cannot listen for Ctrl-C: {e}"), ""))?;
        crate::file::wait::end_waits_with(stop.requested.clone());
        Ok(stop)
    }

    /// Whether to write a checkpoint and end. Cheap: ask after every step.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Asks as a signal would.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }
}
