//! How far the decoder's maps are from the teacher's: the loss and the score map, both by cosines.

use harness::config::{RdLoss, RdMap};
use tch::{Kind, Tensor};

use super::student::Levels;
use crate::train::Terms;

/// Least norm by which a cosine divides; torch's default.
const EPS: f64 = 1e-8;

/// The loss: of each level the mean over the batch of 1 - cosine, and the sum of the levels; f64 without dimensions. `Pixel` is
/// Eq. (2) of the paper, `Flat` what the authors' code computes in its place.
pub fn loss(teacher: &Levels, student: &Levels, form: RdLoss) -> Terms {
    let level = |k: usize| {
        let (f, d) = (&teacher[k], &student[k]);
        let cosine = match form {
            RdLoss::Flat => Tensor::cosine_similarity(&flat(f), &flat(d), 1, EPS), // [B]
            RdLoss::Pixel => Tensor::cosine_similarity(f, d, 1, EPS),              // [B, h, w]
        };
        1.0 - cosine.mean(Kind::Double)
    };
    let [l1, l2, l3] = [0, 1, 2].map(level);
    Terms::new(&l1 + &l2 + &l3).with_loss("level 1", &l1).with_loss("level 2", &l2).with_loss("level 3", &l3)
}

/// `[B, C, h, w]` as `[B, h w C]`: a view of a channels-last map.
fn flat(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1]).flatten(1, 3)
}

/// The score map `[B, S, S]` of images of `side` S: at each level 1 - cosine over the channels (Eq. (1), 0..2), brought to the
/// image's side bilinearly with aligned corners, and all levels together.
pub fn map(teacher: &Levels, student: &Levels, form: RdMap, side: i64) -> Tensor {
    let level = |(f, d): (&Tensor, &Tensor)| {
        let distance: Tensor = 1.0 - Tensor::cosine_similarity(f, d, 1, EPS); // [B, h, w]
        distance.unsqueeze(1).upsample_bilinear2d([side, side], true, None, None).squeeze_dim(1)
    };
    let levels = teacher.iter().zip(student).map(level);
    let whole = match form {
        RdMap::Sum => levels.reduce(|a, b| a + b),
        RdMap::Product => levels.reduce(|a, b| a * b),
    };
    whole.expect("there are three levels")
}
