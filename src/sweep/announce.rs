//! What people are told before anything starts.

use super::plan::Plan;
use super::progress::SweepProgress;
use super::study::Study;
use crate::allowance::cores;
use crate::config::Profile;
use crate::names::{counted, in_line};
use crate::ui::text;
use crate::{data, num};

/// What is announced.
pub struct Announcement<'a> {
    pub plan: &'a Plan,
    /// The rows to run.
    pub rows: &'a [usize],
    /// The device of each slot.
    pub slots: &'a [String],
    /// The most threads that a run takes.
    pub threads: usize,
    /// What the sweep file names twice.
    pub merged: &'a [String],
    /// The plan of the command before this one.
    pub before: Option<&'a Plan>,
}

/// Changes that are told one by one.
const MOST_CHANGES: usize = 20;

impl Announcement<'_> {
    /// Says what this is about, profile and data first.
    pub fn show(&self, progress: &mut SweepProgress) {
        let extent = self.extent();
        let lines = extent.into_iter().chain(self.reach()).chain(self.notes()).chain(self.changes());
        lines.for_each(|line| progress.message(&line));
    }

    /// Profile, data, and how many runs.
    fn extent(&self) -> [String; 2] {
        let plan = self.plan;
        let categories: Vec<&str> = plan.facts.data.iter().map(|(name, _)| name.as_str()).collect();
        let data = if self.is_builtin() { "built-in data" } else { plan.root.as_str() };
        let seeds: Vec<String> = plan.seeds.iter().map(u64::to_string).collect();
        let size = format!(
            "{} × {} × seed{} {} = {}, {} at once on {}",
            counted(self.rows.len(), "row", "rows"),
            counted(categories.len(), "category", "categories"),
            if seeds.len() == 1 { "" } else { "s" },
            seeds.join(", "),
            counted(plan.distinct(self.rows).len(), "run", "runs"),
            self.slots.len(),
            self.slots.join(", ")
        );
        [format!("profile {} · {data}: {} · {}", plan.profile, in_line(&categories.join(", ")), plan.title), size]
    }

    /// What so many pairs can show.
    fn reach(&self) -> Option<String> {
        let kept = Study::of_plan(self.plan).restricted(|cell| self.rows.contains(&cell.row));
        let compared = kept.comparisons();
        let (pairs, comparisons) = (kept.categories.len() * kept.seeds.len(), compared.len());
        let p = num::smallest_p(pairs, comparisons);
        let enough = if p <= 0.05 { "" } else { ": too few for 0.05, whatever is found" };
        let (pairs, comparisons) = (counted(pairs, "pair", "pairs"), counted(comparisons, "comparison", "comparisons"));
        let what = format!("the smallest Holm-adjusted p that {pairs} and {comparisons} can reach is ");
        (!compared.is_empty()).then(|| what + &text::number(p) + enough)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.merged.to_vec();
        let name = |row: usize| &self.plan.rows[row].name;
        let twin = |(row, first)| format!("note: {} and {} have the same runs and count as one comparison", name(first), name(row));
        notes.extend(self.plan.twins().into_iter().map(twin));
        if self.is_builtin() && self.plan.profile == Profile::Paper {
            notes.push(
                "note: this is the paper's profile on the built-in data: full-size runs of 200 epochs, and nothing to compare with \
                 the paper; data.root=/path/to/mvtec names its data, --profile cpu is the small one"
                    .to_owned(),
            );
        }
        let (jobs, threads, cores) = (self.slots.len(), self.threads, cores());
        if self.plan.facts.device == "cpu" && jobs * threads > cores {
            notes.push(format!("note: {jobs} jobs of {threads} threads share {cores} cores: each will be slower than alone"));
        }
        notes
    }

    fn changes(&self) -> Vec<String> {
        let changes = self.before.map_or_else(Vec::new, |before| self.plan.changes(before));
        if changes.is_empty() {
            return vec![];
        }
        let mut lines = vec!["changed since this sweep was last started (runs whose settings or data it affects start over):".to_owned()];
        lines.extend(changes.iter().take(MOST_CHANGES).map(|line| format!("  {line}")));
        if changes.len() > MOST_CHANGES {
            lines.push(format!("  and {} more", changes.len() - MOST_CHANGES));
        }
        lines
    }

    fn is_builtin(&self) -> bool {
        self.plan.root == data::root::BUILTIN
    }
}
