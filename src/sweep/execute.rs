//! Carries a plan out: one child process a run, as many at once as there are slots, seed by seed.
//!
//! Everything that decides is read from the run store each time, never remembered from before, so that another sweep, a
//! kill or a repeat of the command changes nothing but who does the work.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::Plan;
use super::board::Board;
use super::child::{Job, Order};
use super::decide::{Action, Failed};
use super::ledger::{How, Ledger, What};
use crate::run::{Id, Status, Stop, Store, file};
use crate::{Error, Result};

/// How a plan is carried out.
#[derive(Debug, Clone)]
pub struct Options {
    /// One entry a slot: the device of the run in it.
    pub slots: Vec<String>,
    pub failed: Failed,
    /// How often a run that fails now is tried again at once.
    pub retries: u32,
    /// Stop everything after this many failures.
    pub max_failures: usize,
}

/// Where a sweep's files lie.
#[derive(Debug, Clone)]
pub struct Place {
    pub results: PathBuf,
    /// `<results>/<sweep>`.
    pub folder: PathBuf,
}

impl Place {
    pub fn new(results: &Path, name: &str) -> Self {
        Self { results: results.into(), folder: results.join(name) }
    }

    pub fn plan(&self) -> PathBuf {
        self.folder.join("plan.json")
    }

    /// A row's whole configuration, from which its runs are made.
    pub fn config(&self, row: usize) -> PathBuf {
        self.folder.join("rows").join(format!("{}.toml", row + 1))
    }
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

struct Elsewhere {
    tasks: Vec<usize>,
    looked: Instant,
}

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
    let store = Store::new(&place.results);
    let ledger = Ledger::of(&place.folder);
    ledger.append(What::Begin { pid: std::process::id(), command: plan.command.clone() })?;
    let failed_before = ledger.failed()?;
    let mut tasks = tasks(plan, rows);
    let mut queue: VecDeque<usize> = (0..tasks.len()).collect();
    // Runs that another process is at; looked at again every second.
    let mut elsewhere = Elsewhere { tasks: vec![], looked: Instant::now() };
    let mut slots: Vec<Option<(usize, Job)>> = options.slots.iter().map(|_| None).collect();
    let (said, words) = mpsc::channel();
    let (mut tally, mut rounds, mut halted) = (Tally::default(), 0, false);

