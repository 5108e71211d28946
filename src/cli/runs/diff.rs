//! `harness runs diff`: in what two runs differ, and whether their metrics differ by more than the choice of test images.

use crate::cli::complete;
use crate::eval::{self, PairedDifference};
use crate::run::Status;
use crate::store::{Difference, Entry, Pair, Store};
use crate::ui::text::{self, Align, Rule};
use crate::{Result, console, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Their ids, unique prefixes of their hashes, or `latest`
    #[arg(value_name = "A", add = complete::runs())]
    a: String,
    #[arg(value_name = "B", add = complete::runs())]
    b: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(store: &Store, args: &Args) -> Result<()> {
    let [a, b] = [store.find(&args.a)?, store.find(&args.b)?];
    let difference = Difference::of(&a, &b)?;
    if args.json {
        console::json(&object(&a, &b, &difference));
        return Ok(());
    }
    showln!("a  {}\nb  {}", a.id, b.id);
    if difference.is_empty() {
        showln!("\nidentical: configuration, environment and every metric, to the last bit");
        return Ok(());
    }
    let (config, environment) = (&difference.config, &difference.environment);
    for (heading, pairs) in [("run", &difference.run), ("configuration", config), ("environment", environment)] {
        if !pairs.is_empty() {
            showln!("\n{}", values(heading, pairs));
        }
    }
    if !difference.metrics.is_empty() {
        showln!("\n{}", metrics(&difference.metrics));
        if a.status == Status::Finished && b.status == Status::Finished {
            showln!("\n{}", paired(&a, &b));
        }
    } else if a.status == Status::Finished && b.status == Status::Finished {
        showln!("\nevery metric is the same, to the last bit");
    }
    Ok(())
}

/// Everything that is shown to people; `paired` is null where the runs are equal or not comparable, and `why_not_paired` says why.
fn object(a: &Entry, b: &Entry, difference: &Difference) -> serde_json::Value {
    let compared = match difference.metrics.is_empty() || a.status != Status::Finished || b.status != Status::Finished {
        true => Err("nothing differs that test images could decide".to_owned()),
        false => differences(a, b),
    };
    serde_json::json!({
        "a": a.id.to_string(), "b": b.id.to_string(), "equal": difference.is_empty(), "differences": difference,
        "paired": compared.as_ref().ok(), "why_not_paired": compared.as_ref().err(),
    })
}

fn values(heading: &str, pairs: &[Pair<String>]) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "—".into());
    let rows: Vec<_> = pairs.iter().map(|pair| vec![pair.key.clone(), shown(&pair.a), shown(&pair.b)]).collect();
    text::table(&[(heading, Align::Left), ("a", Align::Left), ("b", Align::Left)], &rows, Rule::Unicode)
}

fn metrics(pairs: &[Pair<f64>]) -> String {
    let shown = |value: Option<f64>| value.map_or_else(|| "—".into(), |v| format!("{v:.6}"));
    let row = |pair: &Pair<f64>| {
        let difference = pair.a.zip(pair.b).map_or_else(|| "—".into(), |(a, b)| signed(a - b));
        vec![pair.key.clone(), shown(pair.a), shown(pair.b), difference]
    };
    let columns = [("metric", Align::Left), ("a", Align::Right), ("b", Align::Right), ("a - b", Align::Right)];
    text::table(&columns, &pairs.iter().map(row).collect::<Vec<_>>(), Rule::Unicode)
}

/// The paired bootstrap over test images, or why there is none.
fn differences(a: &Entry, b: &Entry) -> std::result::Result<Vec<PairedDifference>, String> {
    // Looked at first: the comparison would begin by drawing the built-in data where they are missing.
    if let Some(bare) = [a, b].into_iter().find(|run| !run.folder.maps().exists()) {
        return Err(format!("{} has no score maps", bare.id));
    }
    match eval::paired(&a.folder, &b.folder, eval::DRAWS, 0) {
        Ok(differences) if differences.is_empty() => Err("no metric has a value in both runs".into()),
        Ok(differences) => Ok(differences),
        Err(error) => Err(error.what),
    }
}

fn paired(a: &Entry, b: &Entry) -> String {
    let differences = match differences(a, b) {
        Ok(differences) => differences,
        Err(why) => return format!("no paired comparison: {why}"),
    };
    let first = &differences[0];
    let row = |d: &PairedDifference| {
        let interval = format!("{} to {}", signed(d.interval[0]), signed(d.interval[1]));
        vec![d.metric.clone(), signed(d.difference), interval, text::number(d.p)]
    };
    let columns = [("headline map", Align::Left), ("a - b", Align::Right), ("95 % interval", Align::Left), ("p", Align::Right)];
    let table = text::table(&columns, &differences.iter().map(row).collect::<Vec<_>>(), Rule::Unicode);
    format!("{table}\npaired bootstrap over {} test images, {} draws: it says nothing of other seeds", first.images, first.draws)
}

/// Six digits with a sign; what rounds to nothing is told from nothing.
fn signed(value: f64) -> String {
    if value != 0.0 && value.abs() < 5e-7 { format!("{value:+.1e}") } else { format!("{value:+.6}") }
}
