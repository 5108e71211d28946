//! Experiment or sweep: what a TOML file is for, so that the wrong verb names the right one.

use std::path::Path;

use toml::Table;

use crate::config::reference;
use crate::{Error, Result};

/// Keys at the top of a sweep file that no experiment has.
const OF_SWEEPS: [&str; 17] = [
    "title",
    "base",
    "seeds",
    "categories",
    "set",
    "metrics",
    "against",
    "published",
    "labels",
    "ablate",
    "quote",
    "grid",
    "zip",
    "list",
    "random",
    "builtin",
    "paper",
];

/// What a file is for, as far as its keys tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Experiment,
    Sweep,
}

/// Refuses a sweep file where an experiment is asked for.
///
/// # Errors
/// `Kind::Config` naming the verb that is meant.
pub fn check_experiment(path: &Path) -> Result<()> {
    if of_file(path) != Some(Purpose::Sweep) {
        return Ok(());
    }
    let path = path.display();
    let what = format!("{path} is a sweep file: rows or axes of many runs");
    Err(Error::config(what, format!("`harness sweep {path}` carries it out; one run needs an experiment file, such as its `base`")))
}

/// Refuses an experiment where a sweep file is asked for.
///
/// # Errors
/// `Kind::Config` naming the verb that is meant.
pub fn check_sweep(path: &Path) -> Result<()> {
    if of_file(path) != Some(Purpose::Experiment) {
        return Ok(());
    }
    let file = path.display();
    let what = format!("{file} is an experiment: one configuration, and nothing is varied");
    let name = path.file_name().map_or_else(|| file.to_string(), |name| name.to_string_lossy().into_owned());
    Err(Error::config(what, format!("`harness run {file}` runs it; a sweep file names it as base = \"{name}\" and adds rows or axes")))
}

/// None of what cannot be read, is no TOML, or could be either: the verb itself says what is wrong there.
fn of_file(path: &Path) -> Option<Purpose> {
    of_text(&std::fs::read_to_string(path).ok()?)
}

fn of_text(text: &str) -> Option<Purpose> {
    crate::config::check_depth(text, "").ok()?;
    let table: Table = toml::from_str(text).ok()?;
    let keys: Vec<&String> = table.keys().filter(|key| *key != "profile").collect();
    let of_runs = |key: &&&String| reference::keys().iter().any(|known| known.path.split('.').next() == Some(key.as_str()));
    let of_sweeps = |key: &&&String| OF_SWEEPS.contains(&key.as_str());
    match (keys.iter().filter(of_runs).count(), keys.iter().filter(of_sweeps).count()) {
        (0, sweeps) if sweeps > 0 => Some(Purpose::Sweep),
        (runs, 0) if runs > 0 => Some(Purpose::Experiment),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_keys_and_what_could_be_either_is_neither() {
        for (text, purpose) in [
            ("title = \"t\"\n[grid]\noptim.lr = [1, 2]\n", Some(Purpose::Sweep)),
            ("seeds = [1]\nprofile = \"cpu\"\n", Some(Purpose::Sweep)),
            ("optim.lr = 0.1\n[data]\nsize = 64\n", Some(Purpose::Experiment)),
            ("detector = \"padim\"\n", Some(Purpose::Experiment)),
            ("title = \"t\"\noptim.lr = 1\n", None),
            ("profile = \"cpu\"\n", None),
            ("gamma = 3\n", None),
            ("[grid\n", None),
            ("", None),
        ] {
            assert_eq!(of_text(text), purpose, "{text}");
        }
    }

    #[test]
    fn every_shipped_file_is_what_its_folder_says() {
        let of = |folder: &str| {
            let files = std::fs::read_dir(crate::testing::root().join(folder)).unwrap().map(|e| e.unwrap().path());
            files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect::<Vec<_>>()
        };
        let purposes: Vec<_> = of("experiments").iter().map(|path| of_file(path)).collect();
        assert!(purposes.contains(&Some(Purpose::Sweep)) && purposes.contains(&Some(Purpose::Experiment)));
        for path in of("experiments/detectors") {
            assert_ne!(of_file(&path), Some(Purpose::Sweep), "{}", path.display());
        }
    }

    #[test]
    fn the_keys_of_a_sweep_are_those_that_it_reads() {
        let said = crate::sweep::file::File::parse("title = \"t\"\nzzz = 1\n", "x.toml").unwrap_err().what;
        let expected = said.split_once("expected one of ").expect("serde lists what it knows").1;
        let known: Vec<&str> = expected.split(", ").map(|key| key.trim_matches('`')).filter(|key| *key != "profile").collect();
        let (mut ours, mut theirs) = (OF_SWEEPS.to_vec(), known);
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn no_key_of_a_sweep_is_a_key_of_a_run() {
        for key in OF_SWEEPS {
            assert!(reference::keys().iter().all(|known| known.path.split('.').next() != Some(key)), "{key}");
        }
    }
}
