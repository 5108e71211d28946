//! All runs below a results folder: where each lies, which there are, and how people name them.

use crate::file::wait::Share;
use crate::names::counted;
use crate::run::{Folder, Id, Record, Status};
use crate::{Error, Result, file};
use std::path::{Path, PathBuf};

/// The runs below `<results>/runs`.
#[derive(Debug, Clone)]
pub struct Store {
    results: PathBuf,
}

/// One run of a store.
#[derive(Debug, Clone)]
pub struct Entry {
    pub id: Id,
    pub folder: Folder,
    pub status: Status,
    /// run.json; none where it is missing or cannot be read.
    pub record: Option<Record>,
}

impl Store {
    /// Nothing is read or created yet.
    pub fn new(results: &Path) -> Self {
        Self { results: results.into() }
    }

    /// The store of a results folder that is there, for verbs that read.
    ///
    /// # Errors
    /// `Kind::Config` naming a folder that is not there.
    pub fn existing(results: &Path) -> Result<Self> {
        if results.is_dir() {
            return Ok(Self::new(results));
        }
        Err(Error::config(
            format!("there is no results folder {}", results.display()),
            "name the one that holds `runs` with --results; `harness run experiments/full.toml` starts a first run",
        ))
    }

    pub fn results(&self) -> &Path {
        &self.results
    }

    /// `<results>/runs`.
    pub fn runs(&self) -> PathBuf {
        self.results.join("runs")
    }

    /// The folder of a run, there or not.
    pub fn folder(&self, id: &Id) -> Folder {
        Folder::of(&self.runs(), id)
    }

    /// Where the run lies: under its own experiment, or under another one that ran the same (equal hash and seed); its own
    /// name if it is nowhere.
    pub fn locate(&self, id: &Id) -> Id {
        if self.folder(id).run_json().exists() {
            return id.clone();
        }
        let others = names(&self.runs()).unwrap_or_default();
        let same = others.into_iter().filter_map(|experiment| Id::new(&experiment, &id.hash10, id.seed).ok());
        same.into_iter().find(|other| self.folder(other).path().is_dir()).unwrap_or_else(|| id.clone())
    }

    /// [`Store::locate`], and the folder exists from now on: of any number of processes that want the same run under
    /// different experiments, all get the same folder.
    ///
    /// # Errors
    /// A results folder that cannot be written.
    pub fn claim(&self, id: &Id) -> Result<Id> {
        let path = self.runs().join(".claim");
        let io = |e: &std::io::Error| Error::io("write results to", &path, e);
        std::fs::create_dir_all(self.runs()).map_err(|e| io(&e))?;
        let file = file::open_own(&path, std::fs::OpenOptions::new().create(true).append(true)).map_err(|e| io(&e))?;
        file::wait::lock(&file, &path, Share::Alone)?;
        let found = self.locate(id);
        let folder = self.folder(&found);
        std::fs::create_dir_all(folder.path()).map_err(|e| Error::io("create", folder.path(), &e))?;
        Ok(found)
    }

    /// Creates the results folder and tries to write into it, so that a long computation does not fail at its first save.
    pub fn ensure_writable(&self) -> Result<()> {
        file::probe(&self.runs()).map_err(|error| {
            let what = format!("cannot write results to {}: {error}", self.results.display());
            Error::environment(what, "choose another folder with `--results`")
        })
    }

    /// All runs: the last started first, then those whose start is unknown; by id where that is equal.
    /// Other folders are passed over, as are those that vanish meanwhile.
    pub fn list(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for experiment in names(&self.runs())? {
            for name in names(&self.runs().join(&experiment)).unwrap_or_default() {
                let Some(id) = Id::parse(&format!("{experiment}/{name}")) else { continue };
                entries.push(self.entry(id));
            }
        }
        entries.sort_by(|a, b| b.started().cmp(&a.started()).then_with(|| a.id.cmp(&b.id)));
        Ok(entries)
    }

