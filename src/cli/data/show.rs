//! `harness data show ROOT`: a contact sheet with the defects outlined.

use std::path::PathBuf;

use crate::Result;
use crate::config::{Categories, Config};
use crate::data::{Dataset, show};
use crate::image::codec;
use crate::place::in_project;
use crate::showln;

/// Draw some images of every folder, with the masks outlined, into one PNG.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Folder in MVTec AD's layout: ROOT/CATEGORY/{train/good, test/…, ground_truth/…}; or a plain folder of images.
    pub root: PathBuf,
    /// A list of the images below ROOT (data.list).
    #[arg(long, value_name = "LIST.csv")]
    pub list: Option<PathBuf>,
    /// Only this category; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub category: Vec<String>,
    /// The picture to write.
    #[arg(long, value_name = "FILE.png", default_value_os_t = in_project("plots/data.png"))]
    pub out: PathBuf,
}

pub fn run(args: &Args) -> Result<()> {
    let wanted = match args.category.as_slice() {
        [] => Categories::One("all".into()),
        names => Categories::Many(names.to_vec()),
    };
    let mut data = Config::default().data;
    data.list = args.list.as_ref().map_or(data.list, |list| list.display().to_string());
    let dataset = Dataset::at(&args.root, &data)?;
    let categories = dataset.select(&wanted)?.iter().map(|name| dataset.look(name)).collect::<Result<Vec<_>>>()?;
    let sheet = show::sheet(&categories);
    codec::write_png(&args.out, &sheet)?;
    showln!("{}: {}x{} px, {} categories", args.out.display(), sheet.width, sheet.height, categories.len());
    Ok(())
}
