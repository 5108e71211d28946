//! Carries a plan out: as many runs at once as the backend takes, seed by seed.
//!
//! Everything that decides is read from the run store each time, never remembered from before, so that another sweep, a
//! kill or a repeat of the command changes nothing but who does the work.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::backend::{Backend, Ended, Handle, LaunchSpec, RunMessage, Started, Update};
use super::board::Board;
use super::decide::{Action, Failed};
use super::folder::SweepFolder;
use super::ledger::{How, Ledger, What};
use super::plan::{Plan, PlannedRun};
use super::progress::SweepProgress;
use super::request::reporting;
use super::share::{Others, Share};
use crate::file::wait::holder;
use crate::names::in_line;
use crate::run::{Id, Status, Stop};
use crate::store::Store;
use crate::{Error, Result};

/// What is carried out, and how.
#[derive(Debug, Clone, Copy)]
pub struct Assignment<'a> {
    pub plan: &'a Plan,
    /// The rows whose runs are carried out.
    pub rows: &'a [usize],
    pub folder: &'a SweepFolder,
    pub options: &'a Options,
}

/// How a plan is carried out.
#[derive(Debug, Clone)]
pub struct Options {
    /// The command as it was typed, for the ledger.
    pub command: String,
    pub failed: Failed,
    /// How often a run that fails now is tried again at once.
    pub retries: u32,
    /// Stop everything after this many failures.
    pub max_failures: usize,
    /// Where in the order of the plan it begins.
    pub share: Share,
    pub others: Others,
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
    /// Runs that other processes were still at, where those are not awaited.
    pub elsewhere: usize,
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

/// A run that the backend has.
struct Running {
    /// Place among the tasks.
    number: usize,
    /// Whether it has taken a step: from then on it writes for TensorBoard.
    stepped: bool,
    /// Where it lies, which may be under another experiment than its task says.
    id: Id,
    began: Instant,
}

/// How often runs that are elsewhere are looked at again.
const LOOK: Duration = Duration::from_secs(1);

/// How long the backend may wait for something to happen, so that a signal is heard.
const PATIENCE: Duration = Duration::from_millis(200);

/// Carries out the runs of an assignment. `round` is called with the number of complete rounds (seeds) whenever that grows; it may
/// write a table and say where.
///
/// # Errors
/// The sweep's own files cannot be written; [`crate::error::Kind::Stopped`] where `stop` asked for it. Runs that fail are not
/// an error here: the tally names them.
pub fn execute(
    assignment: Assignment,
    backend: &mut dyn Backend,
    progress: &mut SweepProgress,
    stop: &Stop,
    round: &mut dyn FnMut(usize) -> Result<Option<PathBuf>>,
) -> Result<Tally> {
    let seeds = assignment.plan.seeds.len();
    let mut work = Work::begin(assignment, backend, progress)?;
    let mut rounds = 0;
    loop {
        if stop.requested() {
            work.halt("stopping: runs write their checkpoints");
        }
        work.start_next()?;
        let complete = complete_rounds(seeds, &work.tasks);
        // Once nothing more is started, a seed without runs to do may still lack those that were stopped.
        if complete > rounds && !work.halted {
            rounds = complete;
            if let Some(table) = round(rounds)? {
                work.progress.message(&format!("{rounds} of {seeds} seeds are complete: {}", table.display()));
            }
        }
        if work.is_over() {
            break;
        }
        for (handle, update) in work.backend.poll(PATIENCE)? {
            work.on_update(handle, update)?;
        }
    }
    work.tally.elsewhere = work.tasks.iter().filter(|task| task.state == State::Elsewhere).count();
    let left = work.tasks.iter().any(|task| task.state != State::Done) || !work.tally.stopped.is_empty();
    if stop.requested() && left {
        let stopped = Error::stopped("the sweep was stopped; finished runs are kept, the others have their checkpoints");
        let look = reporting(&work.assignment.folder.results, &work.assignment.plan.name);
        return Err(Error { remedy: format!("{}; `{look}` shows what is finished", stopped.remedy), ..stopped });
    }
    Ok(work.tally)
}

/// A plan while it is carried out.
struct Work<'a> {
    assignment: Assignment<'a>,
    backend: &'a mut dyn Backend,
    progress: &'a mut SweepProgress,
    store: Store,
    board: Option<Board>,
    ledger: Ledger,
    /// The runs whose last attempt had failed when this began, as the ledger knows.
    before: BTreeSet<Id>,
    tasks: Vec<Task>,
    /// Tasks to look at, the next one first.
    queue: VecDeque<usize>,
    /// Tasks that are elsewhere, and when they were last looked at.
    elsewhere: (Vec<usize>, Instant),
    running: BTreeMap<Handle, Running>,
    tally: Tally,
    /// Runs that failed since this began; `tally` has those that were left as well.
    failures: usize,
    /// Nothing is started any more.
    halted: bool,
}

