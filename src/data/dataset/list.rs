//! `data.list`: a CSV file that names every image, for whatever layout its folders have.
//!
//! | column | content |
//! |---|---|
//! | `category` | the category's name |
//! | `split` | `train`, `validation` or `test` |
//! | `defect` | `good`, or the kind of defect; empty is `good` |
//! | `image` | the file, below `data.root` |
//! | `mask` | the ground truth of a defective image below `data.root`; several, joined by `;`, are united; empty where there is none |
//! | `rule` | which values of the masks are anomalous: `nonzero` or `half`; empty is `data.mask_rule` |
//!
//! Columns may stand in any order; `defect`, `mask` and `rule` may be missing. Images of the split `validation` are neither trained on nor
//! scored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::item::{GOOD, Item, Truth};
use crate::config::MaskRule;
use crate::{Error, Result};

/// The columns, as [`crate::data::import`] writes them.
pub const COLUMNS: [&str; 6] = ["category", "split", "defect", "image", "mask", "rule"];

/// A list that was read.
#[derive(Debug, Clone)]
pub struct List {
    pub path: PathBuf,
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    line: u64,
    category: String,
    split: Split,
    defect: String,
    image: PathBuf,
    masks: Vec<PathBuf>,
    rule: Option<MaskRule>,
}

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    Train,
    Validation,
    Test,
}

impl Split {
    /// As lists have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// The images of one category.
pub struct Listed {
    pub train: Vec<Item>,
    pub test: Vec<Item>,
    /// How many images there are of the split `validation`.
    pub validation: usize,
}

impl List {
    /// Reads a list; its files are looked for below `root`, and not opened.
    ///
    /// # Errors
    /// A file that is not there or not such a table; the error names the line.
    pub fn read(path: &Path, root: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io("read the list", path, &e))?;
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let broken = |e: csv::Error| Error::environment(format!("{}: {e}", path.display()), "it is a CSV file with a header, in UTF-8");
        let columns = Columns::of(reader.headers().map_err(broken)?, path)?;
        let mut rows = vec![];
        for record in reader.records() {
            let record = record.map_err(broken)?;
            let line = record.position().map_or(0, csv::Position::line);
            let row = columns.row(&record, line, root);
            rows.push(row.map_err(|(what, remedy)| Error::environment(format!("{}, line {line}: {what}", path.display()), remedy))?);
        }
        let list = Self { path: path.to_owned(), rows };
        list.check()?;
        Ok(list)
    }

    /// Refuses an image that stands twice in a category.
    fn check(&self) -> Result<()> {
        let mut seen = BTreeMap::new();
        for row in &self.rows {
            if let Some(before) = seen.insert((&row.category, &row.image), row.line) {
                let what = format!("{}, line {}: {} stands in line {before} too", self.path.display(), row.line, row.image.display());
                return Err(Error::environment(what, "name each image of a category once"));
            }
        }
        Ok(())
    }

    /// The names of the categories, sorted.
    pub fn categories(&self) -> Vec<String> {
        self.rows.iter().map(|row| &row.category).collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }

    /// The images of a category, each split sorted by key: `split/defect/name`, where the name is as much of the path as tells all images
    /// of the category apart.
    ///
    /// # Errors
    /// A category that is not there, and images that differ in their ending alone.
    pub fn category(&self, name: &str) -> Result<Listed> {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.category == name).collect();
        if rows.is_empty() {
            let what = format!("{}: there is no category {name}", self.path.display());
            return Err(Error::config(what, format!("the categories are {}", self.categories().join(", "))));
        }
        let keys = keys(&rows).map_err(|key| {
            let what = format!("{}: several images of {name} would be called {key}", self.path.display());
            Error::environment(what, "rename all but one: a name without its extension must be unique")
        })?;
        let items = |split: Split| {
            let here = rows.iter().zip(&keys).filter(|(row, _)| row.split == split);
            let mut items: Vec<Item> = here.map(|(row, key)| row.item(key)).collect();
            items.sort_by(|a, b| a.key.cmp(&b.key));
            items
        };
        let validation = rows.iter().filter(|row| row.split == Split::Validation).count();
        Ok(Listed { train: items(Split::Train), test: items(Split::Test), validation })
    }
}

impl Row {
    fn item(&self, key: &str) -> Item {
        let mask = (!self.masks.is_empty()).then(|| Truth { files: self.masks.clone(), rule: self.rule });
        Item { path: self.image.clone(), key: key.to_owned(), defect: self.defect.clone(), mask }
    }

    /// The key with the last `parts` parts of the path.
    fn key(&self, parts: usize) -> String {
        let path = self.image.with_extension("");
        let all: Vec<_> = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        let name: Vec<_> = all[all.len().saturating_sub(parts)..].iter().map(|part| part.as_os_str().to_string_lossy()).collect();
        format!("{}/{}/{}", self.split.name(), self.defect, name.join("-"))
    }
}

/// A key for each row, or one that several would have.
fn keys(rows: &[&Row]) -> std::result::Result<Vec<String>, String> {
    let longest = rows.iter().map(|row| row.image.components().count()).max().unwrap_or(1);
    let mut twice = String::new();
    for parts in 1..=longest {
        let keys: Vec<String> = rows.iter().map(|row| row.key(parts)).collect();
        let mut seen = BTreeSet::new();
        match keys.iter().find(|key| !seen.insert(key.as_str())) {
            None => return Ok(keys),
            Some(key) => twice = key.clone(),
        }
    }
    Err(twice)
}

