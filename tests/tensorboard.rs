//! TensorBoard's event files: what was written is read back, by a reader of its own and by TensorBoard.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::config::Config;
use harness::export;
use harness::image::{Rgb, codec};
use harness::run::{self, Ask, Attempt, Environment, Event, Folder, Follower, Id, Opened, Position, Repeat, Summary, Timing};
use harness::store::Store;
use harness::testing;

const CATEGORY: &str = "gear";

fn id(seed: u64) -> Id {
    Id::new("test", "0123456789", seed).unwrap()
}

fn config() -> Config {
    let mut cfg = Config::default();
    cfg.loss.score.gamma = 3.25;
    cfg
}

fn open(results: &Path, seed: u64, repeat: Repeat) -> (Box<Attempt>, Option<Position>) {
    open_of(results, seed, repeat, None)
}

/// A run that a sweep starts.
fn open_of(results: &Path, seed: u64, repeat: Repeat, sweep: Option<&str>) -> (Box<Attempt>, Option<Position>) {
    let given = run::env::Provenance { device: "cpu".into(), threads: 1, data_hash: "d".into(), ..Default::default() };
    let environment = Environment::capture(Path::new("/"), None, given);
    let config = config().to_toml();
    let ask = Ask {
        category: CATEGORY,
        config: &config,
        environment: &environment,
        argv: &["harness".into()],
        tags: &[],
        note: None,
        sweep,
        repeat,
        now: run::now(),
    };
    let folder = Store::new(results).folder(&id(seed));
    let Opened::Active { mut attempt, resumed } = run::open(&folder, &id(seed), &ask).unwrap() else { panic!("it is finished") };
    attempt.follow(export::followers(&folder, &id(seed), CATEGORY, &self::config(), run::now)).unwrap();
    (attempt, resumed.map(|(position, _)| position))
}

/// Steps `from + 1 ..= to` of an epoch of three steps each.
fn train(attempt: &mut Attempt, from: u64, to: u64) {
    let losses = |value: f64| BTreeMap::from([("total".to_owned(), value), ("score".to_owned(), value / 2.0)]);
    for step in from + 1..=to {
        let epoch = (step - 1) / 3;
        let stats = BTreeMap::from([("entropy".to_owned(), 0.5)]);
        attempt.event(&Event::Step { epoch, step, losses: losses(1.0 / step as f64), lr: 1e-3, grad_norm: Some(2.0), stats }).unwrap();
        if step % 3 == 0 {
            attempt.event(&Event::Epoch { epoch, step, losses: losses(0.25), grad_norm: None, stats: BTreeMap::new() }).unwrap();
            let number = attempt.number();
            attempt.timing(&Timing::Epoch { attempt: number, epoch, images: 12, wall_s: 2.0, images_per_s: 6.0 + epoch as f64 }).unwrap();
        }
    }
}

fn checkpoint(attempt: &mut Attempt, step: u64) {
    attempt.checkpoint(Position { epoch: step / 3, step, batch: step % 3, ..Position::default() }, b"tensors").unwrap();
}

fn finish(mut attempt: Box<Attempt>, seed: u64, auroc: f64) {
    let metrics = BTreeMap::from([
        ("test/image_auroc".to_owned(), Some(auroc)),
        ("test/A/image_auroc".to_owned(), Some(0.5)),
        ("test/aupro@0.3".to_owned(), None),
    ]);
    // As earlier versions told of it.
    attempt.event(&Event::Eval { epoch: 2, step: 0, metrics: metrics.clone() }).unwrap();
    let figures = attempt.folder().figures();
    std::fs::create_dir_all(&figures).unwrap();
    std::fs::write(figures.join("panels.png"), codec::encode_png(&Rgb::filled(7, 5, [200, 30, 40]))).unwrap();
    std::fs::write(figures.join("loss.svg"), "<svg/>").unwrap();
    let summary = Summary { metrics, ..harness::testing::summary(&id(seed), CATEGORY) };
    attempt.finish(b"weights", &summary).unwrap();
}

/// A run of two epochs, whole.
fn whole(results: &Path, seed: u64, auroc: f64) {
    let (mut attempt, resumed) = open(results, seed, Repeat::Reuse);
    assert!(resumed.is_none());
    train(&mut attempt, 0, 6);
    finish(attempt, seed, auroc);
}

