//! How far students err on a teacher's descriptions, and how far they differ from one another.

use tch::{Kind, Tensor};

/// Squared distance of the students' mean from the target at each place, and their variance there, summed over the numbers of a
/// description: [B, 2, h, w]. `students` and `target` are descriptions [B, d, h, w].
///
/// The paper writes the variance as `mean |s|^2 - |mean s|^2`; this is the same without the difference of two large numbers.
pub fn error_and_spread(students: &[Tensor], target: &Tensor) -> Tensor {
    let all = Tensor::stack(students, 0); // [M, B, d, h, w]
    let mean = all.mean_dim([0i64].as_slice(), false, Kind::Float);
    let error = (&mean - target).square().sum_dim_intlist([1i64].as_slice(), false, None::<Kind>);
    let spread = (all - mean.unsqueeze(0)).square().sum_dim_intlist([2i64].as_slice(), false, None::<Kind>);
    Tensor::stack(&[error, spread.mean_dim([0i64].as_slice(), false, Kind::Float)], 1)
}

/// Mean over the places of the squared distance of descriptions [B, d, h, w] from the target; f64, no dimension.
pub fn regression(student: &Tensor, target: &Tensor) -> Tensor {
    (student - target).square().sum_dim_intlist([1i64].as_slice(), false, None::<Kind>).mean(Kind::Double)
}
