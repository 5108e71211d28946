//! VisA: the split is a table of its own.

use std::path::Path;

use super::entry::Entry;
use crate::config::MaskRule;
use crate::data::dataset::list::Split;
use crate::{Error, Result};

/// The one-class split of VisA's authors.
const SPLIT: &str = "split_csv/1cls.csv";

/// VisA as it is released: `object,split,label,image,mask`.
pub fn visa(root: &Path) -> Result<Vec<Entry>> {
    let path = root.join(SPLIT);
    let odd = |e: csv::Error| Error::environment(format!("{}: {e}", path.display()), "get it from github.com/amazon-science/spot-diff");
    let mut reader = csv::Reader::from_path(&path).map_err(odd)?;
    let mut found = vec![];
    for record in reader.deserialize::<(String, String, String, String, String)>() {
        let (object, split, label, image, mask) = record.map_err(odd)?;
        let split = if split == "train" { Split::Train } else { Split::Test };
        if label == "normal" {
            found.push(Entry::good(&object, split, image.into()));
        } else {
            let masks = if mask.is_empty() { vec![] } else { vec![mask.into()] };
            found.push(Entry { category: object, split, defect: label, image: image.into(), masks, rule: Some(MaskRule::Nonzero) });
        }
    }
    Ok(found)
}
