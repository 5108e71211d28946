//! `harness data check ROOT`: what a folder holds and what in it would spoil a result.

use std::path::PathBuf;

use crate::config::MaskRule;
use crate::data::check::check;
use crate::data::report::Grade;
use crate::{Error, Result, console};

/// Count images, masks and regions, and find what would spoil a result (exit code 3 if anything does).
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder in MVTec AD's layout: ROOT/CATEGORY/{train/good, test/…, ground_truth/…}.
    pub root: PathBuf,
    /// Which values of a mask are anomalous (data.mask_rule): nonzero, or half of full scale and more.
    #[arg(long, value_name = "RULE", default_value = "nonzero", value_parser = mask_rule)]
    pub mask_rule: MaskRule,
    /// Print JSON, with every file that a finding is about.
    #[arg(long)]
    pub json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let report = check(&args.root, args.mask_rule)?;
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

fn mask_rule(word: &str) -> std::result::Result<MaskRule, String> {
    let known = [MaskRule::Nonzero, MaskRule::Half];
    known.into_iter().find(|rule| rule.name() == word).ok_or_else(|| "use nonzero or half".into())
}
