//! From what was typed to a checked configuration: base < profile < the detector's own < experiment file < `key=value`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::reference::{self, BASE};
use super::{Config, Detector, check, spec, upgrade};
use crate::{Error, Result, names};

/// A named set of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Small: learns in minutes on two cores.
    Cpu,
    /// The paper's: ResNet-50, 256 px, batch 32, 200 epochs over the set repeated ten times.
    Paper,
}

impl Profile {
    fn text(self) -> &'static str {
        match self {
            Profile::Cpu => include_str!("../../experiments/profiles/cpu.toml"),
            Profile::Paper => include_str!("../../experiments/profiles/paper.toml"),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Profile::Cpu => "cpu",
            Profile::Paper => "paper",
        })
    }
}

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `--profile`; else the file's own `profile`, else `cpu`.
    pub profile: Option<Profile>,
    /// The experiment file.
    pub file: Option<PathBuf>,
    /// Further layers over the file, such as a row of a sweep.
    pub layers: Vec<Layer>,
    /// `key=value` overrides, later ones win.
    pub overrides: Vec<String>,
}

/// Keys that are set together, and how errors name the place where that is done.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    pub origin: String,
    pub keys: Table,
}

impl Layer {
    /// Its keys, old ones translated.
    ///
    /// # Errors
    /// `Kind::Config`: a key that is not known, a value that is not allowed.
    pub fn checked(&self) -> Result<Table> {
        let keys = flatten(&self.keys).into_iter().map(|(path, value)| (path, value, self.origin.clone()));
        meant(&keys.collect::<Vec<_>>())
    }
}

/// What it means.
#[derive(Debug, Clone)]
pub struct Resolved {
    pub config: Config,
    pub profile: Profile,
    /// The experiment's name: the file's stem, or `run` without a file.
    pub experiment: String,
    /// Keys that the file, its layers or the overrides set although nothing reads them, see [`Config::reads`].
    pub unread: Vec<String>,
}

impl Request {
    /// Reads the file, lays the layers over one another and checks the result.
    ///
    /// # Errors
    /// `Kind::Config` naming file, line, key and remedy.
    pub fn resolve(&self) -> Result<Resolved> {
        let text = match &self.file {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path).map_err(|e| {
                let e = Error::io("read the experiment file", path, &e);
                Error::config(e.what, "give a TOML file, such as experiments/full.toml")
            })?,
        };
        let origin = self.file.as_deref().map_or("the experiment".into(), |p: &Path| p.display().to_string());
        let (own_profile, layer) = read_layer(&text, &origin)?;
        let profile = self.profile.or(own_profile).unwrap_or(Profile::Cpu);

        let mut table: Table = toml::from_str(BASE).expect("base.toml is TOML");
        lay(&mut table, read_layer(profile.text(), "the profile")?.1);
        let mut over = layer;
        for layer in &self.layers {
            lay(&mut over, layer.checked()?);
        }
        for text in &self.overrides {
            lay(&mut over, parse_override(text)?);
        }
        if let Some(detector) = detector_of(&over).or_else(|| detector_of(&table)) {
            lay(&mut table, defaults(detector, Some(profile))?);
        }
        let set = flatten(&over);
        lay(&mut table, over);
        let config = build(table)?;
        let unread = set.into_iter().map(|(path, _)| path).filter(|path| !config.reads(path)).collect();
        let stem = self.file.as_deref().and_then(Path::file_stem).and_then(|s| s.to_str());
        Ok(Resolved { config, profile, experiment: stem.unwrap_or("run").to_owned(), unread })
    }
}

