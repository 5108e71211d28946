//! What is asked of a sweep, and the command that asks the same again.

use std::path::{Path, PathBuf};

use super::decide::Failed;
use super::share::{Others, Share};
use crate::config::Profile;
use crate::place::in_project;

/// What is asked of a sweep.
#[derive(Debug, Clone)]
pub struct Request {
    /// The sweep file.
    pub file: PathBuf,
    /// `key=value` for every run.
    pub overrides: Vec<String>,
    pub profile: Option<Profile>,
    /// Of its folder; `name::usual` without it.
    pub name: Option<String>,
    pub results: PathBuf,
    /// Figures go below it, into a folder of the sweep's name.
    pub plots: PathBuf,
    /// Runs at once.
    pub jobs: Option<usize>,
    pub devices: Vec<String>,
    /// Rows by name or number from 1; all without any.
    pub only: Vec<String>,
    /// What is done about runs that failed in an earlier command.
    pub failed: Failed,
    /// How often a run that fails now is tried again at once.
    pub retries: u32,
    /// Stop everything after this many failures.
    pub max_failures: usize,
    /// Where among other workers this one begins, and what it does about what they are at.
    pub share: Share,
    pub others: Others,
}

impl Request {
    /// The command that repeats the whole sweep, whichever rows and failures this one was about.
    pub fn repeating(&self) -> String {
        shell(std::iter::once("harness".to_owned()).chain(self.words()))
    }

    /// What a worker among others is started with.
    pub fn worker(&self) -> Vec<String> {
        let mut words = self.words();
        let rows = self.only.iter().flat_map(|row| ["--only".to_owned(), row.clone()]);
        words.extend(rows);
        words.extend((self.failed == Failed::Retry).then(|| "--retry".to_owned()));
        words.extend(self.jobs.iter().flat_map(|jobs| ["--jobs".to_owned(), jobs.to_string()]));
        words.extend((self.retries > 0).then(|| format!("--retries={}", self.retries)));
        words.extend((self.max_failures < usize::MAX).then(|| format!("--max-failures={}", self.max_failures)));
        words
    }

    /// What makes the tables of the sweep that is called so: `report`, its name.
    pub fn tables(&self, name: &str) -> Vec<String> {
        let folders =
            [("results", &self.results), ("plots", &self.plots)].into_iter().filter(|(usual, folder)| **folder != in_project(usual));
        let folders = folders.flat_map(|(usual, folder)| [format!("--{usual}"), folder.display().to_string()]);
        ["report".to_owned(), name.to_owned()].into_iter().chain(folders).collect()
    }

    fn words(&self) -> Vec<String> {
        let mut parts = vec!["sweep".to_owned(), self.file.display().to_string()];
        let mut option = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                parts.extend([name.to_owned(), value]);
            }
        };
        option("--profile", self.profile.map(|profile| profile.to_string()));
        option("--name", self.name.clone());
        option("--devices", (!self.devices.is_empty()).then(|| self.devices.join(",")));
        for (name, folder) in [("results", &self.results), ("plots", &self.plots)] {
            option(&format!("--{name}"), (folder != Path::new(name)).then(|| folder.display().to_string()));
        }
        parts.extend(self.overrides.iter().cloned());
        parts
    }
}

/// The command that shows what is finished of a sweep.
pub fn reporting(results: &Path, name: &str) -> String {
    let mut parts = ["harness", "report", name, "--partial"].map(String::from).to_vec();
    if results != in_project("results") {
        parts.extend(["--results".to_owned(), results.display().to_string()]);
    }
    shell(parts)
}

/// The command line of this process, as it can be typed again.
pub fn typed() -> String {
    shell(std::iter::once("harness".to_owned()).chain(std::env::args_os().skip(1).map(|part| part.to_string_lossy().into_owned())))
}

/// Arguments as a POSIX shell reads them back.
pub fn shell(arguments: impl IntoIterator<Item = String>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=+./:,@%".contains(c);
    let quoted = |argument: String| match !argument.is_empty() && argument.chars().all(plain) {
        true => argument,
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    };
    arguments.into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
impl Request {
    /// A request for `try.toml` with nothing else asked for.
    pub(super) fn example() -> Self {
        Self {
            file: "try.toml".into(),
            overrides: vec![],
            profile: None,
            name: None,
            results: "results".into(),
            plots: "plots".into(),
            jobs: None,
            devices: vec![],
            only: vec![],
            failed: Failed::Leave,
            retries: 0,
            max_failures: usize::MAX,
            share: Share::WHOLE,
            others: Others::Await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_repeated_whole_by_a_command_that_a_shell_reads_back() {
        let request = Request {
            file: "my file.toml".into(),
            name: Some("x".into()),
            overrides: ["data.root=it's/~", "run.seeds=[0]"].map(String::from).to_vec(),
            only: vec!["1".into()],
            ..Request::example()
        };
        assert_eq!(request.repeating(), r"harness sweep 'my file.toml' --name x 'data.root=it'\''s/~' 'run.seeds=[0]'");
        assert_eq!(shell(["".to_owned()]), "''");
        assert_eq!(reporting(Path::new("/my results"), "x"), "harness report x --partial --results '/my results'");
        assert_eq!(reporting(&in_project("results"), "x"), "harness report x --partial");
        let moved = Request { results: "/there".into(), devices: vec!["cuda:0".into(), "cuda:1".into()], ..Request::example() };
        let there = Request { results: "/there".into(), plots: in_project("plots"), ..Request::example() };
        assert_eq!(shell(there.tables("x")), "report x --results /there");
        assert_eq!(moved.repeating(), "harness sweep try.toml --devices cuda:0,cuda:1 --results /there");
    }
}
