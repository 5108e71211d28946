//! `harness data check ROOT`: what a folder holds and what in it would spoil a result.

use std::io::Write;
use std::path::PathBuf;

use crate::data::check::check;
use crate::data::report::Grade;
use crate::{Error, Result};

/// Count images, masks and regions, and find what would spoil a result (exit code 3 if anything does).
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder in MVTec AD's layout: ROOT/CATEGORY/{train/good, test/…, ground_truth/…}.
    pub root: PathBuf,
    /// Print JSON, with every file that a finding is about.
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let report = check(&args.root)?;
    let text = if args.json { report.json() + "\n" } else { report.text() };
    // Whoever closes the pipe early (`| head`) still gets the exit code.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    let spoils = report.count(Grade::Spoils);
    if spoils == 0 {
        return Ok(());
    }
    let findings = if spoils == 1 { "finding" } else { "findings" };
    Err(Error::environment(
        format!("{}: {spoils} {findings} would spoil a result", args.root.display()),
        "fix what is marked SPOILS above; --json lists every file",
    ))
}
