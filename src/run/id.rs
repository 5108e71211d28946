//! What a run is: the hash of everything that its result depends on, its seed, and the experiment that it belongs to.

use super::env;
use crate::config::Config;
use crate::config::reference::{self, Identity};
use crate::{Error, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How ids are made. Raised when the meaning of a key or of its absence changes: then every run has another id. 2: an id covers
/// what the detector reads, as far as it differs from base.toml; 1: the whole configuration.
pub const SCHEMA_VERSION: u32 = 2;

/// What all detectors share, as built: loader, pseudo anomalies, metrics. Raise it with every change there that moves any
/// result; a change of one detector raises the version in its `config::detector::Method`. Runs made before are then made again.
pub const METHOD_VERSION: u32 = 3;

/// One run, shown as `<experiment>/<hash10>-s<seed>`, which is also its folder below `results/runs`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// Letters, digits, `.`, `_` and `-`; does not start with a dot.
    pub experiment: String,
    /// Ten lower-case hexadecimal digits, see [`identity`].
    pub hash10: String,
    pub seed: u64,
}

impl Id {
    /// Checks the parts: an experiment's name has to be a plain folder name.
    pub fn new(experiment: &str, hash10: &str, seed: u64) -> Result<Self> {
        check_name("an experiment", experiment)?;
        if hash10.len() != 10 || !hash10.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(Error::config(format!("{hash10:?} is not the hash of a run"), "expected ten lower-case hexadecimal digits"));
        }
        Ok(Self { experiment: experiment.into(), hash10: hash10.into(), seed })
    }

    /// `<hash10>-s<seed>`: the name of the run's own folder.
    pub fn name(&self) -> String {
        format!("{}-s{}", self.hash10, self.seed)
    }

    /// The inverse of `Display`; `None` where `text` is not an id.
    pub fn parse(text: &str) -> Option<Self> {
        let (experiment, name) = text.split_once('/')?;
        let (hash10, seed) = name.split_once("-s")?;
        let id = Self::new(experiment, hash10, seed.parse().ok()?).ok()?;
        (id.to_string() == text).then_some(id)
    }
}

/// Refuses what is not a plain folder name; `whose` says whose name it is.
///
/// # Errors
/// `Kind::Config`.
pub fn check_name(whose: &str, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.is_empty() && !name.starts_with('.') && name.chars().all(plain) {
        return Ok(());
    }
    Err(Error::config(format!("{whose} cannot be named {name:?}"), "use letters, digits, '.', '_' and '-', and no dot in front"))
}

impl serde::Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a valid run id")))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}-s{}", self.experiment, self.hash10, self.seed)
    }
}

/// What stands in a run's identity for the keys that point somewhere.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The one of `data.categories` that this run is of.
    pub category: &'a str,
    /// Content hash of what is at `data.root`.
    pub data: &'a str,
    /// Content hash of `model.backbone.weights` or `us.teacher`; none for random ones. Left out for a detector that starts from no file.
    pub weights: Option<&'a str>,
    /// Content hash of `pseudo.perlin.textures`; left out where they are not used.
    pub textures: Option<&'a str>,
    /// `"cpu"` or `"cuda"`; an index behind a colon is dropped, `"auto"` has to be resolved before.
    pub device: &'a str,
}

/// The first ten hexadecimal digits of the blake3 hash of what a run computes, its seed excepted.
///
/// Hashed is the [`canonical`] JSON of the detector and its version, [`SCHEMA_VERSION`], [`METHOD_VERSION`], and the keys that
/// the run reads ([`Config::reads`]) where they differ from base.toml. So a new key, or a section of another detector, leaves every id as it
/// was. What cannot change a result is left out, and what points somewhere is replaced by what is there (the `#=` lines of
/// base.toml), as `inputs` says it. Kernels that the process's environment asks for ([`env::kernels`]) are hashed where there are
/// any: they change the last bits, as a key would, and unlike a processor they are chosen.
pub fn identity(cfg: &Config, inputs: &Inputs) -> String {
    identity_under(cfg, inputs, &env::kernels())
}

