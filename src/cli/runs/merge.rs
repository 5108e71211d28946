//! `harness runs merge`: finished runs of another results folder.

use std::path::{Path, PathBuf};

use crate::archive::{MANIFEST, Manifest};
use crate::names::{counted, in_line};
use crate::store::Store;
use crate::store::merge::{Fate, merge};
use crate::ui::text;
use crate::{Error, Result, file, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The other results folder, or the folder that an archive was unpacked to
    #[arg(value_name = "FROM")]
    from: PathBuf,
}

/// How many runs met which fate.
#[derive(Default)]
struct Tally {
    brought: usize,
    bytes: u64,
    here: usize,
    left: usize,
}

/// Brings them in and says what became of each that is not simply here already.
///
/// # Errors
/// Folders that are not there; `Kind::Environment` where a run was left, after all others were brought.
pub fn run(results: &Path, args: &Args) -> Result<()> {
    let (from, manifest) = other(&args.from)?;
    let into = Store::new(results);
    if results.canonicalize().is_ok_and(|ours| from.results().canonicalize().is_ok_and(|theirs| ours == theirs)) {
        return Err(Error::config(format!("{} is this results folder itself", args.from.display()), "name another one"));
    }
    into.ensure_writable()?;
    let expected = |path: &Path| {
        let below = path.strip_prefix(from.results().parent()?).ok()?.to_str()?.replace('\\', "/");
        // An archive names every file: one that it does not name is expected to be nothing.
        manifest.as_ref().map(|manifest| manifest.files.get(&below).map(|content| content.blake3.clone()).unwrap_or_default())
    };
    let mut tally = Tally::default();
    merge(&into, &from, &expected, &mut |id, fate| match fate {
        Fate::Brought(bytes) => {
            showln!("{id}  brought, {}", text::bytes(*bytes));
            tally.brought += 1;
            tally.bytes += bytes;
        }
        Fate::Here => tally.here += 1,
        Fate::Conflict(why) => {
            showln!("{id}  CONFLICT: {}; what is here stays", in_line(why));
            tally.left += 1;
        }
        Fate::Refused(why) => {
            showln!("{id}  REFUSED: {}", in_line(why));
            tally.left += 1;
        }
    })?;
    showln!("{} brought, {}; {} were here already", tally.brought, text::bytes(tally.bytes), tally.here);
    match tally.left {
        0 => Ok(()),
        left => Err(Error::environment(
            format!("{} of {} not brought", counted(left, "run", "runs"), args.from.display()),
            "their causes stand above; of two results of one run, `harness runs rm` removes the one here that you do not want",
        )),
    }
}

/// The store that is meant: a results folder, or that of an unpacked archive with its manifest.
fn other(from: &Path) -> Result<(Store, Option<Manifest>)> {
    let at = from.join(MANIFEST);
    if !at.is_file() {
        return Ok((Store::existing(from)?, None));
    }
    let text = file::content(&at).map_err(|e| Error::io("read", &at, &e))?;
    Ok((Store::existing(&from.join("results"))?, Some(Manifest::parse(&text, &at)?)))
}
