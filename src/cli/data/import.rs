//! `harness data import KIND ROOT --out LIST.csv`: a list of a data set in a layout of its own.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::Result;
use crate::data::import::{Kind, Names, write};
use crate::data::list::Split;
use crate::names::counted;
use crate::showln;

/// Write a list (data.list) of the images below ROOT, as their layout says what they are; nothing is copied.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The layout
    #[arg(value_enum)]
    pub kind: Kind,
    /// The folder that holds it
    pub root: PathBuf,
    /// The list to write
    #[arg(long, value_name = "LIST.csv")]
    pub out: PathBuf,
    /// folder: training images, in CATEGORY/NAME/GOOD
    #[arg(long, value_name = "NAME", default_value = "train")]
    pub train: String,
    /// folder: test images, in CATEGORY/NAME/DEFECT
    #[arg(long, value_name = "NAME", default_value = "test")]
    pub test: String,
    /// folder: masks, in CATEGORY/NAME/DEFECT
    #[arg(long, value_name = "NAME", default_value = "ground_truth")]
    pub truth: String,
    /// folder: images without a defect
    #[arg(long, value_name = "NAME", default_value = "good")]
    pub good: String,
}

pub fn run(args: &Args) -> Result<()> {
    let [train, test, truth, good] = [&args.train, &args.test, &args.truth, &args.good].map(String::clone);
    let entries = args.kind.entries(&args.root, &Names { train, test, truth, good, ..Names::default() })?;
    write(&args.out, &entries)?;
    let of = |split: Split| entries.iter().filter(|entry| entry.split == split).count();
    let categories: BTreeSet<&str> = entries.iter().map(|entry| entry.category.as_str()).collect();
    let masked = entries.iter().filter(|entry| !entry.masks.is_empty()).count();
    showln!(
        "{}: categories {}; {} to train on, {} for validation, {} to test, {masked} with masks",
        args.out.display(),
        categories.into_iter().collect::<Vec<_>>().join(", "),
        counted(of(Split::Train), "image", "images"),
        of(Split::Validation),
        of(Split::Test)
    );
    showln!("next: harness data check {} --list {}", args.root.display(), args.out.display());
    Ok(())
}
