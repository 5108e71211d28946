//! A run of ours as one of MLflow's: its tags, parameters, numbers and files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::content::{Attached, Content, Data, KEY, State};
use super::group::Member;
use super::names::cut;
use super::options::{Attach, Options, Params};
use super::{names, points, times};
use crate::Result;
use crate::config::reference;
use crate::file;
use crate::run::{Environment, Folder, Record, Summary, env, summary_compared};
use crate::store::query::Facts;

/// The server's longest values of tags and parameters are longer since version 3; these are taken by all.
const LONGEST_TAG: usize = 5000;
const LONGEST_PARAM: usize = 6000;

/// Stands in an empty parameter, which the server does not keep.
const EMPTY: &str = "\"\"";

/// The sweep that runs are sent with.
#[derive(Debug, Clone, Copy)]
pub struct Parent<'a> {
    pub key: &'a str,
    /// Its id on the server.
    pub id: &'a str,
    /// The sweep's name.
    pub name: &'a str,
}

/// What is to stand there of a run; `varied` are the keys in which it may differ from those beside it.
///
/// # Errors
/// Files of the run that are damaged, or do not fit together.
pub fn content(member: &Member, parent: Option<Parent>, varied: &BTreeSet<String>, options: &Options) -> Result<Option<Content>> {
    let (entry, folder) = (&member.entry, &member.entry.folder);
    let Some(record) = &entry.record else { return Ok(None) };
    let summary = summary_compared(folder)?;
    let config = Facts::read(entry).config;
    let times = times::of(folder, record, entry.status)?;
    let points = points::of(folder, times.began, summary.as_ref())?;
    let id = entry.id.to_string();
    let whole_key = format!("run {id} {}", times.began) + &parent.map_or_else(String::new, |parent| format!(" in {}", parent.key));
    let mut tags = tags(folder, record, summary.as_ref());
    tags.extend(names::tags_of_paths(points.iter().map(|point| point.name.as_str()).collect::<BTreeSet<_>>().into_iter()));
    tags.insert(KEY.into(), whole_key.clone());
    tags.insert("harness.run".into(), id.clone());
    tags.insert("harness.seed".into(), entry.id.seed.to_string());
    tags.insert("harness.status".into(), entry.status.name().into());
    if let Some(parent) = parent {
        tags.insert("mlflow.parentRunId".into(), parent.id.into());
        tags.insert("harness.sweep".into(), parent.name.into());
        tags.insert("harness.row".into(), cut(&member.rows.join("; "), LONGEST_TAG));
    }
    let root = reference::lookup(&config, "data.root").and_then(toml::Value::as_str).unwrap_or_default();
    let hash = tags.get("harness.data_hash").cloned();
    Ok(Some(Content {
        key: whole_key,
        name: if member.rows.is_empty() {
            id
        } else {
            format!("{} · {} · seed {}", member.rows.join("; "), record.category, entry.id.seed)
        },
        began_ms: times.began,
        ended_ms: times.ended,
        state: State::of(entry.status),
        tags,
        note: record.note.clone(),
        params: params(&config, varied, options.params),
        points,
        data: hash.map(|hash| Data::new(&record.category, &hash, root)).into_iter().collect(),
        files: files(folder, options.attach)?,
    }))
}

/// What it was and what it ran on.
fn tags(folder: &Folder, record: &Record, summary: Option<&Summary>) -> BTreeMap<String, String> {
    let environment = file::read_json::<Environment>(&folder.env_json(), env::FORMAT).ok().flatten();
    let given = environment.as_ref().map(|environment| &environment.given);
    let git = record.git.as_ref();
    let revision = git.map(|git| format!("{}{}", git.revision, if git.dirty { ", with changes" } else { "" }));
    let protocol = summary.and_then(|summary| summary.protocol.get("text")?.as_str().map(str::to_owned));
    let all = [
        ("harness.category", Some(record.category.clone())),
        ("harness.data_hash", given.map(|given| given.data_hash.clone())),
        ("harness.weights_hash", given.and_then(|given| given.weights_hash.clone())),
        ("harness.textures_hash", given.and_then(|given| given.textures_hash.clone())),
        ("harness.device", given.map(|given| given.device.clone())),
        ("harness.version", environment.as_ref().map(|environment| environment.harness.clone())),
        ("harness.git", revision),
        ("harness.detector", summary.map(|summary| summary.detector.clone())),
        ("harness.protocol", protocol),
        ("harness.tags", (!record.tags.is_empty()).then(|| record.tags.join(" "))),
        ("harness.error", record.error.clone()),
        ("mlflow.source.type", Some("LOCAL".into())),
        ("mlflow.source.name", Some(program(&record.argv))),
        ("harness.command", Some(record.argv.join(" "))),
        ("mlflow.source.git.commit", git.map(|git| git.revision.clone())),
    ];
    let there = all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), cut(&value?, LONGEST_TAG))));
    there.filter(|(_, value)| !value.is_empty()).collect()
}

/// What started it, in two words: of a longer text the server's page shows what stands behind the last slash.
fn program(argv: &[String]) -> String {
    let name = argv.first().map(|first| name(Path::new(first)));
    name.into_iter().chain(argv.get(1).cloned()).collect::<Vec<_>>().join(" ")
}

/// Configuration keys with their values, as config.toml has them.
fn params(config: &toml::Table, varied: &BTreeSet<String>, which: Params) -> BTreeMap<String, String> {
    let wanted = |key: &reference::Key, value: &toml::Value| {
        which == Params::All || key.is_shared() && (*value != key.default || varied.contains(&key.path))
    };
    let value = |key: &reference::Key| {
        let value = reference::lookup(config, &key.path).filter(|value| wanted(key, value))?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some((key.path.clone(), if text.is_empty() { EMPTY.into() } else { cut(&text, LONGEST_PARAM) }))
    };
    reference::keys().iter().filter_map(value).collect()
}

/// Its files that are there.
fn files(folder: &Folder, attach: Attach) -> Result<Vec<Attached>> {
    if attach == Attach::None {
        return Ok(vec![]);
    }
    let mut files = vec![];
    for path in [folder.summary_json(), folder.config_toml(), folder.env_json(), folder.log_txt()] {
        files.extend(Attached::of(&name(&path), &path)?);
    }
    files.extend(Attached::below("figures/", &folder.figures(), &|name| name.ends_with(".png"))?);
    if attach == Attach::All {
        for path in [folder.scores_csv(), folder.calibration_json(), folder.weights()] {
            files.extend(Attached::of(&name(&path), &path)?);
        }
        files.extend(Attached::below("maps/", &folder.maps(), &|name| name.ends_with(".npy"))?);
    }
    Ok(files)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_what_differs_from_base_toml_or_among_the_runs_or_all() {
        let config: toml::Table =
            toml::from_str("detector = \"mlff\"\n[optim]\nlr = 0.5\n[run]\nseeds = [0, 1]\n[model.ptfem]\nscales = [1, 2]").unwrap();
        let names = |varied: &[&str], which| -> Vec<(String, String)> {
            params(&config, &varied.iter().map(|key| key.to_string()).collect(), which).into_iter().collect()
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let own = [pair("model.ptfem.scales", "[1, 2]"), pair("optim.lr", "0.5")];
        assert_eq!(names(&[], Params::Differing), own);
        assert_eq!(names(&["detector"], Params::Differing), [&[pair("detector", "mlff")], &own[..]].concat());
        assert!(names(&[], Params::All).contains(&pair("run.seeds", "[0, 1]")));
    }
}