/// What a detector wants otherwise than base.toml: its file, and over it the file's `[at.<profile>]`.
///
/// # Errors
/// `Kind::Config` where the file is not right: it is part of the program, or of one that brings detectors of its own.
fn defaults(detector: Detector, profile: Option<Profile>) -> Result<Table> {
    let origin = format!("experiments/detectors/{detector}.toml");
    let broken = |what: String| Error::config(format!("{origin}: {what}"), "correct the detector's file of defaults");
    let mut own: Table = toml::from_str(detector.method().defaults).map_err(|e| broken(e.message().to_owned()))?;
    let mut at = match own.remove("at") {
        Some(Value::Table(at)) => at,
        Some(_) => return Err(broken("`at` is not a table of profiles".into())),
        None => Table::new(),
    };
    for profile in at.keys() {
        Profile::deserialize(Value::String(profile.clone())).map_err(|_| broken(format!("[at.{profile}] is not a profile")))?;
    }
    if let Some(Value::Table(here)) = profile.and_then(|profile| at.remove(&profile.to_string())) {
        lay(&mut own, here);
    }
    flatten(&own).iter().try_for_each(|(path, value)| check_key(path, value, &origin))?;
    Ok(own)
}

impl Config {
    /// This configuration with `key=value` overrides laid over it; one that names another detector brings that one's own
    /// defaults, below the other overrides, without those of a profile.
    ///
    /// # Errors
    /// As [`Request::resolve`].
    pub fn with(&self, overrides: &[String]) -> Result<Self> {
        let mut table = Table::try_from(self).expect("a configuration is TOML");
        let mut over = Table::new();
        for text in overrides {
            lay(&mut over, parse_override(text)?);
        }
        if let Some(detector) = detector_of(&over).filter(|detector| *detector != self.detector) {
            lay(&mut table, defaults(detector, None)?);
        }
        lay(&mut table, over);
        build(table)
    }

    /// The configuration in which these keys have these values, and the others those of base.toml; none where this version cannot read it.
    pub fn of_keys(keys: &BTreeMap<String, serde_json::Value>) -> Option<Self> {
        let mut table: Table = toml::from_str(BASE).expect("base.toml is TOML");
        for (path, value) in keys {
            lay(&mut table, nest(path, Value::try_from(value).ok()?));
        }
        Self::deserialize(Value::Table(table)).ok()
    }

    /// Every key of the reference with this configuration's value, in the reference's order.
    pub fn keys(&self) -> Vec<(&'static str, Value)> {
        let table = Table::try_from(self).expect("a configuration is TOML");
        let value = |path: &str| reference::lookup(&table, path).expect("the reference and the configuration name the same keys").clone();
        reference::keys().iter().map(|key| (key.path.as_str(), value(&key.path))).collect()
    }
}

/// The detector that a layer names.
fn detector_of(layer: &Table) -> Option<Detector> {
    layer.get("detector").and_then(|value| Detector::deserialize(value.clone()).ok())
}

/// From a whole table to a checked configuration.
fn build(table: Table) -> Result<Config> {
    let config = Config::deserialize(Value::Table(table)).map_err(|e| {
        Error::config(format!("the configuration does not fit together: {}", e.message()), "compare with `harness config show`")
    })?;
    check::check(&config)?;
    Ok(config)
}

/// The greatest length of a key with its tables, bytes; the longest that is known has some forty.
const MOST_KEY: usize = 512;

/// Refuses TOML whose keys are nested so deep that to read it would take a stack without end: dotted, quoted with dots, or a table's
/// header. `origin` names the text.
///
/// # Errors
/// `Kind::Config` naming the line.
pub fn check_depth(text: &str, origin: &str) -> Result<()> {
    let is_key = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'' | ' ' | '\t' | '[' | ']' | '{' | ',');
    let long = |line: &str| {
        let key = line.split('=').next().unwrap_or_default();
        (key.len() > MOST_KEY && key.chars().all(is_key) && key.matches('.').count() > MOST_KEY / 8)
            || line.matches('{').count().max(line.matches('[').count()) > MOST_KEY
    };
    match text.lines().position(long) {
        None => Ok(()),
        Some(line) => Err(Error::config(
            format!("{origin}:{}: a key is nested too deeply", line + 1),
            "no key has more than four parts; `harness config explain` lists all",
        )),
    }
}

