//! The name of a sweep, which is that of its folder below the results.

use std::path::Path;

use super::file::File;
use super::resolve::{Resolved, stem};
use crate::config::Profile;
use crate::run::check_name;
use crate::{Error, Result, data};

/// Names of folders below the results that do not belong to a sweep.
const TAKEN: [&str; 2] = ["runs", "bench"];

/// The file's stem; with the profile and the data's folder where they are not what the file has by itself.
///
/// # Errors
/// A path without a stem.
pub fn usual(path: &Path, file: &File, resolved: &Resolved) -> Result<String> {
    let mut name = stem(path)?;
    if resolved.profile != file.profile.unwrap_or(Profile::Cpu) {
        name = format!("{name}-{}", resolved.profile);
    }
    let root = resolved.rows.iter().find_map(|row| Some(row.config.as_ref()?.data.root.clone())).unwrap_or_default();
    if root != data::root::BUILTIN
        && let Some(folder) = Path::new(&root).file_name().and_then(|f| f.to_str())
    {
        let plain: String =
            folder.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }).collect();
        name = format!("{name}-{plain}");
    }
    Ok(name)
}

/// Refuses what cannot be a folder of its own.
///
/// # Errors
/// `Kind::Config`, whose remedy names `--name`.
pub fn check(name: &str) -> Result<()> {
    if TAKEN.contains(&name) {
        return Err(Error::config(format!("a sweep cannot be named {name:?}: other results lie there"), "choose another name with --name"));
    }
    check_name("a sweep", name).map_err(|e| Error::config(e.what, format!("{} (--name)", e.remedy)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_cannot_be_a_folder_of_its_own_is_refused() {
        for name in ["", ".", "..", "../../zz", "a/b", ".hidden", "runs", "bench", "a b"] {
            let error = check(name).unwrap_err();
            assert!(error.exit_code() == 2 && error.remedy.contains("--name"), "{error}");
        }
        check("ablation-paper_2.x").unwrap();
    }

    #[test]
    fn the_usual_name_says_what_is_not_the_files_own() {
        let text = "title = \"t\"\n[grid]\npseudo.ratio = [0, 1]";
        let file = File::parse(text, "try.toml").unwrap();
        let named = |overrides: &[&str]| {
            let resolved = super::super::example::resolved(text, overrides).unwrap();
            usual(Path::new("a/try.toml"), &file, &resolved).unwrap()
        };
        assert_eq!(named(&[]), "try");
        assert_eq!(named(&["data.root=/data/my set"]), "try-my-set");
    }
}
