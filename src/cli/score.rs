//! `harness score`: the metrics of a run's maps, or of maps from any source.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::complete;
use super::finished::Finished;
use crate::config::{Config, ScoreMap};
use crate::data::{self, Contents, Dataset, Source};
use crate::eval::{self, Foreign, MapName, Output, OutputStore};
use crate::metric::{Scores, Variant};
use crate::place::in_project;
use crate::report::spell::percent_or_dash;
use crate::ui::text::{self, Align, Rule};
use crate::{Error, Result, console, sayln, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Maps at MAPS_ROOT/CATEGORY/test/DEFECT/STEM.npy or .tiff, floats or whole numbers, any resolution
    #[arg(value_name = "MAPS_ROOT", required_unless_present = "run", requires = "data_root")]
    maps_root: Option<PathBuf>,
    /// The data in MVTec AD's layout
    #[arg(value_name = "DATA_ROOT")]
    data_root: Option<PathBuf>,
    /// A finished run instead: its id, a unique prefix of its hash, or `latest`
    #[arg(long, value_name = "ID", conflicts_with = "maps_root", add = complete::runs())]
    run: Option<String>,
    /// Where the data of the run lie now, if they were moved; their content is compared
    #[arg(long, value_name = "DIR", requires = "run")]
    data: Option<PathBuf>,
    /// A list of the images (data.list); of a run, where its list lies now
    #[arg(long, value_name = "LIST.csv")]
    list: Option<PathBuf>,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    results: PathBuf,
    /// Also a form of AUPRO that other code uses, for comparison with its figures; any number, or `all`
    #[arg(long, value_name = "NAME")]
    variant: Vec<String>,
    /// Settings of the protocol, such as --set eval.pro.limit=0.05, or --set data.mask_rule=half
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What is scored of one category: its maps, and where its images lie.
struct Scored {
    label: String,
    maps: Maps,
    source: Source,
    cfg: Config,
}

/// Where maps come from.
enum Maps {
    /// A run's outputs, those of one name.
    Run(Rc<OutputStore>, MapName),
    /// From elsewhere; float32 holds them.
    Single(Foreign),
    /// From elsewhere; float32 would round them.
    Double(Foreign),
}

/// One line of what is printed.
struct Line {
    label: String,
    variant: Option<Variant>,
    scores: Scores,
    /// [`eval::ImageResult`]s.
    images: serde_json::Value,
}

impl Scored {
    fn evaluate(&self, variant: Option<Variant>) -> Result<Line> {
        let protocol = eval::protocol(&self.cfg, variant)?;
        let key = |index: usize| &self.source.items()[index].key;
        let single = |output_of: &dyn Fn(usize) -> Result<Output>| {
            eval::evaluate(&self.source, &self.cfg.eval, &protocol, output_of).map(|e| (e.scores, json(&e.images)))
        };
        let (scores, images) = match &self.maps {
            Maps::Run(outputs, name) => single(&|index| outputs.read(name, key(index)))?,
            Maps::Single(maps) => single(&|index| maps.output(&self.source, index))?,
            Maps::Double(maps) => maps.evaluate64(&self.source, &self.cfg.eval, &protocol).map(|e| (e.scores, json(&e.images)))?,
        };
        Ok(Line { label: self.label.clone(), variant, scores, images })
    }
}

fn json(images: &[impl serde::Serialize]) -> serde_json::Value {
    serde_json::to_value(images).expect("scores are plain data")
}

pub fn run(args: &Args) -> Result<()> {
    let variants = variants(&args.variant)?;
    let scored = match (&args.run, &args.maps_root, &args.data_root) {
        (Some(id), ..) => of_run(args, id)?,
        (None, Some(maps), Some(data)) => of_folder(args, maps, data)?,
        _ => return Err(Error::config("there is nothing to score", "give MAPS_ROOT and DATA_ROOT, or --run ID")),
    };
    let mut all = vec![];
    for s in &scored {
        for variant in std::iter::once(None).chain(variants.iter().copied().map(Some)) {
            all.push(s.evaluate(variant)?);
        }
    }
    if args.json {
        print_json(&all)
    } else {
        print_table(&all)
    }
    Ok(())
}

/// The outputs of a run: one entry for each of its maps, and for its own image scores.
fn of_run(args: &Args, id: &str) -> Result<Vec<Scored>> {
    let run = Finished::find(&args.results, id)?;
    let (dataset, contents) = run.data(args.data.as_deref(), args.list.as_deref())?;
    let Finished { id, folder, summary, mut cfg } = run;
    cfg.data.list = args.list.as_ref().map_or(cfg.data.list, |list| list.display().to_string());
    if args.set.iter().any(|key| key.trim_start().starts_with("data.orientation")) {
        return Err(Error::config(
            "--set data.orientation: the run's maps were made of images as its own key reads them",
            "repeat the run",
        ));
    }
    if summary.counts.get("test_images") == Some(&0) {
        return Err(Error::config(
            format!("run {id} has no test images: it was fitted only, and there is nothing to score"),
            "`harness predict` scores new images",
        ));
    }
    let own = cfg.eval.map;
    let cfg = with_settings(&cfg, &args.set)?;
    let category = Dataset::at(dataset.root(), &cfg.data)?.category(&summary.category)?;
    warn(data::preflight(&category, &contents, &cfg)?);
    let outputs = Rc::new(OutputStore::of(&folder.maps(), &summary.category, &cfg.detector.outputs(&cfg)));
    if outputs.stored().is_empty() {
        return Err(Error::environment(
            format!("the maps and image scores of run {id} are gone"),
            format!("copy its folder maps/ back, or {}", crate::error::AGAIN),
        ));
    }
    let wanted = cfg.detector.outputs(&cfg).maps;
    if cfg.eval.map != own && outputs.stored().first() != wanted.first() {
        return Err(Error::config(
            format!("--set eval.map: run {id} has no map {}; it has {}", wanted[0], outputs.stored().join(", ")),
            "repeat the run with that key",
        ));
    }
    let one = |name: MapName| {
        let source = Source::of(category.test.clone(), &cfg, 0).checked(&contents);
        Scored { label: format!("{} {name}", summary.category), maps: Maps::Run(outputs.clone(), name), source, cfg: cfg.clone() }
    };
    Ok(outputs.stored().into_iter().map(one).collect())
}

/// Maps from any source: the categories that have a folder under the maps' root.
fn of_folder(args: &Args, maps: &Path, root: &Path) -> Result<Vec<Scored>> {
    if !maps.is_dir() {
        return Err(Error::environment(
            format!("{}: there is no such folder", maps.display()),
            "give the folder that holds <category>/test/…",
        ));
    }
    let mut cfg = with_settings(&Config::default(), &args.set)?;
    if cfg.eval.map != ScoreMap::Own {
        return Err(Error::config(
            "--set eval.map: of maps from elsewhere each image has one",
            "leave it out; it applies to a run (--run)",
        ));
    }
    cfg.data.list = args.list.as_ref().map_or(cfg.data.list, |list| list.display().to_string());
    let dataset = Dataset::at(root, &cfg.data)?;
    let names = dataset.categories()?;
    let names: Vec<_> = names.into_iter().filter(|name| maps.join(name).is_dir()).collect();
    if names.is_empty() {
        return Err(Error::environment(
            format!("{} holds no folder named as a category of {}", maps.display(), root.display()),
            "maps belong at MAPS_ROOT/<category>/test/<defect>/<stem>.npy",
        ));
    }
    let one = |name: String| {
        let category = dataset.category(&name)?;
        let contents = Arc::new(Contents::of(&category)?);
        warn(data::preflight(&category, &contents, &cfg)?);
        let source = Source::of(category.test, &cfg, 0).checked(&contents);
        let maps = Foreign::at(maps, &name);
        let maps = if maps.need_float64(&source)? { Maps::Double(maps) } else { Maps::Single(maps) };
        Ok(Scored { label: name, maps, source, cfg: cfg.clone() })
    };
    Error::all(names.into_iter().map(one))
}

fn warn(warnings: Vec<String>) {
    warnings.iter().for_each(|warning| sayln!("warning: {warning}"));
}

/// Beginnings of the keys that `--set` takes.
const SETTINGS: [&str; 4] = ["eval.", "data.mask_rule", "data.orientation", "data.masks"];

/// The protocol's settings with `--set` laid over them.
fn with_settings(base: &Config, overrides: &[String]) -> Result<Config> {
    let applies = |key: &&String| SETTINGS.iter().any(|known| key.trim_start().starts_with(known));
    if let Some(other) = overrides.iter().find(|key| !applies(key)) {
        let what = format!("--set {other}: only keys of [eval], data.mask_rule, data.orientation and data.masks apply here");
        return Err(Error::config(what, "see `harness config explain eval`"));
    }
    base.with(overrides)
}

fn variants(names: &[String]) -> Result<Vec<Variant>> {
    if names.iter().any(|n| n == "all") {
        return Ok(Variant::all().filter(|v| *v != Variant::Exact).collect());
    }
    names.iter().map(|name| name.parse()).collect()
}

fn print_table(all: &[Line]) {
    let columns = [
        ("", Align::Left),
        ("image AUROC", Align::Right),
        ("AP", Align::Right),
        ("F1max", Align::Right),
        ("pixel AUROC", Align::Right),
        ("AP", Align::Right),
        ("F1max", Align::Right),
        ("AUPRO", Align::Right),
        ("protocol", Align::Left),
    ];
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|Line { label, scores: s, .. }| {
            let mut row = vec![label.clone()];
            row.extend([s.image_auroc, s.image_ap, s.image_f1max, s.pixel_auroc, s.pixel_ap, s.pixel_f1max, s.aupro].map(percent_or_dash));
            row.push(s.protocol.describe());
            row
        })
        .collect();
    showln!("{}", text::table(&columns, &rows, Rule::Unicode));
}

fn print_json(all: &[Line]) {
    let entries: Vec<_> = all
        .iter()
        .map(|Line { label, variant, scores, images }| {
            serde_json::json!({
                "label": label,
                "variant": variant.map_or("exact".to_owned(), |v| v.to_string()),
                "protocol": scores.protocol,
                "scores": scores,
                "images": images,
            })
        })
        .collect();
    console::raw(&(serde_json::to_string_pretty(&entries).expect("scores are plain data") + "\n"));
}
