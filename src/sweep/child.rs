//! One run as a child process: `harness-torch run CONFIG --id ID`, held on a leash.
//!
//! The leash is the child's standard input: when it ends, because the sweep closes it or dies, however it dies, the child
//! writes a checkpoint and stops. So no run outlives its sweep, and none loses more than a step.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::Instant;

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
    tail: VecDeque<String>,
    pub latest: Option<Step>,
}

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

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Step(Step),
    Message { text: String },
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
    /// The sweep's name, as a tag of the run.
    pub tag: &'a str,
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
        command.args(["--id", &order.id.to_string(), "--leash", "--json", "--device", order.device, "--tag", order.tag]);
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
        Ok(Self { id: order.id.clone(), began: Instant::now(), child, leash, tail: VecDeque::new(), latest: None })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Takes in one line of the child; gives back a message that people should see.
    pub fn hear(&mut self, line: &str) -> Option<String> {
        match serde_json::from_str(line) {
            Ok(Line::Step(step)) => {
                self.latest = Some(step);
                None
            }
            Ok(Line::Message { text }) => Some(text),
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

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<How> {
        // A child that cannot be asked is as good as gone; its folder tells the rest.
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(how(status)),
            Err(_) => Some(How::Killed),
        }
    }

    /// Waits until it ended.
    pub fn wait(&mut self) -> How {
        self.child.wait().map_or(How::Killed, how)
    }

    /// The end of what it said that was no progress: its error.
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
