//! A run that is killed, stopped or raced ends as if it had been left alone.
//!
//! A small stand-in for training runs in child processes: this test binary itself, started for its one ignored test.

use harness::file::lines;
use harness::run::{self, Ask, Environment, Event, Folder, Id, Opened, Position, Repeat, Status, Stop, Summary, Timing};
use harness::store::Store;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const EPOCHS: u64 = 6;
const BATCHES: u64 = 10;

fn id() -> Id {
    Id::new("test", "0123456789", 7).unwrap()
}

fn environment() -> Environment {
    let given = run::env::Provenance { device: "cpu".into(), threads: 1, data_hash: "d".into(), ..Default::default() };
    Environment::capture(Path::new("/"), None, given)
}

fn open(results: &Path, repeat: Repeat) -> harness::Result<Opened> {
    let environment = environment();
    let ask = Ask {
        category: "bottle",
        config: "a = 1\n",
        environment: &environment,
        argv: &["harness".into()],
        tags: &[],
        note: None,
        sweep: None,
        repeat,
        now: jiff::Timestamp::now(),
    };
    run::open(&Store::new(results).folder(&id()), &id(), &ask)
}

/// A random walk as "training": its state is the tensors, its sum over an epoch the accumulator. Exits as a run would.
fn train(results: &Path, pause: Duration) -> harness::Result<()> {
    let stop = Stop::install()?;
    let (mut attempt, resumed) = match open(results, Repeat::Reuse)? {
        Opened::Finished(_) => return Ok(()),
        Opened::Active { attempt, resumed } => (attempt, resumed),
    };
    let (position, tensors) =
        resumed.unwrap_or_else(|| (Position { state: 0.0.into(), ..Position::default() }, 1u64.to_le_bytes().to_vec()));
    let mut weights = u64::from_le_bytes(tensors.try_into().expect("eight bytes"));
    let mut sum = position.state.as_f64().expect("a number");
    let mut at = position;
    while at.epoch < EPOCHS {
        weights = weights.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let loss = (weights >> 11) as f64 / (1u64 << 53) as f64;
        sum += loss;
        std::thread::sleep(pause);
        let losses = BTreeMap::from([("total".to_owned(), loss)]);
        attempt.event(&Event::Step { epoch: at.epoch, step: at.step, losses, lr: 0.1, grad_norm: None, stats: BTreeMap::new() })?;
        at.step += 1;
        at.batch += 1;
        let end_of_epoch = at.batch == BATCHES;
        if end_of_epoch {
            let losses = BTreeMap::from([("total".to_owned(), sum / BATCHES as f64)]);
            attempt.event(&Event::Epoch { epoch: at.epoch, step: at.step, losses, grad_norm: None, stats: BTreeMap::new() })?;
            (at.epoch, at.batch, sum) = (at.epoch + 1, 0, 0.0);
        }
        let stopping = stop.requested();
        // At the ends of epochs and somewhere in between.
        if end_of_epoch || stopping || at.step % 7 == 0 {
            at.state = sum.into();
            attempt.checkpoint(at.clone(), &weights.to_le_bytes())?;
        }
        if stopping {
            return Err(attempt.stop());
        }
    }
    let summary = summary(weights as f64, attempt.wall_s());
    attempt.finish(&weights.to_le_bytes(), &summary)
}

fn summary(metric: f64, wall_s: f64) -> Summary {
    Summary {
        metrics: BTreeMap::from([("test/image_auroc".to_owned(), Some(metric))]),
        timing: run::TimeSpent { wall_s, ..Default::default() },
        ..harness::testing::summary(&id(), "bottle")
    }
}

#[test]
#[ignore = "the child process of the other tests"]
fn a_child_trains_or_waits() {
    let Some(results) = std::env::var_os("RUN_STORE_RESULTS") else { return };
    let results = Path::new(&results);
    let pause = Duration::from_micros(std::env::var("RUN_STORE_PAUSE_US").unwrap().parse().unwrap());
    let code = match train(results, pause) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error}");
            error.exit_code()
        }
    };
    std::process::exit(code.into());
}

