//! What [`check`] would find, asked before anything is trained or scored.
//!
//! Decoding a data set takes seconds, and what its images show is a function of their content: findings about them are kept by the
//! content's hash in `$XDG_CACHE_HOME/harness`, an optimisation and nothing else. What the folders' lists show is looked at each time.

use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::check;
use super::report::{Finding, Grade};
use crate::config::{self, Checkpoint, Config};
use crate::data::dataset::category::Category;
use crate::data::dataset::hash::{Contents, cache_folder};
use crate::data::dataset::source::Source;
use crate::{Error, Result, file};

/// Raised when a check of the content finds otherwise.
const VERSION: u32 = 4;

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    findings: Vec<Finding>,
}

/// Refuses a category that would spoil a result; what only casts doubt on one comes back, a line each.
///
/// # Errors
/// `Kind::Environment` with the first thing that is wrong.
pub fn preflight(category: &Category, contents: &Arc<Contents>, cfg: &Config) -> Result<Vec<String>> {
    if category.test.is_empty() && cfg.train.checkpoint == Checkpoint::BestTest {
        return Err(Error::config(
            format!("train.checkpoint: \"best_test\" looks at test images, and {} has none", category.name),
            "use \"last\" or \"best_pseudo_val\"",
        ));
    }
    let mut findings = check::of_place(category);
    findings.extend(known(category, contents, cfg, || check::of_content(&check::look(category, &cfg.data), &cfg.data)));
    let findings = check::tidy(&category.root, findings);
    let warnings = || findings.iter().filter(|finding| finding.grade == Grade::Warns).map(Finding::line).collect();
    let Some(worst) = findings.iter().find(|finding| finding.grade == Grade::Spoils) else { return Ok(warnings()) };
    // What reading says of the one file comes first: it names the cause and the remedy.
    read(category, contents, cfg)?;
    let rest = findings.iter().filter(|finding| finding.grade == Grade::Spoils).count() - 1;
    let more = if rest > 0 { format!(", and {rest} more findings") } else { String::new() };
    Err(Error::environment(
        format!("{}: {}{more}", category.folder().display(), worst.line()),
        format!("`harness data check {}` lists all that would spoil a result", category.root.display()),
    ))
}

/// Reads everything as a run does, up to the first error in the order of the items.
fn read(category: &Category, contents: &Arc<Contents>, cfg: &Config) -> Result<()> {
    for items in [&category.test, &category.train] {
        let source = Source::of(items.clone(), cfg, 0).checked(contents);
        let one = |index: usize| source.loaded(index).and_then(|_| source.inside(index)).and_then(|_| source.mask(index)).map(drop);
        (0..source.len()).into_par_iter().map(one).collect::<Vec<_>>().into_iter().collect::<Result<()>>()?;
    }
    Ok(())
}

/// The findings about this content: those that were kept, or what `find` finds, which is kept.
fn known(category: &Category, contents: &Contents, cfg: &Config, find: impl FnOnce() -> Vec<Finding>) -> Vec<Finding> {
    let path = cache_folder().map(|folder| folder.join(name(category, contents, cfg)));
    let kept = path.as_ref().and_then(|path| serde_json::from_slice::<Kept>(&std::fs::read(path).ok()?).ok());
    if let Some(kept) = kept.filter(|kept| kept.version == VERSION) {
        return kept.findings;
    }
    let findings = check::tidy(&category.root, find());
    // Files that could not be read may be readable in a moment: no content hash speaks of that.
    if let Some(path) = path.filter(|_| findings.iter().all(|finding| finding.grade != Grade::Spoils)) {
        let json = serde_json::to_vec(&Kept { version: VERSION, findings: findings.clone() }).expect("findings are plain data");
        // Losing it costs time, never a result.
        let _ = path.parent().map(std::fs::create_dir_all);
        let _ = file::replace(&path, &json);
    }
    findings
}

/// Findings name files, and the hash does not: the place is part of it.
fn name(category: &Category, contents: &Contents, cfg: &Config) -> PathBuf {
    let folder = category.folder();
    let folder = folder.canonicalize().unwrap_or(folder).join(&category.name);
    let config::Data { mask_rule, orientation, max_pixels, size, margin, .. } = cfg.data;
    let all = format!("{} {mask_rule:?} {orientation:?} {max_pixels} {size} {margin} {}", contents.hash, folder.display());
    format!("check-{}.json", &blake3::hash(all.as_bytes()).to_hex()[..16]).into()
}
