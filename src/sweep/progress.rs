//! Progress of a sweep: an overall bar with the time left and one line a running job on a terminal, plain lines without one,
//! JSON lines for machines.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::backend::{RunMessage, Step};
use super::ledger::How;
use crate::num;
use crate::ui::{Colour, Mode, text};
use crate::{console, names, sayln};

/// Time between two plain lines of one job.
const PLAIN: Duration = Duration::from_secs(15);

/// What is shown of a sweep.
pub struct SweepProgress {
    rendering: Rendering,
    /// Time between two lines of one job.
    every: Duration,
    total: usize,
    slots: usize,
    finished: usize,
    /// Seconds of finished runs by row, from which the time left is estimated.
    spent: BTreeMap<usize, Vec<f64>>,
    /// Runs not done by row.
    left: BTreeMap<usize, usize>,
    running: BTreeMap<usize, Running>,
}

struct Running {
    name: String,
    row: usize,
    began: Instant,
    shown: Instant,
    line: Option<ProgressBar>,
    /// As the run itself estimates it.
    left_s: Option<f64>,
}

enum Rendering {
    Terminal { all: MultiProgress, overall: ProgressBar },
    Plain,
    Json,
    Quiet,
}

impl SweepProgress {
    /// Progress of as many runs by row as `left` says, `slots` at once.
    pub fn new(mode: Mode, left: BTreeMap<usize, usize>, slots: usize) -> Self {
        let total = left.values().sum();
        let rendering = match mode {
            Mode::Terminal(colour) => {
                let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
                let bar = if colour == Colour::Coloured { "{bar:24.cyan}" } else { "{bar:24}" };
                let style =
                    ProgressStyle::with_template(&format!("sweep {bar} {{pos}}/{{len}}  {{wide_msg}}")).expect("the template is fixed");
                let overall = all.add(ProgressBar::new(total as u64).with_style(style));
                Rendering::Terminal { all, overall }
            }
            Mode::Plain | Mode::EachStep => Rendering::Plain,
            Mode::Json => Rendering::Json,
            Mode::Quiet => Rendering::Quiet,
        };
        // Programs, and who asked for each step, get all that the runs tell: two steps a second.
        let every = if matches!(mode, Mode::Json | Mode::EachStep) { Duration::ZERO } else { PLAIN };
        Self { rendering, every, total, slots, finished: 0, spent: BTreeMap::new(), left, running: BTreeMap::new() }
    }

    /// A run that was finished before, in `wall_s` seconds.
    pub fn reused(&mut self, row: usize, wall_s: f64) {
        if wall_s > 0.0 {
            self.spent.entry(row).or_default().push(wall_s);
        }
        self.done(row);
    }

    /// A run of `row` on which nothing will be done any more.
    pub fn done(&mut self, row: usize) {
        self.finished += 1;
        self.left.entry(row).and_modify(|n| *n = n.saturating_sub(1));
        self.overall();
    }

    pub fn started(&mut self, number: usize, name: &str, row: usize) {
        let line = match &self.rendering {
            Rendering::Terminal { all, .. } => {
                let style = ProgressStyle::with_template("  {wide_msg}").expect("the template is fixed");
                let line = all.add(ProgressBar::new(1).with_style(style));
                line.set_message(format!("{name}  starting"));
                Some(line)
            }
            _ => None,
        };
        self.say("start", name, &format!("{name}  starts"), &[]);
        let now = Instant::now();
        self.running.insert(number, Running { name: name.into(), row, began: now, shown: now, line, left_s: None });
    }

