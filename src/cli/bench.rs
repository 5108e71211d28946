//! `harness bench`: what may be typed. `harness-torch` measures.

use crate::Result;
use crate::cli::run::resolve;
use crate::config::{Profile, Resolved};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// An experiment file (TOML) and any number of key=value overrides; the first category is used
    #[arg(value_name = "FILE | KEY=VALUE")]
    pub arguments: Vec<String>,
    /// Defaults below the file: cpu (small) or paper; by default what the file names, or else cpu
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// auto, cpu, cuda or cuda:N; the same as run.device=…
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Measure only these, in this order; by default all
    #[arg(value_enum, long, value_name = "PART", value_delimiter = ',')]
    pub only: Vec<Part>,
    /// How long to measure each part, after warming up
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub seconds: f64,
    /// The figures as JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// A training step: forward, losses, backward, update
    Step,
    /// From files to network input: decode, resize, pseudo anomaly, normalise
    Data,
    /// One image from its file to its score, as `harness predict` does it
    Inference,
}

impl Part {
    pub const ALL: [Part; 3] = [Part::Step, Part::Data, Part::Inference];
}

impl Args {
    /// The configuration that was asked for.
    ///
    /// # Errors
    /// As [`crate::config::Request::resolve`].
    pub fn resolve(&self) -> Result<Resolved> {
        resolve(&self.arguments, self.profile, self.device.as_deref())
    }

    /// The parts to measure.
    pub fn parts(&self) -> &[Part] {
        if self.only.is_empty() { &Part::ALL } else { &self.only }
    }
}
