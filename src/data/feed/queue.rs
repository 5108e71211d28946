//! An ordered, bounded queue that several threads fill: items are made in parallel, joined to groups, handed out in order.
//!
//! Whichever thread makes an item, and when, never shows in what comes out. At most `depth` groups exist at once, in the making
//! or waiting. The first group that holds a failed item comes out as that error (of its lowest failed position) and ends the
//! stream; a panic while an item is made is such an error. Nothing is locked while an item is made. Dropping the queue lets
//! each thread end the item in its hands, and waits for it.

use std::any::Any;
use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::{Error, Result};

/// What is to be made.
pub struct Work<T, B> {
    /// The positions of each group: none empty, each beginning where the one before ends.
    pub groups: Vec<Range<usize>>,
    /// Makes the item of one position.
    pub make: Box<dyn Fn(usize) -> Result<T> + Send + Sync>,
    /// Joins the items of a group, in order of position.
    pub join: Box<dyn Fn(Range<usize>, Vec<T>) -> B + Send + Sync>,
}

/// The receiving end.
pub struct Queue<T, B> {
    line: Arc<Line<T, B>>,
    threads: Vec<JoinHandle<()>>,
}

struct Line<T, B> {
    work: Work<T, B>,
    state: Mutex<State<T, B>>,
    /// Told of each change that someone may wait for: room, a finished group, the end.
    changed: Condvar,
}

struct State<T, B> {
    /// The group and position that is claimed next; positions are claimed in ascending order.
    next: (usize, usize),
    /// No position of this group or a later one is claimed any more: one past the last group, or the first that failed.
    end: usize,
    /// Groups handed out. `open[0]` is the group of this number.
    delivered: usize,
    open: VecDeque<Group<T, B>>,
    /// Why no thread could be started.
    spawn_error: Option<Error>,
    stopped: bool,
}

struct Group<T, B> {
    /// One place a position, filled in any order.
    items: Vec<Option<T>>,
    missing: usize,
    /// Claimed and not yet back.
    in_hand: usize,
    /// The lowest failed position and its error.
    error: Option<(usize, Error)>,
    joined: Option<B>,
}

impl<T: Send + 'static, B: Send + 'static> Queue<T, B> {
    /// Starts up to `workers` threads (at least one) that keep at most `depth` groups (at least one) ahead.
    pub fn start(work: Work<T, B>, workers: usize, depth: usize) -> Self {
        let first = work.groups.first().map_or(0, |g| g.start);
        let positions = work.groups.iter().map(|g| g.len()).sum::<usize>();
        let state =
            State { next: (0, first), end: work.groups.len(), delivered: 0, open: VecDeque::new(), spawn_error: None, stopped: false };
        let line = Arc::new(Line { work, state: Mutex::new(state), changed: Condvar::new() });
        let mut threads = Vec::new();
        for i in 0..workers.max(1).min(positions) {
            let mine = line.clone();
            match std::thread::Builder::new().name(format!("loader-{i}")).spawn(move || mine.serve(depth.max(1))) {
                Ok(thread) => threads.push(thread),
                // Fewer threads are slower and nothing else.
                Err(_) if i > 0 => break,
                Err(e) => {
                    line.lock().spawn_error =
                        Some(Error::environment(format!("cannot start a loader thread: {e}"), "raise the limit of threads (ulimit -u)"))
                }
            }
        }
        Self { line, threads }
    }

    /// The next group, waiting for it; `None` after the last one and after an error.
    #[expect(clippy::should_implement_trait, reason = "a stream that can fail and is shared with threads, not a collection")]
    pub fn next(&mut self) -> Option<Result<B>> {
        let line = &*self.line;
        let mut state = line.lock();
        loop {
            if state.stopped || state.delivered == line.work.groups.len() {
                return None;
            }
            if let Some(error) = state.spawn_error.take() {
                state.stopped = true;
                return Some(Err(error));
            }
            if let Some(front) = state.open.front_mut() {
                if let Some(group) = front.joined.take() {
                    state.open.pop_front();
                    state.delivered += 1;
                    line.changed.notify_all();
                    return Some(Ok(group));
                }
                // Lower positions may still be in hand: which error is reported must not depend on who was faster.
                if let (0, Some((_, error))) = (front.in_hand, &mut front.error) {
                    let error = error.clone();
                    state.stopped = true;
                    line.changed.notify_all();
                    return Some(Err(error));
                }
            }
            state = line.wait(state);
        }
    }
}

