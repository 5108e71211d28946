//! What a run will cost, measured on a few of its steps: `harness-torch run … --dry-run` for one run of a row.

use std::process::Stdio;

use serde::Deserialize;
use serde_json::Value;

use super::plan::{Plan, PlannedRun};
use crate::{Error, Result, launcher};

/// What a run will cost.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Cost {
    /// Seconds of fitting; none where there are too few steps to measure.
    #[serde(rename = "fit_s")]
    pub seconds: Option<f64>,
    /// Bytes that stay on disk.
    #[serde(rename = "kept_bytes")]
    pub bytes: u64,
}

/// Measures a run of a plan on `device`. Nothing is written.
///
/// # Errors
/// `harness-torch` cannot be started, or says why it cannot measure.
pub fn measure(plan: &Plan, run: &PlannedRun, device: &str) -> Result<Cost> {
    let mut command = launcher::command();
    command.args(words(plan, run)).args(["--device", device]).stdin(Stdio::null());
    let output = command.output().map_err(|e| launcher::spawn_error(&e))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(Error::environment(reason(&said), "`harness sweep FILE` would end with this error too"));
    }
    let costs: Vec<Cost> = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let one = costs.first().copied();
    one.ok_or_else(|| Error::environment("harness-torch gave no estimate", "build both programs of one version: `just build`"))
}

/// The arguments: every key of the row, and which run of it.
fn words(plan: &Plan, run: &PlannedRun) -> Vec<String> {
    let keys = plan.rows[run.row].config.iter().filter(|(key, _)| !["data.categories", "run.seeds"].contains(&key.as_str()));
    let mut words = vec!["run".to_owned()];
    // JSON's texts, numbers and lists are TOML's.
    words.extend(keys.map(|(key, value)| format!("{key}={value}")));
    words.extend([format!("data.categories={}", Value::from(vec![run.category.clone()])), format!("run.seeds=[{}]", run.seed)]);
    words.extend(["--dry-run", "--force", "--json"].map(String::from));
    words
}

/// The error among JSON lines; what was said, where there is none.
fn reason(said: &str) -> String {
    let line = |line: &str| {
        let value: Value = serde_json::from_str(line).ok()?;
        (value["type"] == "error").then(|| value["text"].as_str().map(str::to_owned))?
    };
    said.lines().find_map(line).unwrap_or_else(|| said.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::config::{Profile, Request};

    #[test]
    fn the_arguments_of_a_measurement_give_the_rows_own_configuration() {
        let plan = example::planned(example::ROWS, &[]);
        let planned = &plan.runs[1];
        let words = words(&plan, planned);
        let keys: Vec<String> = words[1..].iter().filter(|word| !word.starts_with("--")).cloned().collect();
        let resolved = Request { overrides: keys, profile: Some(Profile::Paper), ..Request::default() }.resolve().unwrap().config;
        let asked = example::resolved(example::ROWS, &[]).unwrap().rows[planned.row].config.clone().unwrap();
        let given = |config: &crate::config::Config| {
            let keys = config.keys().into_iter().filter(|(key, _)| !["data.categories", "run.seeds"].contains(key));
            keys.collect::<Vec<_>>()
        };
        assert_eq!(given(&resolved), given(&asked));
        assert_eq!(resolved.run.seeds, [planned.seed]);
    }

    #[test]
    fn the_reason_of_a_failure_is_its_error_line() {
        let said = "{\"type\":\"message\",\"text\":\"a\"}\n{\"type\":\"error\",\"text\":\"no weights\\n  help: just weights\"}\n";
        assert_eq!(reason(said), "no weights\n  help: just weights");
        assert_eq!(reason("killed\n"), "killed");
    }
}