fn child(results: &Path, pause_us: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["a_child_trains_or_waits", "--exact", "--ignored", "--nocapture"])
        .env("RUN_STORE_RESULTS", results)
        .env("RUN_STORE_PAUSE_US", pause_us.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn folder(results: &Path) -> Folder {
    Store::new(results).folder(&id())
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(unix)]
fn signal(name: &str, child: &Child) {
    assert!(Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap().success());
}

/// Events, summary without times, weights: what has to be the same.
fn result(results: &Path) -> (Vec<u8>, String, Vec<u8>) {
    let folder = folder(results);
    let summary = folder.summary().unwrap().expect("the run is finished");
    (std::fs::read(folder.events_jsonl()).unwrap(), summary.comparable(), std::fs::read(folder.weights()).unwrap())
}

/// The result of an undisturbed run.
fn undisturbed() -> (Vec<u8>, String, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    assert!(child(dir.path(), 0).wait().unwrap().success());
    result(dir.path())
}

#[test]
fn a_run_killed_at_any_moment_ends_bit_for_bit_as_if_it_had_never_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let mut kills = 0;
    // Each life is a little longer than the last, so that the run ends at some time.
    for life_ms in (0..).map(|n| 5 + 11 * n) {
        let mut child = child(dir.path(), 1500);
        std::thread::sleep(Duration::from_millis(life_ms));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break;
        }
        kills += 1;
        assert_ne!(folder(dir.path()).status(), Status::Running, "the lock died with its process");
    }
    assert!(kills > 2);
    assert!(child(dir.path(), 0).wait().unwrap().success());
    assert_eq!(result(dir.path()), undisturbed());
    let folder = folder(dir.path());
    assert_eq!(folder.status(), Status::Finished);
    let kept: Vec<_> = std::fs::read_dir(folder.checkpoints()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(kept, ["weights.safetensors"], "a finished run keeps trained weights only");
    let attempts = folder.record().unwrap().unwrap().attempts;
    let timing: Vec<Timing> = lines::read(&folder.timing_jsonl()).unwrap();
    assert!(timing.iter().any(|t| matches!(t, Timing::Attempt { attempt, .. } if *attempt == attempts)));
}

#[test]
#[cfg(unix)]
fn sigterm_and_ctrl_c_write_a_checkpoint_and_exit_with_75() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path());
    for (name, number) in [("TERM", 1), ("INT", 2)] {
        let mut child = child(dir.path(), 30_000);
        wait_for("the child trains", || {
            let timing: Vec<Timing> = lines::read(&folder.timing_jsonl()).unwrap();
            timing.iter().any(|t| matches!(t, Timing::Checkpoint { attempt, .. } if *attempt == number))
        });
        assert_eq!(folder.status(), Status::Running);
        signal(name, &child);
        assert_eq!(child.wait().unwrap().code(), Some(75), "{name}");
        assert_eq!(folder.status(), Status::Stopped);
        assert_eq!(folder.record().unwrap().unwrap().status, run::Outcome::Stopped);
    }
    assert!(child(dir.path(), 0).wait().unwrap().success());
    assert_eq!(result(dir.path()), undisturbed());
}

