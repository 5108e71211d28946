//! A line of a list, and the list as a file.

use std::path::{Path, PathBuf};

use crate::config::MaskRule;
use crate::data::dataset::item::GOOD;
use crate::data::dataset::list::{COLUMNS, Split};
use crate::{Error, Result, file};

/// A line of a list. Paths are below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub category: String,
    pub split: Split,
    pub defect: String,
    pub image: PathBuf,
    pub masks: Vec<PathBuf>,
    /// Where the set's own is known.
    pub rule: Option<MaskRule>,
}

impl Entry {
    /// A good image.
    pub fn good(category: &str, split: Split, image: PathBuf) -> Self {
        Self { category: category.into(), split, defect: GOOD.into(), image, masks: vec![], rule: None }
    }
}

/// Writes a list, replacing the file whole.
///
/// # Errors
/// A file that cannot be written, and a path that is not Unicode.
pub fn write(path: &Path, entries: &[Entry]) -> Result<()> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut line = |fields: [&str; 6]| table.write_record(fields).expect("a buffer in memory takes all, and rows are of one length");
    line(COLUMNS);
    for entry in entries {
        let masks = entry.masks.iter().map(|mask| text(mask)).collect::<Result<Vec<_>>>()?.join(";");
        let rule = entry.rule.map_or("", MaskRule::name);
        line([&entry.category, entry.split.name(), &entry.defect, &text(&entry.image)?, &masks, rule]);
    }
    file::replace(path, &table.into_inner().expect("a buffer in memory takes all"))
}

/// A path with `/` between its parts.
fn text(path: &Path) -> Result<String> {
    let part = |part: std::path::Component| part.as_os_str().to_str().map(str::to_owned);
    let parts: Option<Vec<String>> = path.components().map(part).collect();
    let odd = || Error::environment(format!("the name of {} is not Unicode", path.display()), "rename it");
    let text = parts.ok_or_else(odd)?.join("/");
    if text.contains(';') {
        return Err(Error::environment(format!("the name of {text} has a `;`, which joins masks in a list"), "rename it"));
    }
    Ok(text)
}

/// `path` as it is named below `root`.
pub fn below(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// A file's name without its extension.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