/// [`identity`] under kernels that another process asked for.
pub fn identity_under(cfg: &Config, inputs: &Inputs, kernels: &BTreeMap<String, String>) -> String {
    let detector = cfg.detector;
    let Inputs { category, data, weights, textures, device } = *inputs;
    let mut whole = json!({
        "category": category,
        "data": data,
        "detector": detector.name(),
        "detector_version": detector.method().version,
        "device": device.split(':').next().unwrap_or(device),
        "method_version": METHOD_VERSION,
        "schema_version": SCHEMA_VERSION,
        "set": set(cfg),
        "weights": weights.filter(|_| !cfg.weight_files().is_empty()),
    });
    if let Some(textures) = textures.filter(|_| cfg.textures().is_some()) {
        whole["textures"] = json!(textures);
    }
    if !kernels.is_empty() {
        whole["kernels"] = json!(kernels);
    }
    blake3::hash(canonical(&whole).as_bytes()).to_hex()[..10].to_owned()
}

/// The keys by value that the run reads, where they differ from base.toml.
fn set(cfg: &Config) -> BTreeMap<&'static str, Value> {
    let json = |value: toml::Value| serde_json::to_value(value).expect("TOML without dates is JSON");
    let keys = cfg.keys().into_iter().zip(Config::default().keys()).zip(reference::keys());
    keys.filter(|(((path, value), (_, default)), key)| {
        key.identity == Identity::Value && *path != "detector" && value != default && cfg.reads(path)
    })
    .map(|(((path, value), _), _)| (path, json(value)))
    .collect()
}