impl<T, B> Drop for Queue<T, B> {
    fn drop(&mut self) {
        self.line.lock().stopped = true;
        self.line.changed.notify_all();
        for thread in self.threads.drain(..) {
            // Panics are caught where items are made.
            let _ = thread.join();
        }
    }
}

impl<T, B> Line<T, B> {
    /// A thread's life.
    fn serve(&self, depth: usize) {
        while let Some((group, position)) = self.claim(depth) {
            let made = guarded(|| (self.work.make)(position)).and_then(|made| made);
            let Some(items) = self.hand_in(group, position, made) else { continue };
            let range = self.work.groups[group].clone();
            let joined = guarded(|| (self.work.join)(range.clone(), items));
            let mut state = self.lock();
            match joined {
                Ok(joined) => state.group(group).joined = Some(joined),
                Err(error) => state.fail(group, range.start, error),
            }
            drop(state);
            self.changed.notify_all();
        }
    }

    /// The next position to make, waiting for room; `None` when there is no more to do.
    fn claim(&self, depth: usize) -> Option<(usize, usize)> {
        let mut state = self.lock();
        loop {
            let (group, position) = state.next;
            if state.stopped || group >= state.end {
                return None;
            }
            if group >= state.delivered + depth {
                state = self.wait(state);
                continue;
            }
            let range = &self.work.groups[group];
            if position == range.start {
                let items = range.clone().map(|_| None).collect();
                state.open.push_back(Group { items, missing: range.len(), in_hand: 0, error: None, joined: None });
            }
            state.group(group).in_hand += 1;
            state.next = (if position + 1 == range.end { group + 1 } else { group }, position + 1);
            return Some((group, position));
        }
    }

    /// Takes in what was made of a position; returns the group's items where this was the last one missing.
    fn hand_in(&self, group: usize, position: usize, made: Result<T>) -> Option<Vec<T>> {
        let start = self.work.groups[group].start;
        let mut state = self.lock();
        let here = state.group(group);
        here.in_hand -= 1;
        match made {
            Ok(item) => {
                here.items[position - start] = Some(item);
                here.missing -= 1;
            }
            Err(error) => state.fail(group, position, error),
        }
        let here = state.group(group);
        let complete = (here.missing == 0).then(|| std::mem::take(&mut here.items));
        // No one waits for a single item; a group is announced once it is joined.
        let failed = here.error.is_some();
        drop(state);
        if failed {
            self.changed.notify_all();
        }
        complete.map(|items| items.into_iter().map(|item| item.expect("none is missing")).collect())
    }

    fn lock(&self) -> MutexGuard<'_, State<T, B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T, B>>) -> MutexGuard<'a, State<T, B>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, B> State<T, B> {
    /// An open group; one with work in hand is never handed out, so its place is there.
    fn group(&mut self, group: usize) -> &mut Group<T, B> {
        &mut self.open[group - self.delivered]
    }

    /// Notes a failure; nothing of this group or a later one is begun any more.
    fn fail(&mut self, group: usize, position: usize, error: Error) {
        self.end = self.end.min(group);
        let noted = &mut self.group(group).error;
        if noted.as_ref().is_none_or(|(lowest, _)| position < *lowest) {
            *noted = Some((position, error));
        }
    }
}

/// Runs `action`, turning a panic into an error.
fn guarded<R>(action: impl FnOnce() -> R) -> Result<R> {
    catch_unwind(AssertUnwindSafe(action)).map_err(|panic| {
        Error::run(format!("a loader thread panicked: {}", message(&*panic)), "this is a bug in harness: please report it")
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
