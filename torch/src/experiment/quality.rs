//! How good what is being trained is, by a rule of `train.checkpoint`.

use tch::Tensor;

use crate::train::Scored;

/// Scores images `[B, 3, S, S]` in 0..=1 with what is being trained, as it stands.
pub type Score<'a> = dyn Fn(&Tensor) -> Scored + 'a;

/// A quality with its metric's name, higher is better.
pub type Quality = (&'static str, Option<f64>);
