//! Images one after the other, from file to row, and what they amount to.

use std::time::Instant;

use harness::cli::predict::Args;
use harness::data::{Item, Source};
use harness::names::counted;
use harness::num::quantile;
use harness::{Error, Result, console, sayln, showln};

use super::model::Model;
use super::output::{Output, Row, drift};

/// Memory for decoded images of one forward pass: they are looked at before they are scored, and read once.
const CACHE_MB: usize = 1024;

/// What scores images one after the other.
pub struct Line<'a> {
    pub model: &'a Model,
    output: Output<'a>,
    json: bool,
    /// Images that were turned upright.
    turned: usize,
}

impl<'a> Line<'a> {
    /// # Errors
    /// As [`Output::new`].
    pub fn new(model: &'a Model, args: &'a Args) -> Result<Self> {
        Ok(Self { model, output: Output::new(model, args)?, json: args.json, turned: 0 })
    }

    /// Whether scores become decisions.
    pub fn decides(&self) -> bool {
        self.output.decides()
    }

    /// Scores images that go through the network together; of one that cannot be read, the row says why.
    pub fn score(&mut self, items: &[Item]) -> Result<Vec<Row>> {
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
    pub fn tell(&self, rows: &[Row], args: &Args) -> Result<()> {
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
        say(&format!(
            "{} scored with {}{decided}, {pace} -> {}",
            counted(scored, "image", "images"),
            self.model.summary.id,
            args.out.display()
        ));
        if !self.output.decides() {
            let id = &self.model.summary.id;
            sayln!("scores have no threshold yet: harness calibrate --run {id} --images FOLDER-OF-GOOD-IMAGES");
        }
        match unreadable {
            0 => Ok(()),
            n => Err(Error::environment(
                format!("{n} of {} images could not be read; the others are scored", rows.len()),
                "scores.csv says why, in its column error",
            )),
        }
    }
}
