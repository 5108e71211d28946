//! A run as TensorBoard shows it, written while it runs: `tensorboard --logdir results/runs`.
//!
//! events.jsonl is the truth; the file in `tb/` follows it. A resumed run rewrites it from the events that its checkpoint
//! kept, at the wall times of the earlier file, so that nothing stands in it twice. Wall times are real, which is why no
//! test of determinism looks at it.
//!
//! | tag | content |
//! |---|---|
//! | `loss/<part>`, `stats/<name>`, `optim/lr`, `optim/grad_norm` | each step |
//! | `epoch/<part>`, `epoch/grad_norm`, `epoch/images_per_s` | each epoch |
//! | `<split>/<metric>`, `<split>/<map>/<metric>` | metrics, when they are measured |
//! | `figures/<name>` | the PNGs of `figures/`, at a size that fits a screen, once the run is finished |
//! | `_hparams_/…` | configuration and state for the HParams tab |

mod hparams;
mod message;
mod picture;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::clock::Clock;
use super::protobuf::Message;
use crate::config::Config;
use crate::file;
use crate::file::lines;
use crate::run::{Event, Folder, Follower, Id, Outcome, Timing, event};
use crate::{Error, Result, store};

/// Longest time in seconds that what was written stays in the buffer: TensorBoard looks every five.
const FLUSH_S: f64 = 5.0;

/// Writes the file of one run; one of [`super::followers`].
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    out: BufWriter<File>,
    figures: PathBuf,
    clock: Clock,
    flushed: f64,
    /// The last step seen.
    step: u64,
}

impl Writer {
    /// Begins the file with the configuration and what events.jsonl holds already. Whoever calls has the run's lock.
    pub fn start(folder: &Folder, id: &Id, category: &str, cfg: &Config, clock: Clock) -> Result<Self> {
        let now = seconds(clock());
        let tb = folder.tb();
        std::fs::create_dir_all(&tb).map_err(|e| Error::io("create the folder", &tb, &e))?;
        let earlier = Earlier::take(&tb)?;
        let began = earlier.began.unwrap_or(now);

        let mut events = vec![message::opening(began), message::restart(began)];
        let setup = [hparams::experiment(cfg, &varied(folder)), hparams::session_start(id, category, cfg, began)];
        events.extend(setup.map(|value| message::summary(began, 0, [value])));
        let (kept, step) = replay(folder, &earlier, now)?;
        events.extend(kept);

        // The name has to sort after that of the file before: TensorBoard continues in the next one.
        let path = tb.join(format!("events.out.tfevents.{:017.6}.harness", now));
        let bytes: Vec<u8> = events.iter().flat_map(|event| record::frame(event.as_bytes())).collect();
        file::replace(&path, &bytes)?;
        let out = file::open_own(&path, OpenOptions::new().append(true)).map_err(|e| Error::io("append to", &path, &e))?;
        Ok(Self { out: BufWriter::new(out), path, figures: folder.figures(), clock, flushed: now, step })
    }

    fn put(&mut self, values: Vec<Message>) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        let now = seconds((self.clock)());
        let event = message::summary(now, self.step, values);
        self.out.write_all(&record::frame(event.as_bytes())).map_err(|e| self.error(&e))?;
        if now - self.flushed >= FLUSH_S { self.flush(now) } else { Ok(()) }
    }

    fn flush(&mut self, now: f64) -> Result<()> {
        self.flushed = now;
        self.out.flush().map_err(|e| self.error(&e))
    }

    fn error(&self, source: &std::io::Error) -> Error {
        Error::io("append to", &self.path, source)
    }
}

impl Follower for Writer {
    fn event(&mut self, event: &Event) -> Result<()> {
        self.step = self.step.max(event.step());
        self.put(scalars(event))
    }

    fn timing(&mut self, timing: &Timing) -> Result<()> {
        self.put(speed(timing).into_iter().collect())
    }

