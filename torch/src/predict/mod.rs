//! `harness predict`: a finished run on new images, by the same path from file to score as its evaluation.

pub mod inputs;
mod model;
mod output;
mod watch;

pub use model::{Model, Scored};

use std::time::Instant;

use harness::cli::predict::{Args, Maps, Scale};
use harness::data::{Item, Source};
use harness::file;
use harness::num::quantile;
use harness::run::Stop;
use harness::{Error, Result, console, sayln, showln};

use crate::boundary;
use output::{Output, Row, drift};

/// Memory for decoded images of one forward pass: they are looked at before they are scored, and read once.
const CACHE_MB: usize = 1024;

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
    let output = Output::new(&model, args)?;
    if args.maps == Maps::Png16 && (!output.decides() || args.scale == Some(Scale::Own)) {
        let what = "--maps png16: 16 bits need one scale for all maps, that of a calibration";
        return Err(Error::config(what, "use --maps npy, or calibrate the run: harness calibrate --run ID --images FOLDER"));
    }
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io("create", &args.out, &e))?;
    let mut line = Line { model: &model, output, json: args.json, turned: 0 };
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

/// What scores images one after the other.
struct Line<'a> {
    model: &'a Model,
    output: Output<'a>,
    json: bool,
    /// Images that were turned upright.
    turned: usize,
}

impl Line<'_> {
    /// Scores images that go through the network together; of one that cannot be read, the row says why.
    fn score(&mut self, items: &[Item]) -> Result<Vec<Row>> {
        let began = Instant::now();
        let mut rows: Vec<Row> = items.iter().map(Row::of).collect();
        let source = |items: Vec<Item>| Source::of(items, &self.model.cfg, CACHE_MB);
        let mut readable = source(items.to_vec());
        for (row, index) in rows.iter_mut().zip(0..) {
            row.error = readable.get(index).err().map(|error| error.what);
        }
        let places: Vec<usize> = (0..rows.len()).filter(|&place| rows[place].error.is_none()).collect();
        if places.len() < rows.len() {
            readable = source(places.iter().map(|&place| items[place].clone()).collect());
        }
        let output = &self.output;
        self.model.score(&readable, &mut |index, scored, _| output.take(&mut rows[places[index]], &readable, index, &scored))?;
        self.turned += readable.turned();
        let ms = began.elapsed().as_secs_f64() * 1e3 / rows.len().max(1) as f64;
        for row in &mut rows {
            row.ms = Some(ms);
            if let Some(error) = &row.error {
                sayln!("warning: {error}");
            }
            if self.json {
                console::raw(&(serde_json::to_string(row).expect("a row is plain data") + "\n"));
            }
        }
        Ok(rows)
    }

    /// Sums up.
    ///
    /// # Errors
    /// `Kind::Run` where an image could not be read.
    fn tell(&self, rows: &[Row], args: &Args) -> Result<()> {
        let say = |text: &str| if self.json { sayln!("{text}") } else { showln!("{text}") };
        if self.turned > 0 {
            sayln!("{} of {} images were turned upright, as their orientation tags (EXIF) ask", self.turned, rows.len());
        }
        let p: Vec<f64> = rows.iter().filter_map(|row| row.p).collect();
        let calibrated = self.model.calibration.as_ref().map_or(0, |calibration| calibration.images.len());
        if let Some(text) = drift(&p, calibrated) {
            sayln!("warning: {text}");
        }
        let unreadable = rows.iter().filter(|row| row.error.is_some()).count();
        let (scored, odd) = (rows.len() - unreadable, rows.iter().filter(|row| row.anomalous == Some(true)).count());
        let decided = if self.output.decides() { format!(", {odd} called anomalous") } else { String::new() };
        let ms: Vec<f64> = rows.iter().filter_map(|row| row.ms).collect();
        let at = |q: f64| quantile(&ms, q).unwrap_or(0.0);
        let pace = format!("{:.0} ms an image (p95 {:.0}, p99 {:.0})", at(0.5), at(0.95), at(0.99));
        say(&format!("{scored} images scored with {}{decided}, {pace} -> {}", self.model.summary.id, args.out.display()));
        if !self.output.decides() {
            let id = &self.model.summary.id;
            sayln!("scores have no threshold yet: harness calibrate --run {id} --images FOLDER-OF-GOOD-IMAGES");
        }
        match unreadable {
            0 => Ok(()),
            n => Err(Error::run(
                format!("{n} of {} images could not be read; the others are scored", rows.len()),
                "scores.csv says why, in its column error",
            )),
        }
    }
}