    /// What a run says: its progress, or a message.
    pub fn on_message(&mut self, number: usize, message: RunMessage) {
        let Some(running) = self.running.get_mut(&number) else { return };
        let step = match message {
            RunMessage::Step(step) => step,
            RunMessage::Message { text } => {
                if text.starts_with("note:") {
                    let text = format!("{}: {text}", running.name);
                    self.message(&text);
                }
                return;
            }
            RunMessage::Error { .. } => return,
        };
        running.left_s = step.left_s;
        let text = format!("{}  {}", running.name, describe(&step));
        if let Some(line) = &running.line {
            line.set_message(text.clone());
        }
        let due = running.shown.elapsed() >= self.every;
        let name = running.name.clone();
        if due {
            running.shown = Instant::now();
            let fields = [
                ("epoch", json!(step.epoch)),
                ("epochs", json!(step.epochs)),
                ("step", json!(step.step)),
                ("steps", json!(step.steps)),
                ("losses", json!(step.losses)),
                ("images_per_s", json!(step.images_per_s)),
            ];
            let left = self
                .left_s()
                .map_or(String::new(), |s| format!("  · sweep {}/{}, about {} left", self.finished, self.total, text::duration(s)));
            self.say("step", &name, &format!("{text}{left}"), &fields);
        }
        self.overall();
    }

    /// A run ended. That nothing more will be done on the run, [`SweepProgress::done`] tells first.
    pub fn ended(&mut self, number: usize, name: &str, how: How, wall_s: f64) {
        if let Some(running) = self.running.remove(&number) {
            if let Some(line) = running.line {
                line.finish_and_clear();
            }
            if how == How::Finished {
                self.spent.entry(running.row).or_default().push(wall_s);
            }
        }
        let outcome = match how {
            How::Finished => "finished",
            How::Stopped => "stopped, resumable",
            How::Killed => "was killed; the same command resumes it",
            How::Failed => "FAILED",
        };
        self.say(
            "end",
            name,
            &format!("{name}  {outcome} after {}", text::duration(wall_s)),
            &[("how", json!(how)), ("wall_s", json!(wall_s))],
        );
    }

    /// A failure with its error and the ends of the run's log and of the process's output.
    pub fn failed(&mut self, name: &str, error: &str, log: &str, output: &str) {
        let mut lines = vec![format!("{name}: {error}")];
        for (title, part) in [("end of log.txt:", log), ("last output:", output)] {
            if !part.trim().is_empty() && part.trim() != error.trim() {
                lines.push(format!("  {title}"));
                lines.extend(part.lines().map(|line| format!("    {line}")));
            }
        }
        self.say("failure", name, &lines.join("\n"), &[("error", json!(error)), ("log", json!(log))]);
    }

    /// Says something above the bars.
    pub fn message(&mut self, text: &str) {
        self.say("message", "", text, &[]);
    }

    /// Takes the bars away.
    pub fn close(self) {
        if let Rendering::Terminal { all, overall } = &self.rendering {
            overall.finish_and_clear();
            let _ = all.clear();
        }
    }

    fn say(&self, kind: &str, run: &str, text: &str, fields: &[(&str, serde_json::Value)]) {
        match &self.rendering {
            Rendering::Quiet if kind == "failure" => sayln!("{text}"),
            Rendering::Quiet => {}
            Rendering::Plain => sayln!("{text}"),
            // On a terminal the job's own line tells of starts and steps.
            Rendering::Terminal { .. } if matches!(kind, "start" | "step") => {}
            Rendering::Terminal { all, .. } => drop(all.println(names::spelled(text))),
            Rendering::Json => {
                let mut value =
                    json!({ "type": kind, "run": run, "text": text, "done": self.finished, "total": self.total, "left_s": self.left_s() });
                let object = value.as_object_mut().expect("it is one");
                object.extend(fields.iter().map(|(key, value)| (key.to_string(), value.clone())));
                console::raw_err(&format!("{value}\n"));
            }
        }
    }

    fn overall(&self) {
        if let Rendering::Terminal { overall, .. } = &self.rendering {
            overall.set_position(self.finished as u64);
            overall.set_message(self.left_s().map_or(String::new(), |s| format!("about {} left", text::duration(s))));
        }
    }

