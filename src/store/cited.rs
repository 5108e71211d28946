//! Runs that a sweep's plan names: what its tables and reports are made of.

use crate::file::read_json;
use crate::run::Id;
use crate::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The format of a sweep's plan.json. It stands here because this is the lowest that reads one; `sweep` writes it.
pub const PLAN_FORMAT: u32 = 1;

/// The part of a plan.json that tells which runs it stands on. Plans of other versions have other keys beside it, and their
/// runs must not count as uncited for that.
#[derive(Debug, Deserialize)]
struct Plan {
    runs: Vec<Planned>,
}

#[derive(Debug, Deserialize)]
struct Planned {
    id: String,
}

/// Names of sweeps by the runs that they cite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cited(BTreeMap<(String, u64), Vec<String>>);

impl Cited {
    /// Reads `<results>/<sweep>/plan.json` of each sweep.
    ///
    /// # Errors
    /// A plan that cannot be read, so that its runs are not taken for uncited.
    pub fn read(results: &Path) -> Result<Self> {
        let entries = match std::fs::read_dir(results) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            entries => entries.map_err(|e| Error::io("read", results, &e))?,
        };
        let mut cited = Self::default();
        for entry in entries {
            let entry = entry.map_err(|e| Error::io("read", results, &e))?;
            let path = entry.path().join("plan.json");
            if !entry.path().is_dir() {
                continue;
            }
            let Some(plan) = read_json::<Plan>(&path, PLAN_FORMAT)? else { continue };
            let sweep = entry.file_name().to_string_lossy().into_owned();
            for planned in plan.runs {
                let id = Id::parse(&planned.id).ok_or_else(|| {
                    Error::environment(
                        format!("{} names a run {:?}, which is not a valid id", path.display(), planned.id),
                        "the file was changed or damaged",
                    )
                })?;
                cited.add(&id, &sweep);
            }
        }
        Ok(cited)
    }

    /// Notes that `sweep` cites a run.
    pub fn add(&mut self, id: &Id, sweep: &str) {
        let sweeps = self.0.entry((id.hash10.clone(), id.seed)).or_default();
        if !sweeps.iter().any(|s| s == sweep) {
            sweeps.push(sweep.into());
            sweeps.sort();
        }
    }

    /// The sweeps that cite a run. A run may lie under another experiment than the plan names: its hash and seed decide.
    pub fn by(&self, id: &Id) -> &[String] {
        self.0.get(&(id.hash10.clone(), id.seed)).map_or(&[], Vec::as_slice)
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
        for text in ["{", r#"{"format":2,"runs":[]}"#, r#"{"format":1}"#, r#"{"format":1,"runs":[{"id":"x"}]}"#] {
            put("c", text);
            assert!(Cited::read(dir.path()).unwrap_err().what.contains("plan.json"), "{text}");
        }
    }
}
