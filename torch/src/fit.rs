//! `harness fit`: a run on a folder of good images, and what to type next.

use harness::cli::fit::Args;
use harness::ui::Verbosity;
use harness::{Result, showln};

use crate::experiment;

/// Carries out `harness fit`.
///
/// # Errors
/// Those of a run.
pub fn run(args: &Args, verbosity: Verbosity) -> Result<()> {
    let done = experiment::carry_out(&args.as_run()?, verbosity)?;
    for summary in done {
        showln!("decide on new parts: harness predict --run {} NEW-IMAGES --out DIR", summary.id);
    }
    Ok(())
}
