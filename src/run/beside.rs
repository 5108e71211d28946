//! Whether a summary tells what the run's other files tell, for whoever builds on its numbers: files are copied, swapped and edited
//! by hand, and a table must not show another run's numbers, or some that no run could have.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::{Environment, Event, Folder, Id, Summary, belong, env};
use crate::config::Config;
use crate::file::read_json;
use crate::metric::Protocol;
use crate::{Error, Result};

/// How far from the end of events.jsonl its last line is looked for, bytes.
const TAIL: u64 = 1 << 18;

/// Ratios may leave 0..=1 by rounding.
const ROUNDING: f64 = 1e-9;

/// summary.json, if the run is finished, compared with run.json, env.json, config.toml and the last event, as far as they are there.
///
/// # Errors
/// As [`Folder::summary`], and `Kind::Environment` naming the file and what does not fit.
pub fn summary_compared(folder: &Folder) -> Result<Option<Summary>> {
    let summary = folder.summary()?;
    summary.iter().try_for_each(|summary| check(folder, summary))?;
    Ok(summary)
}

fn check(folder: &Folder, summary: &Summary) -> Result<()> {
    let is_ratio = |name: &str, value: f64| name.ends_with("_threshold") || (-ROUNDING..=1.0 + ROUNDING).contains(&value);
    let odd = summary.metrics.iter().find(|(name, value)| value.is_some_and(|value| !value.is_finite() || !is_ratio(name, value)));
    if let Some((name, value)) = odd {
        return Err(refused(folder, &format!("{name} is {}, which is not between 0 and 1", value.unwrap_or(f64::NAN))));
    }
    let differs = |what: &str, other: &str, [ours, theirs]: [&str; 2]| {
        if ours == theirs || theirs.is_empty() {
            Ok(())
        } else {
            Err(refused(folder, &format!("its {what} is {ours:?}, in {other} {theirs:?}")))
        }
    };
    if let Some(record) = folder.record()? {
        differs("category", "run.json", [&summary.category, &record.category])?;
        let name = |id: &str| Id::parse(id).map_or_else(|| id.to_owned(), |id| id.name());
        differs("run", "run.json", [&name(&summary.id), &name(&record.id)])?;
    }
    if let Some(environment) = read_json::<Environment>(&folder.env_json(), env::FORMAT)? {
        differs("data_hash", "env.json", [&summary.data_hash, &environment.given.data_hash])?;
    }
    // A configuration that this version cannot read tells nothing.
    if let Ok(cfg) = folder.config() {
        differs("detector", "config.toml", [&summary.detector, cfg.detector.name()])?;
        if let Some(why) = protocol(summary, &cfg) {
            return Err(refused(folder, &why));
        }
    }
    match last_metrics(&folder.events_jsonl())?.and_then(|told| metric(summary, &told)) {
        Some(why) => Err(refused(folder, &why)),
        None => Ok(()),
    }
}

fn refused(folder: &Folder, why: &str) -> Error {
    belong::refused(folder.path(), why)
}

/// How the summary's protocol differs from the one that the configuration asks for, in what both name.
fn protocol(summary: &Summary, cfg: &Config) -> Option<String> {
    let asked = serde_json::to_value(Protocol::new(&cfg.eval, cfg.train.checkpoint).ok()?).ok()?;
    let settings = summary.protocol.get("settings")?.as_object()?;
    let differs = |(key, value): (&String, &serde_json::Value)| {
        let asked = asked.get(key)?;
        (asked != value).then(|| format!("its protocol has {key} = {value}, config.toml {asked}"))
    };
    settings.iter().find_map(differs)
}

/// How the summary's metrics differ from those of the event that tells of the same evaluation.
fn metric(summary: &Summary, told: &BTreeMap<String, Option<f64>>) -> Option<String> {
    let spelled = |value: Option<&Option<f64>>| value.map_or("nothing".to_owned(), |v| v.map_or("no value".to_owned(), |v| v.to_string()));
    let names = summary.metrics.keys().chain(told.keys());
    let differs = |name: &&String| summary.metrics.get(*name) != told.get(*name);
    let name = names.filter(differs).min()?;
    let [ours, theirs] = [&summary.metrics, told].map(|metrics| spelled(metrics.get(name)));
    Some(format!("{name} is {ours}, in events.jsonl {theirs}"))
}

