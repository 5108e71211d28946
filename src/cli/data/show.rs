//! `harness data show ROOT`: a contact sheet with the defects outlined.

use std::path::PathBuf;

use crate::Result;
use crate::config::Categories;
use crate::data::layout::{listing, open};
use crate::data::{select, show};
use crate::image::codec;
use crate::showln;

/// Draw some images of every folder, with the masks outlined, into one PNG.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder in MVTec AD's layout: ROOT/CATEGORY/{train/good, test/…, ground_truth/…}.
    pub root: PathBuf,
    /// Only this category; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub category: Vec<String>,
    /// The picture to write.
    #[arg(long, value_name = "FILE.png", default_value = "plots/data.png")]
    pub out: PathBuf,
}

pub fn run(args: &Args) -> Result<()> {
    let wanted = match args.category.as_slice() {
        [] => Categories::One("all".into()),
        names => Categories::Many(names.to_vec()),
    };
    let names = select(&open(&args.root)?, &wanted)?;
    let listings = names.into_iter().map(|name| listing(&args.root.join(&name)).map(|l| (name, l))).collect::<Result<Vec<_>>>()?;
    let sheet = show::sheet(&listings);
    codec::write_png(&args.out, &sheet)?;
    showln!("{}: {}x{} px, {} categories", args.out.display(), sheet.width, sheet.height, listings.len());
    Ok(())
}
