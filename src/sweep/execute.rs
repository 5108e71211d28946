//! Carries a plan out: one child process a run, as many at once as there are slots, seed by seed.
//!
//! Everything that decides is read from the run store each time, never remembered from before, so that another sweep, a
//! kill or a repeat of the command changes nothing but who does the work.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use super::Plan;
use super::board::Board;
use super::child::{Job, Order, Said};
use super::decide::{Action, Failed};
use super::ledger::{How, Ledger, What};
use super::place::Place;
use super::plan::PlannedRun;
use crate::run::{Id, Status, Stop};
use crate::store::Store;
use crate::{Error, Result};

/// How a plan is carried out.
#[derive(Debug, Clone)]
pub struct Options {
    /// The command as it was typed, for the ledger.
    pub command: String,
    /// One entry a slot: the device of the run in it.
    pub slots: Vec<String>,
    pub failed: Failed,
    /// How often a run that fails now is tried again at once.
    pub retries: u32,
    /// Stop everything after this many failures.
    pub max_failures: usize,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub finished: usize,
    pub reused: usize,
    /// Runs that failed now or before, with their errors.
    pub failed: Vec<(Id, String)>,
    /// Runs that a signal ended, or that somebody stopped.
    pub stopped: Vec<Id>,
}

/// One run of the plan while it is carried out.
struct Task {
    id: Id,
    /// The first row that it belongs to: rows may share a run.
    row: usize,
    category: String,
    round: usize,
    state: State,
    retries: u32,
}

#[derive(PartialEq)]
enum State {
    Waiting,
    /// Another process runs it.
    Elsewhere,
    Running,
    Done,
}

/// How often runs that another process is at are looked at again.
const LOOK: Duration = Duration::from_secs(1);

/// Carries out the runs of `plan` whose rows are in `rows`. `round` is called with the number of complete rounds (seeds)
/// whenever that grows; it may write a table and say where.
///
/// # Errors
/// The sweep's own files cannot be written; [`crate::error::Kind::Stopped`] where `stop` asked for it. Runs that fail are no
/// error here: the tally names them.
pub fn execute(
    plan: &Plan,
    rows: &[usize],
    place: &Place,
    options: &Options,
    board: &mut Board,
    stop: &Stop,
    round: &mut dyn FnMut(usize) -> Result<Option<PathBuf>>,
) -> Result<Tally> {
    let mut work = Work::begin(plan, rows, place, options, board)?;
    let mut rounds = 0;
    loop {
        if stop.requested() {
            work.halt("stopping: runs write their checkpoints");
        }
        work.fill()?;
        let complete = complete_rounds(plan, &work.tasks);
        // Once nothing more is started, a seed without runs to do may still lack those that were stopped.
        if complete > rounds && !work.halted {
            rounds = complete;
            if let Some(table) = round(rounds)? {
                work.board.message(&format!("{rounds} of {} seeds are complete: {}", plan.seeds.len(), table.display()));
            }
        }
        if work.is_over() {
            break;
        }
        if let Ok(said) = work.words.recv_timeout(Duration::from_millis(200)) {
            work.hear(said);
            while let Ok(said) = work.words.try_recv() {
                work.hear(said);
            }
        }
        work.settle()?;
    }
    let left = work.tasks.iter().any(|task| task.state != State::Done) || !work.tally.stopped.is_empty();
    if stop.requested() && left {
        return Err(Error::stopped("the sweep was stopped; finished runs are kept, the others have their checkpoints"));
    }
    Ok(work.tally)
}

/// A plan while it is carried out.
struct Work<'a> {
    plan: &'a Plan,
    place: &'a Place,
    options: &'a Options,
    board: &'a mut Board,
    store: Store,
    ledger: Ledger,
    /// Runs whose last attempt had failed when this began.
    failed_before: Vec<Id>,
    tasks: Vec<Task>,
    /// Tasks to look at, the next one first.
    queue: VecDeque<usize>,
    /// Tasks that another process is at, and when they were last looked at.
    elsewhere: (Vec<usize>, Instant),
    slots: Vec<Option<(usize, Job)>>,
    said: Sender<Said>,
    words: Receiver<Said>,
    tally: Tally,
    /// Runs that failed since this began; `tally` has those that were left as well.
    failures: usize,
    /// Nothing is started any more.
    halted: bool,
}

