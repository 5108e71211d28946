//! One run as a child process: `harness-torch run CONFIG --id ID`, held on a leash.
//!
//! The leash is the child's standard input: when it ends, because the sweep closes it or dies, however it dies, the child
//! writes a checkpoint and stops. So no run outlives its sweep, and none loses more than a step.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::ledger::How;
use crate::run::Id;
use crate::{Result, torch};

/// What a child's reader thread tells: which job said what; `None` when it fell silent for good.
pub type Said = (usize, Option<String>);

/// Lines of a child's own words that are kept for an error.
const TAIL: usize = 12;

/// A running child.
pub struct Job {
    pub id: Id,
    pub began: Instant,
    child: Child,
    leash: Option<ChildStdin>,
    /// Whether it fell silent for good: nothing of what it said is on its way any more.
    silent: bool,
    ended: Option<(How, Instant)>,
    /// The first error that it told of.
    error: Option<String>,
    tail: VecDeque<String>,
}

/// How long a child that ended is still listened to: a process that it left behind may hold its standard error open.
const LISTEN: Duration = Duration::from_secs(1);

/// A step as a child's progress line tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Step {
    /// From 0.
    pub epoch: u64,
    pub epochs: u64,
    pub step: u64,
    pub steps: u64,
    #[serde(default)]
    pub losses: serde_json::Map<String, serde_json::Value>,
    pub images_per_s: Option<f64>,
    pub left_s: Option<f64>,
}

/// What a child says, a line of JSON each; everything else is words of libraries.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Line {
    Step(Step),
    Message { text: String },
    Error { text: String },
}

/// What a child is started with.
pub struct Order<'a> {
    /// The row's whole configuration as a file.
    pub config: &'a Path,
    pub id: &'a Id,
    pub category: &'a str,
    pub results: &'a Path,
    /// `cpu` or `cuda:N`.
    pub device: &'a str,
    /// The sweep's name.
    pub sweep: &'a str,
}

impl Job {
    /// Starts it; its words come through `said` under the number `number`.
    ///
    /// # Errors
    /// Where the process cannot be started.
    pub fn start(order: &Order, number: usize, said: &Sender<Said>) -> Result<Self> {
        let mut command = torch::command();
        command
            .arg("run")
            .arg(order.config)
            .arg(format!("data.categories={}", order.category))
            .arg(format!("run.seeds=[{}]", order.id.seed));
        command.args(["--id", &order.id.to_string(), "--leash", "--json", "--device", order.device, "--sweep", order.sweep]);
        command.arg("--results").arg(order.results);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|e| torch::not_started(&e))?;
        let words = BufReader::new(child.stderr.take().expect("it is piped"));
        let said = said.clone();
        std::thread::spawn(move || {
            for line in words.split(b'\n').map_while(std::result::Result::ok) {
                if said.send((number, Some(String::from_utf8_lossy(&line).into_owned()))).is_err() {
                    return;
                }
            }
            let _ = said.send((number, None));
        });
        let leash = child.stdin.take();
        let (id, began) = (order.id.clone(), Instant::now());
        Ok(Self { id, began, child, leash, silent: false, ended: None, error: None, tail: VecDeque::new() })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Takes in one line of the child, or its silence; gives back what people should see.
    pub fn hear(&mut self, line: Option<&str>) -> Option<Line> {
        let Some(line) = line else {
            self.silent = true;
            return None;
        };
        match serde_json::from_str(line) {
            Ok(Line::Error { text }) => {
                self.error.get_or_insert(text);
                None
            }
            Ok(line) => Some(line),
            Err(_) => {
                if self.tail.len() == TAIL {
                    self.tail.pop_front();
                }
                self.tail.push_back(line.to_owned());
                None
            }
        }
    }

    /// Asks it to write a checkpoint and stop.
    pub fn stop(&mut self) {
        self.leash = None;
    }

    /// How it ended, once it did and all that it said was heard.
    pub fn ended(&mut self) -> Option<How> {
        if self.ended.is_none() {
            // A child that cannot be asked is as good as gone; its folder tells the rest.
            let how = match self.child.try_wait() {
                Ok(None) => return None,
                Ok(Some(status)) => how(status),
                Err(_) => How::Killed,
            };
            self.ended = Some((how, Instant::now()));
        }
        self.ended.filter(|(_, at)| self.silent || at.elapsed() > LISTEN).map(|(how, _)| how)
    }

    /// Why it failed, as far as it said.
    pub fn error(&self) -> String {
        self.error.clone().unwrap_or_else(|| self.last_words())
    }

    /// The end of what it said that was neither progress nor its error.
    pub fn last_words(&self) -> String {
        self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

fn how(status: ExitStatus) -> How {
    match status.code() {
        Some(0) => How::Finished,
        Some(75) => How::Stopped,
        Some(_) => How::Failed,
        None => How::Killed,
    }
}
