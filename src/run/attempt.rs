//! The door to a run's folder: find it finished, resume it, or start it; then write into it in an order that survives
//! being killed anywhere.
//!
//! The order: events are synced before the checkpoint that counts them; weights, maps and run.json are on disk before
//! summary.json; the last checkpoint goes only after it. So at each moment either the summary is there, or the last checkpoint and the
//! events up to it are, or nothing was promised yet.

use super::checkpoint::{self, Extent, Loaded, Position};
use super::event::{self, Event, Timing};
use super::{Environment, Folder, Follower, Id, Lock, Outcome, Record, SCHEMA_VERSION, Summary, record};
use crate::file::{self, lines};
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::{Duration, Instant};

/// The longest that an event stays with this process, as long as further ones come.
const HANDED_ON: Duration = Duration::from_secs(5);

/// What [`open`] is asked for.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    pub category: &'a str,
    /// The resolved configuration as TOML.
    pub config: &'a str,
    pub environment: &'a Environment,
    /// The command line, program first.
    pub argv: &'a [String],
    /// Labels and remark of the user; an attempt without them keeps the earlier ones.
    pub tags: &'a [String],
    pub note: Option<&'a str>,
    /// The sweep that starts it.
    pub sweep: Option<&'a str>,
    pub repeat: Repeat,
    pub now: jiff::Timestamp,
}

/// What to do with a run that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Take a finished run as it is, resume one that is not.
    Reuse,
    /// Remove what is there and start over (`--force`).
    Force,
}

/// What [`open`] found.
#[derive(Debug)]
pub enum Opened {
    /// The run was finished before: nothing is to be done.
    Finished(Box<Summary>),
    /// The run is this process's now; `resumed` is the position and the tensors to resume from, `None` to start from
    /// the beginning.
    Active { attempt: Box<Attempt>, resumed: Option<(Position, Vec<u8>)> },
}

/// A run that this process works on. Dropped without being closed it counts as killed.
#[derive(Debug)]
pub struct Attempt {
    folder: Folder,
    record: Record,
    events: event::Writer,
    /// When events were last handed to the system, for who looks at the run meanwhile.
    told: Instant,
    timing: lines::Writer<Timing>,
    log: File,
    began: Instant,
    /// Seconds of earlier attempts up to the checkpoint.
    before_s: f64,
    followers: Vec<Box<dyn Follower>>,
    lock: Lock,
}

/// Opens the folder of a run: finished, or locked and ready to be worked on.
///
/// Failed and interrupted runs are resumed from their last checkpoint; one that is damaged or another run's is moved aside and the
/// run starts over.
/// Everything odd is noted in run.json and log.txt, see [`Attempt::notes`].
pub fn open(folder: &Folder, id: &Id, ask: &Ask<'_>) -> Result<Opened> {
    open_within(folder, id, ask, None)
}