    /// Seconds left: each run as long as the mean of its row's finished ones, or of all, shared by the slots.
    fn left_s(&self) -> Option<f64> {
        let all: Vec<f64> = self.spent.values().flatten().copied().collect();
        let expected = |row: usize| self.spent.get(&row).and_then(|s| num::mean(s)).or_else(|| num::mean(&all));
        let mut seconds = 0.0;
        for (&row, &left) in &self.left {
            let running: Vec<&Running> = self.running.values().filter(|r| r.row == row).collect();
            let begun: f64 = running.iter().filter_map(|r| r.left_s).sum();
            let fresh = left.saturating_sub(running.iter().filter(|r| r.left_s.is_some()).count());
            let each = match expected(row) {
                Some(each) => each,
                // Before any run is finished, one that is under way is the best guess.
                None => self.running.values().find_map(|r| Some(r.began.elapsed().as_secs_f64() + r.left_s?))?,
            };
            seconds += begun + fresh as f64 * each;
        }
        Some(seconds / self.slots.max(1) as f64)
    }
}

fn describe(step: &Step) -> String {
    let epoch = (step.epochs > 0).then(|| format!("epoch {}/{}", step.epoch + 1, step.epochs));
    let count = format!("step {}/{}", step.step, step.steps);
    let losses = step.losses.iter().filter_map(|(name, loss)| Some(format!("{name} {}", text::number(loss.as_f64()?))));
    let rate = step.images_per_s.map(|rate| format!("{rate:.1} images/s"));
    epoch.into_iter().chain([count]).chain(rate).chain(losses).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(left_s: Option<f64>) -> RunMessage {
        let losses = [("total".to_owned(), json!(0.5))].into_iter().collect();
        RunMessage::Step(Step { epoch: 0, epochs: 2, step: 3, steps: 8, losses, images_per_s: None, left_s })
    }

    fn quiet(left: &[(usize, usize)], slots: usize) -> SweepProgress {
        SweepProgress::new(Mode::Quiet, left.iter().copied().collect(), slots)
    }

    #[test]
    fn a_run_in_progress_counts_by_its_own_estimate_and_once() {
        let mut progress = quiet(&[(0, 4)], 1);
        progress.reused(0, 10.0);
        assert_eq!(progress.left_s(), Some(30.0), "three as long as the finished one");
        progress.started(7, "a", 0);
        assert_eq!(progress.left_s(), Some(30.0), "nothing is known of it yet");
        progress.on_message(7, step(Some(4.0)));
        assert_eq!(progress.left_s(), Some(4.0 + 2.0 * 10.0));
        progress.done(0);
        progress.ended(7, "a", How::Finished, 20.0);
        assert_eq!(progress.left_s(), Some(2.0 * 15.0), "the mean of 10 and 20 s, for the two that are left");
    }

    #[test]
    fn rows_have_their_own_times_and_slots_share_them() {
        let mut progress = quiet(&[(0, 2), (1, 3)], 2);
        progress.reused(0, 10.0);
        // Row 1 has no finished run: the mean of all is taken.
        assert_eq!(progress.left_s(), Some((10.0 + 3.0 * 10.0) / 2.0));
        progress.reused(1, 30.0);
        assert_eq!(progress.left_s(), Some((10.0 + 2.0 * 30.0) / 2.0));
    }

    #[test]
    fn without_a_finished_run_the_time_left_is_known_once_one_estimates_its_own() {
        let mut progress = quiet(&[(0, 2)], 1);
        progress.started(0, "a", 0);
        progress.on_message(0, step(None));
        assert_eq!(progress.left_s(), None);
        progress.on_message(0, step(Some(50.0)));
        // The other run is taken to be as long as this one: what it has taken so far, and what is left of it.
        assert!(progress.left_s().is_some_and(|left| left >= 100.0));
        progress.done(0);
        progress.ended(0, "a", How::Killed, 7.0);
        assert_eq!(progress.left_s(), None, "a killed run tells nothing of the others");
    }

    #[test]
    fn all_runs_are_done_whatever_became_of_them() {
        let mut progress = quiet(&[(0, 2)], 1);
        progress.started(0, "a", 0);
        progress.done(0);
        progress.ended(0, "a", How::Failed, 1.0);
        progress.reused(0, 0.0);
        assert_eq!((progress.finished, progress.left_s()), (2, None), "a reused run of unknown length gives no estimate");
    }

    #[test]
    fn a_step_is_described_without_statistics() {
        let RunMessage::Step(step) = step(None) else { unreachable!("it is one") };
        assert_eq!(describe(&step), "epoch 1/2  step 3/8  total 0.5000");
    }
}
