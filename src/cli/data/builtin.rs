//! `harness data builtin`: the built-in procedural set on disk.

use std::path::PathBuf;

use crate::Result;
use crate::data::{self, builtin};
use crate::showln;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder to write it to
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let root = args.out.clone().unwrap_or_else(data::root::builtin_folder);
    builtin::ensure(&root)?;
    showln!("{}", root.display());
    Ok(())
}