/// [`open`] of a training that goes so far: a checkpoint from beyond is moved aside as well.
pub fn open_within(folder: &Folder, id: &Id, ask: &Ask<'_>, extent: Option<Extent>) -> Result<Opened> {
    if let Some(summary) = finished(folder, ask)? {
        if folder.check_own().is_err() {
            return Ok(Opened::Finished(summary));
        }
        // A process that was killed right after its summary left the checkpoint.
        if folder.last_checkpoint().exists() && Lock::acquire(&folder.lock(), ask.now).is_ok() {
            let _ = file::remove(&folder.last_checkpoint());
        }
        return Ok(Opened::Finished(summary));
    }
    folder.check_own()?;
    std::fs::create_dir_all(folder.checkpoints()).map_err(|e| Error::io("create", &folder.checkpoints(), &e))?;
    let lock = Lock::acquire(&folder.lock(), ask.now)?;
    // Another process may have finished it before the lock was free.
    if let Some(summary) = finished(folder, ask)? {
        return Ok(Opened::Finished(summary));
    }
    let earlier = match ask.repeat {
        Repeat::Reuse => folder.record()?,
        Repeat::Force => {
            // The summary first, so that its presence never lies.
            [folder.summary_json(), folder.last_checkpoint(), folder.timing_jsonl()].iter().try_for_each(|path| file::remove(path))?;
            None
        }
    };
    file::remove_leftovers(folder.path())?;

    let mut record = begun(id, ask, earlier);
    let resumed = resume(folder, id, extent, &mut record)?;
    match &resumed {
        Some(_) => note_changes(folder, ask.environment, &mut record)?,
        None => {
            clear(folder)?;
            file::write_json(&folder.env_json(), ask.environment)?;
        }
    }
    file::replace(&folder.config_toml(), ask.config.as_bytes())?;
    file::write_json(&folder.run_json(), &record)?;
    if folder.labels_json().exists() {
        folder.label(&folder.labels()?.given(ask.tags, ask.note))?;
    }

    let mut attempt = Attempt {
        events: event::Writer::open(&folder.events_jsonl())?,
        timing: lines::Writer::open(&folder.timing_jsonl())?,
        log: file::open_own(&folder.log_txt(), OpenOptions::new().create(true).append(true))
            .map_err(|e| Error::io("open", &folder.log_txt(), &e))?,
        told: Instant::now(),
        began: Instant::now(),
        before_s: resumed.as_ref().map_or(0.0, |(position, _)| position.wall_s),
        folder: folder.clone(),
        record,
        followers: vec![],
        lock,
    };
    if resumed.is_none() {
        attempt.event(&Event::Start { format: event::FORMAT, id: id.to_string() })?;
    }
    let step = resumed.as_ref().map_or(0, |(position, _)| position.step);
    attempt.timing(&Timing::Attempt { attempt: attempt.number(), at: attempt.record.started.clone(), step })?;
    attempt.log(&format!("attempt {} starts at step {step}", attempt.number()))?;
    let notes: Vec<String> = attempt.notes().map(str::to_owned).collect();
    notes.iter().try_for_each(|note| attempt.log(note))?;
    Ok(Opened::Active { attempt: Box::new(attempt), resumed })
}

impl Attempt {
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Counts from 1.
    pub fn number(&self) -> u32 {
        self.record.attempts
    }

