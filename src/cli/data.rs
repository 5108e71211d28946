//! `harness data …`: looking at data before trusting it.

use std::path::{Path, PathBuf};

use super::{data_check, data_pseudo, data_show};
use crate::data::{self, builtin};
use crate::image::{Rgb, codec};
use crate::{Error, Result};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Counts, sizes and everything that would spoil a result; exit code 3 if something would
    Check(data_check::Args),
    /// Contact sheet of a folder with its masks outlined
    Show(data_show::Args),
    /// Gallery of pseudo anomalies as an experiment would draw them, with their ratio, area and contrast
    Pseudo(data_pseudo::Args),
    /// Write the built-in procedural set, or say where it is
    Builtin {
        /// Folder to write it to
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

pub fn run(args: &Args) -> Result<()> {
    match &args.verb {
        Verb::Check(args) => data_check::run(args),
        Verb::Show(args) => data_show::run(args),
        Verb::Pseudo(args) => data_pseudo::run(args),
        Verb::Builtin { out } => {
            let root = out.clone().unwrap_or_else(data::root::builtin_folder);
            builtin::ensure(&root)?;
            println!("{}", root.display());
            Ok(())
        }
    }
}

/// Writes a picture, and the folder that it lies in.
pub(super) fn write_picture(path: &Path, picture: &Rgb) -> Result<()> {
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, &e))?;
    }
    codec::write_png(path, picture)
}
