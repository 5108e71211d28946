//! `harness runs gc`: shows what can go from the store; with `--apply` it goes.

use super::freed;
use crate::store::Store;
use crate::store::gc::{Inventory, Item, Plan, What, Why};
use crate::ui::text::{self, Align, Rule};
use crate::{Result, console, sayln, show, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Remove what the plan names
    #[arg(long)]
    apply: bool,
    /// Remove whole runs only if none of their files was written for this many days
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    older_than: u32,
    /// The plan as JSON
    #[arg(long, conflicts_with = "apply")]
    json: bool,
}

pub fn run(store: &Store, args: &Args) -> Result<()> {
    let now = crate::run::now();
    let plan = Plan::of(&Inventory::of(store)?, args.older_than, now);
    if args.json {
        let item = |item: &Item| serde_json::json!({ "what": name(item, store), "why": why(item.why), "size_bytes": item.size_bytes });
        let stays = serde_json::json!({ "cited": plan.cited, "unseen": plan.unseen, "labelled": plan.labelled, "linked": plan.linked, "foreign": plan.foreign });
        console::json(&serde_json::json!({ "items": plan.items.iter().map(item).collect::<Vec<_>>(), "stays": stays }));
        return Ok(());
    }
    show!("{}", described(&plan, store));
    if plan.items.is_empty() {
        return Ok(());
    }
    if !args.apply {
        showln!("nothing was removed; pass --apply to remove it");
        return Ok(());
    }
    let (mut bytes, mut failed) = (0, 0);
    for item in &plan.items {
        match item.carry_out(now) {
            Ok(true) => bytes += item.size_bytes,
            Ok(false) => showln!("{} stays: it has changed in the meantime", name(item, store)),
            Err(error) => {
                sayln!("harness: {error}");
                failed += 1;
            }
        }
    }
    freed::say(bytes, failed, plan.items.len())
}

fn described(plan: &Plan, store: &Store) -> String {
    let mut shown = if plan.items.is_empty() {
        format!("nothing can go from {}\n", store.runs().display())
    } else {
        let rows: Vec<_> = plan.items.iter().map(|item| vec![name(item, store), why(item.why), text::bytes(item.size_bytes)]).collect();
        let columns = [("what", Align::Left), ("why", Align::Left), ("size", Align::Right)];
        format!("{}\n{} in all\n", text::table(&columns, &rows, Rule::Unicode), text::bytes(plan.size_bytes()))
    };
    for (count, why) in [
        (plan.cited, "a sweep's plan names them"),
        (plan.unseen, "the sweep that made them has no plan here: it may have been moved (`harness runs rm` removes them)"),
        (plan.labelled, "they are finished and have a tag or a note"),
    ] {
        if count > 0 {
            shown += &format!("{count} more could go, but stay: {why}\n");
        }
    }
    if plan.linked > 0 {
        shown += &format!(
            "{} not looked at: they are links or contain links, and what those point to does not belong to this store\n",
            plan.linked
        );
    }
    if plan.foreign > 0 {
        shown += &foreign(plan.foreign);
    }
    shown
}

/// Why finished runs are not found again although their results stand.
pub(super) fn foreign(count: usize) -> String {
    let (runs, have) = if count == 1 { ("run", "has an id") } else { ("runs", "have ids") };
    format!(
        "{count} finished {runs} of another version {have} that no command here makes: readable, kept, never reused (`harness runs rm`)\n"
    )
}

/// The run, or the path below the store.
fn name(item: &Item, store: &Store) -> String {
    match &item.what {
        What::Run { id, .. } => id.to_string(),
        What::File { path, .. } | What::Remains { path } => {
            path.strip_prefix(store.runs()).or(path.strip_prefix(store.results())).unwrap_or(path).display().to_string()
        }
    }
}

fn why(why: Why) -> String {
    match why {
        Why::Leftover => "leftover that no command uses".into(),
        Why::Abandoned { status, days } => format!("{}, untouched for {days} days", status.name()),
        Why::Outdated => "made by an earlier version of its method".into(),
    }
}
