//! `harness weights distil`: what may be typed. `harness-torch` carries it out.

use std::path::PathBuf;

use crate::config::{Compact, Teaching, US_FIELDS};
use crate::{Error, Result};

/// What is distilled from a pretrained network.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Distil {
    /// A teacher of uninformed students: a small network that describes patches as the backbone does
    Us(Us),
}

#[derive(Debug, Clone, clap::Args)]
pub struct Us {
    /// Folders of photographs, or single ones; of a category in MVTec's layout only `train` is read
    #[arg(long, value_name = "DIR", num_args = 1.., required = true)]
    pub images: Vec<PathBuf>,
    /// What rows call the set of images; by default the folders' names
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// The pretrained residual network
    #[arg(long, value_name = "FILE", default_value = "weights/resnet50.safetensors")]
    pub backbone: PathBuf,
    /// Side of the patches: 17, 33 or 65 px
    #[arg(long, value_name = "PX")]
    pub p: usize,
    /// Factor of the published widths, as us.width
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub width: f64,
    /// Numbers of a description, as us.descriptor
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub descriptor: usize,
    /// Updates in all
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub steps: u64,
    /// Patches a step
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub batch: usize,
    /// Learning rate of Adam at the first step; half a cosine brings it to 0
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    pub lr: f64,
    /// Which correlations of descriptions are punished
    #[arg(long, value_enum, default_value_t = Compact::Samples)]
    pub compact: Compact,
    /// Of first values and patches
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// The teacher's file, as us.teacher names it
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub device: String,
    /// Threads inside one operator; the last bits of a result depend on it
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub threads: usize,
}

impl Us {
    /// Where a lesson is kept while it lasts: beside its end, named by all on which it depends.
    pub fn part(&self, teaching: &Teaching, device_kind: &str) -> PathBuf {
        let text = format!("{teaching:?} {device_kind} {}", self.threads);
        self.out.with_extension(format!("{}.part", &blake3::hash(text.as_bytes()).to_hex()[..10]))
    }

    /// Checks what no single argument can tell.
    ///
    /// # Errors
    /// `Kind::Config` naming the argument and the remedy.
    pub fn check(&self) -> Result<()> {
        let refuse = |fits: bool, what: String, remedy: &str| if fits { Ok(()) } else { Err(Error::config(what, remedy)) };
        refuse(
            US_FIELDS.iter().any(|(side, _)| *side == self.p),
            format!("--p {}: there is no network for patches of this side", self.p),
            "use 17, 33 or 65",
        )?;
        let width = (0.01..=8.0).contains(&self.width);
        refuse(width, format!("--width {}: not a factor", self.width), "use a number from 0.01 to 8")?;
        refuse(self.lr > 0.0 && self.lr <= 1.0, format!("--lr {}: not a learning rate", self.lr), "use a number above 0, up to 1")?;
        refuse(self.batch >= 2, format!("--batch {}: correlations need two patches", self.batch), "use 2 or more")?;
        refuse((1..=4096).contains(&self.descriptor), format!("--descriptor {}", self.descriptor), "use 1 to 4096")?;
        refuse((1..=1024).contains(&self.threads), format!("--threads {}", self.threads), "use 1 to 1024")
    }
}
