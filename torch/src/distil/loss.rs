//! What a teacher learns by: to explain the backbone's features, and to tell patches apart.

use harness::config::Compact;
use tch::{Kind, Tensor};

/// Below the deviation of what is alike, so that its gradient is finite.
const LEAST: f64 = 1e-12;

/// L_k: mean over the patches of the squared distance of what the decoder makes of descriptions from the features, both [N, C]; f64,
/// no dimension.
pub fn knowledge(decoded: &Tensor, features: &Tensor) -> Tensor {
    (decoded - features).square().sum_dim_intlist([1i64].as_slice(), false, None::<Kind>).mean(Kind::Double)
}

/// L_c: the sum of the squared correlations of all pairs of descriptions of a batch [N, d], or of all pairs of their numbers; f64, no
/// dimension.
pub fn compactness(descriptions: &Tensor, compact: Compact) -> Tensor {
    let rows = match compact {
        Compact::Samples => descriptions.shallow_clone(),
        Compact::Dims => descriptions.tr(),
        Compact::None => return Tensor::zeros([0i64; 0], (Kind::Double, descriptions.device())),
    };
    let centred = &rows - rows.mean_dim([1i64].as_slice(), true, Kind::Float);
    let length = (centred.square().sum_dim_intlist([1i64].as_slice(), true, None::<Kind>) + LEAST).sqrt();
    let unit = centred / length;
    unit.matmul(&unit.tr()).triu(1).square().sum(Kind::Double)
}
