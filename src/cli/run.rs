//! `harness run`: what may be typed. `harness-torch` carries it out.

use std::path::{Path, PathBuf};

use super::complete;
use super::purpose;
use crate::Result;
use crate::config::{Profile, Request, Resolved};
use crate::place::in_project;
use crate::run::Repeat;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// An experiment file (TOML) and any number of key=value overrides
    #[arg(value_name = "FILE | KEY=VALUE", add = complete::words())]
    pub arguments: Vec<String>,
    /// Defaults below the file: cpu (small) or paper; by default what the file names, or else cpu
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    pub results: PathBuf,
    /// auto, cpu, cuda or cuda:N; the same as run.device=…
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Start over even if the same run is finished: its folder is emptied first
    #[arg(long)]
    pub force: bool,
    /// Only say what would be done, how long it may take and how much disk it needs
    #[arg(long)]
    pub dry_run: bool,
    /// Label of the runs, for lists; can be repeated
    #[arg(long, value_name = "TEXT")]
    pub tag: Vec<String>,
    /// Remark kept with the runs
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Progress as JSON lines on stderr, the result as JSON on stdout
    #[arg(long)]
    pub json: bool,
    /// Refuse to run anything but this run: a sweep's way of noticing that data or weights have changed
    #[arg(long, value_name = "ID", hide = true)]
    pub id: Option<String>,
    /// Stop, with a checkpoint, as soon as standard input ends: a sweep's runs do not outlive it
    #[arg(long, hide = true)]
    pub leash: bool,
    /// The sweep that starts it
    #[arg(long, value_name = "NAME", hide = true)]
    pub sweep: Option<String>,
}

impl Args {
    /// Words as they would be typed, and nothing else.
    pub fn of_words(words: Vec<String>, results: &Path) -> Self {
        Self {
            arguments: words,
            results: results.to_owned(),
            profile: None,
            device: None,
            force: false,
            dry_run: false,
            tag: vec![],
            note: None,
            json: false,
            id: None,
            leash: false,
            sweep: None,
        }
    }

    /// What is to be done with a run that is there already.
    pub fn repeat(&self) -> Repeat {
        if self.force { Repeat::Force } else { Repeat::Reuse }
    }

    /// The configuration that was asked for.
    ///
    /// # Errors
    /// As [`Request::resolve`].
    pub fn resolve(&self) -> Result<Resolved> {
        resolve(&self.arguments, self.profile, self.device.as_deref())
    }
}

/// The configuration that an experiment file, overrides, `--profile` and `--device` ask for.
///
/// # Errors
/// As [`Request::resolve`].
pub fn resolve(arguments: &[String], profile: Option<Profile>, device: Option<&str>) -> Result<Resolved> {
    let mut request = split(arguments, profile);
    request.overrides.extend(device.map(|d| format!("run.device={d}")));
    request.file.iter().try_for_each(|file| purpose::check_experiment(file))?;
    request.resolve()
}

/// Tells the experiment file from the overrides: it is the first argument, unless that is an override.
pub fn split(arguments: &[String], profile: Option<Profile>) -> Request {
    let is_file = |argument: &String| argument.ends_with(".toml") || !argument.contains('=');
    let (file, overrides) = match arguments.split_first() {
        Some((first, rest)) if is_file(first) => (Some(PathBuf::from(first)), rest),
        _ => (None, arguments),
    };
    Request { profile, file, overrides: overrides.to_vec(), ..Request::default() }
}

/// Refuses what cannot work, before libtorch is loaded.
pub fn check(args: &Args) -> Result<()> {
    args.resolve().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_argument_is_the_file_unless_it_is_an_override() {
        let request = |arguments: &[&str]| split(&arguments.iter().map(|a| a.to_string()).collect::<Vec<_>>(), None);
        assert_eq!(request(&["a.toml", "b=1"]).file, Some("a.toml".into()));
        assert_eq!(request(&["run.seeds=[1]"]).file, None);
        assert_eq!(request(&["missing"]).file, Some("missing".into()));
        assert_eq!(request(&["a.toml", "b=1", "c=2"]).overrides, ["b=1", "c=2"]);
    }
}