/// The same, killed after its checkpoint of step 4 and resumed.
fn interrupted(results: &Path, seed: u64, auroc: f64) {
    let (mut attempt, _) = open(results, seed, Repeat::Reuse);
    train(&mut attempt, 0, 4);
    checkpoint(&mut attempt, 4);
    train(&mut attempt, 4, 6);
    drop(attempt);
    let (mut attempt, resumed) = open(results, seed, Repeat::Reuse);
    assert_eq!(resumed.unwrap().step, 4);
    train(&mut attempt, 4, 6);
    finish(attempt, seed, auroc);
}

/// A field of a protocol buffer.
#[derive(Debug, Clone, PartialEq)]
enum Field<'a> {
    Int(u64),
    Double(f64),
    Float(f32),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn bytes(&self) -> &'a [u8] {
        let Field::Bytes(bytes) = self else { panic!("{self:?} is not a message") };
        bytes
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for index in 0.. {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = vec![];
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let length = match tag & 7 {
            0 => {
                found.push((tag >> 3, Field::Int(varint(&mut bytes))));
                continue;
            }
            1 => 8,
            2 => varint(&mut bytes) as usize,
            5 => 4,
            wire => panic!("wire type {wire}"),
        };
        let (value, rest) = bytes.split_at(length);
        bytes = rest;
        let field = match tag & 7 {
            1 => Field::Double(f64::from_le_bytes(value.try_into().unwrap())),
            5 => Field::Float(f32::from_le_bytes(value.try_into().unwrap())),
            _ => Field::Bytes(value),
        };
        found.push((tag >> 3, field));
    }
    found
}

fn get<'a>(bytes: &'a [u8], field: u64) -> Option<Field<'a>> {
    fields(bytes).into_iter().find(|(f, _)| *f == field).map(|(_, value)| value)
}

/// CRC-32C bit by bit, masked.
fn masked(bytes: &[u8]) -> u32 {
    let crc = bytes
        .iter()
        .fold(!0u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }));
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn file(folder: &Folder) -> PathBuf {
    let paths: Vec<_> = std::fs::read_dir(folder.tb()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(paths.len(), 1, "one file a run: {paths:?}");
    assert!(paths[0].file_name().unwrap().to_str().unwrap().starts_with("events.out.tfevents."));
    paths[0].clone()
}

/// The payloads of a file, each CRC checked.
fn records(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut at, mut found) = (0, vec![]);
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        assert_eq!(word(at + 8), masked(&bytes[at..at + 8]));
        let payload = &bytes[at + 12..at + 12 + length];
        assert_eq!(word(at + 12 + length), masked(payload));
        found.push(payload);
        at += 16 + length;
    }
    found
}

/// A tag, a step and its number.
type Point = (String, u64, f32);

/// Numbers by tag and step, in the order of the file; and the wall time of each step.
fn scalars(bytes: &[u8]) -> (Vec<Point>, BTreeMap<u64, f64>) {
    let (mut found, mut times) = (vec![], BTreeMap::new());
    for event in records(bytes) {
        let Some(Field::Double(time)) = get(event, 1) else { panic!("an event has a wall time") };
        let Some(Field::Int(step)) = get(event, 2) else { panic!("an event has a step") };
        times.entry(step).or_insert(time);
        let Some(summary) = get(event, 5) else { continue };
        for (_, value) in fields(summary.bytes()) {
            if let Some(Field::Float(number)) = get(value.bytes(), 2) {
                found.push((get(value.bytes(), 1).unwrap().text(), step, number));
            }
        }
    }
    (found, times)
}

