//! Every parser, fed inputs that grow from sound ones by damage at random: each ends with a value or with an error that can be
//! acted on, within a bound of time and memory, and what it accepts holds together.
//!
//! `just fuzz SECONDS` works that long and counts what was tried; without it each target gets a few hundred inputs, the same
//! ones each time. An input that shows a fault is kept in `target/fuzz/`. Draws are those of one seed
//! (`HARNESS_FUZZ_SEED`, or the one printed).

mod archives;
mod bytes;
mod measure;
mod mutate;
mod results;
mod text;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use harness::{Error, Result, error::exit};
use rand_chacha::ChaCha8Rng;

use mutate::Corpus;

/// One parser: what its inputs grow from, and what is done with an input. Claims about what it accepts are assertions.
pub struct Target {
    pub name: &'static str,
    pub corpus: fn() -> Corpus,
    /// Reads the input, in an empty folder of its own.
    pub read: fn(&[u8], &Path) -> Result<()>,
}

/// Inputs of each target where no time is given.
const FEW: u64 = 300;
/// No input may take longer, in a release build on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);
/// Nor more memory than an image of the most pixels that are read, in 16 bits with alpha, and its copies.
const LARGEST: usize = 2 << 30;
/// An error is for people.
const MOST_WORDS: usize = 20_000;

#[derive(Default)]
struct Tally {
    tried: u64,
    accepted: u64,
    slowest: Duration,
    largest: usize,
    faults: Vec<(PathBuf, String)>,
}

fn main() -> ExitCode {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = number("HARNESS_FUZZ_SECONDS");
    let seed = number("HARNESS_FUZZ_SEED").unwrap_or(if seconds.is_some() { jiff::Timestamp::now().as_second() as u64 } else { 0 });
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let targets: Vec<Target> =
        text::targets().into_iter().chain(bytes::targets()).chain(results::targets()).chain([archives::target()]).collect();
    let chosen: Vec<&Target> = targets.iter().filter(|target| target.name.contains(&wanted)).collect();
    let each = seconds.map(|s| Duration::from_secs_f64(s as f64 / chosen.len().max(1) as f64));

    std::panic::set_hook(Box::new(|_| {}));
    measure::watch(3 * LONGEST);
    println!("seed {seed}\n{:<16} {:>10} {:>10} {:>10} {:>10}", "target", "inputs", "accepted", "slowest ms", "MiB");
    let mut all = Tally::default();
    for target in &chosen {
        let tally = fuzz(target, seed, each);
        let (slowest, largest) = (tally.slowest.as_millis(), tally.largest >> 20);
        println!("{:<16} {:>10} {:>10} {slowest:>10} {largest:>10}", target.name, tally.tried, tally.accepted);
        all.tried += tally.tried;
        all.faults.extend(tally.faults);
    }
    for (path, fault) in &all.faults {
        println!("fault: {}: {fault}", path.display());
    }
    let verdict = if all.faults.is_empty() { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {} inputs of {} targets; {} faults", all.tried, chosen.len(), all.faults.len());
    if all.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tries inputs of one target, for a time or a few; stops at the fifth fault.
fn fuzz(target: &Target, seed: u64, each: Option<Duration>) -> Tally {
    let corpus = (target.corpus)();
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let (began, mut tally) = (Instant::now(), Tally::default());
    let goes_on = |tried: u64| each.map_or(tried < FEW, |each| began.elapsed() < each);
    while goes_on(tally.tried) && tally.faults.len() < 5 {
        let mut draws: ChaCha8Rng = harness::seed::stream(seed, target.name, tally.tried, 0);
        let input = corpus.sound.get(tally.tried as usize).map(|sound| (corpus.seal)(sound, &mut draws));
        let input = input.unwrap_or_else(|| corpus.draw(&mut draws));
        attempt(target, &input, dir.path(), &mut tally);
    }
    tally
}

/// Reads one input and judges how that went.
fn attempt(target: &Target, input: &[u8], dir: &Path, tally: &mut Tally) {
    let place = dir.join(tally.tried.to_string());
    std::fs::create_dir(&place).expect("the folder is new");
    measure::reading(Some((target.name, input)));
    let began = Instant::now();
    let (ended, memory) = measure::memory(|| catch_unwind(AssertUnwindSafe(|| (target.read)(input, &place))));
    let took = began.elapsed();
    measure::reading(None);
    let _ = std::fs::remove_dir_all(&place);
    tally.tried += 1;
    tally.slowest = tally.slowest.max(took);
    tally.largest = tally.largest.max(memory);
    let fault = match &ended {
        Err(panic) => Some(format!("a panic: {}", said(panic.as_ref()))),
        Ok(Ok(())) => {
            tally.accepted += 1;
            None
        }
        Ok(Err(error)) => unhelpful(error),
    };
    let fault = fault.or_else(|| (took > LONGEST).then(|| format!("it took {took:?}")));
    let fault = fault.or_else(|| (memory > LARGEST).then(|| format!("it took {} MiB", memory >> 20)));
    if let Some(fault) = fault {
        tally.faults.push((measure::keep(target.name, input), fault));
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default()
}

/// What is wrong with an error as one for people.
fn unhelpful(error: &Error) -> Option<String> {
    let text = error.to_string();
    let code = error.exit_code();
    if code != exit::USAGE && code != exit::ENVIRONMENT {
        return Some(format!("exit code {code}: {text}"));
    }
    if error.what.trim().is_empty() || error.remedy.trim().is_empty() {
        return Some(format!("an error without a way out: {text}"));
    }
    (text.len() > MOST_WORDS).then(|| format!("an error of {} bytes: {}", text.len(), text.chars().take(200).collect::<String>()))
}