impl<'a> Work<'a> {
    fn begin(plan: &'a Plan, rows: &[usize], place: &'a Place, options: &'a Options, board: &'a mut Board) -> Result<Self> {
        let ledger = Ledger::of(&place.folder);
        ledger.append(What::Begin { pid: std::process::id(), command: options.command.clone() })?;
        let tasks = tasks(plan, rows);
        let store = Store::new(&place.results);
        let (said, words) = mpsc::channel();
        Ok(Self {
            failed_before: ledger.failed(&store)?,
            queue: (0..tasks.len()).collect(),
            elsewhere: (vec![], Instant::now()),
            slots: options.slots.iter().map(|_| None).collect(),
            store,
            tally: Tally::default(),
            failures: 0,
            halted: false,
            plan,
            place,
            options,
            board,
            ledger,
            tasks,
            said,
            words,
        })
    }

    fn is_over(&self) -> bool {
        self.slots.iter().all(Option::is_none) && (self.halted || self.tasks.iter().all(|task| task.state == State::Done))
    }

    /// Starts nothing more and asks what runs to write its checkpoint and stop.
    fn halt(&mut self, why: &str) {
        if !self.halted {
            self.halted = true;
            self.board.message(why);
            self.slots.iter_mut().flatten().for_each(|(_, job)| job.stop());
        }
    }

    /// Gives the free slots work, in the order of the plan.
    fn fill(&mut self) -> Result<()> {
        let (waiting, looked) = &mut self.elsewhere;
        if looked.elapsed() >= LOOK {
            self.queue.extend(waiting.drain(..));
            *looked = Instant::now();
        }
        while !self.halted
            && let Some(slot) = self.slots.iter().position(Option::is_none)
            && let Some(number) = self.queue.pop_front()
        {
            self.take_up(slot, number)?;
        }
        Ok(())
    }

    /// Does with a task what its run's state asks for now.
    fn take_up(&mut self, slot: usize, number: usize) -> Result<()> {
        let task = &mut self.tasks[number];
        let id = self.store.claim(&task.id)?;
        let folder = self.store.folder(&id);
        let failed = self.failed_before.contains(&id) && task.retries == 0;
        let wish = if task.retries > 0 { Failed::Retry } else { self.options.failed };
        match Action::of(folder.status(), failed, wish) {
            Action::Reuse => {
                task.state = State::Done;
                self.tally.reused += 1;
                self.board.reused(task.row, folder.summary()?.map_or(0.0, |s| s.timing.wall_s));
            }
            Action::GiveUp => {
                task.state = State::Done;
                let error = folder.record().ok().flatten().and_then(|r| r.error).unwrap_or_else(|| "see log.txt".into());
                self.board.message(&format!("{} failed before and is left (--retry tries it again): {error}", name(self.plan, task)));
                self.board.gone(task.row);
                self.tally.failed.push((id, error));
            }
            Action::Wait => {
                if task.state != State::Elsewhere {
                    self.board.message(&format!("{} is being run by another process", name(self.plan, task)));
                }
                task.state = State::Elsewhere;
                self.elsewhere.0.push(number);
            }
            Action::Start | Action::Resume => {
                let device = &self.options.slots[slot];
                let order = Order {
                    config: &self.place.config(task.row),
                    id: &id,
                    category: &task.category,
                    results: &self.place.results,
                    device,
                    sweep: &self.plan.name,
                };
                let job = Job::start(&order, number, &self.said)?;
                self.ledger.append(What::Start { id: id.clone(), pid: job.pid(), device: device.clone() })?;
                self.board.started(number, &name(self.plan, task), task.row);
                task.state = State::Running;
                self.slots[slot] = Some((number, job));
            }
        }
        Ok(())
    }

