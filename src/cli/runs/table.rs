//! `harness runs table`: experiments side by side, each configuration by itself.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::flatten;
use crate::config::reference::{self, Identity};
use crate::report;
use crate::report::spell::spelled;
use crate::run::{Id, Status, Summary};
use crate::store::Store;
use crate::{Error, Result, console, num, show};

/// A configuration's keys, as they would be typed.
type Settings = BTreeMap<String, String>;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Names of experiments, in the order of the rows; by default all
    experiments: Vec<String>,
    /// As JSON: for each row its runs and the mean of each metric over them
    #[arg(long)]
    json: bool,
}

/// Prints the mean of the finished runs of each configuration of the experiments, in the order given; of all without any.
pub fn run(store: &Store, args: &Args) -> Result<()> {
    let experiments = &args.experiments;
    let mut found = BTreeMap::<String, BTreeMap<Settings, Vec<Summary>>>::new();
    for entry in store.list()?.iter().filter(|e| e.status == Status::Finished) {
        let wanted = experiments.is_empty() || experiments.contains(&entry.id.experiment);
        if let Some(summary) = crate::run::summary_compared(&entry.folder)?.filter(|_| wanted) {
            let runs = found.entry(entry.id.experiment.clone()).or_default().entry(settings(&entry.folder.config_toml())?).or_default();
            runs.push(summary);
        }
    }
    let names = if experiments.is_empty() { found.keys().cloned().collect() } else { experiments.to_vec() };
    let mut rows = vec![];
    for name in names {
        let Some(configurations) = found.remove(&name) else {
            return Err(Error::environment(
                format!("no finished run of `{name}` in {}", store.runs().display()),
                "`harness runs list` shows the runs that exist",
            ));
        };
        rows.extend(named(&name, configurations));
    }
    match args.json {
        true => console::json(&rows.iter().map(object).collect::<Vec<_>>()),
        false => show!("{}", report::runs::comparison(&rows)),
    }
    Ok(())
}

/// A row: its runs, and of each metric the mean over categories of the means over seeds, with the number of runs that have it.
fn object((name, runs): &(String, Vec<Summary>)) -> serde_json::Value {
    let names: BTreeSet<&String> = runs.iter().flat_map(|run| run.metrics.keys()).collect();
    let mean = |name: &str| {
        let mut by_category = BTreeMap::<&str, Vec<f64>>::new();
        for (run, value) in runs.iter().filter_map(|run| Some((run, run.metrics.get(name).copied().flatten()?))) {
            by_category.entry(&run.category).or_default().push(value);
        }
        let means: Vec<f64> = by_category.values().filter_map(|values| num::mean(values)).collect();
        serde_json::json!({ "mean": num::mean(&means), "n": by_category.values().map(Vec::len).sum::<usize>() })
    };
    let metrics: BTreeMap<&String, serde_json::Value> = names.into_iter().map(|name| (name, mean(name))).collect();
    serde_json::json!({ "name": name, "runs": runs.iter().map(|run| &run.id).collect::<Vec<_>>(), "metrics": metrics })
}

/// config.toml as it stands: a run of another version has other keys.
fn settings(path: &std::path::Path) -> Result<Settings> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
    crate::config::check_depth(&text, &path.display().to_string())?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| {
        Error::environment(format!("{}: {}", path.display(), e.message()), "the file was changed or damaged: repeat the run")
    })?;
    let json = |value: toml::Value| serde_json::to_value(value).expect("TOML without dates is JSON");
    // What runs of one configuration do not share, or what cannot change a result, tells no configurations apart.
    let free = |key: &str| reference::key(key).is_some_and(|k| matches!(k.identity, Identity::Each | Identity::Nothing));
    let all = flatten(&table).into_iter().filter(|(key, _)| !free(key));
    Ok(all.map(|(key, value)| (key, spelled(&json(value)))).collect())
}

/// The rows of one experiment, named by the settings in which they differ. Runs of one configuration that have other hashes
/// in the same category come from other data or versions of the method, and are never averaged.
fn named(experiment: &str, configurations: BTreeMap<Settings, Vec<Summary>>) -> Vec<(String, Vec<Summary>)> {
    let keys: BTreeSet<&String> = configurations.keys().flat_map(Settings::keys).collect();
    let varied = |key: &&String| configurations.keys().map(|s| s.get(*key)).collect::<BTreeSet<_>>().len() > 1;
    let varied: Vec<String> = keys.into_iter().filter(varied).cloned().collect();
    let mut rows = vec![];
    for (settings, runs) in configurations {
        let differing: Vec<String> = varied.iter().filter_map(|key| Some(format!("{key}={}", settings.get(key)?))).collect();
        let name =
            [experiment.to_owned(), differing.join(", ")].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ");
        let mut by_hash = BTreeMap::<String, Vec<Summary>>::new();
        let hash = |run: &Summary| Id::parse(&run.id).map_or_else(|| run.id.clone(), |id| id.hash10);
        let hashes = |category: &str| runs.iter().filter(|run| run.category == category).map(hash).collect::<BTreeSet<_>>().len();
        let mixed = runs.iter().any(|run| hashes(&run.category) > 1);
        for run in &runs {
            let hash = if mixed { format!(" · {}", hash(run)) } else { String::new() };
            by_hash.entry(hash).or_default().push(run.clone());
        }
        rows.extend(by_hash.into_iter().map(|(hash, mut runs)| {
            runs.sort_by(|a, b| (a.seed, &a.category).cmp(&(b.seed, &b.category)));
            (format!("{name}{hash}"), runs)
        }));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(hash: &str, category: &str) -> Summary {
        crate::testing::summary(&Id::new("full", hash, 0).unwrap(), category)
    }

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn shown(configurations: &[(Pairs, Vec<Summary>)]) -> Vec<(String, usize)> {
        let settings = |pairs: Pairs| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let all = configurations.iter().map(|(pairs, runs)| (settings(pairs), runs.clone())).collect();
        named("full", all).into_iter().map(|(name, runs)| (name, runs.len())).collect()
    }

    #[test]
    fn configurations_are_rows_of_their_own_named_by_what_differs() {
        let two = || vec![run("0000000001", "gear"), run("0000000002", "fabric")];
        assert_eq!(shown(&[(&[("optim.lr", "0.1")], two())]), [("full".to_owned(), 2)]);
        let [one, other] = ["0.1", "0.2"].map(|lr| [("optim.lr", lr), ("train.epochs", "3")]);
        let expected = [("full · optim.lr=0.1".to_owned(), 2), ("full · optim.lr=0.2".to_owned(), 2)];
        assert_eq!(shown(&[(&one, two()), (&other, two())]), expected);
    }

    #[test]
    fn runs_of_one_configuration_under_two_hashes_are_not_averaged() {
        let runs = vec![run("0000000001", "gear"), run("0000000002", "gear")];
        assert_eq!(shown(&[(&[], runs)]), [("full · 0000000001".to_owned(), 1), ("full · 0000000002".to_owned(), 1)]);
    }
}
