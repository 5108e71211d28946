//! `harness runs slim`: shows what finished runs can do without; with `--apply` it goes.

use std::collections::BTreeMap;

use super::freed;
use crate::cli::complete;
use crate::names::counted;
use crate::store::Store;
use crate::store::slim::{Item, Part, Plan};
use crate::ui::text::{self, Align, Rule};
use crate::{Result, console, sayln, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, unique prefixes of hashes, or `latest`; without any, all finished runs
    #[arg(value_name = "ID", add = complete::runs())]
    ids: Vec<String>,
    /// What stays; the summary, and all else that says what a run is and found, always does
    #[arg(long, value_enum, value_name = "PART,…", value_delimiter = ',', default_values = ["maps", "weights"])]
    keep: Vec<Kept>,
    /// Remove what the plan names
    #[arg(long)]
    apply: bool,
    /// The plan as JSON
    #[arg(long, conflicts_with = "apply")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kept {
    /// Score maps: without them metrics cannot be computed again
    Maps,
    /// The summary alone
    Summary,
    /// What was learned: without it no new image can be scored
    Weights,
    /// Pictures and TensorBoard's file
    Figures,
}

impl Kept {
    fn part(self) -> Option<Part> {
        match self {
            Self::Maps => Some(Part::Maps),
            Self::Weights => Some(Part::Weights),
            Self::Figures => Some(Part::Figures),
            Self::Summary => None,
        }
    }
}

fn name(part: Part) -> &'static str {
    match part {
        Part::Maps => "maps",
        Part::Weights => "weights",
        Part::Figures => "figures",
    }
}

/// Shows the plan, and carries it out where that was asked for.
///
/// # Errors
/// Runs that are not there; `Kind::Environment` where something could not be removed.
pub fn run(store: &Store, args: &Args) -> Result<()> {
    let entries = match args.ids.as_slice() {
        [] => store.list()?,
        ids => ids.iter().map(|id| store.find(id)).collect::<Result<_>>()?,
    };
    let keep: Vec<Part> = args.keep.iter().filter_map(|kept| kept.part()).collect();
    let plan = Plan::of(&entries, &keep);
    if args.json {
        let item = |item: &Item| serde_json::json!({ "id": item.id.to_string(), "part": name(item.part), "size_bytes": item.size_bytes });
        console::json(&plan.items.iter().map(item).collect::<Vec<_>>());
        return Ok(());
    }
    describe(&plan);
    if plan.items.is_empty() {
        return Ok(());
    }
    if !args.apply {
        showln!("nothing was removed; pass --apply to remove it");
        return Ok(());
    }
    carry_out(&plan)
}

fn carry_out(plan: &Plan) -> Result<()> {
    let now = crate::run::now();
    let (mut bytes, mut failed) = (0, 0);
    for item in &plan.items {
        match item.carry_out(now) {
            Ok(true) => bytes += item.size_bytes,
            Ok(false) => showln!("{} stays: it is not finished any more", item.id),
            Err(error) => {
                sayln!("harness: {error}");
                failed += 1;
            }
        }
    }
    freed::say(bytes, failed, plan.items.len())
}

/// What goes, part by part: runs are many and look alike.
fn describe(plan: &Plan) {
    let mut parts = BTreeMap::<&str, (Part, usize, u64)>::new();
    for item in &plan.items {
        let (_, count, bytes) = parts.entry(name(item.part)).or_insert((item.part, 0, 0));
        *count += 1;
        *bytes += item.size_bytes;
    }
    if parts.is_empty() {
        showln!("nothing can go");
    } else {
        let row = |(name, (part, count, bytes)): (&&str, &(Part, usize, u64))| {
            vec![(*name).to_owned(), count.to_string(), text::bytes(*bytes), part.consequence().to_owned()]
        };
        let columns = [("what", Align::Left), ("runs", Align::Right), ("size", Align::Right), ("a run without it", Align::Left)];
        showln!("{}", text::table(&columns, &parts.iter().map(row).collect::<Vec<_>>(), Rule::Unicode));
        showln!("{} in all", text::bytes(plan.size_bytes()));
    }
    for (count, why) in [
        (plan.unfinished, "not finished"),
        (plan.linked, "links or with links in them, and what those point to does not belong to this store"),
        (plan.undrawable, "without maps, and keep their figures, which nothing could draw again"),
    ] {
        if count > 0 {
            showln!("{} {why}", counted(count, "run is", "runs are"));
        }
    }
}
