//! Quantization of similarities into levels and their encoding: the base of STLNet's quantization and counting operators
//! (Zhu 2021), one- and two-dimensional.
//!
//! Each group (an image in TEM, a region in PTFEM) has its own levels, spread over the range of its values. The encoding is
//! dense, [G, K, N] f32, though at most two levels fire: 9 bytes an element with what its gradient needs.

use harness::config::{Levels, Qco, Window};
use tch::{Kind, Tensor};

/// Least half-width of a window. Below it all levels of a (then practically constant) group coincide in f32; with it each
/// pixel of such a group fires every level and all gradients are finite.
const LEAST_STEP: f64 = 1e-6;
/// Added to sums before dividing by them.
pub const EPS: f64 = 1e-6;
/// Smaller norms count as this one.
const LEAST_NORM: f64 = 1e-12;

/// Groups of similarities, quantized.
#[derive(Debug)]
pub struct Encoded {
    /// Values of the levels, [G, N].
    pub levels: Tensor,
    /// What each value fires, `1 - |level - value|` inside the level's window and 0 outside, [G, K, N]; with [`Window::Hat`] the
    /// distance is in steps.
    pub encoding: Tensor,
}

/// Quantizes `values` [G, K] f32 into `count` levels.
///
/// The windows are constants to autograd; inside them the gradient reaches the values and, through the levels, the group's
/// least and greatest value (shared equally among ties).
pub fn encode(values: &Tensor, count: i64, choice: &Qco) -> Encoded {
    let least = values.amin([1], true); // [G, 1]
    let step = (values.amax([1], true) - &least) / count as f64; // [G, 1]
    let first = match choice.levels {
        Levels::Midpoint => 0.5,
        Levels::Endpoint => 1.0,
    };
    let number = Tensor::arange(count, (Kind::Float, values.device()));
    let levels = &least + (&number + first) * &step; // [G, N]
    let offset = levels.unsqueeze(1) - values.unsqueeze(2); // [G, K, N]
    let distance = offset.abs();
    let width = step.detach().clamp_min(LEAST_STEP).unsqueeze(2); // [G, 1, 1]
    let outside = match (choice.window, choice.levels) {
        (Window::Hat, _) => return Encoded { levels, encoding: (1.0f64 - distance / width).relu() },
        (Window::Full, _) => distance.detach().ge_tensor(&width),
        (Window::Half, Levels::Midpoint) => {
            // Plain binning, so that the least value has a bin too.
            let bin = ((values.detach() - least.detach()) / width.squeeze_dim(2)).floor().clamp_max((count - 1) as f64); // [G, K]
            bin.unsqueeze(2).ne_tensor(&number)
        }
        (Window::Half, Levels::Endpoint) => {
            let (offset, half) = (offset.detach(), &width * 0.5);
            offset.lt_tensor(&-&half).logical_or(&offset.ge_tensor(&half))
        }
    };
    let encoding = (1.0f64 - distance).masked_fill(&outside, 0.0);
    Encoded { levels, encoding }
}

impl Encoded {
    /// How much each level fired, as shares of the group's whole: [G, N].
    pub fn shares(&self) -> Tensor {
        let counts = self.encoding.sum_dim_intlist([1i64].as_slice(), false, None::<Kind>); // [G, N]
        &counts / (counts.sum_dim_intlist([1i64].as_slice(), true, None::<Kind>) + EPS)
    }
}

/// Length of the vectors in the last dimension, [..., C] to [..., 1]; a zero vector has a zero gradient.
pub fn norm(x: &Tensor) -> Tensor {
    x.norm_scalaropt_dim(2.0, [-1i64].as_slice(), true)
}

/// `x` [..., C] divided by its length.
pub fn unit(x: &Tensor) -> Tensor {
    x / norm(x).clamp_min(LEAST_NORM)
}

/// `dot / norm`, the cosine to a unit vector; 0 with a zero gradient where the norm is 0 (there 1 / 1e-12 would blow it up).
pub fn cosine(dot: &Tensor, norm: &Tensor) -> Tensor {
    (dot / norm.clamp_min(LEAST_NORM)).masked_fill(&norm.eq(0.0), 0.0)
}
