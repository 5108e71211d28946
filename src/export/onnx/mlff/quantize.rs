//! Similarities in levels and their encoding: each group (an image, or a region) has its own levels over the range of its values.

use crate::config::{Levels, Qco, Window};
use crate::export::onnx::graph::{Graph, Value};
use crate::weights::Tensor;

/// Least half-width of a window.
const LEAST_STEP: f32 = 1e-6;
/// Added to sums before dividing by them.
pub const EPS: f32 = 1e-6;
/// Smaller norms count as this one.
const LEAST_NORM: f32 = 1e-12;

/// Groups of similarities, quantized.
pub struct Encoded {
    /// [G, N]
    pub levels: Value,
    /// [G, K, N]
    pub encoding: Value,
}

/// Quantizes `values` [G, K] into `count` levels.
pub fn encode(g: &Graph, values: &Value, count: usize, choice: &Qco) -> Encoded {
    let (groups, members) = (values.size(0), values.size(1));
    let least = g.reduce("ReduceMin", values, &[1]);
    let step = g.div(&g.sub(&g.reduce("ReduceMax", values, &[1]), &least), &g.number(count as f32));
    let first = match choice.levels {
        Levels::Midpoint => 0.5,
        Levels::Endpoint => 1.0,
    };
    let row = |from: f32| g.constant(Tensor { shape: vec![count], data: (0..count).map(|n| n as f32 + from).collect() });
    let levels = g.add(&least, &g.mul(&row(first), &step));
    let offset = g.sub(&g.reshape(&levels, &[groups, 1, count]), &g.reshape(values, &[groups, members, 1]));
    let distance = g.each("Abs", &offset);
    let width = g.at_least(&step, LEAST_STEP);
    let outside = match (choice.window, choice.levels) {
        (Window::Hat, _) => {
            let steps = g.div(&distance, &g.reshape(&width, &[groups, 1, 1]));
            return Encoded { levels, encoding: g.relu(&g.sub(&g.number(1.0), &steps)) };
        }
        (Window::Full, _) => g.compare("GreaterOrEqual", &distance, &g.reshape(&width, &[groups, 1, 1])),
        (Window::Half, Levels::Midpoint) => {
            let bin = g.clip(&g.each("Floor", &g.div(&g.sub(values, &least), &width)), 0.0, (count - 1) as f32);
            let bin = g.reshape(&bin, &[groups, members, 1]);
            g.or(&g.compare("Less", &bin, &row(0.0)), &g.compare("Less", &row(0.0), &bin))
        }
        (Window::Half, Levels::Endpoint) => {
            let half = g.mul(&g.reshape(&width, &[groups, 1, 1]), &g.number(0.5));
            let below = g.compare("Less", &offset, &g.mul(&half, &g.number(-1.0)));
            g.or(&below, &g.compare("GreaterOrEqual", &offset, &half))
        }
    };
    let encoding = g.zero_where(&outside, &g.sub(&g.number(1.0), &distance));
    Encoded { levels, encoding }
}

/// The cosine of each of `rows` [G, K, C] with the mean of its group [G, 1, C]: [G, K]; 0 where a row is.
pub fn similarities(g: &Graph, rows: &Value, mean: &Value) -> Value {
    let unit = g.div(mean, &g.at_least(&g.reduce("ReduceL2", mean, &[2]), LEAST_NORM));
    let dots = g.matmul(rows, &g.transpose(&unit, &[0, 2, 1])); // [G, K, 1]
    let norms = g.reduce("ReduceL2", rows, &[2]);
    let cosine = g.div(&dots, &g.at_least(&norms, LEAST_NORM));
    let cosine = g.zero_where(&g.compare("Equal", &norms, &g.number(0.0)), &cosine);
    g.reshape(&cosine, &[rows.size(0), rows.size(1)])
}

/// `x` divided by its sum over `axes`.
pub fn shares(g: &Graph, x: &Value, axes: &[usize]) -> Value {
    g.div(x, &g.add(&g.reduce("ReduceSum", x, axes), &g.number(EPS)))
}