    /// What is odd about this attempt (a damaged checkpoint, a changed environment, what [`Attempt::note`] was told), to be shown
    /// to people.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        let prefix = prefix(self.number());
        self.record.notes.iter().filter_map(move |note| note.strip_prefix(&prefix))
    }

    /// Seconds spent on this run, over all attempts, without work that was lost.
    pub fn wall_s(&self) -> f64 {
        self.before_s + self.began.elapsed().as_secs_f64()
    }

    /// Has `followers` told of all that this attempt writes from here on; one that could not start is noted in log.txt.
    pub fn follow(&mut self, followers: impl IntoIterator<Item = Result<Box<dyn Follower>>>) -> Result<()> {
        for follower in followers {
            match follower {
                Ok(follower) => self.followers.push(follower),
                Err(error) => self.log(&format!("note: {error}"))?,
            }
        }
        Ok(())
    }

    /// Tells every follower; one that fails is noted in log.txt and told no more.
    fn tell(&mut self, what: impl Fn(&mut dyn Follower) -> Result<()>) -> Result<()> {
        let mut failed = vec![];
        self.followers.retain_mut(|follower| what(follower.as_mut()).map_err(|error| failed.push(error)).is_ok());
        failed.iter().try_for_each(|error| self.log(&format!("note: {error}")))
    }

    /// Appends to events.jsonl; seen by others within some seconds, on disk with the next checkpoint.
    pub fn event(&mut self, event: &Event) -> Result<()> {
        self.events.append(event)?;
        if self.told.elapsed() >= HANDED_ON {
            self.lock.check()?;
            self.events.flush()?;
            self.told = Instant::now();
        }
        self.tell(|follower| follower.event(event))
    }

    /// Appends to timing.jsonl at once.
    pub fn timing(&mut self, timing: &Timing) -> Result<()> {
        self.timing.append(timing)?;
        self.timing.flush()?;
        self.tell(|follower| follower.timing(timing))
    }

    /// Adds a line with the time to log.txt.
    pub fn log(&mut self, text: &str) -> Result<()> {
        let line = format!("{:.3} {text}\n", jiff::Timestamp::now());
        self.log.write_all(line.as_bytes()).map_err(|e| Error::io("append to", &self.folder.log_txt(), &e))
    }

    /// Notes something odd in log.txt, and in run.json once the attempt ends.
    pub fn note(&mut self, text: &str) -> Result<()> {
        self.record.notes.push(prefix(self.number()) + text);
        self.log(text)
    }

    /// Writes a checkpoint in place of the one before: all events so far, `at`, and the tensors (a safetensors file).
    /// `run`, `events_len` and `wall_s` of `at` are filled in here.
    ///
    /// # Errors
    /// A run that another process took over, see [`Lock::check`]; files that cannot be written.
    pub fn checkpoint(&mut self, at: Position, tensors: &[u8]) -> Result<()> {
        let start = Instant::now();
        self.lock.check()?;
        let run = Id::parse(&self.record.id).map_or_else(String::new, |id| id.name());
        let position = Position { run, events_len: self.events.sync()?, wall_s: self.wall_s(), ..at };
        let size_bytes = checkpoint::save(&self.folder, &position, tensors)?;
        let wall_s = start.elapsed().as_secs_f64();
        self.timing(&Timing::Checkpoint { attempt: self.number(), step: position.step, wall_s, size_bytes })
    }

    /// Ends a run that was asked to stop, right after its checkpoint if it makes any; the error to return to the caller
    /// (exit code 75).
    pub fn stop(mut self) -> Error {
        let rest = if self.folder.last_checkpoint().exists() { "its checkpoint is kept" } else { "it had no checkpoint yet" };
        let what = format!("run {} was stopped; {rest}", self.record.id);
        self.end(Outcome::Stopped, None).err().unwrap_or_else(|| Error::stopped(what))
    }

    /// Ends a run that went wrong; its last checkpoint stays.
    pub fn fail(mut self, error: &Error) -> Result<()> {
        self.end(Outcome::Failed, Some(error.to_string()))
    }

    /// Ends the run for good: its trained weights (a safetensors file) stay, its checkpoint goes.
    /// Maps and figures have to be there already. Maps are synced here, all together.
    pub fn finish(mut self, weights: &[u8], summary: &Summary) -> Result<()> {
        self.lock.check()?;
        file::replace(&self.folder.weights(), weights)?;
        file::sync_all(&self.folder.maps())?;
        self.end(Outcome::Finished, None)?;
        self.lock.check()?;
        file::write_json(&self.folder.summary_json(), summary)?;
        file::remove(&self.folder.folds_json())?;
        file::remove(&checkpoint::damaged(&self.folder))?;
        file::remove(&self.folder.last_checkpoint())
    }

    fn end(&mut self, status: Outcome, error: Option<String>) -> Result<()> {
        self.lock.check()?;
        self.events.sync()?;
        let at = format!("{:.3}", jiff::Timestamp::now());
        let wall_s = self.began.elapsed().as_secs_f64();
        self.timing(&Timing::End { attempt: self.number(), at, status, wall_s })?;
        match &error {
            Some(error) => self.log(&format!("failed: {error}"))?,
            None => self.log(if status == Outcome::Finished { "finished" } else { "stopped" })?,
        }
        self.tell(|follower| follower.end(status))?;
        self.timing.sync()?;
        self.log.sync_data().map_err(|e| Error::io("append to", &self.folder.log_txt(), &e))?;
        self.record.status = status;
        self.record.error = error;
        file::write_json(&self.folder.run_json(), &self.record)
    }
}

/// run.json of a new attempt; tags, note and notes of the `earlier` one stay.
fn begun(id: &Id, ask: &Ask<'_>, earlier: Option<Record>) -> Record {
    Record {
        format: record::FORMAT,
        id: id.to_string(),
        category: ask.category.into(),
        schema: SCHEMA_VERSION,
        status: Outcome::Running,
        attempts: earlier.as_ref().map_or(0, |r| r.attempts) + 1,
        started: format!("{:.3}", ask.now),
        git: ask.environment.git.clone(),
        argv: ask.argv.to_vec(),
        folder: std::env::current_dir().ok().map(|folder| folder.display().to_string()),
        tags: if ask.tags.is_empty() { earlier.as_ref().map_or_else(Vec::new, |r| r.tags.clone()) } else { ask.tags.to_vec() },
        sweep: ask.sweep.map(str::to_owned),
        note: ask.note.map(str::to_owned).or_else(|| earlier.as_ref().and_then(|r| r.note.clone())),
        notes: earlier.map_or_else(Vec::new, |r| r.notes),
        error: None,
    }
}

