//! A sweep as the parent of its runs: its table as a note, its rows' means, its pages and figures.

use std::collections::{BTreeMap, BTreeSet};

use super::content::{Attached, Content, Data, KEY, State};
use super::group::{Group, Member, has_begun, is_over};
use super::names::{self, cut};
use super::options::{Attach, Options};
use super::points::Point;
use super::times::{self, milliseconds};
use crate::report::study::{Comparison, is_shown};
use crate::run::{Id, Status};
use crate::store::{Entry, Store};
use crate::sweep::folder::SweepFolder;
use crate::sweep::ledger::{Ledger, What};
use crate::sweep::{Plan, Study};
use crate::{Error, Result};

/// The server's longest values of tags.
const LONGEST_NOTE: usize = 8000;
const LONGEST_TAG: usize = 5000;

/// The sweep of that name with all its runs as they stand now.
///
/// # Errors
/// A sweep without a plan; a summary that cannot be read, or is not of the run that is planned.
pub fn group(name: &str, store: &Store, options: &Options) -> Result<Group> {
    let folder = SweepFolder::new(store.results(), name);
    let plan = folder.read()?.ok_or_else(|| {
        Error::config(format!("there is no sweep {name} in {}", store.results().display()), "`harness sweep FILE` makes one")
    })?;
    // The lock first: a run that it started has its state when it is free.
    let held = folder.is_held();
    let study = Study::collect(&plan, store, &plan.seeds)?;
    let (members, waiting) = members(&study, store);
    let ended = waiting == 0 && members.iter().all(|member| is_over(member.entry.status));
    let found = Found { folder: &folder, plan: &plan, study: &study, members: &members, waiting, held };
    let varied = plan.varied().into_iter().map(str::to_owned).collect();
    Ok(Group {
        experiment: options.experiment.clone().unwrap_or_else(|| name.to_owned()),
        parent: Some(found.content(options)?),
        members,
        waiting,
        is_over: ended && !held,
        varied,
    })
}

/// The runs that have begun, each once with the rows that it fills; and how many have not.
fn members(study: &Study, store: &Store) -> (Vec<Member>, usize) {
    let mut rows: BTreeMap<&Id, Vec<String>> = BTreeMap::new();
    let mut order: Vec<&Id> = vec![];
    for cell in &study.cells {
        let names = rows.entry(&cell.id).or_insert_with(|| {
            order.push(&cell.id);
            vec![]
        });
        names.push(study.rows[cell.row].name.clone());
    }
    let entries = order.into_iter().map(|id| (store.entry(id.clone()), rows.remove(id).unwrap_or_default()));
    let (begun, fresh): (Vec<(Entry, Vec<String>)>, Vec<_>) = entries.partition(|(entry, _)| has_begun(entry));
    (begun.into_iter().map(|(entry, rows)| Member { entry, rows }).collect(), fresh.len())
}

struct Found<'a> {
    folder: &'a SweepFolder,
    plan: &'a Plan,
    study: &'a Study,
    members: &'a [Member],
    waiting: usize,
    held: bool,
}