#[test]
fn what_a_run_writes_is_read_back_and_an_interrupted_one_has_nothing_twice() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    whole(one.path(), 0, 0.75);
    interrupted(two.path(), 0, 0.75);
    let folder = Store::new(one.path()).folder(&id(0));
    let bytes = std::fs::read(file(&folder)).unwrap();
    let first = records(&bytes)[0];
    assert_eq!(get(first, 3).unwrap().text(), "brain.Event:2");

    let (found, _) = scalars(&bytes);
    let of = |tag: &str| -> Vec<(u64, f32)> { found.iter().filter(|(t, ..)| t == tag).map(|(_, s, v)| (*s, *v)).collect() };
    assert_eq!(of("loss/total"), (1..=6).map(|s| (s, (1.0 / s as f64) as f32)).collect::<Vec<_>>());
    assert_eq!(of("optim/lr").len(), 6);
    assert_eq!(of("optim/grad_norm")[0], (1, 2.0));
    assert_eq!(of("stats/entropy").len(), 6);
    assert_eq!(of("epoch/score"), [(3, 0.125), (6, 0.125)]);
    assert_eq!(of("epoch/images_per_s"), [(3, 6.0), (6, 7.0)]);
    // The last evaluation stands after the last step.
    assert_eq!(of("test/image_auroc"), [(6, 0.75)]);
    assert_eq!(of("test/A/image_auroc"), [(6, 0.5)]);
    assert!(of("test/aupro@0.3").is_empty(), "a metric without a value has no point");

    let again = std::fs::read(file(&Store::new(two.path()).folder(&id(0)))).unwrap();
    let sorted = |bytes: &[u8]| {
        let mut all: Vec<_> = scalars(bytes).0.into_iter().map(|(t, s, v)| (t, s, v.to_bits())).collect();
        all.sort();
        all
    };
    assert_eq!(sorted(&bytes), sorted(&again));
}

#[test]
fn a_resume_keeps_the_wall_times_of_the_steps_it_keeps() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Store::new(dir.path()).folder(&id(0));
    let (mut attempt, _) = open(dir.path(), 0, Repeat::Reuse);
    train(&mut attempt, 0, 4);
    checkpoint(&mut attempt, 4);
    train(&mut attempt, 4, 5);
    drop(attempt);
    let before = scalars(&std::fs::read(file(&folder)).unwrap()).1;
    assert_eq!(before.keys().max(), Some(&5));
    std::thread::sleep(std::time::Duration::from_millis(2));
    drop(open(dir.path(), 0, Repeat::Reuse));
    let after = scalars(&std::fs::read(file(&folder)).unwrap()).1;
    let kept: BTreeMap<u64, f64> = before.into_iter().filter(|(step, _)| *step <= 4).collect();
    assert_eq!(after, kept);
}

#[test]
fn figures_and_hyperparameters_are_there_once_the_run_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    whole(dir.path(), 0, 0.75);
    let bytes = std::fs::read(file(&Store::new(dir.path()).folder(&id(0)))).unwrap();
    let mut values = vec![];
    for event in records(&bytes) {
        if let Some(summary) = get(event, 5) {
            values.extend(fields(summary.bytes()).into_iter().map(|(_, v)| v.bytes().to_vec()));
        }
    }
    let tagged = |tag: &str| values.iter().find(|v| get(v, 1).unwrap().text() == tag).unwrap_or_else(|| panic!("no {tag}"));
    let panels = get(tagged("figures/panels"), 4).unwrap();
    let number = |field| get(panels.bytes(), field).unwrap();
    assert_eq!([number(1), number(2), number(3)], [Field::Int(5), Field::Int(7), Field::Int(3)]);
    let decoded = codec::decode_bytes(number(4).bytes(), Path::new("panels.png")).unwrap();
    assert_eq!(decoded.rgb, Rgb::filled(7, 5, [200, 30, 40]));
    assert!(!values.iter().any(|v| get(v, 1).unwrap().text() == "figures/loss"), "TensorBoard does not show an SVG");

    let content = |tag: &str, field: u64| {
        let metadata = get(tagged(tag), 9).unwrap();
        let plugin = get(metadata.bytes(), 1).unwrap();
        assert_eq!(get(plugin.bytes(), 1).unwrap().text(), "hparams");
        let data = get(plugin.bytes(), 2).unwrap();
        get(data.bytes(), field).unwrap().bytes().to_vec()
    };
    let start = content("_hparams_/session_start_info", 3);
    assert_eq!(get(&start, 4).unwrap().text(), "0123456789");
    let hparams: BTreeMap<String, Vec<u8>> = fields(&start)
        .into_iter()
        .filter(|(field, _)| *field == 1)
        .map(|(_, entry)| (get(entry.bytes(), 1).unwrap().text(), get(entry.bytes(), 2).unwrap().bytes().to_vec()))
        .collect();
    assert_eq!(fields(&hparams["loss.score.gamma"]), [(2, Field::Double(3.25))]);
    assert_eq!(fields(&hparams["model.stlnet"]), [(4, Field::Int(1))]);
    assert_eq!(get(&hparams["category"], 3).unwrap().text(), CATEGORY);
    assert!(!hparams.contains_key("run.seeds"), "seeds of one configuration are one group");
    let end = content("_hparams_/session_end_info", 4);
    assert_eq!(get(&end, 1), Some(Field::Int(1)));
}

