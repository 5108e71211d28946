//! Distances to the memory against brute force, and the image's weight against its formula.

use harness_torch::detector::nearest::Memory;
use proptest::prelude::*;
use tch::Tensor;

use super::{noise, one_thread, rows, squared, values};

/// Exponentials as they are written, in f64.
fn slow_weight(members: &[Vec<f64>], patch: &[f64], index: usize, b: usize) -> f64 {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|&i, &j| squared(&members[i], &members[index]).total_cmp(&squared(&members[j], &members[index])));
    let sum: f64 = order.iter().take(b).map(|&i| squared(&members[i], patch).sqrt().exp()).sum();
    1.0 - squared(&members[index], patch).sqrt().exp() / sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_nearest_member_is_that_of_brute_force(k in 1..50i64, q in 1..30i64, d in 1..40i64, offset in -20.0..20.0f64, seed: u64) {
        one_thread();
        // Far from the origin, where norms and products cancel.
        let (members, queries) = (noise(&[k, d], seed) + offset, noise(&[q, d], seed ^ 1) + offset);
        let (distances, indices) = Memory::new(members.shallow_clone()).nearest(&queries);
        let (members, queries) = (rows(&members), rows(&queries));
        for ((distance, index), query) in values(&distances).into_iter().zip(values(&indices)).zip(&queries) {
            let least = members.iter().map(|m| squared(m, query).sqrt()).fold(f64::INFINITY, f64::min);
            prop_assert!((distance - least).abs() <= 1e-4 * least + 1e-6, "{distance} against {least}");
            prop_assert!((squared(&members[index as usize], query).sqrt() - distance).abs() <= 1e-4 * distance + 1e-6);
        }
    }

    #[test]
    fn the_weight_is_its_formula(k in 2..40i64, d in 1..20i64, b in 2..50i64, seed: u64) {
        one_thread();
        let (members, patch) = (noise(&[k, d], seed), noise(&[1, d], seed ^ 1) * 2.0);
        let memory = Memory::new(members.shallow_clone());
        let (distance, index) = memory.nearest(&patch);
        let index = index.int64_value(&[0]);
        let fast = memory.weight(&patch.get(0), index, distance.double_value(&[0]), b);
        let slow = slow_weight(&rows(&members), &values(&patch), index as usize, b as usize);
        prop_assert!((fast - slow).abs() < 1e-5 && (0.0..1.0).contains(&fast), "{fast} against {slow}");
    }
}

#[test]
fn a_member_is_at_no_distance_from_the_memory() {
    one_thread();
    let members = noise(&[300, 64], 1) * 5.0 + 100.0;
    let (distances, indices) = Memory::new(members.shallow_clone()).nearest(&members);
    assert_eq!(distances.abs().max().double_value(&[]), 0.0);
    assert!(indices.equal(&Tensor::arange(300, (tch::Kind::Int64, tch::Device::Cpu))));
}

#[test]
fn distances_far_beyond_the_range_of_exp_still_give_a_weight() {
    one_thread();
    let memory = Memory::new(noise(&[20, 8], 2));
    let patch = noise(&[1, 8], 3) + 5000.0;
    let (distance, index) = memory.nearest(&patch);
    let weight = memory.weight(&patch.get(0), index.int64_value(&[0]), distance.double_value(&[0]), 9);
    assert!((0.0..=1.0).contains(&weight), "{weight}");
}
