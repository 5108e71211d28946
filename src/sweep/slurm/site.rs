//! What a cluster says of itself, and giving it jobs.

use std::io::Write;
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::{Error, Result};

/// The greatest number of an array's last job where the cluster does not say: Slurm's own default is 1001.
const MAX_ARRAY: usize = 1001;

/// A cluster, as `scontrol show config` describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
    pub version: String,
    /// The numbers of an array's jobs stay below it.
    pub max_array: usize,
    /// How long a job that is to end has from SIGTERM to SIGKILL, as Slurm writes it.
    pub kill_wait: String,
    pub preemption: String,
}

impl Site {
    /// The cluster that this machine belongs to; none where Slurm's programs are not there, or do not answer.
    pub fn here() -> Option<Self> {
        let output = Command::new("scontrol").args(["show", "config"]).stdin(Stdio::null()).output().ok()?;
        output.status.success().then(|| Self::parse(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Whether this machine is set up for Slurm, whether or not a controller answers.
    pub fn is_meant() -> bool {
        std::env::var_os("SLURM_CONF").is_some() || Command::new("sinfo").arg("--version").output().is_ok()
    }

    fn parse(config: &str) -> Self {
        let of = |key: &str| {
            let lines = config.lines().filter_map(|line| line.split_once('='));
            lines.into_iter().find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned())
        };
        Self {
            version: of("SLURM_VERSION").unwrap_or_else(|| "of an unknown version".into()),
            max_array: of("MaxArraySize").and_then(|size| size.parse().ok()).unwrap_or(MAX_ARRAY),
            kill_wait: of("KillWait").unwrap_or_else(|| "?".into()),
            preemption: of("PreemptMode").unwrap_or_else(|| "?".into()),
        }
    }

    /// For people.
    pub fn words(&self) -> String {
        let Self { version, max_array, kill_wait, preemption } = self;
        format!("{version}: arrays up to {}, KillWait {kill_wait}, PreemptMode {preemption}", max_array.saturating_sub(1))
    }
}

/// Gives a script to `sbatch`; the id of its job.
///
/// # Errors
/// `Kind::Environment`: no `sbatch` here; what it says where it refuses.
pub fn sbatch(script: &str, options: &[String]) -> Result<String> {
    let elsewhere = "--slurm needs a machine from which jobs are submitted; --slurm-script prints the script instead";
    let mut command = Command::new("sbatch");
    command.arg("--parsable").args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| Error::environment(format!("cannot start sbatch: {e}"), elsewhere))?;
    // One that refuses its options may end before it reads.
    let _ = child.stdin.take().expect("it is piped").write_all(script.as_bytes());
    let output = child.wait_with_output().map_err(|e| Error::environment(format!("cannot hear sbatch: {e}"), elsewhere))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        let why = [said(&output.stderr), said(&output.stdout)].into_iter().find(|text| !text.is_empty());
        let why = why.unwrap_or_else(|| output.status.to_string());
        return Err(Error::environment(format!("sbatch refused the job: {why}"), "change the options after --slurm"));
    }
    // `ID`, or `ID;CLUSTER` where there are several.
    Ok(said(&output.stdout).lines().last().unwrap_or_default().split(';').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_read_from_what_it_says() {
        let config = "Configuration data as of 2026-01-01\nKillWait                = 30 sec\nMaxArraySize            = 1001\n\
                      PreemptMode             = REQUEUE\nSLURM_VERSION           = 22.05.8\n";
        let site = Site::parse(config);
        assert_eq!((site.version.as_str(), site.max_array, site.kill_wait.as_str()), ("22.05.8", 1001, "30 sec"));
        assert_eq!(site.words(), "22.05.8: arrays up to 1000, KillWait 30 sec, PreemptMode REQUEUE");
        assert_eq!(Site::parse("").max_array, MAX_ARRAY);
    }
}
