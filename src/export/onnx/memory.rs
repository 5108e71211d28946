//! The nearest of remembered members: looked for with one product, the few best measured again by their differences.

use super::graph::{Graph, Value};
use crate::weights::Tensor;

/// Members that are measured again.
const CANDIDATES: usize = 4;
/// Entries of the largest table of distances that is made at once.
const TABLE: usize = 1 << 24;

pub struct Memory<'a> {
    g: &'a Graph,
    /// [K, D]
    members: Value,
    /// Squared norms, `[K]`.
    norms: Value,
}

/// What is nearest to each of Q queries.
pub struct Found {
    /// [Q, 1]
    pub distance: Value,
    /// [Q, 1]
    pub index: Value,
}

impl<'a> Memory<'a> {
    /// Remembers `members` [K, D].
    pub fn new(g: &'a Graph, members: Tensor) -> Self {
        let squared = |row: &[f32]| row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() as f32;
        let norms: Vec<f32> = members.data.chunks_exact(members.shape[1]).map(squared).collect();
        let norms = g.constant(Tensor { shape: vec![members.shape[0]], data: norms });
        Self { g, members: g.constant(members), norms }
    }

    /// The nearest member of each of `queries` [Q, D], some queries at a time.
    pub fn nearest(&self, queries: &Value) -> Found {
        let (g, count) = (self.g, queries.size(0));
        let at_once = (TABLE / self.members.size(0)).clamp(1, count);
        let (mut distances, mut indices) = (vec![], vec![]);
        for first in (0..count).step_by(at_once) {
            let some = if at_once == count { queries.clone() } else { g.slice(queries, 0, first..(first + at_once).min(count), 1) };
            let best = g.least(&self.ranking(&some), CANDIDATES.min(self.members.size(0)));
            let measured = self.measured(&some, &best);
            distances.push(g.reduce("ReduceMin", &measured, &[1]));
            indices.push(g.pick(&best, &g.place("ArgMin", &measured, 1)));
        }
        let joined = |parts: Vec<Value>| match parts.as_slice() {
            [one] => one.clone(),
            _ => g.concat(&parts.iter().collect::<Vec<_>>(), 0),
        };
        Found { distance: joined(distances), index: joined(indices) }
    }

    /// The weight of an image (Roth et al. 2022, Eq. 7) by its most distant patch: `[1, 1]`; `neighbours` is b.
    pub fn weight(&self, queries: &Value, found: &Found, neighbours: usize) -> Value {
        let g = self.g;
        let worst = g.reshape(&g.place("ArgMax", &found.distance, 0), &[1]);
        let (patch, distance) = (g.gather(queries, &worst, 0), g.gather(&found.distance, &worst, 0)); // [1, D], [1, 1]
        let index = g.gather(&found.index, &worst, 0); // [1, 1]
        let member = g.gather(&self.members, &g.reshape(&index, &[1]), 0); // [1, D]
        // The member is its own first neighbour, whatever rounding says.
        let ranking = g.put(&self.ranking(&member), &index, f32::NEG_INFINITY);
        let around = self.measured(&patch, &g.least(&ranking, neighbours.min(self.members.size(0)))); // [1, b]
        let whole = g.reduce("ReduceLogSumExp", &around, &[1]);
        g.sub(&g.number(1.0), &g.each("Exp", &g.sub(&distance, &whole)))
    }

    /// Squared distances of `queries` [Q, D] from all members but for the queries' own norms: [Q, K].
    fn ranking(&self, queries: &Value) -> Value {
        self.g.affine(queries, &self.members, &self.norms, -2.0)
    }

    /// Distances [Q, c] of queries from their `candidates` [Q, c].
    fn measured(&self, queries: &Value, candidates: &Value) -> Value {
        let (g, [q, d]) = (self.g, [queries.size(0), queries.size(1)]);
        let apart = g.sub(&g.gather(&self.members, candidates, 0), &g.reshape(queries, &[q, 1, d]));
        let squared = g.reduce("ReduceSum", &g.square(&apart), &[2]);
        g.reshape(&g.each("Sqrt", &squared), &[q, candidates.size(1)])
    }
}
