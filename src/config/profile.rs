//! Profiles: defaults below every file.

use std::fmt;

use serde::Deserialize;

/// A named set of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Small: learns in minutes on two cores.
    Cpu,
    /// The paper's: ResNet-50, 256 px, batch 32, 200 epochs over the set repeated ten times.
    Paper,
}

impl Profile {
    /// Its keys, TOML.
    pub(super) fn text(self) -> &'static str {
        match self {
            Profile::Cpu => include_str!("../../experiments/profiles/cpu.toml"),
            Profile::Paper => include_str!("../../experiments/profiles/paper.toml"),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Profile::Cpu => "cpu",
            Profile::Paper => "paper",
        })
    }
}