    /// The one run that `name` means: a full id, a unique beginning of an id or of its `<hash10>-s<seed>`, the path of
    /// its folder, or `latest` for the one that was started last.
    ///
    /// # Errors
    /// `Kind::Config`: a results folder that is not there, and a name that means no run or several.
    pub fn find(&self, name: &str) -> Result<Entry> {
        Self::existing(&self.results)?;
        let as_path = Path::new(name).canonicalize().ok();
        let entries = self.list()?;
        let count = entries.len();
        if name == "latest" {
            return entries.into_iter().find(|e| e.record.is_some()).ok_or_else(|| self.nothing(name, count));
        }
        // An exact name comes first: `…-s1` is also the beginning of `…-s10`.
        let exact = |e: &Entry| {
            e.id.to_string() == name || e.id.name() == name || as_path.is_some() && e.folder.path().canonicalize().ok() == as_path
        };
        let begins = |e: &Entry| !name.is_empty() && (e.id.to_string().starts_with(name) || e.id.name().starts_with(name));
        let (mut found, rest): (Vec<_>, Vec<_>) = entries.into_iter().partition(exact);
        if found.is_empty() {
            found = rest.into_iter().filter(begins).collect();
        }
        match found.len() {
            0 => Err(self.nothing(name, count)),
            1 => Ok(found.remove(0)),
            many => {
                let mut lines: Vec<String> = found.iter().take(10).map(|e| format!("  {}  {}", e.id, e.status.name())).collect();
                if many > lines.len() {
                    lines.push(format!("  and {} more", many - lines.len()));
                }
                Err(Error::config(format!("{name:?} is the beginning of {many} runs:\n{}", lines.join("\n")), "type more of the id"))
            }
        }
    }

    /// The run of that id as it stands now, there or not.
    pub fn entry(&self, id: Id) -> Entry {
        let folder = self.folder(&id);
        let record = folder.record().ok().flatten();
        Entry { status: folder.status_beside(record.as_ref()), id, folder, record }
    }

    fn nothing(&self, name: &str, count: usize) -> Error {
        let what = if name == "latest" { "there are no runs yet".to_owned() } else { format!("no run is named {name:?}") };
        let remedy = format!("{} holds {}; `--results` chooses another folder", self.runs().display(), counted(count, "run", "runs"));
        Error::config(what, remedy)
    }
}

impl Entry {
    /// Start of the last attempt, as text that sorts as time.
    pub fn started(&self) -> Option<&str> {
        self.record.as_ref().map(|r| r.started.as_str())
    }
}

