//! What a command would do, without doing it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::decide::{Action, Failed};
use super::folder::SweepFolder;
use super::ledger::Ledger;
use super::plan::{Plan, PlannedRun};
use crate::run::{Id, Status};
use crate::store::{Store, removal};
use crate::ui::text::{self, Align, Rule};
use crate::{Result, num};

/// What would become of each run.
pub struct DryRun<'a> {
    plan: &'a Plan,
    runs: Vec<(&'a PlannedRun, Id, Action)>,
    /// Runs that would start or resume.
    todo: usize,
    /// Seconds that they may take, by the time that finished runs of the same row took; none where none is finished.
    expected_s: Option<f64>,
    /// Bytes that they will leave, likewise.
    expected_bytes: Option<u64>,
}

impl<'a> DryRun<'a> {
    /// Looks at the runs of `rows`; `slots` of them would run at once.
    ///
    /// # Errors
    /// A ledger or summary that cannot be read.
    pub fn of(plan: &'a Plan, rows: &[usize], folder: &SweepFolder, requested: Failed, slots: usize) -> Result<Self> {
        let store = Store::new(&folder.results);
        let last = Ledger::of(&folder.folder).last(&store)?;
        let (mut spent, mut sizes) = (BTreeMap::<usize, Vec<f64>>::new(), BTreeMap::<usize, Vec<f64>>::new());
        let mut runs = vec![];
        for run in plan.distinct(rows) {
            let id = store.locate(&run.id);
            let status = store.folder(&id).status();
            if status == Status::Finished
                && let Some(summary) = store.folder(&id).summary()?
            {
                spent.entry(run.row).or_default().push(summary.timing.wall_s);
                sizes.entry(run.row).or_default().push(removal::size_bytes(store.folder(&id).path()) as f64);
            }
            let action = Action::of(status, last.get(&id), requested);
            runs.push((run, id, action));
        }
        let todo: Vec<usize> = runs.iter().filter(|(_, _, action)| action.starts()).map(|(run, ..)| run.row).collect();
        let (seconds, bytes) = (expected(&spent, &todo), expected(&sizes, &todo));
        let (expected_s, expected_bytes) = (seconds.map(|s| s / slots as f64), bytes.map(|bytes| bytes as u64));
        Ok(Self { plan, runs, todo: todo.len(), expected_s, expected_bytes })
    }

    pub fn json(&self) -> Value {
        let run = |(run, id, action): &(&PlannedRun, Id, Action)| json!({ "row": self.row(run), "category": run.category, "seed": run.seed, "id": id, "would": action.name() });
        json!({ "runs": self.runs.iter().map(run).collect::<Vec<_>>(), "todo": self.todo, "expected_s": self.expected_s, "expected_bytes": self.expected_bytes })
    }

    /// A table, and the sum of it in a line.
    pub fn text(&self) -> String {
        let columns =
            [("row", Align::Left), ("category", Align::Left), ("seed", Align::Right), ("run", Align::Left), ("would", Align::Left)];
        let line = |(run, id, action): &(&PlannedRun, Id, Action)| {
            vec![self.row(run).to_owned(), run.category.clone(), run.seed.to_string(), id.to_string(), action.name().into()]
        };
        let table = text::table(&columns, &self.runs.iter().map(line).collect::<Vec<_>>(), Rule::Unicode);
        let cost = self.expected_s.zip(self.expected_bytes).map_or(String::new(), |(seconds, bytes)| {
            format!(", about {} and {} of disk, by what finished ones took", text::duration(seconds), text::bytes(bytes))
        });
        format!("{table}\n{} of {} runs to do{cost}", self.todo, self.runs.len())
    }

    fn row(&self, run: &PlannedRun) -> &str {
        &self.plan.rows[run.row].name
    }
}

/// What runs of the rows in `todo` take in all, by what finished ones took: of the same row, or of all where a row has none.
fn expected(took: &BTreeMap<usize, Vec<f64>>, todo: &[usize]) -> Option<f64> {
    let all: Vec<f64> = took.values().flatten().copied().collect();
    let each = |row: &usize| took.get(row).and_then(|took| num::mean(took)).or_else(|| num::mean(&all));
    todo.iter().map(each).sum::<Option<f64>>().filter(|_| !todo.is_empty())
}
