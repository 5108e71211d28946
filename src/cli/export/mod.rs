//! `harness export`: runs as other programs read them.

mod mlflow;
mod onnx;

use crate::Result;
use crate::ui::Verbosity;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Format {
    /// An ONNX model from the bytes of an image to its map and score, and beside it a check against the run's own
    Onnx(onnx::Args),
    /// Runs and sweeps on an MLflow server: parameters that differ, numbers by step, tables, figures; what it has already is not sent again
    Mlflow(mlflow::Args),
}

pub fn run(args: &Args, verbosity: Verbosity) -> Result<()> {
    match &args.format {
        Format::Onnx(args) => onnx::run(args),
        Format::Mlflow(args) => mlflow::run(args, verbosity),
    }
}
