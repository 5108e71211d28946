//! `harness data check ROOT`: what a folder holds and what in it would spoil a result.

use std::path::PathBuf;

use crate::config::Config;
use crate::data::Dataset;
use crate::data::check::check;
use crate::data::report::Grade;
use crate::{Error, Result, console};

/// Count images, masks and regions, and find what would spoil a result (exit code 3 if anything does).
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder in MVTec AD's layout: ROOT/CATEGORY/{train/good, test/…, ground_truth/…}; or a plain folder of images.
    pub root: PathBuf,
    /// A list of the images below ROOT (data.list).
    #[arg(long, value_name = "LIST.csv")]
    pub list: Option<PathBuf>,
    /// Keys of the section data by which it is read, such as --set data.mask_rule=half.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The same as --set data.mask_rule=RULE: nonzero, or half of full scale and more.
    #[arg(long, value_name = "RULE")]
    pub mask_rule: Option<String>,
    /// Print JSON, with every file that a finding is about.
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let rule = args.mask_rule.iter().map(|rule| format!("data.mask_rule={rule}"));
    let overrides: Vec<String> = args.set.iter().cloned().chain(rule).collect();
    if let Some(other) = overrides.iter().find(|key| !key.trim_start().starts_with("data.")) {
        return Err(Error::config(format!("--set {other}: only keys of [data] apply here"), "see `harness config explain data`"));
    }
    let mut data = Config::default().with(&overrides)?.data;
    data.list = args.list.as_ref().map_or(data.list, |list| list.display().to_string());
    let report = check(&Dataset::at(&args.root, &data)?)?;
    match args.json {
        true => console::raw(&(report.json() + "\n")),
        false => console::out(&report.text()),
    }
    let spoils = report.count(Grade::Spoils);
    if spoils == 0 {
        return Ok(());
    }
    let findings = if spoils == 1 { "finding" } else { "findings" };
    Err(Error::environment(
        format!("{}: {spoils} {findings} would spoil a result", args.root.display()),
        "fix what is marked SPOILS above; --json lists every file",
    ))
}