impl<'a> Work<'a> {
    fn begin(assignment: Assignment<'a>, backend: &'a mut dyn Backend, progress: &'a mut SweepProgress) -> Result<Self> {
        let ledger = Ledger::of(&assignment.folder.folder);
        ledger.damage()?.iter().for_each(|damage| progress.message(damage));
        ledger.append(What::Begin { pid: std::process::id(), command: assignment.options.command.clone() })?;
        let tasks = tasks(assignment.plan, assignment.rows);
        let store = Store::new(&assignment.folder.results);
        let mut work = Self {
            board: Some(Board::of(assignment.plan, assignment.folder)),
            before: ledger.failed(&store)?,
            queue: assignment.options.share.order(tasks.len()).collect(),
            elsewhere: (vec![], Instant::now()),
            running: BTreeMap::new(),
            tally: Tally::default(),
            failures: 0,
            halted: false,
            assignment,
            backend,
            progress,
            store,
            ledger,
            tasks,
        };
        work.show();
        Ok(work)
    }

    fn is_over(&self) -> bool {
        let left = || self.queue.is_empty() && self.assignment.options.others == Others::Leave;
        self.running.is_empty() && (self.halted || left() || self.tasks.iter().all(|task| task.state == State::Done))
    }

    /// Starts nothing more and asks what runs to write its checkpoint and stop.
    fn halt(&mut self, why: &str) {
        if !self.halted {
            self.halted = true;
            self.progress.message(why);
            self.backend.stop();
        }
    }

    /// Gives the backend what it takes, in the order of the plan.
    fn start_next(&mut self) -> Result<()> {
        let (waiting, looked) = &mut self.elsewhere;
        if looked.elapsed() >= LOOK {
            self.queue.extend(waiting.drain(..));
            *looked = Instant::now();
        }
        while !self.halted
            && self.backend.free() > 0
            && let Some(number) = self.queue.pop_front()
        {
            self.consider(number)?;
        }
        Ok(())
    }

    /// Does with a task what its run's state asks for now.
    fn consider(&mut self, number: usize) -> Result<()> {
        let id = self.store.claim(&self.tasks[number].id)?;
        match self.action(number, &id)? {
            Action::Reuse => {
                let wall_s = self.store.folder(&id).summary()?.map_or(0.0, |s| s.timing.wall_s);
                let task = &mut self.tasks[number];
                task.state = State::Done;
                self.tally.reused += 1;
                self.progress.reused(task.row, wall_s);
            }
            Action::GiveUp => self.give_up(number, id),
            Action::Wait => {
                let who = holder(&self.store.folder(&id).lock());
                self.wait(number, &format!("is being run by {who}"));
            }
            Action::Start | Action::Resume => self.start(number, id)?,
        }
        Ok(())
    }

    fn action(&mut self, number: usize, id: &Id) -> Result<Action> {
        let retried = self.tasks[number].retries > 0;
        let failed = self.before.contains(id) && !retried;
        let requested = if retried { Failed::Retry } else { self.assignment.options.failed };
        Ok(Action::of(self.store.folder(id).status(), failed, requested))
    }

    fn give_up(&mut self, number: usize, id: Id) {
        let task = &mut self.tasks[number];
        task.state = State::Done;
        let error = self.store.folder(&id).record().ok().flatten().and_then(|r| r.error).unwrap_or_else(|| "see log.txt".into());
        let name = name(self.assignment.plan, task);
        self.progress.message(&format!("{name} failed before and is left (--retry tries it again): {error}"));
        self.progress.done(task.row);
        self.tally.failed.push((id, error));
    }

    /// Puts a task aside that somebody else is at, and says so once.
    fn wait(&mut self, number: usize, why: &str) {
        let task = &mut self.tasks[number];
        if task.state != State::Elsewhere {
            self.progress.message(&format!("{} {why}", name(self.assignment.plan, task)));
        }
        task.state = State::Elsewhere;
        self.elsewhere.0.push(number);
    }