    fn end(&mut self, outcome: Outcome) -> Result<()> {
        if outcome == Outcome::Finished {
            self.put(pictures(&self.figures)?)?;
        }
        let now = seconds((self.clock)());
        self.put(hparams::session_end(outcome, now).into_iter().collect())?;
        self.flush(now)
    }
}

/// Wall time, in seconds since 1970, and step of every event in the folder `tb` of a run, in the order of the file; none without one.
///
/// # Errors
/// A file that is there and cannot be read.
pub fn stamps(tb: &Path) -> Result<Vec<(f64, u64)>> {
    let mut stamps = vec![];
    for path in files(tb)? {
        let bytes = crate::file::content(&path).map_err(|e| Error::io("read", &path, &e))?;
        stamps.extend(record::payloads(&bytes).into_iter().filter_map(message::stamp));
    }
    Ok(stamps)
}

/// The event files of a folder in the order in which they were begun.
fn files(tb: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(tb) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(|e| Error::io("read", tb, &e))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::io("read", tb, &e))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().contains("tfevents")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Keys in which the rows of the sweep differ that started the run.
fn varied(folder: &Folder) -> BTreeSet<String> {
    let sweep = folder.record().ok().flatten().and_then(|record| record.sweep);
    // RESULTS/runs/<experiment>/<run>
    let results = folder.path().ancestors().nth(3);
    results.zip(sweep).map(|(results, sweep)| store::varied(results, &sweep)).unwrap_or_default()
}

/// Wall times of the file that an earlier attempt wrote.
struct Earlier {
    began: Option<f64>,
    /// By step, the first of each.
    times: BTreeMap<u64, f64>,
}

impl Earlier {
    /// Reads the event files of `tb` and removes them.
    fn take(tb: &Path) -> Result<Self> {
        let mut earlier = Self { began: None, times: BTreeMap::new() };
        for path in files(tb)? {
            let bytes = crate::file::content(&path).map_err(|e| Error::io("read", &path, &e))?;
            for (time, step) in record::payloads(&bytes).into_iter().filter_map(message::stamp) {
                earlier.began.get_or_insert(time);
                if step > 0 {
                    earlier.times.entry(step).or_insert(time);
                }
            }
            file::remove(&path)?;
        }
        Ok(earlier)
    }
}

/// The events on disk as TensorBoard's, and the last step among them.
fn replay(folder: &Folder, earlier: &Earlier, now: f64) -> Result<(Vec<Message>, u64)> {
    let timings: Vec<Timing> = lines::read(&folder.timing_jsonl())?;
    let speeds: BTreeMap<u64, &Timing> =
        timings.iter().filter_map(|t| if let Timing::Epoch { epoch, .. } = t { Some((*epoch, t)) } else { None }).collect();
    let (mut messages, mut last) = (Vec::new(), 0);
    for event in event::read(&folder.events_jsonl())? {
        last = event.step().max(last);
        let mut values = scalars(&event);
        if let Event::Epoch { epoch, .. } = &event {
            values.extend(speeds.get(epoch).and_then(|timing| speed(timing)));
        }
        if !values.is_empty() {
            messages.push(message::summary(earlier.times.get(&last).copied().unwrap_or(now), last, values));
        }
    }
    Ok((messages, last))
}

fn scalars(event: &Event) -> Vec<Message> {
    event.numbers().iter().map(|(name, value)| message::scalar(name, *value)).collect()
}

fn speed(timing: &Timing) -> Option<Message> {
    match timing {
        Timing::Epoch { images_per_s, .. } => Some(message::scalar("epoch/images_per_s", *images_per_s)),
        _ => None,
    }
}

/// The PNGs of a folder in the order of their names; none without the folder.
fn pictures(folder: &Path) -> Result<Vec<Message>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(|e| Error::io("read", folder, &e))?,
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "png")).collect();
    paths.sort();
    let mut pictures = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        pictures.extend(picture::fitted(&format!("figures/{name}"), &path)?);
    }
    Ok(pictures)
}

fn seconds(at: jiff::Timestamp) -> f64 {
    at.as_microsecond() as f64 / 1e6
}
