//! `harness rank`: images by score as a contact sheet. `harness-torch` scores.

use std::path::PathBuf;

use super::complete;
use crate::place::in_project;

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Images or folders of images; without any, the run's own training images, each scored by a fit without it
    #[arg(value_name = "IMAGE-OR-FOLDER")]
    pub inputs: Vec<PathBuf>,
    /// The run: its id, a unique prefix of its hash, or `latest`
    #[arg(long, value_name = "ID", add = complete::runs())]
    pub run: String,
    /// The sheet (.png); the whole order goes beside it (.csv)
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How many of the oddest are shown
    #[arg(long, value_name = "N", default_value_t = 36, value_parser = clap::value_parser!(u16).range(1..))]
    pub most: u16,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    pub results: PathBuf,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
}
