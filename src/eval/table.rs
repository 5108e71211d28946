//! scores.csv of a run: a line for each test image, for other programs.

use super::{Evaluation, MapName};
use crate::calibration::Normal;

/// `key,defect,anomalous,score_<output>…,p`: each output's image score, the headline first; p of the headline's score where the run
/// is calibrated, else empty. Images stand in the order of the test set, which is that of every evaluation.
pub fn table(evaluations: &[(MapName, Evaluation)], normal: Option<&Normal>) -> Vec<u8> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut row = |fields: Vec<String>| table.write_record(&fields).expect("a buffer in memory takes all, and rows are of one length");
    let scores = evaluations.iter().map(|(name, _)| format!("score_{name}"));
    row(["key", "defect", "anomalous"].map(str::to_owned).into_iter().chain(scores).chain(["p".to_owned()]).collect());
    for (index, image) in evaluations.first().into_iter().flat_map(|(_, evaluation)| &evaluation.images).enumerate() {
        let defect = image.key.split('/').nth(1).unwrap_or_default();
        let scores = evaluations.iter().map(|(_, evaluation)| evaluation.images[index].score.to_string());
        let p = normal.map_or(String::new(), |normal| normal.p_value(f64::from(image.score)).to_string());
        let known = [image.key.clone(), defect.to_owned(), u8::from(image.anomalous).to_string()];
        row(known.into_iter().chain(scores).chain([p]).collect());
    }
    table.into_inner().expect("a buffer in memory takes all")
}
