//! A server on loopback that answers as MLflow does, as far as `harness export mlflow` asks, and remembers everything. What MLflow 3.17
//! refuses it refuses too: names, counts of a batch, a parameter that is given another value.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

/// A run as the recorder has it.
#[derive(Debug, Clone, Default)]
pub struct Run {
    pub experiment: String,
    pub name: String,
    pub status: String,
    pub start: i64,
    pub end: Option<i64>,
    pub deleted: bool,
    pub tags: BTreeMap<String, String>,
    pub params: BTreeMap<String, String>,
    /// Name, step, time and value: MLflow's primary key.
    pub points: BTreeSet<(String, i64, i64, String)>,
    pub data: BTreeSet<(String, String)>,
    pub artifacts: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Default)]
pub struct State {
    /// Name, and whether it is deleted; its place plus 1 is its id.
    pub experiments: Vec<(String, bool)>,
    /// By id.
    pub runs: BTreeMap<String, Run>,
    /// `METHOD path`, with the header `Authorization` where there was one.
    pub requests: Vec<(String, Option<String>)>,
    /// Given instead of any answer.
    pub instead: Option<(u16, String)>,
    /// After how many requests it closes connections unanswered.
    pub dies_after: Option<usize>,
    /// Where artifacts lie, if the server does not hand them on.
    pub bucket: Option<String>,
}

#[derive(Clone)]
pub struct Recorder {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Recorder {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let recorder = Self { url, state: Arc::default() };
        let shared = recorder.state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || while serve(&stream, &shared).is_some() {});
            }
        });
        recorder
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Everything that is counted: experiments, runs, points, parameters, data, artifacts.
    pub fn counts(&self) -> [usize; 6] {
        let state = self.state();
        let sum = |of: fn(&Run) -> usize| state.runs.values().map(of).sum();
        let points = sum(|run| run.points.len());
        let (params, data) = (sum(|run| run.params.len()), sum(|run| run.data.len()));
        [state.experiments.len(), state.runs.len(), points, params, data, sum(|run| run.artifacts.len())]
    }

    /// The one run whose tag has this value.
    pub fn run(&self, tag: &str, value: &str) -> Run {
        let state = self.state();
        let found: Vec<&Run> = state.runs.values().filter(|run| run.tags.get(tag).is_some_and(|is| is == value)).collect();
        assert_eq!(found.len(), 1, "{tag} = {value}");
        found[0].clone()
    }

    /// The one run of that name.
    pub fn named(&self, name: &str) -> Run {
        let state = self.state();
        let found: Vec<&Run> = state.runs.values().filter(|run| run.name == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].clone()
    }

    /// How often something was asked.
    pub fn asked(&self, what: &str) -> usize {
        self.state().requests.iter().filter(|(asked, _)| asked.contains(what)).count()
    }
}

/// Answers one request; none where the connection is over.
fn serve(stream: &TcpStream, shared: &Mutex<State>) -> Option<()> {
    let mut from = BufReader::new(stream);
    let mut line = String::new();
    from.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut header = String::new();
        from.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => authorization = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    let mut state = shared.lock().unwrap();
    state.requests.push((format!("{method} {path}"), authorization));
    if let Some(left) = &mut state.dies_after {
        if *left == 0 {
            return None;
        }
        *left -= 1;
    }
    let (status, text) = match &state.instead {
        Some(answer) => answer.clone(),
        None => match answer(&mut state, &path, &body) {
            Ok(value) => (200, value.to_string()),
            Err((status, code, why)) => (status, json!({ "error_code": code, "message": why }).to_string()),
        },
    };
    drop(state);
    let kind = if text.starts_with('{') { "application/json" } else { "text/plain" };
    let location = if (300..400).contains(&status) { "Location: https://elsewhere.example/mlflow?token=s3cret\r\n" } else { "" };
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{location}Content-Length: {}\r\n\r\n", text.len());
    let mut to = stream;
    to.write_all(head.as_bytes()).and_then(|()| to.write_all(text.as_bytes())).ok()
}