#[test]
#[cfg(unix)]
fn a_second_ctrl_c_ends_the_process_at_once() {
    let dir = tempfile::tempdir().unwrap();
    // One step takes longer than the test waits: the flag is not looked at in between.
    let mut child = child(dir.path(), 60_000_000);
    wait_for("the child holds its lock", || folder(dir.path()).timing_jsonl().exists());
    signal("INT", &child);
    std::thread::sleep(Duration::from_millis(50));
    assert!(child.try_wait().unwrap().is_none(), "the first Ctrl-C waits for the step");
    signal("INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_run_that_another_process_works_on_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = child(dir.path(), 60_000_000);
    wait_for("the child holds its lock", || folder(dir.path()).timing_jsonl().exists());
    let second = child(dir.path(), 0).wait_with_output().unwrap();
    assert_eq!(second.status.code(), Some(3));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    let host = harness::file::lease::host().map_or(String::new(), |host| format!(" on {host}"));
    assert!(said.contains(&format!("is being run by process {}{host} since 20", first.id())), "{said}");
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(child(dir.path(), 0).wait().unwrap().success());
}

#[test]
fn a_finished_run_is_found_and_repeated_only_by_force() {
    let dir = tempfile::tempdir().unwrap();
    assert!(child(dir.path(), 0).wait().unwrap().success());
    let before = result(dir.path());
    // As a process leaves it that is killed right after its summary.
    std::fs::write(folder(dir.path()).last_checkpoint(), b"left").unwrap();
    let Opened::Finished(summary) = open(dir.path(), Repeat::Reuse).unwrap() else { panic!("it was not found") };
    assert_eq!(summary.comparable(), before.1);
    assert!(!folder(dir.path()).last_checkpoint().exists());
    std::fs::create_dir_all(folder(dir.path()).maps()).unwrap();
    let Opened::Active { attempt, resumed } = open(dir.path(), Repeat::Force).unwrap() else { panic!("it was not repeated") };
    assert_eq!((resumed, attempt.number()), (None, 1));
    let folder = folder(dir.path());
    assert!(!folder.summary_json().exists() && !folder.maps().exists() && !folder.weights().exists());
    assert_eq!(folder.status(), Status::Running);
    drop(attempt);
    assert!(child(dir.path(), 0).wait().unwrap().success());
    assert_eq!(result(dir.path()), before);
}

/// A run that did three steps and was dropped as if killed, with one event after its checkpoint.
fn interrupted(results: &Path) -> Folder {
    let Opened::Active { mut attempt, .. } = open(results, Repeat::Reuse).unwrap() else { panic!() };
    attempt.checkpoint(Position { step: 3, ..Position::default() }, b"tensors").unwrap();
    attempt.event(&Event::Eval { epoch: 0, step: 3, metrics: BTreeMap::new() }).unwrap();
    folder(results)
}

#[test]
fn a_resume_cuts_events_back_to_the_checkpoint_and_removes_half_written_files() {
    let dir = tempfile::tempdir().unwrap();
    let folder = interrupted(dir.path());
    assert_eq!(run::event::read(&folder.events_jsonl()).unwrap().len(), 2);
    // A torn event, and a checkpoint whose writer was killed before the rename.
    use std::io::Write;
    std::fs::OpenOptions::new().append(true).open(folder.events_jsonl()).unwrap().write_all(b"{\"event\":\"ev").unwrap();
    let half = folder.checkpoints().join(".last.ckpt.1-0.tmp");
    std::fs::write(&half, b"half").unwrap();
    let Opened::Active { attempt, resumed } = open(dir.path(), Repeat::Reuse).unwrap() else { panic!() };
    let (position, tensors) = resumed.unwrap();
    assert_eq!((position.step, tensors.as_slice()), (3, b"tensors".as_slice()));
    assert!(attempt.wall_s() >= position.wall_s && attempt.notes().next().is_none());
    assert!(matches!(run::event::read(&folder.events_jsonl()).unwrap().as_slice(), [Event::Start { .. }]));
    assert!(!half.exists());
}

#[test]
fn a_damaged_checkpoint_is_moved_aside_and_the_run_starts_over_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let folder = interrupted(dir.path());
    let mut bytes = std::fs::read(folder.last_checkpoint()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(folder.last_checkpoint(), bytes).unwrap();
    let Opened::Active { attempt, resumed } = open(dir.path(), Repeat::Reuse).unwrap() else { panic!() };
    assert_eq!((resumed, attempt.number()), (None, 2));
    assert!(attempt.notes().next().unwrap().contains("damaged"));
    assert!(folder.checkpoints().join("last.ckpt.damaged").exists());
    assert!(std::fs::read_to_string(folder.log_txt()).unwrap().contains("starting over"));
    drop(attempt);
    // Lost events make a checkpoint worthless just so.
    let folder = interrupted(dir.path());
    run::event::truncate(&folder.events_jsonl(), 5).unwrap();
    let Opened::Active { attempt, resumed } = open(dir.path(), Repeat::Reuse).unwrap() else { panic!() };
    assert!(resumed.is_none() && attempt.notes().next().unwrap().contains("events.jsonl has 5 bytes"));
}

#[test]
fn a_failed_run_says_why_and_goes_on_from_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let folder = interrupted(dir.path());
    let Opened::Active { attempt, .. } = open(dir.path(), Repeat::Reuse).unwrap() else { panic!() };
    attempt.fail(&harness::Error::run("the loss is NaN at step 5", "lower optim.lr")).unwrap();
    assert_eq!(folder.status(), Status::Failed);
    assert!(folder.record().unwrap().unwrap().error.unwrap().contains("lower optim.lr"));
    let Opened::Active { attempt, resumed } = open(dir.path(), Repeat::Reuse).unwrap() else { panic!() };
    assert_eq!((resumed.unwrap().0.step, folder.status()), (3, Status::Running));
    drop(attempt);
    assert_eq!(folder.status(), Status::Stopped);
}

#[test]
fn a_run_killed_just_before_its_summary_is_not_finished() {
    let dir = tempfile::tempdir().unwrap();
    let folder = interrupted(dir.path());
    let Opened::Active { attempt, .. } = open(dir.path(), Repeat::Reuse).unwrap() else { panic!() };
    // A folder in the summary's place makes its write fail, the last one of `finish`.
    std::fs::create_dir(folder.summary_json()).unwrap();
    attempt.finish(b"weights", &summary(0.5, 1.0)).unwrap_err();
    std::fs::remove_dir(folder.summary_json()).unwrap();
    assert_eq!(folder.status(), Status::Stopped);
    let Opened::Active { attempt, resumed } = open(dir.path(), Repeat::Reuse).unwrap() else { panic!() };
    assert_eq!(resumed.unwrap().0.step, 3);
    attempt.finish(b"weights", &summary(0.5, 1.0)).unwrap();
    assert_eq!(folder.status(), Status::Finished);
}

#[test]
fn processes_that_start_the_same_run_at_once_make_it_once() {
    let dir = tempfile::tempdir().unwrap();
    let children: Vec<Child> = (0..4).map(|_| child(dir.path(), 4000)).collect();
    let codes: Vec<_> = children.into_iter().map(|mut c| c.wait().unwrap().code().unwrap()).collect();
    assert!(codes.iter().all(|code| [0, 3].contains(code)) && codes.contains(&0), "{codes:?}");
    assert_eq!(folder(dir.path()).record().unwrap().unwrap().attempts, 1);
    assert_eq!(result(dir.path()), undisturbed());
    assert_eq!(Store::new(dir.path()).find("latest").unwrap().id, id());
}
