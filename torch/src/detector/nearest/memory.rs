//! What is remembered, and how far a patch is from it.
//!
//! The nearest member is looked for with one matrix product in f32; the few best by that are then measured again by their
//! differences. So distances carry no cancellation: a member's own is exactly zero.

use tch::{Kind, Tensor};

/// Members that are measured again.
const CANDIDATES: i64 = 4;

/// Entries of the largest table of distances that is made at once.
const TABLE: i64 = 1 << 24;

#[derive(Debug)]
pub struct Memory {
    /// [K, D]
    pub members: Tensor,
    /// Squared norms, `[K]`.
    norms: Tensor,
}

impl Memory {
    /// Remembers `members` [K, D] f32, K at least 1.
    pub fn new(members: Tensor) -> Self {
        let norms = members.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Double).to_kind(Kind::Float);
        Self { members, norms }
    }

    /// Distance and index of the nearest member, `[Q]` each, of `queries` [Q, D].
    pub fn nearest(&self, queries: &Tensor) -> (Tensor, Tensor) {
        let (k, rows) = (self.members.size()[0], queries.size()[0]);
        let at_once = (TABLE / k).clamp(1, rows.max(1));
        let (mut distances, mut indices) = (vec![], vec![]);
        for first in (0..rows).step_by(at_once as usize) {
            let some = queries.narrow(0, first, at_once.min(rows - first)); // [q, D]
            let (_, best) = self.ranking(&some).topk(CANDIDATES.min(k), 1, false, true); // [q, c]
            let (distance, place) = self.measured(&some, &best).min_dim(1, true); // [q, 1]
            distances.push(distance.squeeze_dim(1));
            indices.push(best.gather(1, &place, false).squeeze_dim(1));
        }
        (Tensor::cat(&distances, 0), Tensor::cat(&indices, 0))
    }

    /// The weight of an image whose most distant patch is `patch` `[D]`, `distance` away from the member `index`:
    /// `1 - exp(distance) / sum of exp(distances from the patch to the member's own b neighbours, itself included)`
    /// (Roth et al. 2022, Eq. 7), computed without overflow. Near 1 where the neighbours are far from the patch.
    pub fn weight(&self, patch: &Tensor, index: i64, distance: f64, b: i64) -> f64 {
        let member = self.members.get(index).unsqueeze(0); // [1, D]
        let ranking = self.ranking(&member); // [1, K]
        // The member is its own first neighbour, whatever rounding says.
        let _ = ranking.get(0).get(index).fill_(f64::NEG_INFINITY);
        let (_, neighbours) = ranking.topk(b.min(self.members.size()[0]), 1, false, true); // [1, b]
        let around = self.measured(&patch.unsqueeze(0), &neighbours).to_kind(Kind::Double); // [1, b]
        1.0 - (distance - around.logsumexp([1i64].as_slice(), false).double_value(&[0])).exp()
    }

    /// Squared distances but for the query's own norm: [q, K].
    fn ranking(&self, queries: &Tensor) -> Tensor {
        &self.norms - queries.matmul(&self.members.tr()) * 2.0
    }

    /// Distances [q, c] of `queries` [q, D] from their `candidates` [q, c].
    fn measured(&self, queries: &Tensor, candidates: &Tensor) -> Tensor {
        let (q, c) = candidates.size2().expect("candidates are [q, c]");
        let members = self.members.index_select(0, &candidates.reshape([-1])).view([q, c, -1]); // [q, c, D]
        (members - queries.unsqueeze(1)).square().sum_dim_intlist([2i64].as_slice(), false, Kind::Float).sqrt()
    }
}
