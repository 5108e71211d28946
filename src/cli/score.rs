//! `harness score`: the metrics of a run's maps, or of maps from any source.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::config::{Categories, Config};
use crate::data::{self, Source};
use crate::eval::{self, Evaluation, MapName, MapStore, Output, OutputStore};
use crate::metric::Variant;
use crate::report::spell::percent_or_dash;
use crate::store::Store;
use crate::ui::text::{self, Align, Rule};
use crate::{Error, Result};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Maps at MAPS_ROOT/CATEGORY/test/DEFECT/STEM.npy (float32) or .tiff (32-bit float), any resolution
    #[arg(value_name = "MAPS_ROOT", required_unless_present = "run", requires = "data_root")]
    maps_root: Option<PathBuf>,
    /// The data in MVTec AD's layout
    #[arg(value_name = "DATA_ROOT")]
    data_root: Option<PathBuf>,
    /// A finished run instead: its id, a unique prefix of its hash, or `latest`
    #[arg(long, value_name = "ID", conflicts_with = "maps_root")]
    run: Option<String>,
    /// The run store
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Also a form of AUPRO that other code uses, for comparison with its figures; any number, or `all`
    #[arg(long, value_name = "NAME")]
    variant: Vec<String>,
    /// Settings of the protocol, such as --set eval.pro.limit=0.05
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Reads the output of an image by its key.
type Read = Box<dyn Fn(&str) -> Result<Output>>;

/// What is scored of one category: how it is read, and where its images lie.
struct Scored {
    label: String,
    read: Read,
    source: Source,
    cfg: Config,
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
            let protocol = eval::protocol(&s.cfg, variant)?;
            let read = |index: usize| (s.read)(&s.source.items()[index].key);
            let evaluation = eval::evaluate(&s.source, &s.cfg.eval, &protocol, &read)?;
            all.push((s.label.clone(), variant, evaluation));
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
    let entry = Store::new(&args.results).find(id)?;
    let summary = entry.folder.summary()?.ok_or_else(|| {
        Error::environment(format!("run {} is {}", entry.id, entry.status.name()), "finish it first: repeat its `harness run` command")
    })?;
    let cfg = entry.folder.config()?;
    let category = data::category(&data::root::resolve(&cfg.data)?, &summary.category)?;
    if data::category_hash(&category)? != summary.data_hash {
        return Err(Error::environment(
            format!("{} changed since run {} was made", category.folder().display(), entry.id),
            "score it against the data it was made with, or repeat the run",
        ));
    }
    let cfg = with_settings(&cfg, &args.set)?;
    let outputs = Rc::new(OutputStore::of(&entry.folder.maps(), &summary.category, &cfg.detector.outputs(&cfg)));
    let one = |name: MapName| {
        let source = Source::of(category.test.clone(), &cfg, 0);
        let outputs = outputs.clone();
        let read = Box::new(move |key: &str| outputs.read(name, key));
        Scored { label: format!("{} {name}", summary.category), read, source, cfg: cfg.clone() }
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
    let cfg = with_settings(&Config::default(), &args.set)?;
    let names = data::select(&data::open(root)?, &Categories::One("all".into()))?;
    let names: Vec<_> = names.into_iter().filter(|name| maps.join(name).is_dir()).collect();
    if names.is_empty() {
        return Err(Error::environment(
            format!("{} holds no folder named as a category of {}", maps.display(), root.display()),
            "maps belong at MAPS_ROOT/<category>/test/<defect>/<stem>.npy",
        ));
    }
    names
        .into_iter()
        .map(|name| {
            let category = data::category(root, &name)?;
            let source = Source::of(category.test, &cfg, 0);
            let maps = MapStore::at(maps);
            let label = name.clone();
            let read = Box::new(move |key: &str| maps.read(&name, key).map(Output::of_map));
            Ok(Scored { label, read, source, cfg: cfg.clone() })
        })
        .collect()
}

/// The protocol's settings with `--set` laid over them.
fn with_settings(base: &Config, overrides: &[String]) -> Result<Config> {
    if let Some(other) = overrides.iter().find(|key| !key.trim_start().starts_with("eval.")) {
        return Err(Error::config(format!("--set {other}: only keys of [eval] apply here"), "see `harness config explain eval`"));
    }
    base.with(overrides)
}

fn variants(names: &[String]) -> Result<Vec<Variant>> {
    if names.iter().any(|n| n == "all") {
        return Ok(Variant::all().filter(|v| *v != Variant::Exact).collect());
    }
    names.iter().map(|name| name.parse()).collect()
}

fn print_table(all: &[(String, Option<Variant>, Evaluation)]) {
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
        .map(|(label, _, e)| {
            let s = &e.scores;
            let mut row = vec![label.clone()];
            row.extend([s.image_auroc, s.image_ap, s.image_f1max, s.pixel_auroc, s.pixel_ap, s.pixel_f1max, s.aupro].map(percent_or_dash));
            row.push(e.protocol.describe());
            row
        })
        .collect();
    println!("{}", text::table(&columns, &rows, Rule::Unicode));
}

fn print_json(all: &[(String, Option<Variant>, Evaluation)]) {
    let entries: Vec<_> = all
        .iter()
        .map(|(label, variant, e)| {
            serde_json::json!({
                "label": label,
                "variant": variant.map_or("exact".to_owned(), |v| v.to_string()),
                "protocol": e.protocol,
                "scores": e.scores,
                "images": e.images,
            })
        })
        .collect();
    println!("{}", serde_json::to_string_pretty(&entries).expect("scores are plain data"));
}
