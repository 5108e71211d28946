//! What is written of one scored image: a row, and the files that were asked for.

use std::path::Path;

use harness::calibration::{Calibration, Decision, Normal, Rule};
use harness::cli::calibrate::missing;
use harness::cli::predict::{Args, Maps, Scale};
use harness::data::{Item, Source};
use harness::image::{Map, codec, npy};
use harness::report::overlay::Overlay;
use harness::report::study::as_text;
use harness::{Error, Result};
use serde::Serialize;

use super::model::{Model, Scored};

/// The columns of scores.csv, and the members of a line of `--json`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Row {
    /// The file, as it was named.
    pub image: String,
    /// Its path below the folder that was named: what its results are called.
    pub key: String,
    pub score: Option<f32>,
    /// Of a calibrated run: the chance that a good image scores at least as high.
    pub p: Option<f64>,
    pub anomalous: Option<bool>,
    /// Pixels above the pixel threshold.
    pub marked: Option<usize>,
    /// The map's file below the output folder, if it was asked for.
    pub map: Option<String>,
    pub width: Option<usize>,
    pub height: Option<usize>,
    /// Milliseconds from file to decision.
    pub ms: Option<f64>,
    /// Why the image could not be scored.
    pub error: Option<String>,
}

impl Row {
    pub const COLUMNS: [&str; 11] = ["image", "score", "p", "anomalous", "marked", "map", "width", "height", "ms", "key", "error"];

    pub fn of(item: &Item) -> Self {
        Self { image: item.path.display().to_string(), key: item.key.clone(), ..Self::default() }
    }

    /// The fields of a line of scores.csv.
    pub fn fields(&self) -> [String; 11] {
        fn text(value: &Option<impl ToString>) -> String {
            value.as_ref().map_or(String::new(), ToString::to_string)
        }
        [
            as_text(&self.image),
            text(&self.score),
            text(&self.p),
            text(&self.anomalous.map(u8::from)),
            text(&self.marked),
            self.map.as_deref().map_or(String::new(), as_text),
            text(&self.width),
            text(&self.height),
            self.ms.map_or(String::new(), |ms| format!("{ms:.1}")),
            as_text(&self.key),
            self.error.as_deref().map_or(String::new(), as_text),
        ]
    }
}

/// What is made of each image.
pub struct Output<'a> {
    args: &'a Args,
    calibration: Option<&'a Calibration>,
    /// Its scores.
    normal: Option<Normal>,
    /// What it decides, at a rate that it can promise.
    rule: Option<Rule>,
}

impl<'a> Output<'a> {
    /// # Errors
    /// A threshold or a mask of a run that is not calibrated, a rate that it cannot promise.
    pub fn new(model: &'a Model, args: &'a Args) -> Result<Self> {
        let rate = args.promise.rate;
        let Some(calibration) = &model.calibration else {
            let wanted = rate.is_some() || args.promise.confidence.is_some() || args.masks || args.scale == Some(Scale::Run);
            let nothing = Self { args, calibration: None, normal: None, rule: None };
            return if wanted { Err(missing(&model.summary.id)) } else { Ok(nothing) };
        };
        let rule = Rule::of(calibration, rate.unwrap_or(model.cfg.calibrate.rate), args.promise.confidence);
        // The rate that a run was given is a wish; one that is typed has to be kept.
        let rule = if rate.is_none() && args.promise.confidence.is_none() && !args.masks { rule.ok() } else { Some(rule?) };
        Ok(Self { args, calibration: Some(calibration), normal: Some(calibration.scores()?), rule })
    }

    /// Whether scores become decisions.
    pub fn decides(&self) -> bool {
        self.rule.is_some()
    }