/// Parses one file: each key known, each value allowed; `profile = "…"` at the top is set aside.
fn read_layer(text: &str, origin: &str) -> Result<(Option<Profile>, Table)> {
    check_depth(text, origin)?;
    let located = |offset: usize| format!("{origin}:{}", 1 + text[..offset].matches('\n').count());
    let document = DeTable::parse(text).map_err(|e| {
        let at = e.span().map_or(origin.to_owned(), |s| located(s.start));
        Error::config(format!("{at}: {}", e.message()), "fix the TOML syntax there")
    })?;
    if let Some((path, offset, number)) = beyond("", document.get_ref()) {
        return Err(too_large(&path, &number, &located(offset)));
    }
    let mut table =
        unquoted(toml::from_str(text).map_err(|e| Error::config(format!("{origin}: {}", e.message()), "fix that value in the file"))?);
    let profile = match table.remove("profile") {
        None => None,
        Some(value) => Some(Profile::deserialize(value.clone()).map_err(|_| {
            Error::config(format!("{origin}: profile = {value} is not a profile"), "use profile = \"cpu\" or profile = \"paper\"")
        })?),
    };
    let keys = leaves("", document.get_ref()).into_iter().filter(|(path, _)| path != "profile").map(|(path, offset)| {
        let at = located(offset);
        let value = reference::lookup(&table, &path).ok_or_else(|| unknown(&path, &at))?.clone();
        Ok((path, value, at))
    });
    Ok((profile, meant(&keys.collect::<Result<Vec<_>>>()?)?))
}

/// The table that a layer's keys make, each given with its value and its place: keys of today as they are, old ones translated.
fn meant(keys: &[(String, Value, String)]) -> Result<Table> {
    let mut table = Table::new();
    for (path, value, at) in keys {
        match upgrade::upgrade(path, value) {
            None => check_key(path, value, at)?,
            Some(today) => today.iter().try_for_each(|(key, value)| {
                if keys.iter().any(|(other, ..)| other == key) {
                    return Err(Error::config(
                        format!("{at}: {path} and {key} are set together"),
                        format!("omit {path}, the older of the two"),
                    ));
                }
                check_key(key, value, &format!("{at}: {path}"))
            })?,
        }
        lay(&mut table, nest(path, value.clone()));
    }
    upgrade::table(&mut table);
    Ok(table)
}

/// A known key with an allowed value; `at` names the place in errors.
fn check_key(path: &str, value: &Value, at: &str) -> Result<()> {
    let known = reference::key(path).ok_or_else(|| unknown(path, at))?;
    known.spec.check(value).map_err(|e| Error::config(format!("{at}: {path}: {e}"), format!("see `harness config explain {path}`")))
}

/// Dotted path and value of each key of a table, in its order; `{ a.b = 1 }`, `{ "a.b" = 1 }` and `[a] b = 1` are one.
pub fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                found.extend(flatten(inner).into_iter().map(|(path, value)| (format!("{key}.{path}"), value)));
            }
            value => found.push((key.clone(), value.clone())),
        }
    }
    found
}

/// One key as a table of tables.
pub(super) fn nest(path: &str, value: Value) -> Table {
    let (outer, inner) = path.split_once('.').map_or((path, None), |(outer, inner)| (outer, Some(inner)));
    let value = inner.map_or_else(|| value.clone(), |inner| Value::Table(nest(inner, value.clone())));
    Table::from_iter([(outer.to_owned(), value)])
}

/// The same with quoted keys such as `"a.b"` as the tables that they mean.
fn unquoted(table: Table) -> Table {
    let mut found = Table::new();
    for (key, value) in table {
        let value = match value {
            Value::Table(inner) => Value::Table(unquoted(inner)),
            value => value,
        };
        lay(&mut found, nest(&key, value));
    }
    found
}

/// Dotted path and byte offset of each value that is not a section of the reference.
fn leaves(prefix: &str, table: &DeTable) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (key, value) in table {
        let path = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) if reference::key(&path).is_none() => {
                if inner.is_empty() {
                    continue;
                }
                found.extend(leaves(&path, inner));
            }
            _ => found.push((path, key.span().start)),
        }
    }
    found
}

