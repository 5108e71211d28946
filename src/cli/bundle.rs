//! `harness bundle`: a finished run as one file, for machines without its run store.

use std::path::PathBuf;

use super::complete;
use super::finished::Finished;
use crate::export::bundle;
use crate::place::in_project;
use crate::{Result, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run: its id, a unique prefix of its hash, or `latest`
    #[arg(long, value_name = "ID", add = complete::runs())]
    run: String,
    /// The file
    #[arg(long, value_name = "FILE.harness")]
    out: PathBuf,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    results: PathBuf,
}

pub fn run(args: &Args) -> Result<()> {
    let found = Finished::find(&args.results, &args.run)?;
    let bytes = bundle::write(&found.folder, &found.cfg, &found.summary, &args.out)?;
    showln!("{}: {}, {:.1} MB; harness predict --model {0} IMAGES --out DIR", args.out.display(), found.id, bytes as f64 / 1e6);
    Ok(())
}