type Answer = Result<Value, (u16, &'static str, String)>;

fn refused(why: impl Into<String>) -> (u16, &'static str, String) {
    (400, "INVALID_PARAMETER_VALUE", why.into())
}

fn answer(state: &mut State, path: &str, body: &[u8]) -> Answer {
    if let Some(place) = path.strip_prefix("/api/2.0/mlflow-artifacts/artifacts/") {
        let (_, rest) = place.split_once('/').unwrap();
        let (run, name) = rest.split_once("/artifacts/").unwrap();
        state.runs.get_mut(run).unwrap().artifacts.insert(decoded(name), body.to_vec());
        return Ok(json!({}));
    }
    let call = path.strip_prefix("/api/2.0/mlflow/").ok_or((404, "", "no such page".to_owned()))?;
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    match call.split('?').next().unwrap() {
        "experiments/get-by-name" => by_name(state, &decoded(call.split_once('=').unwrap().1)),
        "experiments/create" => {
            state.experiments.push((asked["name"].as_str().unwrap().to_owned(), false));
            Ok(json!({ "experiment_id": state.experiments.len().to_string() }))
        }
        "runs/create" => create(state, &asked),
        "runs/search" => search(state, &asked),
        call => {
            let id = asked["run_id"].as_str().unwrap();
            let run = state.runs.get_mut(id).filter(|run| !run.deleted).ok_or_else(|| refused(format!("the run {id} is deleted")))?;
            match call {
                "runs/log-batch" => log(run, &asked),
                "runs/update" => {
                    run.status = asked["status"].as_str().unwrap().to_owned();
                    run.name = asked["run_name"].as_str().unwrap().to_owned();
                    run.end = asked["end_time"].as_i64().or(run.end);
                    Ok(json!({}))
                }
                "runs/delete-tag" => {
                    run.tags.remove(asked["key"].as_str().unwrap()).unwrap();
                    Ok(json!({}))
                }
                "runs/log-inputs" => {
                    for set in list(&asked["datasets"]) {
                        let word = |name: &str| set["dataset"][name].as_str().unwrap().to_owned();
                        run.data.insert((word("name"), word("digest")));
                    }
                    Ok(json!({}))
                }
                other => Err((404, "ENDPOINT_NOT_FOUND", other.to_owned())),
            }
        }
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn by_name(state: &State, name: &str) -> Answer {
    let missing = || (404, "RESOURCE_DOES_NOT_EXIST", format!("no experiment {name}"));
    let place = state.experiments.iter().position(|(known, _)| known == name).ok_or_else(missing)?;
    let stage = if state.experiments[place].1 { "deleted" } else { "active" };
    Ok(json!({ "experiment": { "experiment_id": (place + 1).to_string(), "name": name, "lifecycle_stage": stage } }))
}

fn create(state: &mut State, asked: &Value) -> Answer {
    let id = format!("run{}", state.runs.len());
    let tags = list(&asked["tags"]).iter().map(pair).collect();
    let word = |name: &str| asked[name].as_str().unwrap().to_owned();
    let start = asked["start_time"].as_i64().unwrap();
    let run = Run { experiment: word("experiment_id"), name: word("run_name"), status: "RUNNING".into(), start, tags, ..Run::default() };
    state.runs.insert(id.clone(), run);
    Ok(json!({ "run": shown(state, &id) }))
}

fn search(state: &State, asked: &Value) -> Answer {
    let filter = asked["filter"].as_str().unwrap();
    let (tag, value) = filter.strip_prefix("tags.`").unwrap().split_once("` = '").unwrap();
    let value = value.strip_suffix('\'').unwrap();
    let fits = |run: &&(&String, &Run)| {
        !run.1.deleted
            && list(&asked["experiment_ids"]).contains(&json!(run.1.experiment))
            && run.1.tags.get(tag).is_some_and(|is| is == value)
    };
    let found: Vec<Value> = state.runs.iter().filter(|run| fits(&run)).map(|(id, _)| shown(state, id)).collect();
    // Without any, the real one leaves the member out.
    Ok(if found.is_empty() { json!({}) } else { json!({ "runs": found }) })
}

fn shown(state: &State, id: &str) -> Value {
    let run = &state.runs[id];
    let place = state.bucket.clone().unwrap_or_else(|| "mlflow-artifacts:".to_owned());
    let pairs = |map: &BTreeMap<String, String>| map.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Value>();
    let sets: Value = run.data.iter().map(|(name, digest)| json!({ "dataset": { "name": name, "digest": digest } })).collect();
    json!({
        "info": {
            "run_id": id, "run_name": run.name, "status": run.status, "start_time": run.start, "end_time": run.end,
            "artifact_uri": format!("{place}/{}/{id}/artifacts", run.experiment),
        },
        "data": { "tags": pairs(&run.tags), "params": pairs(&run.params) },
        "inputs": { "dataset_inputs": sets },
    })
}

fn pair(value: &Value) -> (String, String) {
    (value["key"].as_str().unwrap().to_owned(), value["value"].as_str().unwrap().to_owned())
}

/// MLflow's rule for names of metrics, tags and parameters.
fn check(name: &str) -> Result<(), (u16, &'static str, String)> {
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || "_-. :/".contains(c)) && name.len() <= 250;
    let is_path = name.split('/').all(|part| !["", ".", ".."].contains(&part));
    if is_plain && is_path { Ok(()) } else { Err(refused(format!("Invalid name: {name:?}"))) }
}

fn log(run: &mut Run, asked: &Value) -> Answer {
    let (metrics, params, tags) = (list(&asked["metrics"]), list(&asked["params"]), list(&asked["tags"]));
    if metrics.len() > 1000 || params.len() > 100 || tags.len() > 100 || metrics.len() + params.len() + tags.len() > 1000 {
        return Err(refused("too much in one batch"));
    }
    for (key, value) in params.iter().map(pair) {
        check(&key)?;
        if run.params.insert(key.clone(), value.clone()).is_some_and(|earlier| earlier != value) {
            return Err(refused(format!("Changing param values is not allowed: {key}")));
        }
    }
    for (key, value) in tags.iter().map(pair) {
        check(&key)?;
        run.tags.insert(key, value);
    }
    for metric in &metrics {
        let name = metric["key"].as_str().unwrap();
        check(name)?;
        let value = &metric["value"];
        if !value.is_number() && !["NaN", "Infinity", "-Infinity"].iter().any(|word| value == word) {
            return Err(refused(format!("{value} is not a number")));
        }
        let number = |member: &str| metric[member].as_i64().unwrap();
        run.points.insert((name.to_owned(), number("step"), number("timestamp"), value.to_string()));
    }
    Ok(json!({}))
}

/// What an address encodes.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (vec![], text.bytes());
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap()
}
