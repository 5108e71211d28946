//! `harness predict`: what may be typed. `harness-torch` carries it out.

use std::path::PathBuf;

use super::calibrate::Promise;
use super::complete;
use crate::place::in_project;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Images, or folders of images
    #[arg(value_name = "IMAGE-OR-FOLDER", required = true)]
    pub inputs: Vec<PathBuf>,
    /// The run: its id, a unique prefix of its hash, or `latest`
    #[arg(long, value_name = "ID", required_unless_present = "model", add = complete::runs())]
    pub run: Option<String>,
    /// A file of `harness bundle`, in place of a run of the store
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    pub model: Option<PathBuf>,
    /// Where scores.csv, overlays, maps and masks go
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
    #[command(flatten)]
    pub promise: Promise,
    /// Maps to write of each image, at its own size: npy (float32), png16 (0 at the low end of the colours, 65535 at the high one)
    #[arg(long, value_enum, default_value = "none")]
    pub maps: Maps,
    /// Write masks of what lies above the pixel threshold
    #[arg(long)]
    pub masks: bool,
    /// Write no overlays
    #[arg(long)]
    pub no_overlay: bool,
    /// Colours of overlays: run (one scale for all, from the calibration; the default of a calibrated run), own (each image's own)
    #[arg(long, value_enum)]
    pub scale: Option<Scale>,
    /// A line of JSON for each image on standard output
    #[arg(long)]
    pub json: bool,
    /// Wait for further images in the folder, until Ctrl-C; what scores.csv has already is not scored again
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Maps {
    None,
    Npy,
    Png16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scale {
    Run,
    Own,
}
