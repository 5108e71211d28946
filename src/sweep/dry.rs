//! What a command would do, without doing it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::decide::{Action, Failed};
use super::folder::SweepFolder;
use super::ledger::Ledger;
use super::plan::{Plan, PlannedRun};
use crate::run::{Id, Status};
use crate::store::Store;
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
}

impl<'a> DryRun<'a> {
    /// Looks at the runs of `rows`; `slots` of them would run at once.
    ///
    /// # Errors
    /// A ledger or summary that cannot be read.
    pub fn of(plan: &'a Plan, rows: &[usize], folder: &SweepFolder, requested: Failed, slots: usize) -> Result<Self> {
        let store = Store::new(&folder.results);
        let last = Ledger::of(&folder.folder).last(&store)?;
        let mut spent: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        let mut runs = vec![];
        for run in plan.distinct(rows) {
            let id = store.locate(&run.id);
            let status = store.folder(&id).status();
            if status == Status::Finished
                && let Some(summary) = store.folder(&id).summary()?
            {
                spent.entry(run.row).or_default().push(summary.timing.wall_s);
            }
            let action = Action::of(status, last.get(&id), requested);
            runs.push((run, id, action));
        }
        let all: Vec<f64> = spent.values().flatten().copied().collect();
        let expected = |row: usize| spent.get(&row).and_then(|s| num::mean(s)).or_else(|| num::mean(&all));
        let todo: Vec<usize> = runs.iter().filter(|(_, _, action)| action.starts()).map(|(run, ..)| run.row).collect();
        let seconds = todo.iter().map(|&row| expected(row)).sum::<Option<f64>>().filter(|_| !todo.is_empty());
        Ok(Self { plan, runs, todo: todo.len(), expected_s: seconds.map(|s| s / slots as f64) })
    }

    pub fn json(&self) -> Value {
        let run = |(run, id, action): &(&PlannedRun, Id, Action)| json!({ "row": self.row(run), "category": run.category, "seed": run.seed, "id": id, "would": action.name() });
        json!({ "runs": self.runs.iter().map(run).collect::<Vec<_>>(), "todo": self.todo, "expected_s": self.expected_s })
    }

    /// A table, and the sum of it in a line.
    pub fn text(&self) -> String {
        let columns =
            [("row", Align::Left), ("category", Align::Left), ("seed", Align::Right), ("run", Align::Left), ("would", Align::Left)];
        let line = |(run, id, action): &(&PlannedRun, Id, Action)| {
            vec![self.row(run).to_owned(), run.category.clone(), run.seed.to_string(), id.to_string(), action.name().into()]
        };
        let table = text::table(&columns, &self.runs.iter().map(line).collect::<Vec<_>>(), Rule::Unicode);
        let time = self.expected_s.map_or(String::new(), |s| format!(", about {} by the time that finished ones took", text::duration(s)));
        format!("{table}\n{} of {} runs to do{time}", self.todo, self.runs.len())
    }

    fn row(&self, run: &PlannedRun) -> &str {
        &self.plan.rows[run.row].name
    }
}
