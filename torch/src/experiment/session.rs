//! Everything that a command's runs share: configuration, data, weights, device.

use std::path::Path;
use std::sync::Arc;

use harness::cli::run::Args;
use harness::config::{Config, Precision, Resolved};
use harness::data::photographs::Photographs;
use harness::data::{self, Category, Contents, Dataset};
use harness::names::{counted, in_line};
use harness::place;
use harness::run::{Cpu, Id, Inputs, identity};
use harness::store::Store;
use harness::weights;
use harness::{Error, Result};
use tch::Device;

use crate::device;

pub struct Session {
    pub resolved: Resolved,
    /// Where the data are; none where nobody looked.
    pub dataset: Option<Dataset>,
    pub categories: Vec<String>,
    /// The one run that may come of this, if the caller named it.
    pub expected: Option<Id>,
    /// The backbone's file.
    pub weights: Option<weights::File>,
    /// What pseudo anomalies show, where it is photographs.
    pub textures: Option<Arc<Photographs>>,
    /// What stands for the files that the runs start from, as [`identity`] takes it.
    pub weights_hash: Option<String>,
    pub device: Device,
    pub store: Store,
}

/// One run to be made: one category, one seed.
pub struct Planned {
    pub id: Id,
    pub category: Category,
    /// What the data held when they were hashed, and their hash.
    pub contents: Arc<Contents>,
    /// What casts doubt on results of these data.
    pub warnings: Vec<String>,
}

impl Session {
    /// Resolves the configuration and finds everything it names.
    pub fn prepare(args: &Args) -> Result<Self> {
        let mut resolved = args.resolve()?;
        let expected = args.id.as_deref().map(expected).transpose()?;
        if let Some(id) = &expected {
            resolved.experiment = id.experiment.clone();
        }
        Ok(Self { expected, ..Self::with_data(resolved, &args.results)? })
    }

    /// Data, photographs, weights and device of a configuration.
    pub fn with_data(resolved: Resolved, results: &Path) -> Result<Self> {
        let dataset = Dataset::of(&resolved.config.data)?;
        let categories = dataset.select(&resolved.config.data.categories)?;
        let textures = Photographs::of(&resolved.config)?;
        Ok(Self { dataset: Some(dataset), categories, textures, ..Self::without_data(resolved, results)? })
    }

    /// Weights and device of a configuration, without looking at its data.
    pub fn without_data(resolved: Resolved, results: &Path) -> Result<Self> {
        let cfg = &resolved.config;
        let weights = open_weights(cfg)?;
        let teachers = weights::Teacher::of(cfg)?;
        let hashes: Vec<&str> = weights.iter().map(weights::File::content_hash).chain(teachers.iter().map(|t| t.hash.as_str())).collect();
        let weights_hash = weights::joined_hash(&hashes);
        let device = device::resolve(&cfg.run.device)?;
        device::prepare(device);
        tch::set_num_threads(cfg.run.threads as i32);
        Ok(Self {
            dataset: None,
            categories: vec![],
            expected: None,
            weights,
            textures: None,
            weights_hash,
            device,
            store: Store::new(results),
            resolved,
        })
    }

    pub fn cfg(&self) -> &Config {
        &self.resolved.config
    }

    fn root(&self) -> &Path {
        self.dataset.as_ref().map_or(Path::new(""), Dataset::root)
    }

    /// One category as the runs read it.
    ///
    /// # Errors
    /// What no run can use.
    pub fn category(&self, name: &str) -> Result<Category> {
        self.dataset.as_ref().expect("data are looked at before a category is").category(name)
    }

