//! `harness predict`: a finished run on new images, by the same path from file to score as its evaluation.

pub mod inputs;
mod line;
mod model;
mod output;
mod watch;

pub use model::{Model, Scored};

use harness::cli::predict::{Args, Maps, Scale};
use harness::file;
use harness::run::Stop;
use harness::{Error, Result};

use crate::boundary;
use line::Line;
use output::Row;

/// Carries out `harness predict`.
///
/// # Errors
/// What keeps everything from being scored; of single images that cannot be read at the end, with exit code 1, when the others are scored.
pub fn run(args: &Args) -> Result<()> {
    let model = match (&args.model, &args.run) {
        (Some(file), _) => Model::of_bundle(file, &args.device)?,
        (None, Some(name)) => Model::of_run(name, &args.results, args.weights.as_deref(), &args.device)?,
        (None, None) => return Err(Error::config("there is nothing to score with", "give --run ID, or --model FILE")),
    };
    let mut line = Line::new(&model, args)?;
    if args.maps == Maps::Png16 && (!line.decides() || args.scale == Some(Scale::Own)) {
        let what = "--maps png16: 16 bits need one scale for all maps, that of a calibration";
        return Err(Error::config(what, "use --maps npy, or calibrate the run: harness calibrate --run ID --images FOLDER"));
    }
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io("create", &args.out, &e))?;
    boundary::guard("scoring", "a smaller eval.batch", || {
        if args.watch { watch::watch(&mut line, args, &Stop::install()?) } else { all(&mut line, args) }
    })
}

/// Scores what is there now.
fn all(line: &mut Line, args: &Args) -> Result<()> {
    let items = inputs::collect(&args.inputs, Some(&args.out))?;
    let mut rows = vec![];
    for items in items.chunks(line.model.batch()) {
        rows.extend(line.score(items)?);
    }
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut write = |fields: &[String]| table.write_record(fields).expect("a buffer in memory takes all, and rows are of one length");
    write(&Row::COLUMNS.map(str::to_owned));
    rows.iter().for_each(|row| write(&row.fields()));
    file::replace(&args.out.join("scores.csv"), &table.into_inner().expect("a buffer in memory takes all"))?;
    line.tell(&rows, args)
}
