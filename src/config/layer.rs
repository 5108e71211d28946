//! From what was typed to a checked configuration: base < profile < the detector's own < experiment file < `key=value`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::profile::Profile;
use super::reference::{self, BASE};
use super::text::{check_key, flatten, lay, meant, nest, parse_override, read_layer};
use super::{Config, Detector, check};
use crate::{Error, Result};

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
