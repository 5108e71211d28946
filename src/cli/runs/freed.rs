//! The end of a verb that removes.

use crate::ui::text;
use crate::{Error, Result, showln};

/// Says what is free now.
///
/// # Errors
/// Some of `all` could not be removed.
pub fn say(bytes: u64, failed: usize, all: usize) -> Result<()> {
    showln!("freed {}", text::bytes(bytes));
    match failed {
        0 => Ok(()),
        n => Err(Error::environment(format!("{n} of {all} could not be removed"), "fix the causes above and repeat the command")),
    }
}
