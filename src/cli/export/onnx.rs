//! `harness export onnx`: a finished run as a model in a file.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::cli::complete;
use crate::cli::finished::Finished;
use crate::data::Source;
use crate::eval::{self, MapName};
use crate::export::onnx::{self, Check, Input, Model, Run};
use crate::place::in_project;
use crate::run::{Environment, env};
use crate::{Error, Result, file, sayln, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run: its id, a unique prefix of its hash, or `latest`
    #[arg(long, value_name = "ID", add = complete::runs())]
    run: String,
    /// The file; the check goes into the folder of the same name that ends in .check
    #[arg(long, value_name = "FILE.onnx")]
    out: PathBuf,
    /// Size of the images, 1024x768; or `network`: the model begins behind resizing and cropping. Without it the size of the test images
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    input: Option<Size>,
    /// Which of the detector's maps; without it the headline map
    #[arg(long, value_name = "NAME")]
    map: Option<String>,
    /// Where the data of the run lie now, if they were moved; their content is compared
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Write the model alone; then the data need not be there where --input is given
    #[arg(long)]
    no_check: bool,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    results: PathBuf,
}

/// `--input`.
#[derive(Debug, Clone, Copy)]
struct Size(Input);

/// Sides beyond which an image is none that a camera gives.
const MOST: usize = 16_384;

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "network" {
            return Ok(Self(Input::Network));
        }
        let side = |text: &str| text.parse().ok().filter(|side| (1..=MOST).contains(side));
        let sides = text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
        sides.map(|(width, height)| Self(Input::Image(width, height))).ok_or_else(|| {
            format!("`{text}` is not a size: give width and height in pixels, as in 1024x768, at most {MOST} each, or `network`")
        })
    }
}

/// Writes the model and its check.
///
/// # Errors
/// A run, map or size that cannot be exported; data that are not what they were.
pub fn run(args: &Args) -> Result<()> {
    let found = Finished::find(&args.results, &args.run)?;
    let map = map_of(&found, args.map.as_deref())?;
    let source = if args.no_check && args.input.is_some() { None } else { Some(test_images(&found, args.data.as_deref())?) };
    let input = match (args.input, &source) {
        (Some(Size(input)), _) => input,
        (None, Some(source)) => common_size(source)?,
        (None, None) => unreachable!("without a size the test images are looked at"),
    };
    let run = Run { folder: &found.folder, cfg: &found.cfg, summary: &found.summary };
    let Model { bytes, nodes, tolerance } = onnx::export(run, input, map)?;
    file::replace(&args.out, &bytes)?;
    showln!("{}: map {map} of {}, {nodes} nodes, {:.1} MB", args.out.display(), found.id, bytes.len() as f64 / 1e6);
    let Some(source) = source.filter(|_| !args.no_check) else { return Ok(()) };
    let folder = args.out.with_extension("check");
    match (Check { run, source: &source, input, map, tolerance }).write(&args.out, &folder)? {
        0 => sayln!("warning: no test image of the run has this size: there is nothing to check the model with"),
        count => showln!("{count} test images with what the run stored of them: python {}", folder.join("check.py").display()),
    }
    warn_of_gpu(&found);
    Ok(())
}

/// The detector's own name for what is exported.
fn map_of(found: &Finished, wanted: Option<&str>) -> Result<MapName> {
    let names = eval::names(&found.cfg.detector.outputs(&found.cfg));
    let Some(wanted) = wanted else { return Ok(names[0]) };
    names.iter().copied().find(|name| *name == wanted).ok_or_else(|| {
        let what = format!("--map: {} of this run gives no `{wanted}`", found.cfg.detector);
        Error::config(what, format!("it gives {}", names.join(", ")))
    })
}

fn test_images(found: &Finished, root: Option<&Path>) -> Result<Source> {
    let (dataset, contents) = found.data(root, None).map_err(|e| {
        let remedy = format!("{}; or --no-check with --input, which need no data", e.remedy);
        Error { remedy, ..e }
    })?;
    let category = dataset.category(&found.summary.category)?;
    let items = if category.test.is_empty() { eval::samples(&category.train) } else { category.test };
    Ok(Source::of(items, &found.cfg, 0).checked(&contents))
}

/// The size that all test images have.
fn common_size(source: &Source) -> Result<Input> {
    let (width, height) = source.dimensions(0)?;
    for index in 1..source.len() {
        let (w, h) = source.dimensions(index)?;
        if (w, h) != (width, height) {
            return Err(Error::config(
                format!("the test images are of several sizes, {width}x{height} and {w}x{h} px among them, and a model is made for one"),
                "give the camera's with --input WIDTHxHEIGHT, or --input network and resize before",
            ));
        }
    }
    Ok(Input::Image(width, height))
}

/// Says why the check may fail although nothing is wrong.
fn warn_of_gpu(found: &Finished) {
    let environment = file::read_json::<Environment>(&found.folder.env_json(), env::FORMAT).ok().flatten();
    if environment.is_some_and(|env| env.given.gpu.is_some_and(|gpu| gpu.tf32)) {
        sayln!("warning: the run's maps were computed in TF32, to about 1e-3: the model computes in float32, and the check may say so");
    }
}