/// The metrics of the last event, if that is the evaluation at a run's end; `None` where there is no such event.
fn last_metrics(path: &Path) -> Result<Option<BTreeMap<String, Option<f64>>>> {
    let Ok(mut file) = crate::file::open_regular(path) else { return Ok(None) };
    let io = |e: &std::io::Error| Error::io("read", path, e);
    let length = file.metadata().map_err(|e| io(&e))?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).map_err(|e| io(&e))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).map_err(|e| io(&e))?;
    let last = tail.strip_suffix(b"\n").unwrap_or(&tail).rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let told = serde_json::from_slice(last).ok().filter(Event::concludes);
    Ok(if let Some(Event::Eval { metrics, .. }) = told { Some(metrics) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event;
    use crate::testing::summary;

    fn run(dir: &Path, seed: u64) -> (Folder, Summary) {
        let id = Id::new("x", "0123456789", seed).unwrap();
        let folder = Folder::of(dir, &id);
        std::fs::create_dir_all(folder.path()).unwrap();
        let metrics = [("test/image_auroc", Some(0.75)), ("test/image_f1max_threshold", Some(12.0)), ("test/aupro@0.3", None)];
        let metrics = metrics.map(|(name, value)| (name.to_owned(), value)).into();
        (folder, Summary { metrics, ..summary(&id, "gear") })
    }

    fn put(summary: &mut Summary, auroc: Option<f64>) {
        summary.metrics.insert("test/image_auroc".into(), auroc);
    }

    #[test]
    fn numbers_that_no_run_has_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, summary) = run(dir.path(), 0);
        for value in [7.3, -0.5, f64::NAN, f64::INFINITY] {
            let mut changed = summary.clone();
            put(&mut changed, Some(value));
            let why = check(&folder, &changed).unwrap_err().what;
            assert!(why.contains("test/image_auroc is"), "{why}");
        }
    }

    #[test]
    fn what_the_runs_other_files_tell_is_compared() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, summary) = run(dir.path(), 0);
        assert!(check(&folder, &summary).is_ok(), "nothing is there to compare with");
        let mut events = event::Writer::open(&folder.events_jsonl()).unwrap();
        events.append(&Event::Start { format: event::FORMAT, id: summary.id.clone() }).unwrap();
        events.append(&Event::Eval { epoch: 1, step: 9, metrics: summary.metrics.clone() }).unwrap();
        events.flush().unwrap();
        let cfg = Config::default();
        std::fs::write(folder.config_toml(), cfg.to_toml()).unwrap();
        let settings = serde_json::to_value(Protocol::new(&cfg.eval, cfg.train.checkpoint).unwrap()).unwrap();
        let summary = Summary { protocol: serde_json::json!({ "text": "t", "settings": settings }), ..summary };
        check(&folder, &summary).unwrap();
        let refusal = |change: &dyn Fn(&mut Summary)| {
            let mut changed = summary.clone();
            change(&mut changed);
            check(&folder, &changed).unwrap_err().what
        };
        let digit = refusal(&|s| put(s, Some(0.76)));
        assert!(digit.contains("test/image_auroc is 0.76, in events.jsonl 0.75"), "{digit}");
        assert!(refusal(&|s| s.metrics.retain(|name, _| name != "test/image_auroc")).contains("test/image_auroc is nothing"));
        assert!(refusal(&|s| s.detector = "padim".into()).contains("its detector is \"padim\", in config.toml \"mlff\""));
        let limit = refusal(&|s| s.protocol["settings"]["pro_limit"] = 0.9.into());
        assert!(limit.contains("pro_limit = 0.9, config.toml 0.3"), "{limit}");
    }
}
