//! Progress of one piece of work of known length, rendered for who is looking.

use super::{Pace, text};
use crate::names::{in_line, spelled};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::time::Instant;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A bar on stderr.
    Terminal(Colour),
    /// A line on stderr every few seconds and at each end of an epoch.
    Plain,
    /// A line on stderr for each step.
    EachStep,
    /// JSON lines on stderr, two a second at most.
    Json,
    /// Nothing, messages included.
    Quiet,
}

/// Whether the bar is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    Plain,
    Coloured,
}

/// How much was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

/// For whom output is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    People,
    Json,
}

impl Mode {
    /// The mode for this process: looks at stderr and at the environment (`NO_COLOR`, `TERM=dumb`).
    pub fn detect(verbosity: Verbosity, output: Output) -> Self {
        let variable = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = if variable("NO_COLOR") { Colour::Plain } else { Colour::Coloured };
        let terminal = (std::io::stderr().is_terminal() && !dumb).then_some(colour);
        Self::choose(verbosity, output, terminal)
    }

    /// The choice behind [`Mode::detect`]; `terminal` is `None` where stderr is none.
    pub fn choose(verbosity: Verbosity, output: Output, terminal: Option<Colour>) -> Self {
        match (output, verbosity, terminal) {
            (Output::Json, ..) => Self::Json,
            (_, Verbosity::Quiet, _) => Self::Quiet,
            (_, Verbosity::Verbose, _) => Self::EachStep,
            (.., Some(colour)) => Self::Terminal(colour),
            (.., None) => Self::Plain,
        }
    }
}

/// What was just done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepInfo<'a> {
    /// The epoch of this step, from 0.
    pub epoch: u64,
    /// All epochs; 0 where the work has none, such as scoring.
    pub epochs: u64,
    /// Steps done so far over the whole work, this one included.
    pub step: u64,
    /// The loss and its parts, in the order to show them.
    pub losses: &'a [(&'a str, f64)],
    /// Images since the step that was told of before.
    pub images: u64,
}

/// Seconds between two plain lines, and between two JSON lines.
const PLAIN_S: f64 = 5.0;
const JSON_S: f64 = 0.5;

/// Shows how far a piece of work is. Dropped unfinished it takes its bar away.
pub struct Progress {
    label: String,
    total: u64,
    pace: Pace,
    began: Instant,
    rendering: Rendering,
    /// The last step that was not shown yet, to be shown at the end.
    unshown: Option<String>,
    last: Option<Shown>,
}

/// When the last line was written, and for which epoch.
struct Shown {
    at_s: f64,
    epoch: u64,
}

enum Rendering {
    Bar(ProgressBar),
    Lines { out: Box<dyn Write + Send>, every_s: f64 },
    Json(Box<dyn Write + Send>),
    Nothing,
}

impl Progress {
    /// Progress of `label` (`"train"`, `"score"`) over `total_steps` steps.
    pub fn new(mode: Mode, label: &str, total_steps: u64) -> Self {
        Self::to(mode, label, total_steps, Box::new(std::io::stderr()))
    }

    /// [`Progress::new`] with lines going to `out`; a bar draws on stderr all the same.
    pub fn to(mode: Mode, label: &str, total_steps: u64, out: Box<dyn Write + Send>) -> Self {
        let rendering = match mode {
            Mode::Terminal(colour) => Rendering::Bar(bar(colour, label, total_steps)),
            Mode::Plain => Rendering::Lines { out, every_s: PLAIN_S },
            Mode::EachStep => Rendering::Lines { out, every_s: 0.0 },
            Mode::Json => Rendering::Json(out),
            Mode::Quiet => Rendering::Nothing,
        };
        let (pace, began) = (Pace::default(), Instant::now());
        Self { label: label.into(), total: total_steps, pace, began, rendering, unshown: None, last: None }
    }

    /// Tells of one step. Cheap enough for every step: most are not written.
    pub fn step(&mut self, info: &StepInfo<'_>) {
        self.step_at(self.began.elapsed().as_secs_f64(), info);
    }