#[test]
fn hyperparameters_begin_with_those_in_which_the_rows_of_the_sweep_differ() {
    let dir = tempfile::tempdir().unwrap();
    let rows = [0.1, 0.2].map(|lr| serde_json::json!({ "name": lr.to_string(), "config": { "optim.lr": lr, "data.size": 64 } }));
    std::fs::create_dir_all(dir.path().join("rates")).unwrap();
    let plan = serde_json::json!({ "format": 1, "rows": rows, "runs": [] });
    std::fs::write(dir.path().join("rates/plan.json"), plan.to_string()).unwrap();
    let infos = |seed: u64, sweep: Option<&str>| -> Vec<(String, u64)> {
        let (attempt, _) = open_of(dir.path(), seed, Repeat::Reuse, sweep);
        let folder = attempt.folder().clone();
        attempt.stop();
        let bytes = std::fs::read(file(&folder)).unwrap();
        let experiment = records(&bytes).into_iter().find_map(|event| {
            let summary = get(event, 5)?;
            let value = get(summary.bytes(), 1).unwrap();
            let is_it = get(value.bytes(), 1).unwrap().text() == "_hparams_/experiment";
            let data = get(get(value.bytes(), 9)?.bytes(), 1)?;
            is_it.then(|| get(get(data.bytes(), 2).unwrap().bytes(), 2).unwrap().bytes())
        });
        let infos = fields(experiment.unwrap()).into_iter().filter(|(field, _)| *field == 4);
        let differs = |info: &[u8]| if let Some(Field::Int(differs)) = get(info, 7) { differs } else { 0 };
        infos.map(|(_, info)| (get(info.bytes(), 1).unwrap().text(), differs(info.bytes()))).collect()
    };
    let of = |name: &str, differs: u64| (name.to_owned(), differs);
    let (alone, swept) = (infos(0, None), infos(1, Some("rates")));
    assert_eq!(alone[..2], [of("category", 1), of("loss.score.gamma", 1)]);
    assert_eq!(swept[..3], [of("category", 1), of("optim.lr", 1), of("loss.score.gamma", 0)]);
    let names = |infos: &[(String, u64)]| infos.iter().map(|(name, _)| name.clone()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(&alone), names(&swept), "every key has a column whichever run is asked");
    assert!([&swept[3..], &alone[2..]].concat().iter().all(|(_, differs)| *differs == 0) && swept.len() > 100);
}

#[test]
fn a_run_that_starts_over_or_cannot_write_here_goes_on_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    whole(dir.path(), 0, 0.75);
    let (mut attempt, _) = open(dir.path(), 0, Repeat::Force);
    train(&mut attempt, 0, 1);
    let folder = attempt.folder().clone();
    attempt.stop();
    let (found, _) = scalars(&std::fs::read(file(&folder)).unwrap());
    assert!(found.iter().all(|(_, step, _)| *step == 1), "what the first life wrote is gone");

    // A file where the folder should be.
    std::fs::remove_dir_all(folder.tb()).unwrap();
    std::fs::write(folder.tb(), "").unwrap();
    let path = folder.path().to_path_buf();
    let blocked = export::followers(&folder, &id(0), CATEGORY, &config(), run::now).pop().unwrap();
    assert!(blocked.as_ref().unwrap_err().what.contains("/tb"));
    let given = run::env::Provenance { device: "cpu".into(), threads: 1, data_hash: "d".into(), ..Default::default() };
    let environment = Environment::capture(Path::new("/"), None, given);
    let ask = Ask {
        category: CATEGORY,
        config: "",
        environment: &environment,
        argv: &[],
        tags: &[],
        note: None,
        sweep: None,
        repeat: Repeat::Reuse,
        now: run::now(),
    };
    std::fs::remove_file(folder.tb()).unwrap();
    let Opened::Active { mut attempt, .. } = run::open(&folder, &id(0), &ask).unwrap() else { panic!() };
    // One that could not start, one that fails, one that works and comes after both.
    let told = Arc::new(AtomicUsize::new(0));
    attempt.follow([blocked, Ok(Box::new(Broken)), Ok(Box::new(Counter(told.clone())))]).unwrap();
    train(&mut attempt, 0, 3);
    finish(attempt, 0, 0.5);
    let log = std::fs::read_to_string(path.join("log.txt")).unwrap();
    assert!(log.contains("note: ") && log.contains("/tb"), "{log}");
    assert_eq!(log.matches("the disk is gone").count(), 1, "said once: {log}");
    assert_eq!(folder.status(), run::Status::Finished);
    // Three steps, their epoch with its time, the metrics; the end with its time.
    assert_eq!(told.load(Ordering::Relaxed), 8, "what makes one fail, the other is told all the same");
}

