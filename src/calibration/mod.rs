//! What a score means: the scores of normal images that a detector was not fitted on, kept beside a run, and the p-values and
//! thresholds that follow from them.

mod conformal;
mod decision;
mod pixels;
mod record;
mod split;

pub use conformal::{Normal, Threshold, TrueRate, needed, percent};
pub use decision::{Decision, Rule};
pub use pixels::PixelLevel;
pub use record::{Calibration, FORMAT, Image, Levels, Origin};
pub use split::{Fold, folds, holdout};