fn finished(folder: &Folder, ask: &Ask<'_>) -> Result<Option<Box<Summary>>> {
    match ask.repeat {
        Repeat::Reuse => Ok(folder.summary()?.map(Box::new)),
        Repeat::Force => Ok(None),
    }
}

/// Where to resume, with events.jsonl cut back to it.
fn resume(folder: &Folder, id: &Id, extent: Option<Extent>, record: &mut Record) -> Result<Option<(Position, Vec<u8>)>> {
    let attempt = record.attempts;
    let mut note = |text: String| record.notes.push(prefix(attempt) + &text);
    match checkpoint::load(folder)? {
        Loaded::None => Ok(None),
        Loaded::Damaged { moved, why } => {
            note(format!("the last checkpoint is damaged ({why}): moved to {}, starting over", moved.display()));
            Ok(None)
        }
        Loaded::Whole(position, tensors) => {
            if let Some(why) = position.misfit(&id.name(), extent) {
                let moved = checkpoint::move_aside(folder)?;
                note(format!("the last checkpoint does not belong here ({why}): moved to {}, starting over", moved.display()));
                return Ok(None);
            }
            let have = lines::length(&folder.events_jsonl())?;
            if have < position.events_len {
                let moved = checkpoint::move_aside(folder)?;
                let short = format!("events.jsonl has {have} bytes where the last checkpoint counts {}", position.events_len);
                note(format!("{short}: checkpoint moved to {}, starting over", moved.display()));
                return Ok(None);
            }
            event::truncate(&folder.events_jsonl(), position.events_len)?;
            Ok(Some((position, tensors)))
        }
    }
}

/// Notes what differs from the environment in which the run was started; env.json stays as it was.
fn note_changes(folder: &Folder, now: &Environment, record: &mut Record) -> Result<()> {
    let Some(before) = file::read_json::<Environment>(&folder.env_json(), super::env::FORMAT)? else {
        return file::write_json(&folder.env_json(), now);
    };
    for change in now.differences(&before) {
        record.notes.push(format!("{}the environment changed, {change}", prefix(record.attempts)));
    }
    Ok(())
}

/// Removes what earlier attempts computed, for a run that starts over. Times and the log stay.
fn clear(folder: &Folder) -> Result<()> {
    // What folds gave lies among the maps: it goes with them.
    let files = [folder.events_jsonl(), folder.weights(), folder.folds_json(), folder.calibration_json(), folder.scores_csv()];
    files.iter().try_for_each(|path| file::remove(path))?;
    for path in [folder.maps(), folder.figures(), folder.tb()] {
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(|e| Error::io("remove", &path, &e))?;
        }
    }
    Ok(())
}