/// The first number that is larger than any that TOML's readers hold: its key, where that begins, and its digits.
fn beyond(prefix: &str, table: &DeTable) -> Option<(String, usize, String)> {
    fn number(value: &DeValue) -> Option<String> {
        match value {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).is_err().then(|| n.as_str().to_owned()),
            DeValue::Float(n) => {
                let read = n.as_str().parse::<f64>().ok()?;
                (read.is_infinite() && !n.as_str().contains("inf")).then(|| n.as_str().to_owned())
            }
            DeValue::Array(items) => items.iter().find_map(|item| number(item.get_ref())),
            _ => None,
        }
    }
    table.iter().find_map(|(key, value)| {
        let path = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) => beyond(&path, inner),
            value => number(value).map(|number| (path, key.span().start, number)),
        }
    })
}

/// A number that no key allows; `at` names the place in errors.
fn too_large(path: &str, number: &str, at: &str) -> Error {
    match reference::key(path) {
        Some(known) => Error::config(
            format!("{at}: {path}: expected {}, got {}", known.spec, names::quoted(number)),
            format!("see `harness config explain {path}`"),
        ),
        None => unknown(path, at),
    }
}

fn unknown(path: &str, at: &str) -> Error {
    let remedy = match (upgrade::successor(path), reference::suggestion(path)) {
        (Some(now), _) => format!("it is now {now}"),
        (None, Some(near)) => format!("did you mean `{near}`? `harness config explain` lists all keys"),
        (None, None) => "`harness config explain` lists all keys".to_owned(),
    };
    Error::config(format!("{at}: unknown key `{}`", names::quoted(path)), remedy)
}

/// One `key=value` override as a layer; the value is TOML, or a bare word where text is expected.
///
/// # Errors
/// `Kind::Config`: not of that form, a key that is not known, a value that is not allowed.
pub fn parse_override(typed: &str) -> Result<Table> {
    let Some((path, text)) = typed.split_once('=') else {
        let near = reference::suggestion(typed).map_or(String::new(), |k| format!(", such as {k}=…"));
        return Err(Error::config(
            format!("`{}` is neither a file nor an override", names::quoted(typed)),
            format!("overrides read key=value{near}"),
        ));
    };
    let (path, text) = (path.trim(), text.trim());
    let Some(known) = reference::key(path) else {
        let value = spec::parse_value(text).filter(|value| upgrade::upgrade(path, value).is_some());
        return meant(&[(path.to_owned(), value.ok_or_else(|| unknown(path, "on the command line"))?, "on the command line".into())]);
    };
    // Bare words with commas are a list where the key takes one: `data.categories=screw,pill`.
    let bare = || match known.spec.takes_texts() && text.contains(',') {
        true => Value::Array(text.split(',').map(|part| Value::String(part.trim().to_owned())).collect()),
        false => Value::String(text.to_owned()),
    };
    let line = format!("v = {text}");
    if let Some((_, _, number)) = DeTable::parse(&line).ok().and_then(|document| beyond("", document.get_ref())) {
        return Err(too_large(path, &number, &format!("{path}={}", names::quoted(text))));
    }
    let mut value = spec::parse_value(text).unwrap_or_else(bare);
    if known.spec.check(&value).is_err() && known.spec.takes_text() && !value.is_array() {
        value = bare();
    }
    // Brackets may be left out: `run.seeds=0,1,2`, and `run.seeds=7` for a list of one. Several numbers are a list in errors too.
    let means_list = |list: &Value| text.contains(',') || known.spec.check(list).is_ok();
    if known.spec.check(&value).is_err()
        && !value.is_array()
        && let Some(list) = spec::parse_value(&format!("[{text}]")).filter(means_list)
    {
        value = list;
    }
    known.spec.check(&value).map_err(|e| Error::config(format!("{path}={text}: {e}"), format!("see `harness config explain {path}`")))?;
    Ok(nest(path, value))
}

