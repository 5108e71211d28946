//! MLflow's calls as far as they are needed, each with its limits (`mlflow/utils/validation.py`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::client::Client;
use super::content::{Content, Data, KEY, State};
use super::fault::{Fault, Reply};
use super::names;
use super::points::Point;
use crate::Error;

/// A server that is asked by name.
#[derive(Debug)]
pub struct Server {
    client: Client,
}

/// A run as it stands there.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub id: String,
    pub name: String,
    pub state: String,
    pub ended_ms: Option<i64>,
    /// The path of its artifacts on the server; none where the server hands none on.
    pub artifacts: Option<String>,
    /// Where they lie, as the server says it.
    pub artifact_uri: String,
    pub tags: BTreeMap<String, String>,
    /// Names of its parameters.
    pub params: BTreeSet<String>,
    /// Name and digest of its data.
    pub data: BTreeSet<(String, String)>,
}

/// At most so many in one call. Of tags and of parameters the server takes a hundred, and of both 1 MB.
const POINTS: usize = 1000;
const PAIRS: usize = 50;

impl Server {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    pub fn url(&self) -> &str {
        self.client.url()
    }

    /// The id of the experiment of that name, which is made if it is not there.
    ///
    /// # Errors
    /// One that was deleted: what is deleted is not brought back without being asked.
    pub fn experiment(&self, name: &str) -> Reply<String> {
        let call = "experiments/get-by-name";
        if let Some(found) = self.client.get(call, ["experiment_name", name])? {
            let experiment = &found["experiment"];
            let id = self.text(call, &experiment["experiment_id"])?;
            if experiment["lifecycle_stage"] == "deleted" {
                let what = format!("the experiment {name:?} was deleted at {}, and its name is not free", self.url());
                let remedy =
                    format!("bring it back with `mlflow experiments restore --experiment-id {id}`, or give another name with --experiment");
                return Err(Error::config(what, remedy).into());
            }
            return Ok(id);
        }
        let call = "experiments/create";
        let made = self.client.post(call, &json!({ "name": name }))?;
        self.text(call, &made["experiment_id"])
    }

