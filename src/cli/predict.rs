//! `harness predict`: what may be typed. `harness-torch` carries it out.

use std::path::PathBuf;

use crate::place::in_project;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Images, or folders of images
    #[arg(value_name = "IMAGE-OR-FOLDER", required = true)]
    pub inputs: Vec<PathBuf>,
    /// The run: its id, a unique prefix of its hash, or `latest`
    #[arg(long, value_name = "ID", required_unless_present = "model")]
    pub run: Option<String>,
    /// A file of `harness bundle`, in place of a run of the store
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    pub model: Option<PathBuf>,
    /// Where maps (.npy), overlays (.png) and scores.csv go
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    pub results: PathBuf,
    /// The backbone's file, or a folder that holds it, where it does not lie in weights/; its content is compared
    #[arg(long, value_name = "FILE-OR-DIR")]
    pub weights: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// Write no overlays
    #[arg(long)]
    pub no_overlay: bool,
}
