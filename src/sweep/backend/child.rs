//! One run as a child process: `harness-torch run CONFIG --id ID`, held on a leash.
//!
//! The leash is the child's standard input: when it ends, because the sweep closes it or dies, however it dies, the child
//! writes a checkpoint and stops. So no run outlives its sweep, and none loses more than a step.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{self, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::{Handle, LaunchSpec, RunMessage};
use crate::error::exit;
use crate::sweep::ledger::How;
use crate::{Result, launcher};

/// What a child's reader thread tells: which child wrote which line; `None` when it fell silent for good.
pub type ChildLine = (Handle, Option<String>);

/// Lines of a child's output that are kept for an error.
const TAIL: usize = 12;

/// A running child.
pub struct Child {
    process: process::Child,
    leash: Option<ChildStdin>,
    /// Whether it fell silent for good: no line of it is on its way any more.
    silent: bool,
    ended: Option<(How, Instant)>,
    /// The first error that it told of.
    error: Option<String>,
    tail: VecDeque<String>,
}

/// How long a child that ended is still listened to: a process that it left behind may hold its standard error open.
const LISTEN: Duration = Duration::from_secs(1);

impl Child {
    /// Starts it on `device`; its lines come through `lines` under `handle`.
    ///
    /// # Errors
    /// The process cannot be started.
    pub fn start(spec: &LaunchSpec, device: &str, handle: Handle, lines: &Sender<ChildLine>) -> Result<Self> {
        let mut command = launcher::command();
        command.arg("run").arg(spec.config).arg(format!("data.categories={}", spec.category)).arg(format!("run.seeds=[{}]", spec.id.seed));
        command.args(["--id", &spec.id.to_string(), "--leash", "--json", "--device", device, "--sweep", spec.sweep]);
        command.arg("--results").arg(spec.results);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(|e| launcher::spawn_error(&e))?;
        let output = BufReader::new(process.stderr.take().expect("it is piped"));
        let lines = lines.clone();
        std::thread::spawn(move || {
            for line in output.split(b'\n').map_while(std::result::Result::ok) {
                if lines.send((handle, Some(String::from_utf8_lossy(&line).into_owned()))).is_err() {
                    return;
                }
            }
            let _ = lines.send((handle, None));
        });
        let leash = process.stdin.take();
        Ok(Self { process, leash, silent: false, ended: None, error: None, tail: VecDeque::new() })
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Takes in one line of the child, or its silence; gives back what people should see.
    pub fn on_line(&mut self, line: Option<&str>) -> Option<RunMessage> {
        let Some(line) = line else {
            self.silent = true;
            return None;
        };
        match serde_json::from_str(line) {
            Ok(RunMessage::Error { text }) => {
                self.error.get_or_insert(text);
                None
            }
            Ok(message) => Some(message),
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

    /// How it ended, once it did and all its lines were read.
    pub fn ended(&mut self) -> Option<How> {
        if self.ended.is_none() {
            // A child that cannot be asked is as good as gone; its folder tells the rest.
            let how = match self.process.try_wait() {
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
        self.error.clone().unwrap_or_else(|| self.last_output())
    }

    /// The end of its output that was neither progress nor its error.
    pub fn last_output(&self) -> String {
        self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

fn how(status: ExitStatus) -> How {
    match status.code() {
        Some(0) => How::Finished,
        Some(code) if code == i32::from(exit::STOPPED) => How::Stopped,
        Some(_) => How::Failed,
        None => How::Killed,
    }
}
