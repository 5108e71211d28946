//! A report that is written again as its runs finish.

use std::time::{Duration, Instant};

use crate::Result;
use crate::run::{Status, Stop};
use crate::store::Store;
use crate::sweep::Plan;
use crate::sweep::folder::SweepFolder;

/// Between two looks at the store. What changed has to stay the same for one of them, so that runs which end together are written once.
const PAUSE: Duration = Duration::from_secs(1);

/// How soon a stop is heard.
const PATIENCE: Duration = Duration::from_millis(100);

/// How the runs of a plan stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// Of each planned run, in the plan's order.
    states: Vec<Status>,
}

impl Look {
    /// Looks at every run.
    pub fn at(plan: &Plan, store: &Store) -> Self {
        Self { states: plan.runs.iter().map(|run| store.folder(&store.locate(&run.id)).status()).collect() }
    }

    fn count(&self, wanted: Status) -> usize {
        self.states.iter().filter(|state| **state == wanted).count()
    }

    /// Whether nothing is left to be done.
    fn is_over(&self) -> bool {
        self.states.iter().all(|state| matches!(state, Status::Finished | Status::Failed))
    }

    /// Whether a report of the one would be that of the other: a run that started changes none.
    fn is_same(&self, other: &Self) -> bool {
        let told = |state: &Status| [Status::Finished, Status::Failed].into_iter().find(|end| end == state);
        self.states.iter().map(told).eq(other.states.iter().map(told))
    }

    /// How many runs are finished, failed, running.
    pub fn text(&self) -> String {
        let (failed, running) = (self.count(Status::Failed), self.count(Status::Running));
        let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        format!("{} of {} runs are finished{failed}, {running} running", self.count(Status::Finished), self.states.len())
    }
}

/// What a watcher does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Wait,
    Write,
    /// Everything was written, and nothing more will come.
    End,
}

/// When a report is written: pure, from one look to the next.
#[derive(Debug, Default)]
pub struct Watch {
    written: Option<Look>,
    last: Option<Look>,
}

impl Watch {
    /// What follows from a look; `held` says that a sweep is being carried out, which may try failed runs again.
    pub fn next(&mut self, look: &Look, held: bool) -> Next {
        let settled = self.last.as_ref().is_none_or(|last| last.is_same(look));
        self.last = Some(look.clone());
        let is_written = self.written.as_ref().is_some_and(|written| written.is_same(look));
        if !is_written {
            if !settled {
                return Next::Wait;
            }
            self.written = Some(look.clone());
            return Next::Write;
        }
        if look.is_over() && !held { Next::End } else { Next::Wait }
    }
}

/// Has `write` write a sweep's report now and whenever runs have ended since, until all have or `stop` asks for it.
///
/// # Errors
/// Those of `write`, and a plan that cannot be read.
pub fn watch(folder: &SweepFolder, store: &Store, stop: &Stop, write: &mut dyn FnMut(&Plan, &Look) -> Result<()>) -> Result<()> {
    let mut watch = Watch::default();
    let mut plan: Option<Plan> = None;
    while !stop.requested() {
        // Another command may have laid another plan there: then everything is new.
        let found = folder.read()?;
        if let Some(found) = found.filter(|found| plan.as_ref().is_none_or(|plan| !plan.is_same(found))) {
            (plan, watch) = (Some(found), Watch::default());
        }
        let Some(plan) = &plan else { return Ok(()) };
        // The lock first: a run that it started has its state when it is free.
        let held = folder.is_held();
        let look = Look::at(plan, store);
        let began = Instant::now();
        match watch.next(&look, held) {
            Next::End => return Ok(()),
            Next::Write => write(plan, &look)?,
            Next::Wait => {}
        }
        // Drawing takes what it takes, and leaves the runs at least as much.
        rest(PAUSE.max(began.elapsed()), stop);
    }
    Ok(())
}

fn rest(time: Duration, stop: &Stop) {
    let began = Instant::now();
    while began.elapsed() < time && !stop.requested() {
        std::thread::sleep(PATIENCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Failed, Finished, Fresh, Running, Stopped};

    fn look(states: &[Status]) -> Look {
        Look { states: states.to_vec() }
    }

    #[test]
    fn a_report_is_written_at_once_and_again_when_runs_have_ended_and_none_did_since_the_last_look() {
        let mut watch = Watch::default();
        assert_eq!(watch.next(&look(&[Finished, Running, Fresh]), true), Next::Write, "what is there");
        assert_eq!(watch.next(&look(&[Finished, Running, Running]), true), Next::Wait, "a start changes no report");
        assert_eq!(watch.next(&look(&[Finished, Finished, Running]), true), Next::Wait, "another may end just now");
        assert_eq!(watch.next(&look(&[Finished, Finished, Finished]), true), Next::Wait);
        assert_eq!(watch.next(&look(&[Finished, Finished, Finished]), true), Next::Write, "both at once");
        assert_eq!(watch.next(&look(&[Finished, Finished, Finished]), true), Next::Wait, "the sweep is not done yet");
        assert_eq!(watch.next(&look(&[Finished, Finished, Finished]), false), Next::End);
    }

    #[test]
    fn it_ends_where_all_runs_are_finished_or_failed_and_waits_for_what_may_go_on() {
        let mut over = Watch::default();
        let all = look(&[Finished, Failed]);
        assert_eq!([over.next(&all, false), over.next(&all, false)], [Next::Write, Next::End]);
        let mut waiting = Watch::default();
        let some = look(&[Finished, Stopped]);
        assert_eq!([waiting.next(&some, false), waiting.next(&some, false)], [Next::Write, Next::Wait]);
        assert_eq!(waiting.next(&look(&[Finished, Failed]), true), Next::Wait);
        assert_eq!(all.text(), "1 of 2 runs are finished, 1 failed, 0 running");
    }

    #[test]
    fn who_asks_for_a_stop_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, store, stop) = (SweepFolder::new(dir.path(), "x"), Store::new(dir.path()), Stop::default());
        stop.request();
        watch(&folder, &store, &stop, &mut |_, _| panic!("nothing is written")).unwrap();
    }
}
