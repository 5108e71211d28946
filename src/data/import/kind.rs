//! The layouts that are understood, by name.

use std::path::Path;

use super::entry::Entry;
use super::tree::Names;
use super::{json, pairs, table, tree};
use crate::config::MaskRule;
use crate::{Error, Result};

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