    /// The run of that key in an experiment; none where it was never sent, or deleted.
    pub fn find(&self, experiment: &str, key: &str) -> Reply<Option<Found>> {
        let filter = format!("tags.`{KEY}` = '{key}'");
        let asked = json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 1, "order_by": ["attributes.start_time"] });
        let call = "runs/search";
        let answer = self.client.post(call, &asked)?;
        let Some(run) = answer["runs"].as_array().and_then(|runs| runs.first()) else { return Ok(None) };
        self.found(call, run).map(Some)
    }

    /// A new run with its key.
    pub fn create(&self, experiment: &str, content: &Content) -> Reply<Found> {
        let call = "runs/create";
        let tags = json!([{ "key": KEY, "value": content.key }]);
        let asked = json!({ "experiment_id": experiment, "start_time": content.began_ms, "run_name": content.name, "tags": tags });
        let answer = self.client.post(call, &asked)?;
        self.found(call, &answer["run"])
    }

    /// Adds tags and parameters.
    pub fn pairs(&self, run: &str, tags: &[(&str, &str)], params: &[(&str, &str)]) -> Reply<()> {
        let listed = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Value>();
        let (mut tags, mut params) = (tags.chunks(PAIRS), params.chunks(PAIRS));
        loop {
            let (some_tags, some_params) = (tags.next().unwrap_or_default(), params.next().unwrap_or_default());
            if some_tags.is_empty() && some_params.is_empty() {
                return Ok(());
            }
            let asked = json!({ "run_id": run, "tags": listed(some_tags), "params": listed(some_params) });
            self.client.post("runs/log-batch", &asked)?;
        }
    }

    /// Adds points; one that is there already stays one.
    pub fn points(&self, run: &str, points: &[Point]) -> Reply<()> {
        for some in points.chunks(POINTS) {
            let metrics: Value = some.iter().map(listed).collect();
            self.client.post("runs/log-batch", &json!({ "run_id": run, "metrics": metrics }))?;
        }
        Ok(())
    }

    /// Notes what data it was made with.
    pub fn data(&self, run: &str, data: &[&Data]) -> Reply<()> {
        let one = |data: &&Data| {
            let source = json!({ "uri": data.root }).to_string();
            let tags = json!([{ "key": "mlflow.data.context", "value": "training" }]);
            json!({ "dataset": { "name": data.name, "digest": data.digest, "source_type": "local", "source": source }, "tags": tags })
        };
        let all: Value = data.iter().map(one).collect();
        self.client.post("runs/log-inputs", &json!({ "run_id": run, "datasets": all })).map(drop)
    }

    /// Puts a file among a run's artifacts, which lie at `place`.
    pub fn put(&self, place: &str, name: &str, bytes: &[u8]) -> Reply<()> {
        self.client.put(&format!("{place}/{name}"), bytes)
    }

    pub fn remove_tag(&self, run: &str, key: &str) -> Reply<()> {
        self.client.post("runs/delete-tag", &json!({ "run_id": run, "key": key })).map(drop)
    }

    /// Says how a run stands.
    pub fn update(&self, run: &str, name: &str, state: State, ended_ms: Option<i64>) -> Reply<()> {
        let mut asked = json!({ "run_id": run, "run_name": name, "status": state.word() });
        if let Some(ended) = ended_ms {
            asked["end_time"] = ended.into();
        }
        self.client.post("runs/update", &asked).map(drop)
    }

    /// What an answer says of a run.
    fn found(&self, call: &str, run: &Value) -> Reply<Found> {
        let (info, data) = (&run["info"], &run["data"]);
        let listed = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let tags = listed(&data["tags"]).iter().map(|tag| (word(&tag["key"]), word(&tag["value"]))).collect();
        let sets = listed(&run["inputs"]["dataset_inputs"]);
        let artifact_uri = word(&info["artifact_uri"]);
        Ok(Found {
            id: self.text(call, &info["run_id"])?,
            name: word(&info["run_name"]),
            state: word(&info["status"]),
            // Some versions write whole numbers as text.
            ended_ms: info["end_time"].as_i64().or_else(|| info["end_time"].as_str()?.parse().ok()),
            artifacts: proxied(&artifact_uri),
            artifact_uri,
            tags,
            params: listed(&data["params"]).iter().map(|param| word(&param["key"])).collect(),
            data: sets.iter().map(|set| (word(&set["dataset"]["name"]), word(&set["dataset"]["digest"]))).collect(),
        })
    }

    fn text(&self, call: &str, value: &Value) -> Reply<String> {
        value.as_str().map(str::to_owned).ok_or_else(|| {
            let what = format!("{} is not an MLflow server: its answer to {call} lacks what it should have", self.url());
            Fault::Refused(Error::environment(what, "see what listens there"))
        })
    }
}

/// A point as the server takes it: JSON has no number for what is not finite, and the server takes a word.
fn listed(point: &Point) -> Value {
    let value = match point.value {
        value if value.is_finite() => json!(value),
        value if value.is_nan() => json!("NaN"),
        value => json!(if value > 0.0 { "Infinity" } else { "-Infinity" }),
    };
    json!({ "key": names::path(&point.name), "value": value, "timestamp": point.at_ms, "step": point.step })
}

/// The path of artifacts that the server takes by HTTP: `mlflow-artifacts:/1/…/artifacts`, with or without a host.
fn proxied(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("mlflow-artifacts:")?;
    let path = match rest.strip_prefix("//") {
        Some(with_host) => with_host.split_once('/').map_or("", |(_, path)| path),
        None => rest,
    };
    Some(path.trim_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_put_where_the_server_hands_them_on() {
        assert_eq!(proxied("mlflow-artifacts:/1/ab/artifacts"), Some("1/ab/artifacts".into()));
        assert_eq!(proxied("mlflow-artifacts://lab:5000/1/ab/artifacts"), Some("1/ab/artifacts".into()));
        assert_eq!((proxied("s3://bucket/1/ab/artifacts"), proxied("/srv/mlruns/1")), (None, None));
    }

    #[test]
    fn what_is_not_finite_is_sent_as_a_word() {
        let of = |value| listed(&Point { name: "loss/total".into(), value, step: 3, at_ms: 5 })["value"].clone();
        assert_eq!(of(0.5), json!(0.5));
        assert_eq!((of(f64::NAN), of(f64::INFINITY), of(f64::NEG_INFINITY)), (json!("NaN"), json!("Infinity"), json!("-Infinity")));
    }
}