/// Lays `over` on `under`: tables merge, everything else is replaced.
pub(super) fn lay(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay(below, above),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str, overrides: &[&str]) -> Result<Resolved> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("try.toml");
        std::fs::write(&path, text).unwrap();
        Request { file: Some(path), overrides: overrides.iter().map(|s| s.to_string()).collect(), ..Request::default() }.resolve()
    }

    #[test]
    fn keys_that_are_nested_without_end_are_refused_and_not_echoed() {
        let deep = "a.".repeat(40_000) + "a";
        for text in [format!("{deep} = 1"), format!("\"{deep}\" = 1"), format!("[{deep}]\nb = 1"), format!("[[{deep}]]\nb = 1")] {
            let error = resolve(&text, &[]).unwrap_err();
            assert!(error.what.contains("try.toml:1: a key is nested too deeply"), "{:.200}", error.what);
            assert_eq!(crate::config::stored(&text).unwrap_err(), error.what.replace(error.what.split(": a").next().unwrap(), "line:1"));
        }
        for text in [format!("a = {}1{}", "[".repeat(40_000), "]".repeat(40_000)), format!("a = {}", "{a=".repeat(40_000))] {
            assert!(resolve(&text, &[]).unwrap_err().what.len() < 400);
        }
        let error = resolve("", &[&format!("{deep}=1")]).unwrap_err();
        assert!(error.what.contains("unknown key `a.a.") && error.what.len() < 200, "{:.300}", error.what);
    }

    #[test]
    fn a_number_beyond_all_is_refused_by_key_line_and_range() {
        for (text, word, want) in [
            (
                "[run]\nseeds = [9223372036854775808]",
                "run.seeds=[9223372036854775808]",
                ["run.seeds: expected list of int [0, ", "9223372036854775808"],
            ),
            (
                "[data]\nsize = -99999999999999999999",
                "data.size=-99999999999999999999",
                ["data.size: expected int [32, ", "-99999999999999999999"],
            ),
            ("\noptim.lr = 1e999", "optim.lr=1e999", ["optim.lr: expected float (0, ", "1e999"]),
        ] {
            let ends = format!("got {}", want[1]);
            let error = resolve(text, &[]).unwrap_err();
            assert!(error.what.contains(&format!("try.toml:2: {}", want[0])) && error.what.ends_with(&ends), "{error}");
            let error = resolve("", &[word]).unwrap_err();
            assert!(error.what.contains(want[0]) && error.what.ends_with(&ends), "{error}");
        }
        assert!(resolve("[run]\nnothing = 9223372036854775808", &[]).unwrap_err().what.contains("unknown key `run.nothing`"));
        assert_eq!(resolve("[train]\nsteps = 1_000", &["train.batch=0x10"]).unwrap().config.train.steps, 1000);
    }

    #[test]
    fn later_layers_win_and_leave_the_rest() {
        let r = resolve("[optim]\nlr = 0.5\n[loss.score]\ngamma = 1", &["optim.lr=0.25", "data.root=/some/where"]).unwrap();
        assert_eq!((r.config.optim.lr, r.config.loss.score.gamma, r.config.loss.score.lambda), (0.25, 1.0, 5.0));
        assert_eq!((r.config.data.root.as_str(), r.profile, r.experiment.as_str()), ("/some/where", Profile::Cpu, "try"));
        assert_eq!(r.config.data.size, 128);
    }

    #[test]
    fn a_detector_brings_its_own_defaults_below_what_was_asked_for() {
        let sigma = |text, words: &[&str]| resolve(text, words).unwrap().config.eval.gaussian_sigma;
        assert_eq!((sigma("", &[]), sigma("detector = \"padim\"", &[])), (0.0, 4.0));
        assert_eq!(sigma("", &["eval.gaussian_sigma=2", "detector=nearest"]), 2.0);
        assert_eq!(sigma("detector = \"padim\"\n[eval]\ngaussian_sigma = 1", &[]), 1.0);
        assert_eq!(sigma("detector = \"padim\"", &["detector=mlff"]), 0.0);
        let with = |words: &[&str]| Config::default().with(&words.iter().map(|w| w.to_string()).collect::<Vec<_>>()).unwrap();
        assert_eq!(with(&["eval.gaussian_sigma=2", "detector=padim"]).eval.gaussian_sigma, 2.0);
        assert_eq!(with(&["detector=nearest"]).eval.image_score, crate::config::ImageScore::Map);
    }

    #[test]
    fn a_detector_has_defaults_of_its_own_at_one_profile() {
        let channels = |profile, overrides: &[&str]| {
            let overrides = overrides.iter().map(|s| s.to_string()).collect();
            Request { profile: Some(profile), overrides, ..Request::default() }.resolve().unwrap().config.padim.channels
        };
        assert_eq!(channels(Profile::Cpu, &["detector=padim"]), 100);
        assert_eq!(channels(Profile::Paper, &["detector=padim"]), 550);
        assert_eq!(channels(Profile::Cpu, &["detector=padim", "padim.channels=7"]), 7);
    }

    #[test]
    fn keys_that_nothing_reads_are_named() {
        let r = resolve("detector = \"padim\"\n[optim]\nlr = 0.5\n[padim]\neps = 0.1\n", &["loss.score.gamma=1", "data.size=64"]).unwrap();
        assert_eq!(r.unread, ["optim.lr", "loss.score.gamma"]);
        assert!(resolve("[optim]\nlr = 0.5", &["loss.score.gamma=1"]).unwrap().unread.is_empty());
        assert_eq!(resolve("", &["padim.eps=0.1"]).unwrap().unread, ["padim.eps"]);
        assert!(resolve("", &["model.backbone_lr=0.5"]).unwrap().unread.is_empty());
        assert_eq!(resolve("", &["model.backbone.freeze=all", "model.backbone_lr=0.5"]).unwrap().unread, ["model.backbone_lr"]);
    }

    #[test]
    fn a_file_names_its_profile() {
        assert_eq!(resolve("profile = \"paper\"", &[]).unwrap().config.data.size, 256);
        assert!(resolve("profile = \"papre\"", &[]).unwrap_err().what.contains("not a profile"));
    }

    #[test]
    fn a_misspelt_key_is_refused_with_its_line_and_a_suggestion() {
        let e = resolve("[optim]\nlr = 0.5\n\n[loss.score]\ngama = 1\n", &[]).unwrap_err();
        assert!(e.what.contains("try.toml:5: unknown key `loss.score.gama`"), "{e}");
        assert!(e.remedy.contains("loss.score.gamma"), "{e}");
        assert_eq!(e.exit_code(), 2);
    }

    #[test]
    fn a_key_of_an_older_version_means_what_it_meant() {
        let today = resolve("[pseudo.weight]\nconfetti = 0.3\ncutpaste = 0.7", &[]).unwrap().config;
        let row = Layer { origin: "a row".into(), keys: toml::from_str("pseudo.confetti_prob = 0.3").unwrap() };
        let of_row = Request { layers: vec![row], ..Request::default() }.resolve();
        for old in [resolve("[pseudo]\nconfetti_prob = 0.3", &[]), resolve("", &["pseudo.confetti_prob=0.3"]), of_row] {
            assert_eq!(old.unwrap().config, today);
        }
        let both = resolve("[pseudo]\nboth = true\nconfetti_prob = 0", &[]).unwrap().config.pseudo;
        assert_eq!(both, resolve("pseudo.combine = \"all\"", &[]).unwrap().config.pseudo);
        // Later layers win, as with any key.
        assert_eq!(
            resolve("[pseudo]\nconfetti_prob = 0.9", &["pseudo.weight.confetti=0.3", "pseudo.weight.cutpaste=0.7"]).unwrap().config,
            today
        );
    }

    #[test]
    fn an_old_key_is_refused_by_its_name_where_its_value_or_another_key_contradicts_it() {
        let two = resolve("[pseudo]\nconfetti_prob = 0.3\nweight.confetti = 1", &[]).unwrap_err();
        assert!(two.what.contains("try.toml:2: pseudo.confetti_prob and pseudo.weight.confetti are set together"), "{two}");
        for e in [resolve("[pseudo]\nconfetti_prob = 1.5", &[]).unwrap_err(), resolve("", &["pseudo.confetti_prob=1.5"]).unwrap_err()] {
            assert!(e.what.contains("pseudo.confetti_prob: pseudo.weight.cutpaste: expected a value in [0, 1000], got -0.5"), "{e}");
        }
        for e in [resolve("[pseudo]\nconfetti_prob = \"half\"", &[]).unwrap_err(), resolve("", &["pseudo.confetti_prob=half"]).unwrap_err()]
        {
            assert!(e.what.contains("unknown key `pseudo.confetti_prob`"), "{e}");
            assert!(e.remedy.contains("it is now pseudo.weight.confetti and pseudo.weight.cutpaste"), "{e}");
        }
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_its_line() {
        for (text, want) in [
            ("[pseudo]\nratio = 1.5\n", "try.toml:2: pseudo.ratio: expected a value in [0, 1], got 1.5"),
            ("train.batch = 0", "try.toml:1: train.batch"),
            ("[train]\nprecision = \"fp16\"", "try.toml:2: train.precision: expected one of"),
            ("loss = 3", "unknown key `loss`"),
            ("[train\n", "try.toml:1"),
        ] {
            let e = resolve(text, &[]).unwrap_err();
            assert!(e.what.contains(want), "{e}");
        }
        assert!(resolve("", &["train.batch=many"]).unwrap_err().what.contains("whole number"));
        assert!(resolve("", &["train.batch"]).unwrap_err().remedy.contains("key=value"));
        assert!(resolve("", &["trian.batch=3"]).unwrap_err().remedy.contains("train.batch"));
    }

    #[test]
    fn a_quoted_key_is_the_key_and_odd_ones_are_refused() {
        let r = resolve("\"optim.lr\" = 0.5\n[loss]\n\"score.gamma\" = 1\n", &[]).unwrap();
        assert_eq!((r.config.optim.lr, r.config.loss.score.gamma), (0.5, 1.0));
        assert!(resolve("\"optim.lr\" = -1", &[]).unwrap_err().what.contains("try.toml:1: optim.lr"));
        for text in ["\"\" = 1", "\"\" = { x = 1 }", "\"optim.\" = 1", "\".lr\" = 1", "optim.lr = {}", "\"optim..lr\" = 1"] {
            assert!(resolve(text, &[]).unwrap_err().what.contains("try.toml:1"), "{text}");
        }
    }

    #[test]
    fn numbers_are_text_where_text_is_expected() {
        let r = resolve("", &["data.categories=001"]).unwrap();
        assert_eq!(r.config.data.categories, super::super::Categories::One("001".into()));
    }

    #[test]
    fn bare_words_with_commas_are_a_list_where_one_is_taken() {
        let list = |typed: &str| match resolve("", &[typed]).unwrap().config.data.categories {
            super::super::Categories::Many(names) => names,
            other => panic!("{other:?}"),
        };
        assert_eq!(list("data.categories=screw, pill,007"), ["screw", "pill", "007"]);
        assert_eq!(list("data.categories=[\"a,b\"]"), ["a,b"]);
        assert_eq!(resolve("", &["model.backbone.weights=a,b.safetensors"]).unwrap().config.model.backbone.weights, "a,b.safetensors");
    }

    #[test]
    fn numbers_need_no_brackets_where_a_list_is_taken() {
        let config = |typed: &str| resolve("", &[typed]).unwrap().config;
        assert_eq!(config("run.seeds=3").run.seeds, [3]);
        assert_eq!(config("run.seeds=0, 1,2").run.seeds, [0, 1, 2]);
        assert_eq!(config("pseudo.confetti.size=4,27").pseudo.confetti.size, config("pseudo.confetti.size=[4, 27]").pseudo.confetti.size);
        let refused = |typed: &str| resolve("", &[typed]).unwrap_err().to_string();
        let seeds = refused("run.seeds=0,-1");
        assert!(seeds.contains("run.seeds=0,-1: ") && seeds.contains("got -1"), "{seeds}");
        let epochs = refused("train.epochs=1,2");
        assert!(epochs.contains("train.epochs=1,2: expected a whole number, got [1, 2]"), "{epochs}");
    }

    #[test]
    fn a_resolved_configuration_reads_back_as_itself() {
        let r = resolve("", &["loss.score.pair_mode=random", "model.ptfem.offset=\"mean\""]).unwrap();
        let text = toml::to_string(&r.config).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), r.config);
    }
}
