//! Runs that a sweep's plan names: what its tables and reports are made of.

use crate::file::{is_link, read_json};
use crate::run::Id;
use crate::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The format of a sweep's plan.json. It stands here because this is the lowest that reads one; `sweep` writes it.
pub const PLAN_FORMAT: u32 = 1;

/// The part of a plan.json that tells which runs it stands on. Plans of other versions have other keys beside it, and their
/// runs must not count as uncited for that.
#[derive(Debug, Deserialize)]
struct Plan {
    runs: Vec<Planned>,
    #[serde(default)]
    rows: Value,
}

#[derive(Debug, Deserialize)]
struct Planned {
    id: String,
    #[serde(default)]
    row: Value,
}

impl Plan {
    /// The name of the row that a run is planned for, where the plan says it as today's do.
    fn row(&self, planned: &Planned) -> Option<String> {
        let row = self.rows.get(usize::try_from(planned.row.as_u64()?).ok()?)?;
        row.get("name")?.as_str().map(str::to_owned)
    }

    /// Configuration keys that have several values among the rows; quoted rows have none.
    fn varied(&self) -> BTreeSet<String> {
        let rows = self.rows.as_array().into_iter().flatten().filter_map(|row| row.get("config")?.as_object());
        let mut rows = rows.filter(|config| !config.is_empty());
        let Some(first) = rows.next() else { return BTreeSet::new() };
        rows.flat_map(|row| row.iter().filter(|(key, value)| first.get(*key) != Some(*value))).map(|(key, _)| key.clone()).collect()
    }
}

/// Configuration keys in which the rows of a sweep differ, for what is only shown: none where its plan cannot be read.
pub fn varied(results: &Path, sweep: &str) -> BTreeSet<String> {
    let plan = read_json::<Plan>(&results.join(sweep).join("plan.json"), PLAN_FORMAT).ok().flatten();
    plan.map(|plan| plan.varied()).unwrap_or_default()
}

/// A run's place in a sweep.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub sweep: String,
    pub row: String,
}

/// How deep below the results folder sweeps are looked for.
const DEPTH: usize = 3;

/// What lies beside the plan of a sweep.
const WITNESSES: [&str; 5] = ["ledger.jsonl", "table.json", "table.csv", "findings.md", "report.html"];

fn unseen(path: &Path, why: &str) -> Error {
    Error::environment(
        format!("{} {why}, so that nobody can tell which runs that sweep uses", path.display()),
        "mount or put back what is missing, or remove what is left of the sweep",
    )
}

/// Names of sweeps by the runs that they cite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cited {
    runs: BTreeMap<(String, u64), Vec<String>>,
    rows: BTreeMap<(String, u64), BTreeSet<Place>>,
    sweeps: BTreeSet<String>,
}

impl Cited {
    /// Reads the plan.json of each sweep in a results folder, also of those that were moved into folders there.
    ///
    /// # Errors
    /// A plan that cannot be read or cannot be seen (a link that leads nowhere, a report without its plan), so that its runs are not
    /// taken for uncited.
    pub fn read(results: &Path) -> Result<Self> {
        let mut cited = Self::default();
        if results.exists() {
            cited.read_below(results, DEPTH)?;
        }
        Ok(cited)
    }

    fn read_below(&mut self, folder: &Path, depth: usize) -> Result<()> {
        for entry in std::fs::read_dir(folder).map_err(|e| Error::io("read", folder, &e))? {
            let path = entry.map_err(|e| Error::io("read", folder, &e))?.path();
            if depth == DEPTH && path.ends_with("runs") {
                continue;
            }
            if is_link(&path) && !path.exists() {
                return Err(unseen(&path, "is a link that leads nowhere"));
            }
            if path.is_dir() && !self.read_sweep(&path)? && !is_link(&path) && depth > 0 {
                self.read_below(&path, depth - 1)?;
            }
        }
        Ok(())
    }

    /// Reads a sweep's plan; false where the folder is none of a sweep.
    fn read_sweep(&mut self, folder: &Path) -> Result<bool> {
        let path = folder.join("plan.json");
        let Some(plan) = read_json::<Plan>(&path, PLAN_FORMAT)? else {
            if is_link(&path) {
                return Err(unseen(&path, "is a link that leads nowhere"));
            }
            return match WITNESSES.iter().map(|name| folder.join(name)).find(|path| path.exists()) {
                Some(witness) => Err(unseen(&path, &format!("is gone, and {} is there", witness.display()))),
                None => Ok(false),
            };
        };
        let sweep = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for planned in &plan.runs {
            let id = Id::parse(&planned.id).ok_or_else(|| {
                Error::environment(
                    format!("{} names a run {:?}, which is not a valid id", path.display(), planned.id),
                    "the file was changed or damaged: repeat the sweep's command, which writes it again",
                )
            })?;
            self.add(&id, &sweep);
            if let Some(row) = plan.row(planned) {
                self.rows.entry((id.hash10, id.seed)).or_default().insert(Place { sweep: sweep.clone(), row });
            }
        }
        self.sweeps.insert(sweep);
        Ok(true)
    }

    /// Whether a sweep of this name has a plan here.
    pub fn knows(&self, sweep: &str) -> bool {
        self.sweeps.contains(sweep)
    }