    fn step_at(&mut self, now_s: f64, info: &StepInfo<'_>) {
        self.pace.record(now_s, info.step, info.images);
        match &self.rendering {
            Rendering::Nothing => {}
            Rendering::Bar(bar) => {
                bar.set_position(info.step);
                bar.set_message(self.describe(info, Place::Bar));
            }
            &Rendering::Lines { every_s, .. } => {
                self.line(now_s, every_s, info, format!("{}  {}", self.label, self.describe(info, Place::Line)));
            }
            Rendering::Json(_) => self.line(now_s, JSON_S, info, self.json(info)),
        }
    }

    /// Writes `line`, or keeps it for later if the last was written less than `period_s` ago.
    fn line(&mut self, now_s: f64, period_s: f64, info: &StepInfo<'_>, line: String) {
        let epoch_began = self.last.as_ref().is_some_and(|last| last.epoch != info.epoch);
        if epoch_began && let Some(end_of_epoch) = self.unshown.take() {
            self.write(&end_of_epoch);
        }
        let due = self.last.as_ref().is_none_or(|last| now_s - last.at_s >= period_s) || info.step >= self.total;
        let at_s = match &self.last {
            Some(last) if !due => last.at_s,
            _ => now_s,
        };
        self.last = Some(Shown { at_s, epoch: info.epoch });
        if due {
            self.unshown = None;
            self.write(&line);
        } else {
            self.unshown = Some(line);
        }
    }

    /// Says something in between, above the bar.
    pub fn message(&mut self, text: &str) {
        match &self.rendering {
            Rendering::Nothing => {}
            Rendering::Bar(bar) => bar.println(spelled(text)),
            Rendering::Lines { .. } => self.write(&spelled(text)),
            Rendering::Json(_) => self.write(&json!({ "type": "message", "text": text }).to_string()),
        }
    }

    /// Shows the last state for good.
    pub fn finish(mut self) {
        if let Some(line) = self.unshown.take() {
            self.write(&line);
        }
        if let Rendering::Bar(bar) = &self.rendering {
            bar.abandon();
        }
    }

    fn write(&mut self, line: &str) {
        if let Rendering::Lines { out, .. } | Rendering::Json(out) = &mut self.rendering {
            // A closed pipe is no reason to lose a run.
            let _ = writeln!(out, "{line}").and_then(|()| out.flush());
        }
    }

    fn describe(&self, info: &StepInfo<'_>, place: Place) -> String {
        let epoch = (info.epochs > 0).then(|| format!("epoch {}/{}", info.epoch + 1, info.epochs));
        let step = format!("step {}/{}", info.step, self.total);
        let losses = info.losses.iter().map(|(name, loss)| format!("{name} {}", text::number(*loss)));
        let rate = self.pace.images_per_s().filter(|rate| *rate > 0.0).map(|rate| format!("{rate:.1} images/s"));
        let left = self.pace.left_s(self.total).map(|left| format!("{} left", text::duration(left)));
        let parts: Vec<String> = match place {
            Place::Bar => epoch.into_iter().chain(left).chain(rate).chain(losses).collect(),
            Place::Line => epoch.into_iter().chain([step]).chain(losses).chain(rate).chain(left).collect(),
        };
        parts.join("  ")
    }

    fn json(&self, info: &StepInfo<'_>) -> String {
        let losses: serde_json::Map<_, _> = info.losses.iter().map(|(name, loss)| (name.to_string(), json!(loss))).collect();
        json!({
            "type": "step", "label": self.label, "epoch": info.epoch, "epochs": info.epochs, "step": info.step, "steps": self.total,
            "losses": losses, "images_per_s": self.pace.images_per_s(), "left_s": self.pace.left_s(self.total),
        })
        .to_string()
    }
}

/// Where a step is described.
enum Place {
    /// Beside a bar that shows the count of steps; a narrow terminal cuts off the end.
    Bar,
    Line,
}

