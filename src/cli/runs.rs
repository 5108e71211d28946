//! `harness runs list | show | table`.

use std::path::PathBuf;

use crate::report;
use crate::run::{Entry, Status, Store, Summary};
use crate::ui::text::{self, Align, Rule};
use crate::{Error, Result};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    /// The run store
    #[arg(long, value_name = "DIR", default_value = "results", global = true)]
    results: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// All runs with their state
    List,
    /// One run: its result, its files
    Show {
        /// Its id, a unique prefix of its hash, or `latest`
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Experiments side by side: the mean of the finished runs of each
    Table {
        /// Names of experiments, in the order of the rows; all without any
        experiments: Vec<String>,
    },
}

pub fn run(args: &Args) -> Result<()> {
    let store = Store::new(&args.results);
    match &args.verb {
        Verb::List => list(&store),
        Verb::Show { id } => show(&store.find(id)?),
        Verb::Table { experiments } => table(&store, experiments),
    }
}

fn list(store: &Store) -> Result<()> {
    let entries = store.list()?;
    if entries.is_empty() {
        println!("no runs in {}; start one with `harness run experiments/full.toml`", store.runs().display());
        return Ok(());
    }
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|e| {
            let record = e.record.as_ref();
            let summary = e.folder.summary().ok().flatten();
            vec![
                e.id.to_string(),
                record.map_or_else(|| "—".into(), |r| r.category.clone()),
                e.status.name().into(),
                summary.map_or_else(|| "—".into(), |s| report::runs::percent(report::runs::metric(&s, "", "image_auroc"))),
                e.started().unwrap_or("—").chars().take(16).collect::<String>().replace('T', " "),
                record.map_or_else(String::new, |r| r.tags.join(" ")),
            ]
        })
        .collect();
    let columns = [
        ("run", Align::Left),
        ("category", Align::Left),
        ("state", Align::Left),
        ("image AUROC", Align::Right),
        ("started (UTC)", Align::Left),
        ("tags", Align::Left),
    ];
    println!("{}", text::table(&columns, &rows, Rule::Unicode));
    Ok(())
}

fn show(entry: &Entry) -> Result<()> {
    println!("{}  {}", entry.id, entry.status.name());
    if let Some(record) = &entry.record {
        println!("  {} · attempt {} · {}", record.category, record.attempts, record.argv.join(" "));
        record.note.iter().for_each(|note| println!("  note: {note}"));
        record.notes.iter().for_each(|note| println!("  {note}"));
        record.error.iter().for_each(|error| println!("  failed: {error}"));
    }
    if let Some(summary) = entry.folder.summary()? {
        for (name, value) in &summary.metrics {
            println!("  {name:<34} {}", value.map_or_else(|| "—".into(), |v| format!("{v:.6}")));
        }
        print!("{}", report::runs::table(std::slice::from_ref(&summary)));
        println!("trained and scored in {}", text::duration(summary.timing.wall_s));
    }
    println!("{}", entry.folder.path().display());
    Ok(())
}

fn table(store: &Store, experiments: &[String]) -> Result<()> {
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
