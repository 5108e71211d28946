//! `harness archive` and `harness verify`: a sweep as one file for a publication, and whether such a file is whole.

use std::path::PathBuf;

use serde_json::json;

use super::complete;
use crate::archive::{self, Source, Verified};
use crate::names::counted;
use crate::names::in_line;
use crate::place::in_project;
use crate::run::check_name;
use crate::ui::text;
use crate::{Error, Result, console, sayln, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A sweep's name, such as ablation
    #[arg(value_name = "SWEEP", add = complete::sweeps())]
    sweep: String,
    /// The file
    #[arg(long, value_name = "FILE.tar")]
    out: PathBuf,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    results: PathBuf,
    /// Where figures are, below the sweep's name
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("plots"))]
    plots: PathBuf,
}

/// Writes the archive.
///
/// # Errors
/// As [`archive::pack`].
pub fn run(args: &Args) -> Result<()> {
    check_name("a sweep", &args.sweep)?;
    crate::store::Store::existing(&args.results)?;
    let packed = archive::pack(&Source { sweep: &args.sweep, results: &args.results, plots: &args.plots }, &args.out)?;
    let (out, manifest) = (args.out.display(), &packed.manifest);
    let (runs, files) = (counted(manifest.runs.len(), "run", "runs"), counted(manifest.files.len(), "file", "files"));
    showln!("{out}: {runs}, {files}, {}", text::bytes(packed.bytes));
    showln!("blake3 of its {}: {}", archive::MANIFEST, packed.digest);
    showln!("harness verify {out} compares every file; harness verify {out} --unpack DIR unpacks it");
    if !packed.missing.is_empty() {
        sayln!("warning: not in it, because they are not finished: {}", in_line(&packed.missing.join(", ")));
    }
    Ok(())
}

#[derive(Debug, clap::Args)]
pub struct Verify {
    /// A file of `harness archive`, or the folder that it was unpacked to
    #[arg(value_name = "FILE | DIR")]
    path: PathBuf,
    /// Unpack the file, once it is verified, into a new folder of its sweep's name below DIR
    #[arg(long, value_name = "DIR")]
    unpack: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Compares with the manifest.
///
/// # Errors
/// `Kind::Environment` where a file is missing or not what it was, or the archive is none.
pub fn verify(args: &Verify) -> Result<()> {
    let (verified, folder) = match &args.unpack {
        Some(dir) if args.path.is_file() => archive::unpack(&args.path, dir)?,
        Some(_) => return Err(Error::config(format!("--unpack: {} is not a file", args.path.display()), "give the .tar file")),
        None => (archive::verify(&args.path)?, None),
    };
    if args.json {
        console::json(&object(&verified, folder.as_ref()));
    } else {
        describe(&verified, folder.as_ref());
    }
    match verified.faults.len() {
        0 => Ok(()),
        count => Err(Error::environment(
            format!("{}: {count} of {} files are not what the manifest says", args.path.display(), verified.manifest.files.len()),
            "fetch the archive again; a report that was made anew in its folder changes its page",
        )),
    }
}

fn object(verified: &Verified, folder: Option<&PathBuf>) -> serde_json::Value {
    let Verified { manifest, digest, faults, others } = verified;
    json!({
        "whole": faults.is_empty(), "sweep": manifest.sweep, "harness": manifest.harness, "runs": manifest.runs,
        "planned": manifest.planned, "files": manifest.files.len(), "bytes": manifest.size_bytes(), "blake3": digest, "faults": faults,
        "others": others, "folder": folder,
    })
}

fn describe(verified: &Verified, folder: Option<&PathBuf>) {
    let Verified { manifest, digest, faults, others } = verified;
    let (files, size) = (manifest.files.len(), text::bytes(manifest.size_bytes()));
    showln!(
        "{}: {} of {} runs, {files} files, {size}, by harness {}",
        manifest.sweep,
        manifest.runs.len(),
        manifest.planned,
        in_line(&manifest.harness)
    );
    showln!("blake3 of its {}: {digest}", archive::MANIFEST);
    faults.iter().for_each(|fault| showln!("  {}", in_line(fault)));
    if *others > 0 {
        showln!("{} there that the manifest does not name", counted(*others, "file", "files"));
    }
    if faults.is_empty() {
        showln!("every file is what the manifest says");
    }
    if let Some(folder) = folder {
        let name = &manifest.sweep;
        showln!("harness report {name} --results {0}/results --plots {0}/plots", folder.display());
    }
}
