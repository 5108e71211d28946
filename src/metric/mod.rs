//! Metrics of anomaly detection, exact: AUROC, average precision and F1max of images and pixels, AUPRO, recall of large
//! and tiny regions. Pure; the rules are those of the data set's own evaluation, spelt out in `protocol`.
//!
//! One category's pixels are turned into integer keys, sorted once, and read in one descending pass over groups of equal
//! scores. Counts are integers until each metric's last division, so results depend neither on the number of threads nor
//! on the order within a group. The way of a pixel:
//!
//! | file | step |
//! |---|---|
//! | `components` | mask -> regions |
//! | `key`, `accumulator` | map -> keys, those of regions with a tag |
//! | `radix`, `ranking` | keys -> groups of equal scores, descending |
//! | `roc`, `pro`, `curve`, `image_level` | groups -> metrics and curves |
//! | `variant` | other code's forms of AUPRO, by name |
//! | `exact` | scores that float32 would round: keys are their ranks |
//! | `bootstrap` | the same metrics of any reweighting of the images, from one sort |
//! | `protocol`, `scores` | the rules, and the numbers that carry them |
//!
//! ```
//! use harness::image::{Map, Mask};
//! use harness::metric::{Protocol, Sample, evaluate};
//!
//! let map = Map::from_vec(4, 1, vec![0.1, 0.9, 0.2, 0.3]);
//! let mask = Mask::from_vec(4, 1, vec![0, 1, 0, 0]);
//! let sample = Sample { name: "000.png", map: &map, mask: Some(&mask), image_score: 0.9, anomalous: true };
//! let (scores, _) = evaluate(&[sample], &Protocol::default())?;
//! assert_eq!(scores.pixel_auroc, Some(1.0));
//! assert_eq!(scores.aupro, Some(1.0));
//! assert_eq!(scores.image_auroc, None); // there is no good image
//! # Ok::<(), harness::Error>(())
//! ```

mod accumulator;
mod bootstrap;
mod components;
mod curve;
mod exact;
mod image_level;
mod key;
mod pro;
mod protocol;
mod radix;
mod ranking;
mod roc;
mod scores;
#[cfg(test)]
mod tests;
mod variant;

pub use accumulator::{Accumulator, Keyed, Sample, evaluate};
pub use bootstrap::{Bootstrap, Ordered, Reweighted, draws};
pub use components::{Connectivity, Region, Regions, Run, label};
pub use curve::Curves;
pub use exact::{Sample64, evaluate64, image_score64, mean_score64};
pub use image_level::{image_score, mean_score};
pub(crate) use key::{key, score};
pub use protocol::Protocol;
pub use roc::Separation;
pub use scores::{RECALL_FPR, Scores};
pub use variant::Variant;

/// AUROC, AP and F1max of plain scores with labels (`true` = anomalous); NaN is ordered by its bits, so keep it out.
pub fn separation(scored: impl IntoIterator<Item = (f32, bool)>) -> Separation {
    let keyed = scored.into_iter().map(|(score, anomalous)| (key::key(score), anomalous));
    ranking::Ranking::new(image_level::population(keyed)).separation()
}