fn prefix(attempt: u32) -> String {
    format!("attempt {attempt}: ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::env::Provenance;
    use std::path::Path;

    fn id() -> Id {
        Id::new("test", "0123456789", 0).unwrap()
    }

    fn asked(environment: &Environment) -> Ask<'_> {
        Ask {
            category: "gear",
            config: "a = 1\n",
            environment,
            argv: &[],
            tags: &[],
            note: None,
            sweep: None,
            repeat: Repeat::Reuse,
            now: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn opened(runs: &Path) -> (Box<Attempt>, Option<Position>) {
        let environment = Environment::capture(runs, None, Provenance::default());
        let ask = asked(&environment);
        let Opened::Active { attempt, resumed } = open(&Folder::of(runs, &id()), &id(), &ask).unwrap() else { panic!("it is finished") };
        (attempt, resumed.map(|(position, _)| position))
    }

    fn eval(step: u64) -> Event {
        Event::Eval { epoch: 0, step, metrics: [].into() }
    }

    #[test]
    fn a_resume_cuts_events_back_to_the_length_that_its_checkpoint_counts() {
        let dir = tempfile::tempdir().unwrap();
        let (mut attempt, _) = opened(dir.path());
        let path = attempt.folder().events_jsonl();
        attempt.event(&eval(1)).unwrap();
        attempt.checkpoint(Position { step: 1, ..Position::default() }, b"tensors").unwrap();
        let counted = std::fs::read(&path).unwrap();
        (2..9).for_each(|step| attempt.event(&eval(step)).unwrap());
        drop(attempt);
        assert!(std::fs::read(&path).unwrap().len() > counted.len(), "what came after the checkpoint reached the disk");
        let (_attempt, position) = opened(dir.path());
        let position = position.unwrap();
        assert_eq!((position.step, position.events_len), (1, counted.len() as u64));
        assert_eq!(std::fs::read(&path).unwrap(), counted);
    }

    #[test]
    fn another_runs_checkpoint_and_one_from_beyond_the_end_start_over_with_a_note() {
        let dir = tempfile::tempdir().unwrap();
        let (mut attempt, _) = opened(dir.path());
        let folder = attempt.folder().clone();
        attempt.checkpoint(Position { step: 1, batch: 1, ..Position::default() }, b"tensors").unwrap();
        drop(attempt);
        let own = std::fs::read(folder.last_checkpoint()).unwrap();
        let other = Id { seed: 1, ..id() };
        let foreign = Folder::of(dir.path(), &other);
        std::fs::create_dir_all(foreign.checkpoints()).unwrap();
        std::fs::write(foreign.last_checkpoint(), &own).unwrap();
        let environment = Environment::capture(dir.path(), None, Provenance::default());
        let ask = asked(&environment);
        let noted = |folder: &Folder, id: &Id, extent| {
            let Opened::Active { attempt, resumed } = open_within(folder, id, &ask, extent).unwrap() else { panic!("it is finished") };
            (resumed.is_some(), attempt.notes().map(str::to_owned).collect::<Vec<_>>().join("; "))
        };
        let (resumed, notes) = noted(&foreign, &other, None);
        assert!(!resumed && notes.contains("that of run 0123456789-s0") && notes.contains("starting over"), "{notes}");
        let far = Extent { epochs: 1, batches: 1, steps: 1 };
        let (resumed, notes) = noted(&folder, &id(), Some(far));
        assert!(!resumed && notes.contains("of 1 epochs of 1 batches"), "{notes}");
        std::fs::write(folder.last_checkpoint(), &own).unwrap();
        std::fs::write(folder.events_jsonl(), vec![b'\n'; 9999]).unwrap();
        assert!(noted(&folder, &id(), Some(Extent { epochs: 1, batches: 2, steps: 2 })).0);
    }

    #[test]
    fn what_is_noted_while_a_run_is_worked_on_is_kept_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let (mut attempt, _) = opened(dir.path());
        let folder = attempt.folder().clone();
        attempt.note("all patches are alike").unwrap();
        assert_eq!(attempt.notes().collect::<Vec<_>>(), ["all patches are alike"]);
        attempt.finish(b"weights", &crate::testing::summary(&id(), "gear")).unwrap();
        assert_eq!(folder.record().unwrap().unwrap().notes, ["attempt 1: all patches are alike"]);
        assert!(std::fs::read_to_string(folder.log_txt()).unwrap().contains("all patches are alike"));
    }

    /// Puts a folder where run.json should be written, the moment before it is.
    #[derive(Debug)]
    struct Blocker(Folder);

    impl Follower for Blocker {
        fn event(&mut self, _: &Event) -> Result<()> {
            Ok(())
        }
        fn timing(&mut self, _: &Timing) -> Result<()> {
            Ok(())
        }
        fn end(&mut self, _: Outcome) -> Result<()> {
            std::fs::remove_file(self.0.run_json()).unwrap();
            std::fs::create_dir(self.0.run_json()).unwrap();
            Ok(())
        }
    }

    #[test]
    fn the_summary_is_written_only_after_run_json_tells_of_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (mut attempt, _) = opened(dir.path());
        let folder = attempt.folder().clone();
        attempt.follow([Ok(Box::new(Blocker(folder.clone())) as Box<dyn Follower>)]).unwrap();
        let error = attempt.finish(b"weights", &crate::testing::summary(&id(), "gear")).unwrap_err();
        assert!(error.what.contains("run.json"), "{error}");
        assert!(!folder.summary_json().exists(), "a summary would say that the run is finished");
    }
}
