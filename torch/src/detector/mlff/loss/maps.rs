//! What the losses share: the kind they compute in, exact sums, sizes.

use tch::{Kind, Tensor};

/// The map in float32, or as it is if it is float64.
pub(super) fn real(map: &Tensor) -> Tensor {
    map.to_kind(if map.kind() == Kind::Double { Kind::Double } else { Kind::Float })
}

/// Sum over `dims` in float64, which keeps counts exact beyond 2^24 pixels.
pub(super) fn sum(map: &Tensor, dims: &[i64]) -> Tensor {
    map.sum_dim_intlist(dims, false, Kind::Double)
}

/// The four sizes of a map.
pub(super) fn sizes(map: &Tensor) -> [i64; 4] {
    map.size().try_into().expect("a map has four dimensions")
}

/// Mean over the entries of `values` [R] at which `counts` [R] is 1; 0 if there is none.
pub(super) fn mean_of_counted(values: &Tensor, counts: &Tensor) -> Tensor {
    sum(&(values * counts), &[0]) / sum(counts, &[0]).clamp_min(1.0)
}
