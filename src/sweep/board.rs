//! A sweep's runs as TensorBoard names them: `<results>/<sweep>/tensorboard/<row>/<category>-s<seed>` leads to what the run wrote.
//!
//! The folder holds links and nothing else. They are relative, so that they hold when the results folder is moved as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::folder::SweepFolder;
use super::plan::Plan;
use crate::file::is_link;
use crate::run::Id;
use crate::store::Store;
use crate::{Error, Result};

/// From a run's link to the results folder: row, `tensorboard`, sweep.
const UP: &str = "../../..";

/// A row's folder has at most so many letters.
const LONGEST: usize = 80;

/// Where a sweep's links lie, and which there are to be.
#[derive(Debug, Clone)]
pub struct Board {
    folder: PathBuf,
    /// Each planned run with the path of its link below the folder.
    links: Vec<(Id, PathBuf)>,
}

impl Board {
    pub fn of(plan: &Plan, folder: &SweepFolder) -> Self {
        let rows = names(&plan.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>());
        let link = |run: &super::plan::PlannedRun| {
            let name = format!("{}-s{}", plain(&run.category), run.seed);
            (run.id.clone(), Path::new(&rows[run.row]).join(name))
        };
        Self { folder: folder.folder.join("tensorboard"), links: plan.runs.iter().map(link).collect() }
    }

    /// Makes the folder as it has to be: a link for each run that has written for TensorBoard, and no other link.
    ///
    /// # Errors
    /// A folder that cannot be written, or is a link itself.
    pub fn show(&self, store: &Store) -> Result<()> {
        if is_link(&self.folder) {
            let what = format!("{} is a link: links to runs are made in a real folder only", self.folder.display());
            return Err(Error::environment(what, "remove it, or put the folder itself there"));
        }
        let mut wanted: BTreeMap<&Path, PathBuf> = BTreeMap::new();
        for (planned, path) in &self.links {
            let id = store.locate(planned);
            if store.folder(&id).tb().is_dir() {
                wanted.insert(path, Path::new(UP).join("runs").join(&id.experiment).join(id.name()).join("tb"));
            }
        }
        self.remove_others(&wanted)?;
        for (path, target) in wanted {
            let link = self.folder.join(path);
            if std::fs::read_link(&link).is_ok_and(|found| found == target) || link.symlink_metadata().is_ok_and(|data| !data.is_symlink())
            {
                continue;
            }
            let row = link.parent().expect("a link lies in its row's folder");
            std::fs::create_dir_all(row).map_err(|e| Error::io("create", row, &e))?;
            crate::file::remove(&link)?;
            make(&target, &link).map_err(|e| Error::io("make the link", &link, &e))?;
        }
        Ok(())
    }

    /// Removes links that are not wanted, and folders of rows that are empty then. What is no link stays.
    fn remove_others(&self, wanted: &BTreeMap<&Path, PathBuf>) -> Result<()> {
        let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
        for row in below(&self.folder).into_iter().filter(|path| path.is_dir() && !is_link(path)) {
            let links: BTreeSet<PathBuf> = below(&row).into_iter().filter(|path| is_link(path)).collect();
            for link in links {
                let place = link.strip_prefix(&self.folder).unwrap_or(&link);
                if !wanted.contains_key(place) {
                    crate::file::remove(&link)?;
                }
            }
            // One that is not empty is not removed by this.
            let _ = std::fs::remove_dir(&row);
        }
        Ok(())
    }
}

#[cfg(unix)]
fn make(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(not(unix))]
fn make(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
}

/// A folder's name for each row: its own, as far as file systems take it; where two are the same, the later ones with their number.
fn names(rows: &[&str]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut one = |(place, row): (usize, &&str)| {
        let name = plain(row);
        let name = if taken.contains(&name.to_lowercase()) { format!("{name} ({})", place + 1) } else { name };
        taken.insert(name.to_lowercase());
        name
    };
    rows.iter().enumerate().map(&mut one).collect()
}