    /// Fills the row of an image and writes its files.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn take(&self, row: &mut Row, source: &Source, index: usize, scored: &Scored) -> Result<()> {
        row.score = Some(scored.score);
        let decision = self.rule.as_ref().map(|rule| rule.decide(scored.score));
        row.p = self.normal.as_ref().map(|normal| normal.p_value(f64::from(scored.score)));
        row.anomalous = decision.map(|d| d.anomalous);
        let Some(map) = &scored.map else { return Ok(()) };
        (row.width, row.height) = (Some(map.width), Some(map.height));
        let mut marked = self.rule.as_ref().and_then(|rule| rule.marked(map));
        if let (Some(marked), Some(inside)) = (&mut marked, &scored.inside) {
            marked.data.iter_mut().zip(&inside.data).filter(|(_, inside)| **inside == 0).for_each(|(mark, _)| *mark = 0);
        }
        row.marked = marked.as_ref().map(|mask| mask.data.iter().filter(|mark| **mark != 0).count());
        row.map = self.map(&row.key, map)?;
        if let Some(mask) = marked.as_ref().filter(|_| self.args.masks) {
            codec::write_mask_png(&self.place(&row.key, "mask.png")?, mask)?;
        }
        if !self.args.no_overlay {
            let caption = caption(scored.score, row.p, decision);
            let picture = source.picture(index)?;
            let overlay = Overlay { image: &picture, map, range: self.range(map), marked: marked.as_ref(), caption: &caption };
            codec::write_png(&self.place(&row.key, "overlay.png")?, &overlay.draw())?;
        }
        Ok(())
    }

    /// The colours' range: the run's, or the map's own.
    fn range(&self, map: &Map) -> [f32; 2] {
        let run = || self.rule.as_ref()?.range(self.calibration?);
        let own = || map.data.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], &v| [low.min(v), high.max(v)]);
        if self.args.scale == Some(Scale::Own) { own() } else { run().unwrap_or_else(own) }
    }

    /// Writes the map as it was asked for; its path below the output folder.
    fn map(&self, key: &str, map: &Map) -> Result<Option<String>> {
        let ending = match self.args.maps {
            Maps::None => return Ok(None),
            Maps::Npy => "map.npy",
            Maps::Png16 => "map.png",
        };
        let path = self.place(key, ending)?;
        match self.args.maps {
            Maps::Npy => npy::write(&path, map)?,
            _ => codec::write_grey16_png(&path, map, self.range(map))?,
        }
        Ok(Some(format!("{key}.{ending}")))
    }

    /// `<out>/<key>.<ending>`, whose folder is there.
    fn place(&self, key: &str, ending: &str) -> Result<std::path::PathBuf> {
        let path = self.args.out.join(format!("{key}.{ending}"));
        let folder = path.parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, &e))?;
        Ok(path)
    }
}

fn caption(score: f32, p: Option<f64>, decision: Option<Decision>) -> String {
    let p = p.map_or(String::new(), |p| format!("   p {p:.3}"));
    let decided = decision.map_or("", |decision| if decision.anomalous { "   anomalous" } else { "   good" });
    format!("score {score:.4}{p}{decided}")
}

/// What a batch of p-values says of the parts, the light or the camera: more small ones than good images give with a chance of
/// 999 in 1,000. `None` where there is nothing to say.
pub fn drift(p_values: &[f64], calibrated: usize) -> Option<String> {
    const SMALL: f64 = 0.1;
    let (n, small) = (p_values.len() as u64, p_values.iter().filter(|p| **p <= SMALL).count() as u64);
    // Fewer calibrated images give no p as small as that.
    if calibrated < 9 || small == 0 || harness::num::binomial_cdf(small - 1, n, SMALL) < 0.999 {
        return None;
    }
    let expected = (SMALL * n as f64).round();
    Some(format!(
        "{small} of {n} images have p <= {SMALL}; good ones would give about {expected}: the parts, the light or the camera changed, or many are defective"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_p_values_are_told_and_a_few_are_not() {
        let batch = |small: usize, all: usize| -> Vec<f64> { (0..all).map(|i| if i < small { 0.05 } else { 0.5 }).collect() };
        assert_eq!(drift(&batch(10, 100), 60), None);
        assert!(drift(&batch(37, 100), 60).is_some_and(|text| text.starts_with("37 of 100 images") && text.contains("about 10")));
        assert_eq!(drift(&batch(37, 100), 8), None);
        assert_eq!(drift(&[], 60), None);
    }

    #[test]
    fn a_row_has_a_field_for_each_column_and_a_member_for_each() {
        let row = Row { image: "=a.png".into(), anomalous: Some(true), ms: Some(1.26), ..Row::default() };
        let members = serde_json::to_value(&row).unwrap();
        assert!(Row::COLUMNS.iter().all(|name| members.get(name).is_some()));
        assert_eq!(row.fields().len(), Row::COLUMNS.len());
        assert_eq!((row.fields()[0].as_str(), row.fields()[3].as_str(), row.fields()[8].as_str()), ("'=a.png", "1", "1.3"));
    }
}