/// Counts what it is told.
#[derive(Debug)]
struct Counter(Arc<AtomicUsize>);

impl Counter {
    fn count(&self) -> harness::Result<()> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Follower for Counter {
    fn event(&mut self, _: &Event) -> harness::Result<()> {
        self.count()
    }
    fn timing(&mut self, _: &Timing) -> harness::Result<()> {
        self.count()
    }
    fn end(&mut self, _: run::Outcome) -> harness::Result<()> {
        self.count()
    }
}

#[derive(Debug)]
struct Broken;

impl Follower for Broken {
    fn event(&mut self, _: &Event) -> harness::Result<()> {
        Err(harness::Error::environment("the disk is gone", ""))
    }
    fn timing(&mut self, _: &Timing) -> harness::Result<()> {
        panic!("told again after an error")
    }
    fn end(&mut self, _: run::Outcome) -> harness::Result<()> {
        panic!("told again after an error")
    }
}

#[test]
fn tensorboard_reads_scalars_pictures_and_session_groups() {
    let Some(python) = testing::python(&["tensorboard"]) else {
        return testing::skip("Python lacks the package tensorboard");
    };
    let dir = tempfile::tempdir().unwrap();
    whole(dir.path(), 0, 0.5);
    interrupted(dir.path(), 1, 0.75);
    let script = testing::root().join("tests/oracle/read_tensorboard.py");
    let output = std::process::Command::new(python).arg(script).arg(Store::new(dir.path()).runs()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();

    for seed in 0..2 {
        let run = &read["runs"][format!("{}/tb", id(seed))];
        assert_eq!(run["file_version"], 2.0);
        let losses = run["scalars"]["loss/total"].as_array().unwrap();
        let steps: Vec<u64> = losses.iter().map(|point| point[1].as_u64().unwrap()).collect();
        assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
        assert!((losses[2][2].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-7);
        let times: Vec<f64> = losses.iter().map(|point| point[0].as_f64().unwrap()).collect();
        assert!(times.is_sorted());
        assert_eq!(run["scalars"]["epoch/images_per_s"].as_array().unwrap().len(), 2);
        assert_eq!(run["images"]["figures/panels"][0][0], 7);
        assert_eq!(run["images"]["figures/panels"][0][1], 5);
    }
    // Both seeds are sessions of one group, whose metric is their mean.
    let groups = read["groups"].as_object().unwrap();
    assert_eq!(groups.keys().collect::<Vec<_>>(), ["0123456789"]);
    let group = &groups["0123456789"];
    assert_eq!(group["sessions"].as_object().unwrap().len(), 2);
    assert!(group["sessions"].as_object().unwrap().values().all(|s| s == "STATUS_SUCCESS"));
    assert_eq!(group["metrics"]["test/image_auroc"], 0.625);
    assert_eq!(group["hparams"]["loss.score.gamma"], 3.25);
    assert_eq!(group["hparams"]["category"], CATEGORY);
    assert_eq!(read["hparams"]["loss.score.gamma"], serde_json::json!(["DATA_TYPE_FLOAT64", true]));
    assert_eq!(read["hparams"]["loss.score.lambda"], serde_json::json!(["DATA_TYPE_FLOAT64", false]));
    assert!(read["metrics"].as_array().unwrap().contains(&"test/aupro@0.3".into()));
}