/// JSON in one fixed spelling: keys sorted, no spaces, floats as their shortest digits that read back the same, with an
/// exponent (`1.8e-5`, `1e0`), so that neither the order of fields nor a serialiser's taste in numbers shows.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_f64() => format!("{:e}", number.as_f64().expect("it was asked")),
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(map) => {
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let members: Vec<_> = members.iter().map(|(k, v)| format!("{}:{}", json!(k), canonical(v))).collect();
            format!("{{{}}}", members.join(","))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Detector, Freeze, Norms, Texture};
    use proptest::prelude::*;

    const INPUTS: Inputs<'static> = Inputs { category: "bottle", data: "d", weights: Some("w"), textures: Some("t"), device: "cpu" };

    fn hash(cfg: &Config) -> String {
        identity(cfg, &INPUTS)
    }

    /// Every leaf of the configuration as a JSON pointer.
    fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(k, v)| leaves(v, format!("{at}/{k}"), found)),
            _ => found.push(at),
        }
    }

    /// Another value of the same type that the configuration accepts at `path`.
    fn other(value: &Value) -> Vec<Value> {
        match value {
            Value::Bool(b) => vec![json!(!b)],
            Value::Number(n) if n.is_f64() => vec![json!(n.as_f64().unwrap_or(0.0) + 0.125)],
            Value::Number(n) => vec![json!(n.as_u64().unwrap_or(0) + 1)],
            Value::Array(items) => vec![Value::Array([&items[1..], &[other(&items[0])[0].clone()]].concat())],
            // For enums one of these words is valid and differs from the default.
            Value::String(_) => "lcn light nearest fixed rect resnet18 conv1 layer1 endpoint half inv_sqrt bilinear bn_relu raw feature \
                 image mean abs normal_images distance p_q mean_distance features adam constant best_test bf16 contiguous \
                 input map grid padim all narrow pixel product somewhere cnn normalized relative halves finetuned required \
                 folds ignore own mixed add tail A he"
                .split_whitespace()
                .map(|w| json!(w))
                // A word that stands beside a number or a bool.
                .chain([json!(true), json!(0.5)])
                .collect(),
            _ => vec![],
        }
    }

    /// Every configuration that differs from `base` in one key, with that key.
    fn neighbours(base: &Config) -> Vec<(String, Config)> {
        let whole = serde_json::to_value(base).unwrap();
        let mut paths = Vec::new();
        leaves(&whole, String::new(), &mut paths);
        let neighbour = |path: &String| {
            let changed = other(whole.pointer(path).unwrap()).into_iter().find_map(|new| {
                let mut value = whole.clone();
                *value.pointer_mut(path).unwrap() = new;
                serde_json::from_value::<Config>(value).ok().filter(|changed| changed != base)
            });
            let changed = changed.unwrap_or_else(|| panic!("no other value found for {path}"));
            (path.trim_start_matches('/').replace('/', "."), changed)
        };
        paths.iter().map(neighbour).collect()
    }

    #[test]
    fn the_hash_changes_exactly_with_the_keys_that_a_run_reads() {
        let mut frozen = Config::default();
        frozen.model.backbone.freeze = Freeze::All;
        for base in Detector::all().map(|detector| Config { detector, ..Config::default() }).chain([frozen]) {
            for (path, changed) in neighbours(&base) {
                let by_value = reference::key(&path).unwrap().identity == Identity::Value;
                assert_eq!(hash(&changed) != hash(&base), by_value && base.reads(&path), "{}: {path}", base.detector);
            }
        }
    }

    #[test]
    fn how_a_backbone_is_trained_is_no_part_of_a_run_that_freezes_it() {
        let with = |lr, norms, freeze| {
            let mut cfg = Config::default();
            (cfg.model.backbone_lr, cfg.model.backbone_norms, cfg.model.backbone.freeze) = (lr, norms, freeze);
            hash(&cfg)
        };
        assert_eq!(with(0.1, Norms::Fixed, Freeze::All), with(1.0, Norms::Train, Freeze::All));
        assert_ne!(with(0.1, Norms::Train, Freeze::Layer2), with(1.0, Norms::Train, Freeze::Layer2));
        assert_ne!(with(1.0, Norms::Fixed, Freeze::Layer2), with(1.0, Norms::Train, Freeze::Layer2));
    }

    #[test]
    fn a_key_that_is_set_to_its_default_is_as_one_that_is_not_set() {
        assert!(set(&Config::default()).is_empty());
        let mut cfg = Config::default();
        (cfg.optim.lr, cfg.padim.channels) = (0.5, 7);
        assert_eq!(set(&cfg), BTreeMap::from([("optim.lr", json!(0.5))]));
        assert_eq!(set(&Config { detector: Detector::PADIM, ..cfg }), BTreeMap::from([("padim.channels", json!(7))]));
    }

    #[test]
    fn data_weights_category_and_kind_of_device_change_the_hash_and_a_devices_index_does_not() {
        let cfg = Config::default();
        let cuda = Inputs { device: "cuda", ..INPUTS };
        let base = identity(&cfg, &cuda);
        assert_eq!(base, identity(&cfg, &Inputs { device: "cuda:1", ..INPUTS }));
        for other in [
            Inputs { category: "cable", ..cuda },
            Inputs { data: "e", ..cuda },
            Inputs { weights: Some("v"), ..cuda },
            Inputs { weights: None, ..cuda },
            INPUTS,
        ] {
            assert_ne!(base, identity(&cfg, &other));
        }
    }

    #[test]
    fn photographs_change_the_hash_where_textures_are_taken_from_them_and_nowhere_else() {
        let others = Inputs { textures: Some("u"), ..INPUTS };
        let mut cfg = Config::default();
        (cfg.pseudo.perlin.texture, cfg.pseudo.perlin.textures) = (Texture::Photographs, "somewhere".into());
        assert_eq!(hash(&cfg), identity(&cfg, &others), "nothing is drawn by Perlin noise");
        cfg.pseudo.weight.perlin = 1.0;
        assert_ne!(hash(&cfg), identity(&cfg, &others));
        cfg.pseudo.ratio = 0.0;
        assert_eq!(hash(&cfg), identity(&cfg, &others));
    }

    #[test]
    fn kernels_that_were_asked_for_change_the_hash_and_none_leave_it() {
        let of = |kernels: &[(&str, &str)]| {
            let kernels = kernels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
            identity_under(&Config::default(), &INPUTS, &kernels)
        };
        assert_eq!(of(&[]), PINNED[0]);
        let asked = [of(&[]), of(&[("MKL_CBWR", "AVX2")]), of(&[("MKL_CBWR", "COMPATIBLE")]), of(&[("ATEN_CPU_CAPABILITY", "AVX2")])];
        assert_eq!(asked.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }

    #[test]
    fn the_hash_of_one_small_document_is_pinned() {
        // By Python: blake3.blake3(text.encode()).hexdigest()[:10].
        let document = json!({ "b": [1, 1.0, 1.8e-5, -2, true, null], "a": { "d": "é\"", "c": 0.1 } });
        let text = r#"{"a":{"c":1e-1,"d":"é\""},"b":[1,1e0,1.8e-5,-2,true,null]}"#;
        assert_eq!(canonical(&document), text);
        assert_eq!(&blake3::hash(text.as_bytes()).to_hex()[..10], "231c1b5ea8");
    }

    #[test]
    fn ids_of_this_schema_are_pinned() {
        // A change here makes finished runs be made again. It is right only when a version was raised on purpose.
        let of = |detector| hash(&Config { detector, ..Config::default() });
        assert_eq!([Detector::MLFF, Detector::PADIM, Detector::NEAREST].map(of), PINNED);
    }

    const PINNED: [&str; 3] = ["ecb229ba22", "d171bb0f71", "06a3caad35"];

    proptest! {
        #[test]
        fn what_never_changes_a_result_never_changes_the_hash(seeds in proptest::collection::vec(0u64..9, 0..4), workers in 1usize..64,
                cache_mb in 0usize..4096, max_pixels in 1usize..1_000_000, every in 0.1f64..1e4, root in "[a-z/]{1,12}", device in "cuda:[0-9]") {
            let mut cfg = Config::default();
            cfg.run.seeds = seeds;
            cfg.run.device = device;
            cfg.data.workers = workers;
            cfg.data.cache_mb = cache_mb;
            cfg.data.max_pixels = max_pixels;
            cfg.data.root = root;
            cfg.train.checkpoint_every_s = every;
            prop_assert_eq!(hash(&cfg), hash(&Config::default()));
        }

        #[test]
        fn a_float_that_differs_in_its_last_bit_changes_the_hash(lr in 1e-6f64..1.0) {
            let with = |lr: f64| { let mut c = Config::default(); c.optim.lr = lr; hash(&c) };
            prop_assert_ne!(with(lr), with(f64::from_bits(lr.to_bits() + 1)));
        }

        #[test]
        fn the_canonical_form_does_not_depend_on_the_order_of_keys(keys in proptest::collection::hash_set("[a-z]{1,4}", 0..6)) {
            let forth: serde_json::Map<_, _> = keys.iter().map(|k| (k.clone(), json!(k.len()))).collect();
            let back: serde_json::Map<_, _> = keys.iter().collect::<Vec<_>>().into_iter().rev().map(|k| (k.clone(), json!(k.len()))).collect();
            prop_assert_eq!(canonical(&Value::Object(forth)), canonical(&Value::Object(back)));
        }

        #[test]
        fn an_id_reads_back_as_it_is_shown(experiment in "[a-z0-9][a-z0-9._-]{0,8}", hash in "[0-9a-f]{10}", seed: u64) {
            let id = Id::new(&experiment, &hash, seed).unwrap();
            prop_assert_eq!(Id::parse(&id.to_string()), Some(id));
        }
    }

    #[test]
    fn a_name_that_is_no_folder_name_is_refused() {
        for name in ["", ".hidden", "..", "a/b", "a b", "ä"] {
            assert!(Id::new(name, "0123456789", 0).is_err(), "{name}");
        }
        for text in ["x/0123456789-s01", "x/0123456789", "x/012345678g-s1", "0123456789-s1"] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }
}