    /// Lines that say which profile, data, method and machine this is, and which keys were set in vain.
    pub fn announcement(&self) -> Vec<String> {
        let cfg = self.cfg();
        let data = if cfg.data.root == data::root::BUILTIN {
            format!("built-in data ({})", self.root().display())
        } else {
            self.root().display().to_string()
        };
        let runs = self.categories.len() * cfg.run.seeds.len();
        let what = format!(
            "profile {} · {data}: {} · {} · {runs} run{}",
            self.resolved.profile,
            in_line(&self.categories.join(", ")),
            cfg.detector.describe(cfg),
            if runs == 1 { "" } else { "s" }
        );
        let method = cfg.detector.method();
        let passes = match (method.trained, cfg.train.steps) {
            (false, _) => "each image once".into(),
            (true, 0) => format!("batch {}, {}", cfg.train.batch, counted(cfg.train.epochs, "epoch", "epochs")),
            (true, steps) => format!("batch {}, {}", cfg.train.batch, counted(steps, "step", "steps")),
        };
        let machine = format!(
            "{}, {} thread{} · {} px, {passes} · {}",
            device::name(self.device),
            cfg.run.threads,
            if cfg.run.threads == 1 { "" } else { "s" },
            cfg.data.size,
            precision(cfg, self.device)
        );
        let unread = self.resolved.unread.iter().map(|key| format!("warning: {} does not read `{key}`: it changes nothing", cfg.detector));
        [what, machine].into_iter().chain(unread).collect()
    }

    /// The runs in the order seed by seed, so that a first complete set of categories stands early.
    pub fn plan(&self) -> Result<Vec<Planned>> {
        let cfg = self.cfg();
        let mut plan = vec![];
        let look = |name: &String| -> Result<_> {
            let category = self.category(name)?;
            let contents = Arc::new(Contents::of(&category)?);
            let warnings = data::preflight(&category, &contents, cfg)?;
            Ok((category, contents, warnings))
        };
        let looked = Error::all(self.categories.iter().map(look))?;
        for &seed in &cfg.run.seeds {
            for (category, contents, warnings) in looked.iter().cloned() {
                let inputs = Inputs {
                    category: &category.name,
                    data: &contents.hash,
                    weights: self.weights_hash.as_deref(),
                    textures: self.textures.as_ref().map(|textures| textures.hash()),
                    device: device::kind(self.device),
                };
                let hash = identity(cfg, &inputs);
                plan.push(Planned { id: Id::new(&self.resolved.experiment, &hash, seed)?, category, contents, warnings });
            }
        }
        if let Some(expected) = &self.expected
            && plan.iter().any(|planned| planned.id != *expected)
        {
            let found: Vec<String> = plan.iter().map(|planned| planned.id.to_string()).collect();
            return Err(Error::environment(
                format!(
                    "this would be {}, not {expected}: data, weights, device or version changed since it was planned",
                    found.join(", ")
                ),
                "repeat the sweep's command, which plans again",
            ));
        }
        Ok(plan)
    }
}

fn expected(text: &str) -> Result<Id> {
    Id::parse(text).ok_or_else(|| Error::config(format!("--id: {text:?} is not a run id"), "ids read EXPERIMENT/HASH-sSEED"))
}

fn precision(cfg: &Config, device: Device) -> String {
    match cfg.train.precision {
        Precision::Fp32 if device::rounds_to_tf32(device) => "float32 (TF32 in cuDNN)".into(),
        Precision::Fp32 => "float32".into(),
        Precision::Bf16 if device.is_cuda() || Cpu::here().has_native_bf16() => "bf16 convolutions".into(),
        Precision::Bf16 => "bf16 convolutions, which this CPU has to emulate: slower than train.precision=fp32".into(),
    }
}

fn open_weights(cfg: &Config) -> Result<Option<weights::File>> {
    let path = cfg.model.backbone.weights.as_str();
    if path == "none" || !cfg.has_backbone() {
        return Ok(None);
    }
    let place = place::find(Path::new(path), &[]);
    match weights::File::open(&place) {
        Ok(file) => file.check_values().map(|()| Some(file)),
        Err(_) if !place.exists() => Err(Error::environment(
            format!("model.backbone.weights: there is no file {path}"),
            "`just weights` fetches ImageNet weights (`just weights-lite`: EfficientNet-Lite0's), `harness weights import FILE` converts your own; model.backbone.weights=none trains from scratch",
        )),
        Err(e) => Err(e),
    }
}
