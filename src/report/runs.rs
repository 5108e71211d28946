//! Finished runs as a table for the terminal.

use std::collections::{BTreeMap, BTreeSet};

use super::lineage;
use super::spell::{NOTHING, heading, percent_or_dash};
use crate::num;
use crate::run::Summary;
use crate::ui::text::{self, Align, Rule};

/// The columns of a table of runs, without their split: both AUROC, and AUPRO up to each limit and in each form that a run has.
fn metrics<'a>(runs: impl Iterator<Item = &'a Summary>) -> Vec<String> {
    let mut metrics = ["image_auroc", "pixel_auroc"].map(String::from).to_vec();
    for key in runs.flat_map(|run| run.metrics.keys()) {
        let aupro = key.split_once('/').map(|(_, name)| name).filter(|name| name.starts_with("aupro"));
        if let Some(name) = aupro.filter(|name| metrics.iter().all(|known| known != name)) {
            metrics.push(name.to_owned());
        }
    }
    metrics
}

/// What the runs' detectors give beside the headline: maps and own image scores that are not every run's headline.
fn other_outputs(runs: &[Summary]) -> BTreeSet<String> {
    let named = runs.iter().flat_map(|run| run.metrics.keys()).filter_map(|key| match key.split('/').collect::<Vec<_>>().as_slice() {
        [_, name, _] => Some((*name).to_owned()),
        _ => None,
    });
    named.filter(|name| runs.iter().any(|run| run.headline != *name)).collect()
}

/// One line a run and, for several, their mean; in percent. Below it the protocol and the backbone.
pub fn table(runs: &[Summary]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let metrics = metrics(runs.iter());
    let headings: Vec<String> = metrics.iter().map(|m| heading(m)).collect();
    let others = other_outputs(runs);
    let of_others: Vec<String> = others.iter().flat_map(|name| headings.iter().map(move |heading| format!("{name}: {heading}"))).collect();
    let columns: Vec<(&str, Align)> = [("category", Align::Left), ("seed", Align::Right), ("map", Align::Left)]
        .into_iter()
        .chain(headings.iter().chain(&of_others).map(|heading| (heading.as_str(), Align::Right)))
        .collect();
    let mut rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let mut row = vec![run.category.clone(), run.seed.to_string(), run.headline.clone()];
            row.extend(metrics.iter().map(|m| percent_or_dash(run.metric("", m))));
            row.extend(others.iter().flat_map(|name| metrics.iter().map(move |m| percent_or_dash(run.metric(&format!("{name}/"), m)))));
            row
        })
        .collect();
    if runs.len() > 1 {
        let mut mean = vec![format!("mean of {}", runs.len()), String::new(), String::new()];
        let outputs = std::iter::once(String::new()).chain(others.iter().map(|name| format!("{name}/")));
        for output in outputs {
            mean.extend(metrics.iter().map(|m| percent_or_dash(mean_over_categories(runs, &output, m))));
        }
        rows.push(mean);
    }
    text::table(&columns, &rows, Rule::Unicode) + "\n" + &footnotes(runs)
}

/// One line a configuration: mean over categories, n, and the last epoch's loss and gradient norm, so that an underfitted
/// row shows. `configurations` are (name, runs) in the order to print.
pub fn comparison(configurations: &[(String, Vec<Summary>)]) -> String {
    let metrics = metrics(configurations.iter().flat_map(|(_, runs)| runs));
    let headings: Vec<String> = metrics.iter().map(|m| heading(m)).collect();
    let columns: Vec<(&str, Align)> = [("configuration", Align::Left), ("n", Align::Right), ("map", Align::Left)]
        .into_iter()
        .chain(headings.iter().map(|heading| (heading.as_str(), Align::Right)))
        .chain([("last loss", Align::Right), ("gradient norm", Align::Right)])
        .collect();
    let rows: Vec<Vec<String>> = configurations
        .iter()
        .map(|(name, runs)| {
            let map = runs.first().map_or_else(|| NOTHING.into(), |r| r.headline.clone());
            let mut row = vec![name.clone(), runs.len().to_string(), map];
            row.extend(metrics.iter().map(|m| percent_or_dash(mean_over_categories(runs, "", m))));
            let mean = |values: Vec<f64>| num::mean(&values).map_or_else(|| NOTHING.into(), text::number);
            row.push(mean(runs.iter().filter_map(|r| r.losses.get("total").copied()).collect()));
            row.push(mean(runs.iter().filter_map(|r| r.grad_norm).collect()));
            row
        })
        .collect();
    let all: Vec<Summary> = configurations.iter().flat_map(|(_, runs)| runs.iter().cloned()).collect();
    text::table(&columns, &rows, Rule::Unicode) + "\n" + &footnotes(&all)
}

/// Mean over seeds within each category, then over categories, each counting the same; `None` if any run lacks the metric.
pub fn mean_over_categories(runs: &[Summary], map: &str, name: &str) -> Option<f64> {
    let mut by_category = BTreeMap::<&str, Vec<f64>>::new();
    for run in runs {
        by_category.entry(&run.category).or_default().push(run.metric(map, name)?);
    }
    let means = by_category.values().map(|values| num::mean(values)).collect::<Option<Vec<_>>>()?;
    num::mean(&means)
}

fn footnotes(runs: &[Summary]) -> String {
    let mut lines: Vec<String> = vec![];
    for run in runs {
        let protocol = format!("protocol: {}", lineage::protocol(run));
        let backbone = lineage::backbone(run).map(|backbone| format!("backbone: {backbone}"));
        for line in [Some(protocol), backbone, lineage::selection(run).map(str::to_owned)].into_iter().flatten() {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Id;

    #[test]
    fn aupro_stands_under_the_limit_that_the_runs_have() {
        let run = |limit: &str, aupro: f64| {
            let metrics = [("image_auroc".to_owned(), 0.9), ("pixel_auroc".to_owned(), 0.8), (format!("aupro@{limit}"), aupro)];
            let mut summary = crate::testing::summary(&Id::new("full", "0123456789", 0).unwrap(), "gear");
            summary.metrics = metrics.map(|(name, value)| (format!("test/{name}"), Some(value))).into();
            summary
        };
        let shown = table(&[run("0.05", 0.512)]);
        assert!(shown.contains("AUPRO@0.05") && shown.contains("51.2") && !shown.contains("AUPRO@0.3"), "{shown}");
        let both = comparison(&[("a".into(), vec![run("0.05", 0.512)]), ("b".into(), vec![run("0.3", 0.7)])]);
        let heads = both.lines().next().unwrap();
        assert!(heads.contains("AUPRO@0.05") && heads.contains("AUPRO@0.3"), "{both}");
        assert!(both.lines().any(|line| line.starts_with("b") && line.contains("—") && line.contains("70.0")), "{both}");
    }
}
