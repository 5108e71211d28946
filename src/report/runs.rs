//! Finished runs as a table for the terminal.

use std::collections::BTreeMap;

use crate::num;
use crate::run::Summary;
use crate::ui::text::{self, Align, Rule};

/// The columns of every table of runs: heading and metric, without its split.
const METRICS: [(&str, &str); 3] = [("image AUROC", "image_auroc"), ("pixel AUROC", "pixel_auroc"), ("AUPRO@0.3", "aupro@0.3")];

/// One line a run and, for several, their mean; in percent. Below it the protocol and the backbone.
pub fn table(runs: &[Summary]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let columns: Vec<(&str, Align)> = [("category", Align::Left), ("seed", Align::Right), ("map", Align::Left)]
        .into_iter()
        .chain(METRICS.iter().map(|(heading, _)| (*heading, Align::Right)))
        .chain([("A: image", Align::Right), ("pixel", Align::Right), ("AUPRO", Align::Right)])
        .collect();
    let mut rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let mut row = vec![run.category.clone(), run.seed.to_string(), run.headline.clone()];
            row.extend(METRICS.iter().map(|(_, m)| percent(metric(run, "", m))));
            row.extend(METRICS.iter().map(|(_, m)| percent(metric(run, "A/", m))));
            row
        })
        .collect();
    if runs.len() > 1 {
        let mut mean = vec![format!("mean of {}", runs.len()), String::new(), String::new()];
        for map in ["", "A/"] {
            mean.extend(METRICS.iter().map(|(_, m)| percent(mean_over_categories(runs, map, m))));
        }
        rows.push(mean);
    }
    text::table(&columns, &rows, Rule::Unicode) + "\n" + &footnotes(runs)
}

/// One line an experiment: mean over categories, n, and the last epoch's loss and gradient norm, so that an underfitted
/// row shows. `experiments` are (name, runs) in the order to print.
pub fn comparison(experiments: &[(String, Vec<Summary>)]) -> String {
    let columns: Vec<(&str, Align)> = [("experiment", Align::Left), ("n", Align::Right), ("map", Align::Left)]
        .into_iter()
        .chain(METRICS.iter().map(|(heading, _)| (*heading, Align::Right)))
        .chain([("last loss", Align::Right), ("gradient norm", Align::Right)])
        .collect();
    let rows: Vec<Vec<String>> = experiments
        .iter()
        .map(|(name, runs)| {
            let map = runs.first().map_or_else(|| "—".into(), |r| r.headline.clone());
            let mut row = vec![name.clone(), runs.len().to_string(), map];
            row.extend(METRICS.iter().map(|(_, m)| percent(mean_over_categories(runs, "", m))));
            let mean = |values: Vec<f64>| num::mean(&values).map_or_else(|| "—".into(), text::number);
            row.push(mean(runs.iter().filter_map(|r| r.losses.get("total").copied()).collect()));
            row.push(mean(runs.iter().filter_map(|r| r.grad_norm).collect()));
            row
        })
        .collect();
    let all: Vec<Summary> = experiments.iter().flat_map(|(_, runs)| runs.iter().cloned()).collect();
    text::table(&columns, &rows, Rule::Unicode) + "\n" + &footnotes(&all)
}

/// The metric of a run; `map` is empty for the headline map, else such as `A/`. A metric that was selected on the test set
/// stands under another split and is not found here.
pub fn metric(run: &Summary, map: &str, name: &str) -> Option<f64> {
    run.metrics.get(&format!("test/{map}{name}")).copied().flatten()
}

/// Mean over seeds within each category, then over categories, each counting the same; `None` if any run lacks the metric.
pub fn mean_over_categories(runs: &[Summary], map: &str, name: &str) -> Option<f64> {
    let mut by_category = BTreeMap::<&str, Vec<f64>>::new();
    for run in runs {
        by_category.entry(&run.category).or_default().push(metric(run, map, name)?);
    }
    let means = by_category.values().map(|values| num::mean(values)).collect::<Option<Vec<_>>>()?;
    num::mean(&means)
}

/// A ratio in percent with one decimal, or a dash.
pub fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "—".into(), |v| format!("{:.1}", 100.0 * v))
}

fn footnotes(runs: &[Summary]) -> String {
    let mut lines: Vec<String> = vec![];
    for run in runs {
        let protocol = format!("protocol: {}", run.protocol["text"].as_str().unwrap_or("unknown"));
        let stride = if run.backbone.weights_hash.is_some() { format!(", stride in {}", run.backbone.stride_in) } else { String::new() };
        let backbone = format!("backbone: {} ({}{stride})", run.backbone.name, run.backbone.lineage);
        for line in [protocol, backbone] {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        if run.metrics.keys().any(|k| k.starts_with("best_on_test/")) {
            let line = "— where the epoch was chosen on the test set: see best_on_test/* in summary.json".to_owned();
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}