impl Found<'_> {
    fn content(&self, options: &Options) -> Result<Content> {
        let mut times = BTreeMap::new();
        for Member { entry, .. } in self.members {
            if let Some(record) = &entry.record {
                times.insert(&entry.id, times::of(&entry.folder, record, entry.status)?);
            }
        }
        let name = &self.plan.name;
        let begun = Ledger::of(&self.folder.folder).read()?.into_iter();
        let begun = begun.filter(|entry| matches!(entry.what, What::Begin { .. })).find_map(|entry| milliseconds(&entry.at));
        let first = times.values().map(|times| times.began).min();
        let began_ms = begun.or(first).unwrap_or_default();
        // An unpacked archive has no ledger: its name alone is known of it.
        let key = begun.map_or_else(|| format!("sweep {name}"), |begun| format!("sweep {name} {begun}"));
        let state = self.state();
        let ends: BTreeMap<&Id, i64> = times.iter().filter_map(|(id, times)| Some((*id, times.ended?))).collect();
        let last = ends.values().copied().max().unwrap_or(began_ms).max(began_ms);
        let (points, called) = self.points(began_ms, &ends);
        let mut tags = self.tags();
        tags.extend(called);
        tags.insert(KEY.into(), key.clone());
        Ok(Content {
            key,
            name: name.clone(),
            began_ms,
            ended_ms: (state != State::Running).then_some(last),
            state,
            tags,
            note: self.note(),
            params: BTreeMap::new(),
            points,
            data: self.plan.facts.data.iter().map(|(category, hash)| Data::new(category, hash, &self.plan.root)).collect(),
            files: self.files(options)?,
        })
    }

    fn state(&self) -> State {
        let any = |status: Status| self.members.iter().any(|member| member.entry.status == status);
        if self.held || any(Status::Running) {
            State::Running
        } else if any(Status::Failed) {
            State::Failed
        } else if self.waiting > 0 || any(Status::Stopped) {
            State::Killed
        } else {
            State::Finished
        }
    }

    /// The mean of each row in each metric, once all runs that are planned for it have it, at as many steps as there are runs; and what
    /// the parts of their names are really called.
    fn points(&self, began_ms: i64, ends: &BTreeMap<&Id, i64>) -> (Vec<Point>, BTreeMap<String, String>) {
        let comparison = Comparison::of(self.study);
        let rows: Vec<&str> = comparison.lines.iter().map(|line| line.name.as_str()).collect();
        let (parts, mut points) = (names::distinct(&rows), vec![]);
        for (row, line) in comparison.lines.iter().enumerate() {
            // Runs that were made again end later, so that their mean is the last one.
            let of_row = self.study.cells.iter().filter(|cell| cell.row == row).filter_map(|cell| ends.get(&cell.id));
            let at_ms = of_row.copied().max().unwrap_or(began_ms);
            let figures = line.figures.iter().filter(|(_, figure)| figure.complete && line.n > 0);
            let point = |(metric, mean): (&String, f64)| Point {
                name: format!("{}/{metric}", parts[row]),
                value: mean,
                step: line.n as u64,
                at_ms,
            };
            points.extend(figures.filter_map(|(metric, figure)| Some((metric, figure.mean?))).map(point));
        }
        let mut called = names::tags(parts.iter().cloned().zip(rows.iter().copied()));
        called.extend(names::tags_of_paths(comparison.metrics.iter().map(String::as_str)));
        (points, called)
    }

    fn tags(&self) -> BTreeMap<String, String> {
        let (plan, study) = (self.plan, self.study);
        let finished = study.cells.iter().filter(|cell| cell.summary().is_some()).count();
        let seeds: Vec<String> = plan.seeds.iter().map(u64::to_string).collect();
        let weights: BTreeSet<&str> = plan.facts.weights.values().map(String::as_str).collect();
        let all = [
            ("harness.sweep", plan.name.clone()),
            ("harness.title", plan.title.clone()),
            ("harness.profile", plan.profile.to_string()),
            ("harness.data", study.data.clone()),
            ("harness.categories", study.categories.join(", ")),
            ("harness.seeds", seeds.join(", ")),
            ("harness.varied", plan.varied().join(", ")),
            ("harness.weights_hash", weights.into_iter().collect::<Vec<_>>().join(", ")),
            ("harness.status", format!("{finished} of {} runs are finished", study.cells.len())),
            ("mlflow.source.type", "LOCAL".into()),
            ("mlflow.source.name", "harness sweep".into()),
            ("harness.command", plan.command.clone()),
        ];
        let there = all.into_iter().filter(|(_, value)| !value.is_empty());
        there.map(|(key, value)| (key.to_owned(), cut(&value, LONGEST_TAG))).collect()
    }

    /// The table, as Markdown; none before a report has written it.
    fn note(&self) -> Option<String> {
        let table = std::fs::read_to_string(self.folder.folder.join("table.md")).ok()?;
        Some(shortened(&table, LONGEST_NOTE))
    }

    fn files(&self, options: &Options) -> Result<Vec<Attached>> {
        if options.attach == Attach::None {
            return Ok(vec![]);
        }
        let mut files = Attached::below("", &self.folder.folder, &is_shown)?;
        files.extend(Attached::below("figures/", &options.plots.join(&self.plan.name), &|name| name.ends_with(".png"))?);
        Ok(files)
    }
}

/// A text of whole lines that is no longer than the server takes.
fn shortened(text: &str, longest: usize) -> String {
    const REST: &str = "\n\nThe whole of it is `table.md` among the artifacts.\n";
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut room = longest - REST.len();
    for line in text.split_inclusive('\n') {
        let length = line.chars().count();
        if length > room {
            break;
        }
        room -= length;
        kept.push_str(line);
    }
    kept.trim_end().to_owned() + REST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_is_too_long_ends_with_a_whole_line_and_says_where_the_rest_is() {
        let text: String = (0..100).map(|n| format!("| row {n} | 97.1 |\n")).collect();
        let short = shortened(&text, 300);
        assert!(
            short.chars().count() <= 300 && short.contains("| row 9 | 97.1 |\n") && short.ends_with("among the artifacts.\n"),
            "{short}"
        );
        assert_eq!(shortened(&text, 10_000), text);
    }
}