/// Names of what lies in a folder, sorted; none if it is missing.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| Error::io("read", folder, &e))?,
    };
    let mut names: Vec<String> = entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Outcome, record, summary};

    fn put(store: &Store, id: &str, started: &str, status: Outcome) -> Folder {
        let id = Id::parse(id).unwrap();
        let folder = store.folder(&id);
        std::fs::create_dir_all(folder.path()).unwrap();
        let record = Record {
            folder: None,
            format: record::FORMAT,
            id: id.to_string(),
            category: "bottle".into(),
            schema: crate::run::SCHEMA_VERSION,
            status,
            attempts: 1,
            started: started.into(),
            git: None,
            argv: vec![],
            notes: vec![],
            tags: vec![],
            sweep: None,
            note: None,
            error: None,
        };
        file::write_json(&folder.run_json(), &record).unwrap();
        folder
    }

    fn example() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path());
        put(&store, "base/aaaa000000-s1", "2025-01-03T00:00:00.000Z", Outcome::Failed);
        put(&store, "base/aaaa000000-s10", "2025-01-01T00:00:00.000Z", Outcome::Running);
        let done = put(&store, "ablation/abbb000000-s0", "2025-01-02T00:00:00.000Z", Outcome::Running);
        let id = Id::parse("ablation/abbb000000-s0").unwrap();
        file::write_json(&done.summary_json(), &summary::example(&id)).unwrap();
        std::fs::create_dir_all(store.runs().join("base/notes")).unwrap();
        std::fs::create_dir_all(store.runs().join("base/cccc000000-s0")).unwrap();
        (dir, store)
    }

    #[test]
    fn runs_are_listed_with_their_status_the_newest_first() {
        let (_dir, store) = example();
        let listed: Vec<_> = store.list().unwrap().iter().map(|e| (e.id.to_string(), e.status)).collect();
        let expected = [
            ("base/aaaa000000-s1", Status::Failed),
            ("ablation/abbb000000-s0", Status::Finished),
            ("base/aaaa000000-s10", Status::Stopped),
            ("base/cccc000000-s0", Status::Fresh),
        ];
        assert_eq!(listed, expected.map(|(id, status)| (id.to_owned(), status)));
        assert!(Store::new(Path::new("/nonexistent")).list().unwrap().is_empty());
    }

    #[test]
    fn a_run_is_found_by_any_unique_beginning() {
        let (_dir, store) = example();
        let path = store.runs().join("ablation/abbb000000-s0");
        for (name, id) in [
            ("latest", "base/aaaa000000-s1"),
            ("ab", "ablation/abbb000000-s0"),
            ("ablation/", "ablation/abbb000000-s0"),
            (path.to_str().unwrap(), "ablation/abbb000000-s0"),
            ("aaaa000000-s1", "base/aaaa000000-s1"),
            ("base/aaaa000000-s1", "base/aaaa000000-s1"),
            ("aaaa000000-s10", "base/aaaa000000-s10"),
        ] {
            assert_eq!(store.find(name).unwrap().id.to_string(), id, "{name}");
        }
    }

    #[test]
    fn a_name_that_means_many_runs_or_none_is_answered_with_what_there_is() {
        let (dir, store) = example();
        let error = store.find("aaaa").unwrap_err();
        assert!(error.what.contains("2 runs") && error.what.contains("base/aaaa000000-s10  stopped"), "{error}");
        assert!(store.find("zzz").unwrap_err().remedy.contains("holds 4 runs"));
        assert!(store.find("").is_err());
        let empty = dir.path().join("empty");
        let error = Store::new(&empty).find("latest").unwrap_err();
        assert!(error.exit_code() == 2 && error.what.contains("no results folder") && error.what.contains("empty"), "{error}");
        std::fs::create_dir(&empty).unwrap();
        assert!(Store::new(&empty).find("latest").unwrap_err().what.contains("no runs yet"));
    }

    #[test]
    fn the_same_run_is_found_under_any_experiment_and_claimed_once() {
        let (_dir, store) = example();
        let id = |text: &str| Id::parse(text).unwrap();
        assert_eq!(store.locate(&id("full/abbb000000-s0")), id("ablation/abbb000000-s0"));
        assert_eq!(store.locate(&id("full/abbb000000-s1")), id("full/abbb000000-s1"));
        assert_eq!(store.claim(&id("full/0000000000-s1")).unwrap(), id("full/0000000000-s1"));
        assert_eq!(store.claim(&id("other/0000000000-s1")).unwrap(), id("full/0000000000-s1"));
    }

    #[test]
    fn a_run_that_two_experiments_claim_at_once_gets_one_folder() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path());
        for seed in 0..200 {
            let start = std::sync::Barrier::new(2);
            let claim = |experiment: &str| {
                let id = Id::new(experiment, "0123456789", seed).unwrap();
                start.wait();
                store.claim(&id).unwrap()
            };
            let (one, other) = std::thread::scope(|scope| {
                let other = scope.spawn(|| claim("wide"));
                (claim("full"), other.join().unwrap())
            });
            assert_eq!(one, other, "seed {seed}");
        }
        assert_eq!(store.list().unwrap().len(), 200);
    }

    #[test]
    fn results_that_cannot_be_written_are_named_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        Store::new(dir.path()).ensure_writable().unwrap();
        // A file where a folder should be fails for every user, root included.
        let blocked = dir.path().join("file");
        std::fs::write(&blocked, "").unwrap();
        let error = Store::new(&blocked).ensure_writable().unwrap_err();
        assert!(error.what.contains(blocked.to_str().unwrap()) && error.remedy.contains("--results"), "{error}");
    }
}
