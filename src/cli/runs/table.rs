//! `harness runs table`: experiments side by side.

use crate::report;
use crate::run::{Entry, Status, Store, Summary};
use crate::{Error, Result};

/// Prints the mean of the finished runs of each experiment, in the order given; of all without any.
pub fn run(store: &Store, experiments: &[String]) -> Result<()> {
    let finished = |e: &&Entry| e.status == Status::Finished;
    let entries = store.list()?;
    let mut names = experiments.to_vec();
    if names.is_empty() {
        names = entries.iter().filter(finished).map(|e| e.id.experiment.clone()).collect();
        names.sort();
        names.dedup();
    }
    let mut rows = vec![];
    for name in names {
        let mut runs: Vec<Summary> = vec![];
        for entry in entries.iter().filter(finished).filter(|e| e.id.experiment == name) {
            runs.extend(entry.folder.summary()?);
        }
        if runs.is_empty() {
            return Err(Error::environment(
                format!("no finished run of `{name}` in {}", store.runs().display()),
                "`harness runs list` shows what is there",
            ));
        }
        runs.sort_by(|a, b| (a.seed, &a.category).cmp(&(b.seed, &b.category)));
        rows.push((name, runs));
    }
    print!("{}", report::runs::comparison(&rows));
    Ok(())
}