fn bar(colour: Colour, label: &str, total: u64) -> ProgressBar {
    let template = match colour {
        Colour::Coloured => "{prefix} {bar:16.cyan} {pos}/{len}  {wide_msg}",
        Colour::Plain => "{prefix} {bar:16} {pos}/{len}  {wide_msg}",
    };
    let style = ProgressStyle::with_template(template).expect("the template is fixed");
    let target = ProgressDrawTarget::stderr();
    ProgressBar::with_draw_target(Some(total), target).with_style(style).with_prefix(in_line(label).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is written for 3 epochs of 4 steps of one second each.
    fn shown(mode: Mode, steps: u64) -> Vec<String> {
        let sink = Sink::default();
        let mut progress = Progress::to(mode, "train", 12, Box::new(sink.clone()));
        for step in 1..=steps {
            let losses = [("loss", 0.5), ("feature", 0.25)];
            progress.step_at(step as f64, &StepInfo { epoch: (step - 1) / 4, epochs: 3, step, losses: &losses, images: 8 });
        }
        progress.message("done");
        progress.finish();
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn plain_lines_come_every_few_seconds_and_at_each_end_of_an_epoch() {
        assert_eq!(
            shown(Mode::Plain, 12),
            [
                "train  epoch 1/3  step 1/12  loss 0.5000  feature 0.2500",
                "train  epoch 1/3  step 4/12  loss 0.5000  feature 0.2500  8.0 images/s  8.0 s left",
                "train  epoch 2/3  step 6/12  loss 0.5000  feature 0.2500  8.0 images/s  6.0 s left",
                "train  epoch 2/3  step 8/12  loss 0.5000  feature 0.2500  8.0 images/s  4.0 s left",
                "train  epoch 3/3  step 11/12  loss 0.5000  feature 0.2500  8.0 images/s  1.0 s left",
                "train  epoch 3/3  step 12/12  loss 0.5000  feature 0.2500  8.0 images/s  0.0 s left",
                "done",
            ]
        );
    }

    #[test]
    fn each_step_has_its_line_where_that_was_asked_for() {
        let lines = shown(Mode::EachStep, 12);
        assert_eq!(lines.len(), 13);
        assert!(lines[..12].iter().zip(1..).all(|(line, step)| line.contains(&format!("step {step}/12 "))));
    }

    #[test]
    fn work_that_ends_early_shows_its_last_step() {
        let lines = shown(Mode::Plain, 3);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].contains("step 3/12"));
    }

    #[test]
    fn json_lines_are_json_and_quiet_is_quiet() {
        let lines = shown(Mode::Json, 12);
        assert_eq!(lines.len(), 13);
        let first: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((first["step"].as_u64(), first["losses"]["feature"].as_f64(), first["left_s"].is_null()), (Some(1), Some(0.25), true));
        let last: serde_json::Value = serde_json::from_str(&lines[12]).unwrap();
        assert_eq!(last["text"], "done");
        assert!(shown(Mode::Quiet, 12).is_empty());
    }

    #[test]
    fn a_bar_tells_what_matters_first_and_does_no_harm_without_a_terminal() {
        let mut progress = Progress::to(Mode::Quiet, "train", 12, Box::new(std::io::sink()));
        (1..=2).for_each(|step| progress.pace.record(step as f64, step, 8));
        let info = StepInfo { epoch: 0, epochs: 3, step: 2, losses: &[("loss", 0.5)], images: 8 };
        assert_eq!(progress.describe(&info, Place::Bar), "epoch 1/3  10 s left  8.0 images/s  loss 0.5000");
        for colour in [Colour::Plain, Colour::Coloured] {
            assert!(shown(Mode::Terminal(colour), 12).is_empty());
        }
    }

    #[test]
    fn the_mode_follows_from_what_was_asked_and_who_looks() {
        use {Colour::*, Output::*, Verbosity::*};
        assert_eq!(Mode::choose(Normal, People, Some(Coloured)), Mode::Terminal(Coloured));
        assert_eq!(Mode::choose(Normal, People, None), Mode::Plain);
        assert_eq!(Mode::choose(Quiet, People, Some(Colour::Plain)), Mode::Quiet);
        assert_eq!(Mode::choose(Quiet, Json, None), Mode::Json);
        assert_eq!(Mode::choose(Verbose, People, Some(Coloured)), Mode::EachStep);
    }
}