    /// Notes that `sweep` cites a run.
    pub fn add(&mut self, id: &Id, sweep: &str) {
        let sweeps = self.runs.entry((id.hash10.clone(), id.seed)).or_default();
        if !sweeps.iter().any(|s| s == sweep) {
            sweeps.push(sweep.into());
            sweeps.sort();
        }
    }

    /// The sweeps that cite a run. A run may lie under another experiment than the plan names: its hash and seed decide.
    pub fn by(&self, id: &Id) -> &[String] {
        self.runs.get(&(id.hash10.clone(), id.seed)).map_or(&[], Vec::as_slice)
    }

    /// All rows that a run is planned for.
    pub fn all_rows(&self) -> impl Iterator<Item = &Place> {
        self.rows.values().flatten()
    }

    /// The rows of sweeps that a run fills a cell of, by sweep and name.
    pub fn rows(&self, id: &Id) -> Vec<Place> {
        self.rows.get(&(id.hash10.clone(), id.seed)).into_iter().flatten().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_cite_runs_by_hash_and_seed_and_a_plan_that_cannot_be_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let put = |sweep: &str, text: &str| {
            std::fs::create_dir_all(dir.path().join(sweep)).unwrap();
            std::fs::write(dir.path().join(sweep).join("plan.json"), text).unwrap();
        };
        assert_eq!(Cited::read(&dir.path().join("none")).unwrap(), Cited::default());
        std::fs::create_dir_all(dir.path().join("runs")).unwrap();
        put("b", r#"{"format":1,"runs":[{"id":"full/0123456789-s0","row":1},{"id":"full/0123456789-s0"}]}"#);
        put("a", r#"{"format":1,"name":"a","runs":[{"id":"full/0123456789-s0"},{"id":"full/0123456789-s1"}]}"#);
        let cited = Cited::read(dir.path()).unwrap();
        assert_eq!(cited.by(&Id::parse("other/0123456789-s0").unwrap()), ["a", "b"]);
        assert_eq!(cited.by(&Id::parse("full/0123456789-s1").unwrap()), ["a"]);
        assert!(cited.by(&Id::parse("full/0123456789-s2").unwrap()).is_empty());
        assert!(cited.rows(&Id::parse("full/0123456789-s0").unwrap()).is_empty(), "rows that are not named");
        put(
            "d",
            r#"{"format":1,"rows":[{"name":"base"},{"name":"wide"}],"runs":[{"id":"x/0123456789-s7","row":1},{"id":"x/0123456789-s7","row":0}]}"#,
        );
        let row = |name: &str, config: &str| format!(r#"{{"name":"{name}","config":{config}}}"#);
        let rows = [row("a", r#"{"k":1,"l":[1],"m":true}"#), row("quoted", "{}"), row("b", r#"{"k":1,"l":[2],"m":false}"#)].join(",");
        put("e", &format!(r#"{{"format":1,"rows":[{rows}],"runs":[]}}"#));
        assert_eq!(varied(dir.path(), "e"), ["l", "m"].map(str::to_owned).into());
        assert!(varied(dir.path(), "d").is_empty() && varied(dir.path(), "nowhere").is_empty());
        let rows = Cited::read(dir.path()).unwrap().rows(&Id::parse("full/0123456789-s7").unwrap());
        assert_eq!(rows.iter().map(|place| (place.sweep.as_str(), place.row.as_str())).collect::<Vec<_>>(), [("d", "base"), ("d", "wide")]);
        std::fs::create_dir_all(dir.path().join("archive/2026")).unwrap();
        std::fs::rename(dir.path().join("a"), dir.path().join("archive/2026/a")).unwrap();
        let cited = Cited::read(dir.path()).unwrap();
        assert_eq!(cited.by(&Id::parse("full/0123456789-s1").unwrap()), ["a"], "a sweep that was moved");
        assert!(cited.knows("a") && cited.knows("b") && !cited.knows("archive"));
        for text in ["{", r#"{"format":2,"runs":[]}"#, r#"{"format":1}"#, r#"{"format":1,"runs":[{"id":"x"}]}"#] {
            put("c", text);
            assert!(Cited::read(dir.path()).unwrap_err().what.contains("plan.json"), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_plan_that_cannot_be_seen_is_an_error_and_no_plan() {
        let link = |from: &Path, to: &Path| std::os::unix::fs::symlink(from, to).unwrap();
        let refusal = |prepare: &dyn Fn(&Path)| {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(dir.path().join("sweep")).unwrap();
            assert_eq!(Cited::read(dir.path()).unwrap(), Cited::default());
            prepare(dir.path());
            Cited::read(dir.path()).unwrap_err().what
        };
        assert!(refusal(&|at| link(Path::new("/not/mounted"), &at.join("other"))).contains("other is a link that leads nowhere"));
        assert!(refusal(&|at| link(Path::new("/not/there"), &at.join("sweep/plan.json"))).contains("plan.json is a link"));
        for witness in WITNESSES {
            let why = refusal(&|at| std::fs::write(at.join("sweep").join(witness), "").unwrap());
            assert!(why.contains("plan.json is gone") && why.contains(witness), "{why}");
        }
    }
}
