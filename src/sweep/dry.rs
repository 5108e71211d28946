//! What a command would do, without doing it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::decide::{Action, Failed};
use super::folder::SweepFolder;
use super::ledger::Ledger;
use super::measure::Cost;
use super::plan::{Plan, PlannedRun};
use crate::run::{Id, Status};
use crate::store::{Store, removal};
use crate::ui::text::{self, Align, Rule};
use crate::{Result, num};

/// At most so many rows are measured: each takes some seconds.
const MEASURED: usize = 6;

/// What would become of each run.
pub struct DryRun<'a> {
    plan: &'a Plan,
    runs: Vec<(&'a PlannedRun, Id, Action)>,
    /// The rows of runs that would start or resume, a run each.
    todo: Vec<usize>,
    slots: usize,
    /// What runs took, or would take, by row.
    spent: BTreeMap<usize, Vec<f64>>,
    sizes: BTreeMap<usize, Vec<f64>>,
    basis: Basis,
}

/// How it is known what runs take.
enum Basis {
    Finished,
    /// A few steps of so many rows, of so many.
    Measured(usize, usize),
    /// Nothing is finished, and it could not be measured: why.
    Nothing(String),
}

impl<'a> DryRun<'a> {
    /// Looks at the runs of `rows`; `slots` of them would run at once.
    ///
    /// # Errors
    /// A ledger or summary that cannot be read.
    pub fn of(plan: &'a Plan, rows: &[usize], folder: &SweepFolder, requested: Failed, slots: usize) -> Result<Self> {
        let store = Store::new(&folder.results);
        let failed = Ledger::of(&folder.folder).failed(&store)?;
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
            let action = Action::of(status, failed.contains(&id), requested);
            runs.push((run, id, action));
        }
        let todo = runs.iter().filter(|(_, _, action)| action.starts()).map(|(run, ..)| run.row).collect();
        Ok(Self { plan, runs, todo, slots, spent, sizes, basis: Basis::Finished })
    }

    /// The same with what runs cost by `measure`, where none is finished: of a run of each row, or of some rows where there are many.
    pub fn measured(mut self, measure: &mut dyn FnMut(&PlannedRun) -> Result<Cost>) -> Self {
        if !self.spent.is_empty() || self.todo.is_empty() {
            return self;
        }
        let mut first: BTreeMap<usize, &PlannedRun> = BTreeMap::new();
        for (run, _, action) in &self.runs {
            if action.starts() {
                first.entry(run.row).or_insert(run);
            }
        }
        let (of, rows): (usize, Vec<&PlannedRun>) = (first.len(), first.into_values().collect());
        let chosen: Vec<&PlannedRun> = spread(rows.len(), MEASURED).into_iter().map(|place| rows[place]).collect();
        self.basis = Basis::Measured(chosen.len(), of);
        for run in chosen {
            match measure(run) {
                Ok(Cost { seconds, bytes }) => {
                    self.spent.entry(run.row).or_default().extend(seconds);
                    self.sizes.entry(run.row).or_default().push(bytes as f64);
                }
                Err(error) => {
                    self.basis = Basis::Nothing(error.what);
                    break;
                }
            }
        }
        self
    }

    /// Seconds that the runs to do may take, and bytes that they will leave.
    fn expected(&self) -> (Option<f64>, Option<u64>) {
        if matches!(self.basis, Basis::Nothing(_)) {
            return (None, None);
        }
        let seconds = expected(&self.spent, &self.todo).map(|s| s / self.slots as f64);
        (seconds, expected(&self.sizes, &self.todo).map(|bytes| bytes as u64))
    }

    /// Runs that would start or resume.
    pub fn to_do(&self) -> usize {
        self.todo.len()
    }

    pub fn json(&self) -> Value {
        let run = |(run, id, action): &(&PlannedRun, Id, Action)| json!({ "row": self.row(run), "category": run.category, "seed": run.seed, "id": id, "would": action.name() });
        let basis = match self.basis {
            Basis::Finished => "finished",
            Basis::Measured(..) => "measured",
            Basis::Nothing(_) => "nothing",
        };
        let (seconds, bytes) = self.expected();
        json!({ "runs": self.runs.iter().map(run).collect::<Vec<_>>(), "todo": self.todo.len(), "expected_s": seconds, "expected_bytes": bytes, "basis": basis })
    }

    /// A table, and the sum of it in a line.
    pub fn text(&self) -> String {
        let columns =
            [("row", Align::Left), ("category", Align::Left), ("seed", Align::Right), ("run", Align::Left), ("would", Align::Left)];
        let line = |(run, id, action): &(&PlannedRun, Id, Action)| {
            vec![self.row(run).to_owned(), run.category.clone(), run.seed.to_string(), id.to_string(), action.name().into()]
        };
        let table = text::table(&columns, &self.runs.iter().map(line).collect::<Vec<_>>(), Rule::Unicode);
        format!("{table}\n{} of {} runs to do{}", self.todo.len(), self.runs.len(), self.cost())
    }

    /// What it may take, and by what that is known.
    fn cost(&self) -> String {
        let (seconds, bytes) = self.expected();
        match (&self.basis, seconds, bytes) {
            (Basis::Nothing(why), ..) => format!("; how long they may take could not be measured: {why}"),
            (Basis::Finished, Some(seconds), Some(bytes)) => {
                format!(", about {} and {} of disk, by what finished ones took", text::duration(seconds), text::bytes(bytes))
            }
            (Basis::Measured(some, of), seconds, Some(bytes)) => {
                let time = seconds.map_or("too few steps to tell how long".into(), |s| format!("about {} of fitting", text::duration(s)));
                let measured = match (some, of) {
                    (_, 1) => "a few steps".to_owned(),
                    (some, of) if some == of => format!("a few steps of {some} rows"),
                    _ => format!("a few steps of {some} of {of} rows"),
                };
                format!(", {time} and {} of disk, by {measured} on this machine as it is now", text::bytes(bytes))
            }
            _ => String::new(),
        }
    }

    fn row(&self, run: &PlannedRun) -> &str {
        &self.plan.rows[run.row].name
    }
}

