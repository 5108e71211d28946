//! Published data sets in layouts of their own, as lists that `data.list` reads. Nothing is copied or changed.
//!
//! | kind | layout | what is made of it |
//! |---|---|---|
//! | `visa` | `<c>/Data/Images/…`, `split_csv/1cls.csv` | its own split; masks hold numbers of kinds |
//! | `btad` | `<c>/{train/ok, test/{ok,ko}, ground_truth/ko}` | as it is |
//! | `mpdd` | MVTec AD's | as it is |
//! | `mvtec2` | `<c>/{train/good, validation/good, test_public/{good,bad,ground_truth/bad}}` | the private test sets have no labels and are left out |
//! | `loco` | MVTec AD's with `validation/good` and `ground_truth/<defect>/<stem>/*.png` | several masks are united; sPRO is not computed |
//! | `kolektor` | `kos<n>/Part<n>.jpg`, `Part<n>_label.bmp` | an image with a mask that marks something is defective; the good ones of every third folder are tested |
//! | `kolektor2` | `{train,test}/<n>.png`, `<n>_GT.png` | the same; defective training images are left out |
//! | `dagm` | `Class<n>/{Train,Test}/<n>.PNG`, `Label/<n>_label.PNG` | an image with a label is defective; defective training images are left out |
//! | `realiad` | `realiad_jsons/**/<c>.json`, `realiad_<size>/<c>/…` | its own split |
//! | `folder` | MVTec AD's with other names; or `ROOT/{good,<defect>…}` | without a folder for training, every fifth good image is tested |

mod json;
mod pairs;
mod table;
mod tree;

use std::path::{Path, PathBuf};

use crate::config::MaskRule;
use crate::data::dataset::item::GOOD;
use crate::data::dataset::list::{COLUMNS, Split};
use crate::{Error, Result, file};

pub use tree::Names;

/// A layout that is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    Visa,
    Btad,
    Mpdd,
    Mvtec2,
    Loco,
    Kolektor,
    Kolektor2,
    Dagm,
    Realiad,
    Folder,
}

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
    fn good(category: &str, split: Split, image: PathBuf) -> Self {
        Self { category: category.into(), split, defect: GOOD.into(), image, masks: vec![], rule: None }
    }
}

impl Kind {
    /// Every image of the set at `root`, sorted; `names` are those of the kind `folder`.
    ///
    /// # Errors
    /// Files that cannot be read, and a root without an image in this layout.
    pub fn entries(self, root: &Path, names: &Names) -> Result<Vec<Entry>> {
        let mut entries = match self {
            Self::Visa => table::visa(root)?,
            Self::Btad => tree::entries(root, &Names { good: "ok".into(), ..Names::default() })?,
            Self::Mpdd => tree::entries(root, &Names::default())?,
            Self::Loco => numbered(tree::entries(root, &Names::default())?),
            Self::Mvtec2 => tree::entries(root, &Names::mvtec2())?,
            Self::Kolektor => pairs::kolektor(root)?,
            Self::Kolektor2 => pairs::kolektor2(root)?,
            Self::Dagm => pairs::dagm(root)?,
            Self::Realiad => json::realiad(root)?,
            Self::Folder => tree::entries(root, names)?,
        };
        if entries.is_empty() {
            let what = format!("{}: no image lies there as in {}", root.display(), self.layout());
            return Err(Error::environment(what, "name the folder that holds this layout, or another kind (`harness data import --help`)"));
        }
        entries.sort_by(|a, b| (&a.category, a.split.name(), &a.image).cmp(&(&b.category, b.split.name(), &b.image)));
        Ok(entries)
    }

    fn layout(self) -> &'static str {
        match self {
            Self::Visa => "VisA: split_csv/1cls.csv and <category>/Data/Images",
            Self::Btad => "BTAD: <category>/{train/ok, test/ok, test/ko, ground_truth/ko}",
            Self::Mpdd => "MPDD: <category>/{train/good, test/…, ground_truth/…}",
            Self::Mvtec2 => "MVTec AD 2: <category>/{train/good, validation/good, test_public/…}",
            Self::Loco => "MVTec LOCO: <category>/{train/good, validation/good, test/…, ground_truth/…}",
            Self::Kolektor => "KolektorSDD: kos<n>/Part<n>.jpg and Part<n>_label.bmp",
            Self::Kolektor2 => "KolektorSDD2: {train,test}/<n>.png and <n>_GT.png",
            Self::Dagm => "DAGM: Class<n>/{Train,Test}/<n>.PNG and Label/<n>_label.PNG",
            Self::Realiad => "Real-IAD: realiad_jsons/**/<category>.json and realiad_<size>/<category>",
            Self::Folder => "folders of these names (--train, --test, --truth, --good)",
        }
    }
}

/// The same, of masks that hold numbers of kinds of defects.
fn numbered(entries: Vec<Entry>) -> Vec<Entry> {
    let rule = |entry: &Entry| (!entry.masks.is_empty()).then_some(MaskRule::Nonzero);
    entries.into_iter().map(|entry| Entry { rule: rule(&entry), ..entry }).collect()
}

/// Writes a list, replacing the file whole.
///
/// # Errors
/// A file that cannot be written, and a path that is not Unicode.
pub fn write(path: &Path, entries: &[Entry]) -> Result<()> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let odd = |e: csv::Error| Error::environment(format!("{}: {e}", path.display()), "");
    table.write_record(COLUMNS).map_err(odd)?;
    for entry in entries {
        let masks = entry.masks.iter().map(|mask| text(mask)).collect::<Result<Vec<_>>>()?.join(";");
        let rule = entry.rule.map_or("", MaskRule::name);
        table.write_record([&entry.category, entry.split.name(), &entry.defect, &text(&entry.image)?, &masks, rule]).map_err(odd)?;
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
fn below(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// A file's name without its extension.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