/// Where the columns stand.
struct Columns([Option<usize>; 6]);

/// What is wrong with a line, and the remedy.
type Fault = (String, &'static str);

impl Columns {
    fn of(header: &csv::StringRecord, path: &Path) -> Result<Self> {
        let columns = COLUMNS.map(|name| header.iter().position(|heading| heading.eq_ignore_ascii_case(name)));
        match ["category", "split", "image"].into_iter().find(|name| !header.iter().any(|heading| heading.eq_ignore_ascii_case(name))) {
            None => Ok(Self(columns)),
            Some(missing) => Err(Error::environment(
                format!("{}: there is no column {missing:?}", path.display()),
                format!("its first line names the columns: {}", COLUMNS.join(",")),
            )),
        }
    }

    fn row(&self, record: &csv::StringRecord, line: u64, root: &Path) -> std::result::Result<Row, Fault> {
        let [category, split, defect, image, mask, rule] = self.0.map(|at| at.and_then(|at| record.get(at)).unwrap_or(""));
        let split = [Split::Train, Split::Validation, Split::Test].into_iter().find(|known| known.name() == split);
        let split = split.ok_or_else(|| ("the split is unknown".to_owned(), "use train, validation or test"))?;
        let defect = if defect.is_empty() { GOOD } else { defect };
        for (what, name) in [("category", category), ("defect", defect)] {
            if !is_plain(name) {
                return Err((
                    format!("{name:?} cannot be the name of a {what}"),
                    "use a plain name, as of a folder, without a dot in front",
                ));
            }
        }
        if image.is_empty() {
            return Err(("it names no image".into(), "name a file below data.root"));
        }
        let masks: Vec<PathBuf> = mask.split(';').map(str::trim).filter(|mask| !mask.is_empty()).map(|mask| root.join(mask)).collect();
        if defect == GOOD && !masks.is_empty() {
            return Err(("a good image has a mask".into(), "leave the mask empty, or name the kind of defect"));
        }
        let rule = match rule {
            "" => None,
            "nonzero" => Some(MaskRule::Nonzero),
            "half" => Some(MaskRule::Half),
            _ => return Err((format!("{rule:?} is not a rule for masks"), "use nonzero, half or nothing")),
        };
        Ok(Row { line, category: category.into(), split, defect: defect.into(), image: root.join(image), masks, rule })
    }
}

/// Names become those of folders.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<List> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.csv");
        std::fs::write(&path, text).unwrap();
        List::read(&path, Path::new("/data"))
    }

    #[test]
    fn columns_stand_in_any_order_and_masks_are_several() {
        let text = "\u{feff}image,split,category,mask,defect,rule\n\
                    a/1.png,train,nut,,,\na/2.png,train,nut,,good,\n b/1.png ,test,nut,m/1.png; m/2.png,dent,half\na/9.png,validation,nut,,,\n";
        let list = read(text).unwrap();
        assert_eq!(list.categories(), ["nut"]);
        let Listed { train, test, validation } = list.category("nut").unwrap();
        assert_eq!(train.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), ["train/good/1", "train/good/2"]);
        let masks = Truth { files: vec!["/data/m/1.png".into(), "/data/m/2.png".into()], rule: Some(MaskRule::Half) };
        let item = Item { path: "/data/b/1.png".into(), key: "test/dent/1".into(), defect: "dent".into(), mask: Some(masks) };
        assert_eq!((test, validation), (vec![item], 1));
        assert!(list.category("bolt").err().unwrap().remedy.contains("nut"));
    }

    #[test]
    fn a_key_has_as_much_of_the_path_as_tells_images_apart() {
        let list = read("category,split,image\nk,train,kos01/Part0.jpg\nk,train,kos02/Part0.jpg\n").unwrap();
        let keys: Vec<String> = list.category("k").unwrap().train.into_iter().map(|item| item.key).collect();
        assert_eq!(keys, ["train/good/kos01-Part0", "train/good/kos02-Part0"]);
        let list = read("category,split,image\nk,train,a/0.jpg\nk,train,a/0.png\n").unwrap();
        assert!(list.category("k").err().unwrap().what.contains("would be called"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, want) in [
            ("split,image\ntrain,a.png\n", "no column \"category\""),
            ("category,split,image\nnut,train,a.png\nnut,learn,b.png\n", "line 3: the split is unknown"),
            ("category,split,image\n../nut,train,a.png\n", "line 2: \"../nut\" cannot be the name of a category"),
            ("category,split,image,defect\nnut,test,a.png,a/b\n", "cannot be the name of a defect"),
            ("category,split,image\nnut,train,\n", "names no image"),
            ("category,split,image,mask\nnut,test,a.png,m.png\n", "a good image has a mask"),
            ("category,split,image,rule\nnut,test,a.png,most\n", "\"most\" is not a rule"),
            ("category,split,image\nnut,train,a.png\nnut,test,a.png\n", "line 3: /data/a.png stands in line 2 too"),
            ("category,split,image\nnut,train\n", "list.csv"),
        ] {
            let error = read(text).err().unwrap_or_else(|| panic!("{text}"));
            assert!(error.what.contains(want) && error.exit_code() == 3, "{text}: {error}");
        }
    }
}