/// At most `most` of `count` places, the first and the last among them, at even distances.
fn spread(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|place| place * (count - 1) / (most - 1)).collect()
}

/// What runs of the rows in `todo` take in all, by what some took: of the same row, or of all where a row has none.
fn expected(took: &BTreeMap<usize, Vec<f64>>, todo: &[usize]) -> Option<f64> {
    let all: Vec<f64> = took.values().flatten().copied().collect();
    let each = |row: &usize| took.get(row).and_then(|took| num::mean(took)).or_else(|| num::mean(&all));
    todo.iter().map(each).sum::<Option<f64>>().filter(|_| !todo.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::Error;

    const GRID: &str = "title = \"t\"\nbase = \"base.toml\"\nseeds = [0, 1]\n[grid]\noptim.lr = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]\n";

    fn dry<'a>(plan: &'a Plan, dir: &std::path::Path, rows: &[usize]) -> DryRun<'a> {
        DryRun::of(plan, rows, &SweepFolder::new(dir, "try"), Failed::Leave, 2).unwrap()
    }

    #[test]
    fn the_first_of_all_dry_runs_measures_a_run_of_each_row() {
        let (dir, plan) = (tempfile::tempdir().unwrap(), example::planned(example::ROWS, &[]));
        let mut measured = vec![];
        let would = dry(&plan, dir.path(), &[0, 1]).measured(&mut |run| {
            measured.push((run.row, run.category.clone(), run.seed));
            Ok(Cost { seconds: Some(10.0 * (1 + run.row) as f64), bytes: 1 << 20 })
        });
        assert_eq!(measured, [(0, "gear".to_owned(), 3), (1, "gear".to_owned(), 3)]);
        // Four runs of 10 s and four of 20 s, two at once.
        assert_eq!(would.expected(), (Some(60.0), Some(8 << 20)));
        let text = would.text();
        let end =
            "8 of 8 runs to do, about 1 min 00 s of fitting and 8.0 MiB of disk, by a few steps of 2 rows on this machine as it is now";
        assert!(text.ends_with(end), "{text}");
        assert_eq!(would.json()["basis"], "measured");
    }

    #[test]
    fn of_many_rows_some_are_measured_from_the_first_to_the_last() {
        let (dir, plan) = (tempfile::tempdir().unwrap(), example::planned(GRID, &[]));
        let mut rows = vec![];
        let would = dry(&plan, dir.path(), &[0, 1, 2, 3, 4, 5, 6, 7]).measured(&mut |run| {
            rows.push(run.row);
            Ok(Cost { seconds: None, bytes: 1 })
        });
        assert_eq!(rows, [0, 1, 2, 4, 5, 7]);
        assert!(would.text().contains("too few steps to tell how long") && would.text().contains("by a few steps of 6 of 8 rows"));
        assert_eq!(would.expected(), (None, Some(32)));
    }

    #[test]
    fn what_cannot_be_measured_is_said_and_the_plan_is_shown_all_the_same() {
        let (dir, plan) = (tempfile::tempdir().unwrap(), example::planned(example::ROWS, &[]));
        let would = dry(&plan, dir.path(), &[0]).measured(&mut |_| Err(Error::environment("no libtorch", "")));
        assert!(would.text().ends_with("4 of 4 runs to do; how long they may take could not be measured: no libtorch"));
        assert_eq!((would.json()["expected_s"].clone(), would.json()["basis"].clone()), (Value::Null, "nothing".into()));
    }
}