/// A name without what parts folders, control characters and a dot in front; never empty.
fn plain(name: &str) -> String {
    let harmless = |c: char| if c.is_control() || r#"/\:*?"<>|"#.contains(c) { '_' } else { c };
    let text: String = crate::names::in_line(name).chars().map(harmless).take(LONGEST).collect();
    let text = text.trim().trim_end_matches('.');
    match text.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None if text.is_empty() => "_".to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::example;
    use super::*;

    /// A store with TensorBoard's folder for the runs at `places` of the plan.
    fn store(results: &Path, plan: &Plan, places: &[usize]) -> Store {
        let store = Store::new(results);
        for &place in places {
            let tb = store.folder(&plan.runs[place].id).tb();
            std::fs::create_dir_all(&tb).unwrap();
            std::fs::write(tb.join("events.out.tfevents.1.harness"), place.to_string()).unwrap();
        }
        store
    }

    fn content(path: &Path) -> String {
        std::fs::read_to_string(path.join("events.out.tfevents.1.harness")).unwrap()
    }

    #[test]
    fn links_lead_to_runs_by_row_category_and_seed_and_hold_when_results_are_moved() {
        let dir = tempfile::tempdir().unwrap();
        let (plan, results) = (example::planned(example::ROWS, &[]), dir.path().join("results"));
        let folder = SweepFolder::new(&results, "try");
        let board = Board::of(&plan, &folder);
        board.show(&store(&results, &plan, &[0])).unwrap();
        assert_eq!(content(&results.join("try/tensorboard/baseline/gear-s3")), "0");
        assert!(!results.join("try/tensorboard/+ sc").exists(), "what has written nothing is not there");
        board.show(&store(&results, &plan, &[0, 1])).unwrap();
        let moved = dir.path().join("elsewhere");
        std::fs::rename(&results, &moved).unwrap();
        assert_eq!(content(&moved.join("try/tensorboard/+ sc/gear-s3")), "1");
    }

    #[test]
    fn links_that_no_plan_wants_go_and_what_is_no_link_stays() {
        let dir = tempfile::tempdir().unwrap();
        let plan = example::planned(example::ROWS, &[]);
        let (board, store) = (Board::of(&plan, &SweepFolder::new(dir.path(), "try")), store(dir.path(), &plan, &[0]));
        let top = dir.path().join("try/tensorboard");
        std::fs::create_dir_all(top.join("old row")).unwrap();
        std::fs::create_dir_all(top.join("mine")).unwrap();
        std::fs::write(top.join("mine/notes.txt"), "").unwrap();
        make(Path::new("/nowhere"), &top.join("old row/gear-s0")).unwrap();
        std::fs::create_dir_all(top.join("baseline")).unwrap();
        make(dir.path(), &top.join("baseline/gear-s3")).unwrap();
        board.show(&store).unwrap();
        assert!(!top.join("old row").exists() && top.join("mine/notes.txt").exists());
        assert_eq!(content(&top.join("baseline/gear-s3")), "0", "a link that led elsewhere");
        std::fs::remove_dir_all(store.runs()).unwrap();
        board.show(&store).unwrap();
        assert!(!top.join("baseline").exists(), "a run that is gone has none");
    }

    #[test]
    fn nothing_is_made_or_removed_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let plan = example::planned(example::ROWS, &[]);
        let (board, store) = (Board::of(&plan, &SweepFolder::new(dir.path(), "try")), store(dir.path(), &plan, &[0]));
        let other = dir.path().join("other");
        std::fs::create_dir_all(other.join("row")).unwrap();
        make(Path::new("x"), &other.join("row/link")).unwrap();
        std::fs::create_dir_all(dir.path().join("try")).unwrap();
        make(&other, &dir.path().join("try/tensorboard")).unwrap();
        assert!(board.show(&store).unwrap_err().what.contains("is a link"));
        assert!(is_link(&other.join("row/link")) && std::fs::read_dir(&other).unwrap().count() == 1);
    }

    #[test]
    fn any_row_has_a_folder_of_its_own() {
        let rows = ["a/b", "a:b", "..", "", "A_B", "x\u{1b}[0m", &"long ".repeat(40)];
        let found = names(&rows);
        assert_eq!(found[..5], ["a_b", "a_b (2)", "_", "_ (4)", "A_B (5)"]);
        assert!(found.iter().all(|name| !name.contains('/') && name.chars().count() <= LONGEST && !name.is_empty() && name != ".."));
    }
}
