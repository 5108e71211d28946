//! What lies beside a model so that anybody can see that it gives the run's scores: test images, what the run has stored of them, and
//! a short program that compares.

use std::path::Path;

use serde::Serialize;

use super::parts::Tolerance;
use super::pixels::Input;
use super::run::Run;
use crate::config::ImageScore;
use crate::data::Source;
use crate::eval::{self, IMAGE, MapName, OutputStore};
use crate::image::{Map, Rgb, npy};
use crate::{Error, Result, file};

/// Images that are compared, at most.
const IMAGES: usize = 8;

/// What is compared.
pub struct Check<'a> {
    pub run: Run<'a>,
    /// The run's test images.
    pub source: &'a Source,
    pub input: Input,
    pub map: MapName,
    pub tolerance: Tolerance,
}

/// expected.json.
#[derive(Serialize)]
struct Expected<'a> {
    model: &'a str,
    #[serde(flatten)]
    tolerance: Tolerance,
    /// Of the maps, and of the scores: what differences are shares of.
    map_range: f64,
    score_range: f64,
    images: Vec<Case>,
}

/// What the run has of one image.
#[derive(Serialize)]
struct Case {
    key: String,
    score: f32,
    #[serde(skip)]
    maps: Option<[Map; 2]>,
}

impl Check<'_> {
    /// Fills `folder`, for the model in the file `model` beside it; how many images there are.
    ///
    /// # Errors
    /// A test image, or what the run stored of it, that cannot be read.
    pub fn write(&self, model: &Path, folder: &Path) -> Result<usize> {
        let chosen = self.chosen()?;
        if chosen.is_empty() {
            return Ok(0);
        }
        std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, &e))?;
        let cases = chosen.iter().map(|&index| self.case(index)).collect::<Result<Vec<_>>>()?;
        for (number, (&index, case)) in chosen.iter().zip(&cases).enumerate() {
            let put = |what: &str, bytes: Vec<u8>| file::replace(&folder.join(format!("{number}.{what}.npy")), &bytes);
            let image = self.image(index)?;
            put("image", npy::encode_array("|u1", &[1, image.height, image.width, 3], image.data.into_iter()))?;
            for (name, map) in ["map", "map_network"].iter().zip(case.maps.iter().flatten()) {
                put(name, npy::encode_array("<f4", &[1, map.height, map.width], map.data.iter().flat_map(|v| v.to_le_bytes())))?;
            }
        }
        let model = model.file_name().unwrap_or_default().to_string_lossy();
        let (map_range, score_range) = self.ranges(&cases);
        let expected = Expected { model: &model, tolerance: self.tolerance, map_range, score_range, images: cases };
        let text = serde_json::to_string_pretty(&expected).expect("plain data") + "\n";
        file::replace(&folder.join("expected.json"), text.as_bytes())?;
        file::replace(&folder.join("check.py"), include_bytes!("check.py"))?;
        Ok(chosen.len())
    }

    /// Images that the model takes, evenly among all.
    fn chosen(&self) -> Result<Vec<usize>> {
        let mut fitting = vec![];
        for index in 0..self.source.len() {
            let (width, height) = self.source.dimensions(index)?;
            if matches!(self.input, Input::Network) || self.input == Input::Image(width, height) {
                fitting.push(index);
            }
        }
        let count = fitting.len().min(IMAGES);
        Ok((0..count).map(|k| fitting[k * fitting.len() / count]).collect())
    }

    /// The input of the model.
    fn image(&self, index: usize) -> Result<Rgb> {
        match self.input {
            Input::Image(..) => self.source.picture(index),
            Input::Network => Ok(self.source.get(index)?.as_ref().clone()),
        }
    }

    /// What it should give: the stored map brought to size, that map as it is, and the score, as the run's evaluation has them.
    fn case(&self, index: usize) -> Result<Case> {
        let Run { folder, cfg, summary } = self.run;
        let key = self.source.items()[index].key.clone();
        let stored = OutputStore::of(&folder.maps(), &summary.category, &cfg.detector.outputs(cfg)).read(self.map, &key);
        let stored = stored.map_err(|e| Error { remedy: "put the run's maps back, or export with --no-check".into(), ..e })?;
        let (width, height) = match self.input {
            Input::Image(..) => eval::size(self.source, index, &cfg.eval)?,
            Input::Network => (self.source.whole_size(), self.source.whole_size()),
        };
        let (whole, score) = eval::scored(&stored, width, height, &cfg.eval)?;
        Ok(Case { key, score, maps: whole.zip(stored.map).map(|(whole, map)| [whole, map]) })
    }

    /// From the least to the greatest value of the maps, and what scores are measured by: the same, or where they come from no map, the
    /// greatest of them.
    fn ranges(&self, cases: &[Case]) -> (f64, f64) {
        let values = cases.iter().flat_map(|case| case.maps.iter().flatten()).flat_map(|map| map.data.iter());
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v.into()), high.max(v.into())));
        let greatest = cases.iter().map(|case| f64::from(case.score.abs())).fold(0.0, f64::max);
        let own = self.map == IMAGE || self.run.cfg.eval.image_score == ImageScore::Own;
        let range = if low < high { high - low } else { greatest };
        (range, if own { greatest } else { range })
    }
}