    loop {
        if stop.requested() && !halted {
            halted = true;
            board.message("stopping: runs write their checkpoints");
            slots.iter_mut().flatten().for_each(|(_, job)| job.stop());
        }
        if elsewhere.looked.elapsed() >= Duration::from_secs(1) {
            queue.extend(elsewhere.tasks.drain(..));
            elsewhere.looked = Instant::now();
        }
        while !halted && let Some(slot) = slots.iter().position(Option::is_none) {
            let Some(number) = queue.pop_front() else { break };
            let task = &mut tasks[number];
            let id = store.claim(&task.id)?;
            let failed = failed_before.contains(&id) && task.retries == 0;
            let wish = if task.retries > 0 { Failed::Retry } else { options.failed };
            match Action::of(store.folder(&id).status(), failed, wish) {
                Action::Reuse => {
                    task.state = State::Done;
                    tally.reused += 1;
                    board.reused(task.row, store.folder(&id).summary()?.map_or(0.0, |s| s.timing.wall_s));
                }
                Action::GiveUp => {
                    task.state = State::Done;
                    let error = store.folder(&id).record().ok().flatten().and_then(|r| r.error).unwrap_or_else(|| "see log.txt".into());
                    board.message(&format!("{} failed before and is left (--retry tries it again): {error}", name(plan, task)));
                    board.gone(task.row);
                    tally.failed.push((id, error));
                }
                Action::Wait => {
                    if task.state != State::Elsewhere {
                        board.message(&format!("{} is being run by another process", name(plan, task)));
                    }
                    task.state = State::Elsewhere;
                    elsewhere.tasks.push(number);
                }
                Action::Start | Action::Resume => {
                    let order = Order {
                        config: &place.config(task.row),
                        id: &id,
                        category: &task.category,
                        results: &place.results,
                        device: &options.slots[slot],
                        tag: &plan.name,
                    };
                    let job = Job::start(&order, number, &said)?;
                    ledger.append(What::Start { id: id.clone(), pid: job.pid(), device: options.slots[slot].clone() })?;
                    board.started(number, &name(plan, task), task.row);
                    task.state = State::Running;
                    slots[slot] = Some((number, job));
                }
            }
        }

        let complete = complete_rounds(plan, &tasks);
        if complete > rounds {
            rounds = complete;
            if let Some(table) = round(rounds)? {
                board.message(&format!("{rounds} of {} seeds are complete: {}", plan.seeds.len(), table.display()));
            }
        }
        let running = slots.iter().flatten().count();
        if running == 0 && (halted || tasks.iter().all(|t| t.state == State::Done)) {
            break;
        }

        match words.recv_timeout(Duration::from_millis(200)) {
            Ok((number, Some(line))) => {
                if let Some((_, job)) = slots.iter_mut().flatten().find(|(n, _)| *n == number) {
                    let text = job.hear(&line);
                    board.heard(number, job, text.as_deref());
                }
            }
            Ok((_, None)) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        for slot in &mut slots {
            let Some((number, job)) = slot else { continue };
            let Some(how) = job.ended() else { continue };
            let number = *number;
            // What it said last may still be on its way.
            while let Ok((n, line)) = words.recv_timeout(Duration::from_millis(50)) {
                match line {
                    Some(line) if n == number => drop(job.hear(&line)),
                    None if n == number => break,
                    _ => {}
                }
            }
            let task = &mut tasks[number];
            let folder = store.folder(&job.id);
            let wall_s = job.began.elapsed().as_secs_f64();
            let error = (how == How::Failed).then(|| {
                let stored = folder.record().ok().flatten().and_then(|r| r.error);
                stored.unwrap_or_else(|| job.last_words())
            });
            // Another process may have been quicker to take the run: that is no failure.
            let lost_race = how == How::Failed && matches!(folder.status(), Status::Running | Status::Finished);
            let how = if lost_race { How::Stopped } else { how };
            ledger.append(What::End { id: job.id.clone(), how, wall_s, error: error.clone() })?;
            board.ended(number, &name(plan, task), how, wall_s);
            task.state = State::Done;
            match how {
                How::Finished => tally.finished += 1,
                _ if lost_race => {
                    task.state = State::Elsewhere;
                    elsewhere.tasks.push(number);
                }
                How::Failed | How::Killed if task.retries < options.retries && !halted => {
                    task.retries += 1;
                    task.state = State::Waiting;
                    board.message(&format!("{} is tried again ({} of {})", name(plan, task), task.retries, options.retries));
                    queue.push_front(number);
                }
                How::Failed => {
                    let error = error.unwrap_or_default();
                    board.failed(&name(plan, task), &error, &tail(&folder.log_txt()), &job.last_words());
                    tally.failed.push((job.id.clone(), error));
                    if tally.failed.len() >= options.max_failures && !halted {
                        halted = true;
                        board.message(&format!("{} failed: stopping the others, which keep their checkpoints", tally.failed.len()));
                    }
                }
                How::Stopped | How::Killed => tally.stopped.push(job.id.clone()),
            }
            *slot = None;
        }
        if halted {
            slots.iter_mut().flatten().for_each(|(_, job)| job.stop());
        }
    }
    if stop.requested() {
        return Err(Error::stopped("the sweep was stopped; finished runs are kept, the others have their checkpoints"));
    }
    Ok(tally)
}

/// The runs of a plan, each once, in its order.
fn tasks(plan: &Plan, rows: &[usize]) -> Vec<Task> {
    let mut tasks: Vec<Task> = vec![];
    for run in plan.runs.iter().filter(|run| rows.contains(&run.row)) {
        if tasks.iter().any(|task| task.id == run.id) {
            continue;
        }
        let round = plan.seeds.iter().position(|&seed| seed == run.seed).expect("a run's seed is one of the plan's");
        let (id, category) = (run.id.clone(), run.category.clone());
        tasks.push(Task { id, row: run.row, category, round, state: State::Waiting, retries: 0 });
    }
    tasks
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

/// Writes what the children read and what a later command compares with: plan.json and one configuration a row.
///
/// # Errors
/// A folder that cannot be written.
pub fn prepare(plan: &Plan, configs: &[(usize, String)], place: &Place) -> Result<()> {
    let rows = place.folder.join("rows");
    std::fs::create_dir_all(&rows).map_err(|e| Error::io("create", &rows, &e))?;
    configs.iter().try_for_each(|(row, text)| file::replace(&place.config(*row), text.as_bytes()))?;
    file::write_json(&place.plan(), plan)
}