    /// Takes in one line of a child, or its silence.
    fn hear(&mut self, (number, line): Said) {
        if let Some((_, job)) = self.slots.iter_mut().flatten().find(|(n, _)| *n == number)
            && let Some(line) = job.hear(line.as_deref())
        {
            self.board.heard(number, line);
        }
    }

    /// Takes the children that ended out of their slots.
    fn settle(&mut self) -> Result<()> {
        for slot in 0..self.slots.len() {
            if let Some(how) = self.slots[slot].as_mut().and_then(|(_, job)| job.ended())
                && let Some((number, job)) = self.slots[slot].take()
            {
                self.close(number, &job, how)?;
            }
        }
        Ok(())
    }

    /// Notes how a child ended, and what that means for its task.
    fn close(&mut self, number: usize, job: &Job, how: How) -> Result<()> {
        let task = &mut self.tasks[number];
        let (folder, name) = (self.store.folder(&job.id), name(self.plan, task));
        let wall_s = job.began.elapsed().as_secs_f64();
        let error = (how == How::Failed).then(|| {
            let stored = folder.record().ok().flatten().and_then(|r| r.error);
            stored.unwrap_or_else(|| job.error())
        });
        // Another process may have been quicker to take the run: that is no failure.
        let lost_race = how == How::Failed && matches!(folder.status(), Status::Running | Status::Finished);
        let how = if lost_race { How::Stopped } else { how };
        self.ledger.append(What::End { id: job.id.clone(), how, wall_s, error: error.clone() })?;
        let again = matches!(how, How::Failed | How::Killed) && task.retries < self.options.retries && !self.halted;
        if !again && !lost_race {
            task.state = State::Done;
            self.board.gone(task.row);
        }
        self.board.ended(number, &name, how, wall_s);
        let error = error.unwrap_or_default();
        if how == How::Failed {
            self.board.failed(&name, &error, &tail(&folder.log_txt()), &job.last_words());
        }
        if lost_race {
            task.state = State::Elsewhere;
            self.elsewhere.0.push(number);
            return Ok(());
        }
        if again {
            task.retries += 1;
            task.state = State::Waiting;
            self.board.message(&format!("{name} is tried again ({} of {})", task.retries, self.options.retries));
            self.queue.push_front(number);
            return Ok(());
        }
        match how {
            How::Finished => self.tally.finished += 1,
            How::Failed => {
                self.tally.failed.push((job.id.clone(), error));
                self.failures += 1;
                if self.failures >= self.options.max_failures {
                    self.halt(&format!("{} failed: stopping the others, which keep their checkpoints", self.failures));
                }
            }
            How::Stopped | How::Killed => self.tally.stopped.push(job.id.clone()),
        }
        Ok(())
    }
}

/// The runs of a plan, each once, in its order.
fn tasks(plan: &Plan, rows: &[usize]) -> Vec<Task> {
    let task = |run: &PlannedRun| {
        let round = plan.seeds.iter().position(|&seed| seed == run.seed).expect("a run's seed is one of the plan's");
        let (id, category) = (run.id.clone(), run.category.clone());
        Task { id, row: run.row, category, round, state: State::Waiting, retries: 0 }
    };
    plan.distinct(rows).into_iter().map(task).collect()
}

/// How many seeds, from the first on, have no run left to do.
fn complete_rounds(plan: &Plan, tasks: &[Task]) -> usize {
    (0..plan.seeds.len()).take_while(|&round| tasks.iter().filter(|t| t.round == round).all(|t| t.state == State::Done)).count()
}

/// A run as people know it.
fn name(plan: &Plan, task: &Task) -> String {
    format!("{} · {} s{}", plan.rows[task.row].name, task.category, task.id.seed)
}

/// The last lines of a log.
fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
