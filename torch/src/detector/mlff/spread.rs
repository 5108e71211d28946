//! How the map that a row is scored by spreads over normal and over anomalous cells in training: curves to look at, no part of a loss.

use harness::config::Loss;
use tch::{Kind, Tensor};

use super::loss::{activate, distance};
use super::model::Output;
use crate::train::Terms;

/// 5 %, median and 95 %.
const QUANTILES: [f64; 3] = [0.05, 0.5, 0.95];

/// Names of the statistics: of normal cells, then of anomalous ones.
const OF_SCORES: [[&str; 3]; 2] =
    [["S_normal_p05", "S_normal_p50", "S_normal_p95"], ["S_anomalous_p05", "S_anomalous_p50", "S_anomalous_p95"]];
const OF_DISTANCES: [[&str; 3]; 2] =
    [["A_normal_p05", "A_normal_p50", "A_normal_p95"], ["A_anomalous_p05", "A_anomalous_p50", "A_anomalous_p95"]];

/// The terms with the quantiles of S over a batch's cells, or of A without the score constraint: of the map that scores an image. Not
/// finite where a batch lacks such cells.
pub fn with_spread(terms: Terms, out: &Output, mask: &Tensor, cfg: &Loss) -> Terms {
    let _guard = tch::no_grad_guard();
    let (map, names) = match &out.scores {
        Some(scores) if cfg.score.enabled => (activate(scores, cfg.score.activation), OF_SCORES),
        _ => (distance(&out.features), OF_DISTANCES),
    };
    let [_, _, h, w] = map.size()[..] else { unreachable!("a map has four dimensions") };
    let anomalous = mask.to_kind(Kind::Float).adaptive_max_pool2d([h, w]).0.gt(0.5);
    [anomalous.logical_not(), anomalous].iter().zip(names).fold(terms, |terms, (cells, names)| {
        let quantiles = quantiles(&map, cells);
        (0..3).fold(terms, |terms, i| terms.with_statistic(names[i], &quantiles.get(i as i64)))
    })
}

/// [`QUANTILES`] of the cells of `map` at which `chosen` holds, each the value of the nearest rank: [3]; infinite where there is none.
/// Nothing is read on the host, nor copied to the device.
fn quantiles(map: &Tensor, chosen: &Tensor) -> Tensor {
    let values = map.where_scalarother(chosen, f64::INFINITY).flatten(0, -1).sort(0, false).0;
    let last = chosen.sum(Kind::Double) - 1.0;
    let ranks = QUANTILES.map(|quantile| (&last * quantile).round().clamp_min(0.0));
    values.gather(0, &Tensor::stack(&ranks, 0).to_kind(Kind::Int64), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_chosen_cells_alone() {
        let map = Tensor::from_slice(&[9.0_f32, 3.0, 1.0, 2.0, -7.0, 5.0]).view([1, 1, 2, 3]);
        let of = |chosen: [bool; 6]| Vec::<f32>::try_from(quantiles(&map, &Tensor::from_slice(&chosen).view([1, 1, 2, 3]))).unwrap();
        assert_eq!(of([false, true, true, true, false, false]), [1.0, 2.0, 3.0]);
        assert_eq!(of([true; 6]), [-7.0, 2.0, 9.0]);
        assert_eq!(of([false, false, false, false, true, false]), [-7.0; 3]);
        assert!(of([false; 6]).iter().all(|q| q.is_infinite()));
    }
}
