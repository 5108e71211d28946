//! Where things lie, whatever folder a command is typed in: the project, and the folders that a relative path may be meant from.

use std::path::{Path, PathBuf};

/// The folder that makes another one a project.
const EXPERIMENTS: &str = "experiments";

/// `name` in the project: as it stands in the present folder if that holds `experiments/`, else in the nearest folder above that does;
/// as it stands where none does.
pub fn in_project(name: &str) -> PathBuf {
    match std::env::current_dir() {
        Ok(here) => in_project_of(&here, name),
        Err(_) => name.into(),
    }
}

fn in_project_of(here: &Path, name: &str) -> PathBuf {
    match here.ancestors().position(|folder| folder.join(EXPERIMENTS).is_dir()) {
        None | Some(0) => name.into(),
        Some(above) => here.ancestors().nth(above).expect("it was just found").join(name),
    }
}

/// The places that a path may stand for, the likeliest first: as it is, in the project, and below each of `bases`.
pub fn candidates(path: &Path, bases: &[PathBuf]) -> Vec<PathBuf> {
    if path.is_absolute() {
        return vec![path.to_owned()];
    }
    let project = path.to_str().map(in_project);
    std::iter::once(path.to_owned()).chain(project).chain(bases.iter().map(|base| base.join(path))).collect()
}

/// The first of [`candidates`] that is there; the path as it is where none is.
pub fn find(path: &Path, bases: &[PathBuf]) -> PathBuf {
    candidates(path, bases).into_iter().find(|place| place.exists()).unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_found_upwards_and_the_present_folder_is_named_as_it_was_typed() {
        let dir = tempfile::tempdir().unwrap();
        let (top, below) = (dir.path(), dir.path().join("docs/systems"));
        std::fs::create_dir_all(&below).unwrap();
        assert_eq!(in_project_of(&below, "results"), Path::new("results"));
        std::fs::create_dir(top.join(EXPERIMENTS)).unwrap();
        assert_eq!(in_project_of(&below, "results"), top.join("results"));
        assert_eq!(in_project_of(top, "results"), Path::new("results"));
    }

    #[test]
    fn a_relative_path_is_looked_for_below_the_bases_and_an_absolute_one_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("parts")).unwrap();
        let bases = [dir.path().join("elsewhere"), dir.path().to_owned()];
        assert_eq!(find(Path::new("parts"), &bases), dir.path().join("parts"));
        assert_eq!(find(Path::new("no such folder"), &bases), Path::new("no such folder"));
        let gone = dir.path().join("gone/parts");
        assert_eq!(find(&gone, &bases), gone);
    }
}
