//! The greedy coreset against the rule as it is written.

use harness_torch::detector::nearest::{choose, projection};
use proptest::prelude::*;
use tch::Tensor;

use super::{never, noise, one_thread, rows, squared};

/// Every distance anew for every member.
fn slow(points: &Tensor, count: usize, first: usize) -> Vec<i64> {
    let points = rows(points);
    let mut members = vec![first];
    while members.len() < count.min(points.len()) {
        let far = |i: usize| members.iter().map(|&m| squared(&points[i], &points[m])).fold(f64::INFINITY, f64::min);
        let next = (0..points.len()).filter(|i| !members.contains(i)).max_by(|&a, &b| far(a).total_cmp(&far(b)));
        members.push(next.expect("not all are members"));
    }
    members.into_iter().map(|m| m as i64).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_coreset_is_that_of_the_rule(m in 1..60i64, d in 2..9i64, count in 1..70usize, seed: u64) {
        one_thread();
        let points = noise(&[m, d], seed) * 3.0 + 10.0;
        let first = (seed % m as u64) as i64;
        let members = choose(&points, count, first, &mut never()).unwrap();
        prop_assert_eq!(members, slow(&points, count, first as usize));
    }
}

#[test]
fn no_point_is_chosen_twice_even_among_equal_ones() {
    one_thread();
    let points = Tensor::cat(&[noise(&[1, 4], 1), noise(&[1, 4], 2)], 0).repeat([10, 1]);
    let mut members = choose(&points, 20, 3, &mut never()).unwrap();
    members.sort_unstable();
    assert_eq!(members, (0..20).collect::<Vec<i64>>());
    assert_eq!(choose(&points, 2, 0, &mut never()).unwrap()[1] % 2, 1);
}

#[test]
fn a_projection_keeps_distances_and_depends_on_the_seed_alone() {
    one_thread();
    let points = noise(&[40, 1024], 3);
    let projected = points.matmul(&projection(1024, 128, 5));
    let (full, short) = (rows(&points), rows(&projected));
    let ratios: Vec<f64> = (0..39).map(|i| (squared(&short[i], &short[i + 1]) / squared(&full[i], &full[i + 1])).sqrt()).collect();
    // The deviation of a squared length over 128 signs is sqrt(2 / 128) = 0.125 of it, of a length half that.
    assert!(ratios.iter().all(|r| (r - 1.0).abs() < 5.0 * 0.0625), "{ratios:?}");
    assert!(projection(64, 8, 5).equal(&projection(64, 8, 5)) && !projection(64, 8, 5).equal(&projection(64, 8, 6)));
}
