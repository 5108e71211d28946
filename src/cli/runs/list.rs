//! `harness runs list`: runs with their state, those that meet a condition, in any order.

use std::collections::BTreeSet;

use serde_json::json;

use super::flat;
use crate::Result;
use crate::cli::complete;
use crate::names::counted;
use crate::report::spell::percent_or_dash;
use crate::run::{SCHEMA_VERSION, Status};
use crate::store::query::{Column, Facts, Query, Sort};
use crate::store::{Cited, Store};
use crate::ui::text::{self, Align, Rule};
use crate::{console, show, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only runs that meet it: configuration keys, metrics and id, experiment, hash, seed, state, category, started, attempts,
    /// tag, sweep, note, cited, row (sweeps that cite it, and their rows), compared by = != < <= > >= ~ (contains) and joined by and, or, not, ( ). Such as
    /// 'loss.score.gamma>2 and test/image_auroc>0.9'
    #[arg(long = "where", value_name = "EXPR")]
    condition: Option<String>,
    /// Sort by a key, falling with a `-` in front; without it the last started comes first
    #[arg(long, value_name = "[-]KEY", allow_hyphen_values = true, add = complete::columns())]
    sort: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// As CSV, a line for each run
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// These columns in this order: keys, metrics and fields, as in --where. With --csv alone: the fields, the keys in which the runs
    /// differ, all metrics
    #[arg(long, value_name = "KEY,…", value_delimiter = ',', add = complete::columns())]
    columns: Vec<String>,
}

impl Args {
    fn format(&self) -> flat::Format {
        match (self.csv, self.json) {
            (true, _) => flat::Format::Csv,
            (false, true) => flat::Format::Json,
            (false, false) => flat::Format::Text,
        }
    }

    /// Whether plans have to be read: only they know rows. The words may mean something else, and then they are read in vain.
    fn asks_for_places(&self) -> bool {
        let words = self.columns.iter().chain(&self.condition).chain(&self.sort);
        self.csv && self.columns.is_empty() || words.into_iter().any(|words| words.contains("row") || words.contains("cited"))
    }
}

pub fn run(store: &Store, args: &Args) -> Result<()> {
    let mut runs: Vec<Facts> = store.list()?.iter().map(Facts::read).collect();
    if args.asks_for_places() {
        let cited = Cited::read(store.results())?;
        runs = runs.into_iter().map(|run| run.placed(&cited)).collect();
    }
    let count = runs.len();
    let metrics: BTreeSet<String> = runs.iter().flat_map(|run| run.metrics.keys().cloned()).collect();
    if let Some(text) = &args.condition {
        let query = Query::parse(text, &metrics)?;
        runs.retain(|run| query.holds(run));
    }
    if let Some(text) = &args.sort {
        Sort::parse(text, &metrics)?.apply(&mut runs, |run| run);
    }
    if args.csv || !args.columns.is_empty() {
        let columns = match args.columns.as_slice() {
            [] => Column::usual(&runs, &metrics),
            names => Column::named(names, &metrics)?,
        };
        return flat::print(&columns, &runs, args.format());
    }
    if args.json {
        let runs: Vec<_> = runs.iter().map(object).collect();
        console::raw(&(serde_json::to_string_pretty(&runs).expect("runs are plain data") + "\n"));
    } else if count == 0 {
        showln!("no runs in {}; start one with `harness run experiments/full.toml`", store.runs().display());
    } else if runs.is_empty() {
        showln!("none of {} in {} meets the condition", counted(count, "run", "runs"), store.runs().display());
    } else {
        showln!("{}", table(&runs));
        let foreign = runs.iter().filter(|run| run.status == Status::Finished && run.schema() != SCHEMA_VERSION).count();
        if foreign > 0 {
            show!("{}", super::gc::foreign(foreign));
        }
    }
    Ok(())
}

fn object(run: &Facts) -> serde_json::Value {
    let record = run.record.as_ref();
    json!({
        "id": run.id.to_string(),
        "state": run.status.name(),
        "category": record.map(|r| &r.category),
        "seed": run.id.seed,
        "started": record.map(|r| &r.started),
        "sweep": record.and_then(|r| r.sweep.as_ref()),
        "tags": record.map_or(&[][..], |r| &r.tags),
        "note": record.and_then(|r| r.note.as_ref()),
        "metrics": run.metrics,
    })
}

fn table(runs: &[Facts]) -> String {
    let row = |run: &Facts| {
        let record = run.record.as_ref();
        let started = record.map_or("—", |r| &r.started);
        vec![
            run.id.to_string(),
            record.map_or_else(|| "—".into(), |r| r.category.clone()),
            run.status.name().into(),
            percent_or_dash(run.metrics.get("test/image_auroc").copied().flatten()),
            started.chars().take(16).collect::<String>().replace('T', " "),
            record.map_or_else(String::new, |r| r.tags.join(" ")),
        ]
    };
    let columns = [
        ("run", Align::Left),
        ("category", Align::Left),
        ("state", Align::Left),
        ("image AUROC", Align::Right),
        ("started (UTC)", Align::Left),
        ("tags", Align::Left),
    ];
    text::table(&columns, &runs.iter().map(row).collect::<Vec<_>>(), Rule::Unicode)
}
