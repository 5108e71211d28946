//! From a sweep's results to an archive.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::manifest::{self, Content, MANIFEST, Manifest, is_plain};
use crate::file::{self, Durable, is_link};
use crate::report::study::is_shown;
use crate::run::{Folder, summary_compared};
use crate::store::Store;
use crate::sweep::Plan;
use crate::sweep::folder::SweepFolder;
use crate::{Error, Result};

/// Where a sweep's files lie.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub sweep: &'a str,
    pub results: &'a Path,
    /// The folder of all sweeps' figures.
    pub plots: &'a Path,
}

/// What was written.
#[derive(Debug, Clone)]
pub struct Packed {
    pub manifest: Manifest,
    /// Bytes of the archive.
    pub bytes: u64,
    /// blake3 of its manifest, hexadecimal: who knows it knows every file.
    pub digest: String,
    /// Planned runs that are not in it, by row, category and seed.
    pub missing: Vec<String>,
}

/// Of a run's folder: what its numbers are made of and come from. Weights and checkpoints, pictures and TensorBoard's file are not.
const OF_RUN: [&str; 8] =
    ["run.json", "labels.json", "config.toml", "env.json", "events.jsonl", "timing.jsonl", "scores.csv", "calibration.json"];

/// Files by their path in the archive.
type Files = BTreeMap<String, PathBuf>;

/// Writes the archive of a sweep to `out`, replacing it whole.
///
/// # Errors
/// A sweep without a plan or a finished run, or that is being carried out; files that cannot be read, or change meanwhile.
pub fn pack(source: &Source, out: &Path) -> Result<Packed> {
    let folder = SweepFolder::new(source.results, source.sweep);
    let plan = folder.read()?.ok_or_else(|| {
        Error::config(format!("there is no sweep {} in {}", source.sweep, source.results.display()), "`harness sweep FILE` makes one")
    })?;
    if folder.is_held() {
        return Err(Error::environment(format!("the sweep {} is running", source.sweep), "pack it once it has ended"));
    }
    let mut files = of_sweep(&folder.folder, source.sweep)?;
    files.extend(of_plots(&source.plots.join(source.sweep), source.sweep)?);
    let (runs, missing) = of_runs(&plan, &Store::new(source.results), &mut files)?;
    if runs.is_empty() {
        return Err(Error::config(format!("no run of the sweep {} is finished", source.sweep), format!("`{}` makes them", plan.command)));
    }
    let contents = files.iter().map(|(name, path)| Ok((name.clone(), Content::of(&read(path)?)))).collect::<Result<_>>()?;
    let manifest = Manifest {
        format: manifest::FORMAT,
        sweep: source.sweep.to_owned(),
        harness: env!("CARGO_PKG_VERSION").into(),
        planned: runs.len() + missing.len(),
        runs,
        files: contents,
    };
    let text = manifest.text();
    file::replace_with(out, Durable::Now, |to| {
        let mut archive = tar::Builder::new(to);
        put(&mut archive, &format!("{}/{MANIFEST}", source.sweep), text.as_bytes())?;
        for (name, path) in &files {
            let bytes = file::content(path)?;
            if Content::of(&bytes) != manifest.files[name] {
                return Err(io::Error::other(format!("{} changed meanwhile: repeat the command", path.display())));
            }
            put(&mut archive, &format!("{}/{name}", source.sweep), &bytes)?;
        }
        archive.finish()
    })?;
    let bytes = std::fs::metadata(out).map_err(|e| Error::io("read", out, &e))?.len();
    Ok(Packed { digest: blake3::hash(text.as_bytes()).to_hex().to_string(), manifest, bytes, missing })
}

/// One file without anything of this machine: no owner, no time.
fn put<W: Write>(archive: &mut tar::Builder<W>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    archive.append_data(&mut header, name, bytes)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    file::content(path).map_err(|e| Error::io("read", path, &e))
}

/// Plan, sweep file, configurations of the rows, all tables, findings and page. What was begun when and by which process is left out.
fn of_sweep(folder: &Path, sweep: &str) -> Result<Files> {
    let kept = |name: &str| is_shown(name) || name.starts_with("rows/");
    let all = file::tree(folder)?.into_iter().filter(|(name, _)| kept(name));
    all.map(|(name, path)| named(format!("results/{sweep}/{name}"), path)).collect()
}

/// Figures, each once: an SVG where there is one.
fn of_plots(folder: &Path, sweep: &str) -> Result<Files> {
    if !folder.is_dir() {
        return Ok(Files::new());
    }
    let all = file::tree(folder)?;
    let once = |path: &Path| match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => true,
        Some("png") => !path.with_extension("svg").is_file(),
        _ => false,
    };
    let all = all.into_iter().filter(|(_, path)| once(path));
    all.map(|(name, path)| named(format!("plots/{sweep}/{name}"), path)).collect()
}

/// Adds the files of the finished runs; their ids, and the cells that have none.
fn of_runs(plan: &Plan, store: &Store, files: &mut Files) -> Result<(Vec<String>, Vec<String>)> {
    let (mut runs, mut missing) = (vec![], vec![]);
    for planned in &plan.runs {
        let id = store.locate(&planned.id);
        let folder = store.folder(&id);
        match summary_compared(&folder)? {
            None => missing.push(format!("{} · {} · seed {}", plan.rows[planned.row].name, planned.category, planned.seed)),
            Some(summary) => {
                plan.check_run(planned, &folder, &summary)?;
                runs.push(id.to_string());
                files.extend(of_run(&folder, &format!("results/runs/{id}"))?);
            }
        }
    }
    runs.sort();
    runs.dedup();
    Ok((runs, missing))
}

fn of_run(folder: &Folder, at: &str) -> Result<Files> {
    let kept = |name: &str| name == "summary.json" || OF_RUN.contains(&name) || name.starts_with("maps/");
    let all = file::tree(folder.path())?.into_iter().filter(|(name, _)| kept(name));
    all.map(|(name, path)| named(format!("{at}/{name}"), path)).collect()
}

/// Refuses what a reader would have to refuse.
fn named(name: String, path: PathBuf) -> Result<(String, PathBuf)> {
    if is_link(&path) || !path.is_file() {
        return Err(Error::environment(format!("{} is not a regular file", path.display()), "put the file itself there"));
    }
    if !is_plain(&name) {
        return Err(Error::environment(format!("{name:?} cannot be named in an archive"), "rename it without : and \\"));
    }
    Ok((name, path))
}
