//! Holm's step-down adjustment of several p values (Holm 1979): the chance of any false finding among them stays below the
//! level, whatever their dependence.

use super::smallest_sign_flip_p;

/// Adjusted p values, in the order given: the k-th smallest times the number of those not smaller, never less than the one
/// before it, at most 1. `comparisons` is how many were planned: those without a p count as larger than all that
/// there are, so that what is said of some of them holds when the rest come.
pub fn holm(p: &[f64], comparisons: usize) -> Vec<f64> {
    let count = comparisons.max(p.len());
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut least = 0.0_f64;
    for (rank, &i) in order.iter().enumerate() {
        least = least.max(p[i] * (count - rank) as f64).min(1.0);
        adjusted[i] = least;
    }
    adjusted
}

/// The least adjusted p that the sign-flip test of so many pairs can reach among so many comparisons: above the level nothing
/// can be found, however large.
pub fn smallest_p(pairs: usize, comparisons: usize) -> f64 {
    (smallest_sign_flip_p(pairs) * comparisons.max(1) as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By the definition: the largest of `(m - j) p_j` over those not larger.
    fn slow(p: &[f64]) -> Vec<f64> {
        let mut sorted = p.to_vec();
        sorted.sort_by(f64::total_cmp);
        let one = |x: &f64| {
            let scaled = sorted.iter().enumerate().filter(|(_, q)| *q <= x).map(|(j, q)| q * (p.len() - j) as f64);
            scaled.fold(0.0, f64::max).min(1.0)
        };
        p.iter().map(one).collect()
    }

    #[test]
    fn adjusted_values_are_those_computed_by_hand() {
        // 4 x 0.005, 3 x 0.01, then 2 x 0.03, and 1 x 0.04 raised to the one before it.
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005], 4);
        assert!(adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]).all(|(a, e)| (a - e).abs() < 1e-15), "{adjusted:?}");
        assert_eq!((holm(&[], 3), holm(&[0.2], 1), holm(&[0.6, 0.7], 0)), (vec![], vec![0.2], vec![1.0, 1.0]));
    }

    #[test]
    fn few_pairs_cannot_reach_a_small_p() {
        assert_eq!([smallest_p(6, 4), smallest_p(12, 4), smallest_p(3, 4), smallest_p(0, 0)], [0.125, 0.001953125, 1.0, 1.0]);
    }

    proptest! {
        #[test]
        fn adjustment_only_raises_keeps_the_order_and_follows_its_definition(p in prop::collection::vec(0.0..=1.0f64, 0..12), turn in 0usize..12) {
            let adjusted = holm(&p, p.len());
            prop_assert_eq!(&adjusted, &slow(&p));
            for i in 0..p.len() {
                prop_assert!(p[i] <= adjusted[i] && adjusted[i] <= 1.0);
                prop_assert!((0..p.len()).all(|j| p[i] > p[j] || adjusted[i] <= adjusted[j]));
            }
            let more: Vec<f64> = p.iter().copied().chain([1.0; 3]).collect();
            prop_assert_eq!(&holm(&p, p.len() + 3)[..], &holm(&more, 0)[..p.len()], "those without a p count as 1");
            let turn = turn % p.len().max(1);
            let (mut turned, mut expected) = (p.clone(), adjusted);
            turned.rotate_left(turn);
            expected.rotate_left(turn);
            prop_assert_eq!(holm(&turned, p.len()), expected);
        }
    }
}
