//! A coreset by the greedy k-centre rule: each next member is the point that is farthest from all members so far, which is at
//! most twice as far from the best possible cover (Gonzalez 1985).
//!
//! Distances are squared and by norms and products in f32: their error, about 1e-6 of the points' spread, can only swap points
//! that are as far. Cost: one pass over all points a member.

use harness::Result;
use tch::{Kind, Tensor};

/// Members between two questions to `between`.
const PATIENCE: usize = 32;

/// Indices of `count` of the `points` [M, D] f32 in order of choice, the first given; `between` is asked now and then.
///
/// # Errors
/// What `between` returns.
pub fn choose(points: &Tensor, count: usize, first: i64, between: &mut dyn FnMut() -> Result<()>) -> Result<Vec<i64>> {
    let points = points - points.mean_dim([0i64].as_slice(), true, Kind::Float); // [M, D]
    let norms = points.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float); // [M]
    let m = norms.size()[0];
    let mut farness = Tensor::full([m], f64::INFINITY, (Kind::Float, points.device())); // [M]
    let (mut members, mut next) = (Vec::with_capacity(count), first);
    while members.len() < count.min(m as usize) {
        if members.len() % PATIENCE == 0 {
            between()?;
        }
        members.push(next);
        let squared = &norms + norms.get(next) - points.mv(&points.get(next)) * 2.0; // [M]
        farness = farness.minimum(&squared);
        // A member is never the farthest, whatever rounding says.
        let _ = farness.get(next).fill_(f64::NEG_INFINITY);
        next = farness.argmax(None, false).int64_value(&[]);
    }
    Ok(members)
}

/// A random projection [from, to] of signs over sqrt(to), which keeps distances in expectation (Achlioptas 2003).
pub fn projection(from: i64, to: i64, seed: u64) -> Tensor {
    use rand::Rng;
    let mut stream = harness::seed::stream(seed, "nearest/projection", 0, 0);
    let length = 1.0 / (to as f32).sqrt();
    let signs: Vec<f32> = (0..from * to).map(|_| if stream.next_u32() >> 31 == 0 { length } else { -length }).collect();
    Tensor::from_slice(&signs).view([from, to])
}
