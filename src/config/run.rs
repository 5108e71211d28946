//! `[run]`: what is run, and where.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// One run a seed and category.
    pub seeds: Vec<u64>,
    /// libtorch's intra-op threads; part of the result on a CPU.
    pub threads: usize,
    /// `"auto"`, `"cpu"`, `"cuda"` or `"cuda:N"`.
    pub device: String,
}

impl Run {
    /// The relations between its keys.
    ///
    /// # Errors
    /// `Kind::Config` naming the key and the remedy.
    pub(super) fn check(&self) -> Result<()> {
        check_device("run.device", &self.device)?;
        check_seeds("run.seeds", &self.seeds)
    }
}

/// Refuses what does not name a device; `place` names it in the error.
///
/// # Errors
/// `Kind::Config`.
pub fn check_device(place: &str, device: &str) -> Result<()> {
    if matches!(device, "auto" | "cpu" | "cuda") || device.strip_prefix("cuda:").is_some_and(|n| n.parse::<usize>().is_ok()) {
        return Ok(());
    }
    Err(Error::config(format!("{place}: `{device}` is not a valid device"), "use auto, cpu, cuda or cuda:N"))
}

/// The greatest seed: JSON and TOML carry it exactly in every program.
const GREATEST_SEED: u64 = (1 << 53) - 1;

/// Refuses an empty list, a seed that is listed twice (it would count as two samples where there is one) and one that is too great;
/// `place` names them in the error.
///
/// # Errors
/// `Kind::Config`.
pub fn check_seeds(place: &str, seeds: &[u64]) -> Result<()> {
    if let Some((_, seed)) = seeds.iter().enumerate().find(|(i, seed)| seeds[..*i].contains(seed)) {
        return Err(Error::config(format!("{place}: {seed} is listed twice"), "list each seed once"));
    }
    match seeds.iter().max() {
        None => Err(Error::config(format!("{place} is an empty list"), "list at least one seed, as in [0]")),
        Some(seed) if *seed > GREATEST_SEED => {
            Err(Error::config(format!("{place}: {seed} is too great"), format!("use seeds up to {GREATEST_SEED}")))
        }
        Some(_) => Ok(()),
    }
}