    /// Hands a run to the backend.
    fn start(&mut self, number: usize, id: Id) -> Result<()> {
        let Assignment { plan, folder, .. } = self.assignment;
        let task = &mut self.tasks[number];
        let spec =
            LaunchSpec { config: &folder.config(task.row), id: &id, category: &task.category, results: &folder.results, sweep: &plan.name };
        let Started { handle, pid, device } = self.backend.start(&spec)?;
        self.ledger.append(What::Start { id: id.clone(), pid, device })?;
        self.progress.started(number, &name(plan, task), task.row);
        task.state = State::Running;
        self.running.insert(handle, Running { number, stepped: false, id, began: Instant::now() });
        Ok(())
    }

    /// Takes in what the backend tells of a run.
    fn on_update(&mut self, handle: Handle, update: Update) -> Result<()> {
        match update {
            Update::Message(message) => {
                if let Some(running) = self.running.get_mut(&handle) {
                    let first = matches!(message, RunMessage::Step(_)) && !std::mem::replace(&mut running.stepped, true);
                    self.progress.on_message(running.number, message);
                    if first {
                        self.show();
                    }
                }
                Ok(())
            }
            Update::Ended(ended) => match self.running.remove(&handle) {
                Some(running) => self.close(&running, ended),
                None => Ok(()),
            },
        }
    }

    /// Links for TensorBoard; where they cannot be made, that is said once and the sweep goes on.
    fn show(&mut self) {
        if let Some(board) = &self.board
            && let Err(error) = board.show(&self.store)
        {
            self.progress.message(&format!("note: no folder for TensorBoard: {}", error.what));
            self.board = None;
        }
    }

    /// Notes how a run ended, and what that means for its task.
    fn close(&mut self, running: &Running, ended: Ended) -> Result<()> {
        let (number, id) = (running.number, &running.id);
        let (folder, wall_s) = (self.store.folder(id), running.began.elapsed().as_secs_f64());
        let error = (ended.how == How::Failed).then(|| {
            let stored = folder.record().ok().flatten().and_then(|r| r.error);
            stored.unwrap_or(ended.error)
        });
        // Another process may have been quicker to take the run: that is not a failure.
        let lost_race = ended.how == How::Failed && matches!(folder.status(), Status::Running | Status::Finished);
        let how = if lost_race { How::Stopped } else { ended.how };
        self.ledger.append(What::End { id: id.clone(), how, wall_s, error: error.clone() })?;
        let task = &mut self.tasks[number];
        let name = name(self.assignment.plan, task);
        let again = matches!(how, How::Failed | How::Killed) && task.retries < self.assignment.options.retries && !self.halted;
        if !again && !lost_race {
            task.state = State::Done;
            self.progress.done(task.row);
        }
        self.progress.ended(number, &name, how, wall_s);
        let error = error.unwrap_or_default();
        if how == How::Failed {
            self.progress.failed(&name, &error, &tail(&folder.log_txt()), &ended.output);
        }
        if lost_race {
            task.state = State::Elsewhere;
            self.elsewhere.0.push(number);
        } else if again {
            task.retries += 1;
            task.state = State::Waiting;
            self.progress.message(&format!("{name} is tried again ({} of {})", task.retries, self.assignment.options.retries));
            self.queue.push_front(number);
        } else {
            self.count(how, id, error);
        }
        Ok(())
    }

    /// Adds an end to the tally; stops everything after too many failures.
    fn count(&mut self, how: How, id: &Id, error: String) {
        match how {
            How::Finished => self.tally.finished += 1,
            How::Failed => {
                self.tally.failed.push((id.clone(), error));
                self.failures += 1;
                if self.failures >= self.assignment.options.max_failures {
                    self.halt(&format!("{} failed: stopping the others, which keep their checkpoints", self.failures));
                }
            }
            How::Stopped | How::Killed => self.tally.stopped.push(id.clone()),
        }
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
fn complete_rounds(seeds: usize, tasks: &[Task]) -> usize {
    (0..seeds).take_while(|&round| tasks.iter().filter(|t| t.round == round).all(|t| t.state == State::Done)).count()
}

/// A run as people know it.
fn name(plan: &Plan, task: &Task) -> String {
    format!("{} · {} s{}", in_line(&plan.rows[task.row].name), in_line(&task.category), task.id.seed)
}

/// The last lines of a log.
fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(5)..].join("\n")
}
