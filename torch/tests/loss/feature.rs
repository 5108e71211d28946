//! The feature constraint against its slow twin, and the invariants that it must keep.

use crate::slow::{self, Map, assert_all_near, assert_near, defaults, value, values, with_gradient};
use harness::config::{Feature, Scope};
use harness_torch::detector::mlff::loss::{distance, feature};
use proptest::prelude::*;
use tch::{Kind, Tensor};

fn exact() -> Feature {
    Feature { eps: 0.0, ..defaults().feature }
}

/// The loss of features, through the distance, in float64.
fn loss(psi: &Map, mask: &Map, cfg: &Feature) -> f64 {
    value(&feature(&distance(&psi.tensor()), &mask.tensor(), cfg))
}

/// One row of pixels with the given distances.
fn row(a: &[f64]) -> Map {
    Map { size: [1, 1, 1, a.len()], data: a.to_vec() }
}

fn both_classes(mask: &mut Map) {
    mask.data[0] = 0.0;
    *mask.data.last_mut().unwrap() = 1.0;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_agrees_with_its_slow_twin(
        seed: u64, b in 1usize..4, c in 1usize..5, h in 1usize..5, w in 1usize..5,
        share in 0.0..1.0, scale in 0.05..6.0, eps in prop_oneof![Just(0.0), Just(1e-6), Just(0.5)],
        weight in 0.0..1.0, image: bool,
    ) {
        let psi = Map::random(seed, "psi", [b, c, h, w], scale);
        let mask = Map::mask(seed, [b, 1, h, w], share);
        let norm_scope = if image { Scope::Image } else { Scope::Batch };
        let cfg = Feature { eps, single_class_weight: weight, norm_scope };
        let twin = |psi: &Map| slow::feature(&slow::distance(psi), &mask, &cfg);
        let (got, gradient) = with_gradient(&psi, |psi| feature(&distance(psi), &mask.tensor(), &cfg));
        assert_near(got, twin(&psi), 1e-9);
        assert_all_near(&gradient, &slow::differences(&psi, twin), 1e-5);
        let single = value(&feature(&distance(&psi.float()), &mask.float(), &cfg));
        assert_near(single, got, 1e-4);
        prop_assert!(got >= 0.0 && single >= 0.0);
    }

    #[test]
    fn the_distance_lies_between_its_bounds(seed: u64, c in 1usize..6, exponent in -12.0..6.0f64) {
        let psi = Map::random(seed, "psi", [2, c, 3, 3], 10f64.powf(exponent));
        let a = values(&distance(&psi.tensor()));
        for (i, &a) in a.iter().enumerate() {
            let (image, pixel) = (i / 9, i % 9);
            let u: f64 = (0..c).map(|k| psi.at(image, k, pixel / 3, pixel % 3).powi(2)).sum();
            let slack = 1e-12 * (1.0 + a);
            prop_assert!(u.sqrt() - 1.0 <= a + slack && a <= u.sqrt().min(u / 2.0) * (1.0 + 1e-12) && a > 0.0);
        }
    }

    #[test]
    fn it_does_not_depend_on_the_order_of_pixels_or_on_an_orthogonal_transform(seed: u64, c in 1usize..5, share in 0.1..0.9) {
        let (psi, mask) = (Map::random(seed, "psi", [2, c, 3, 4], 3.0), Map::mask(seed, [2, 1, 3, 4], share));
        let (f, y) = (psi.tensor(), mask.tensor());
        let before = loss(&psi, &mask, &exact());
        let order = Tensor::from_slice(&[7i64, 2, 11, 0, 5, 9, 1, 10, 3, 8, 6, 4]);
        let shuffled = |t: &Tensor| t.flatten(2, 3).index_select(2, &order).reshape(t.size());
        assert_near(value(&feature(&distance(&shuffled(&f)), &shuffled(&y), &exact())), before, 1e-9);
        // A Householder reflection of the channels
        let v = Map::random(seed, "v", [1, c, 1, 1], 1.0).tensor();
        let reflected = &f - &v * (&f * &v).sum_dim_intlist([1].as_slice(), true, None) * 2.0 / (&v * &v).sum(Kind::Double);
        assert_near(value(&feature(&distance(&reflected), &y, &exact())), before, 1e-9);
    }

    #[test]
    fn longer_normal_features_cost_more_and_longer_anomalous_ones_less(seed: u64, grow in 1.01..3.0) {
        let mut mask = Map::mask(seed, [1, 1, 2, 4], 0.5);
        both_classes(&mut mask);
        let psi = Map::random(seed, "psi", [1, 3, 2, 4], 1.5);
        let before = loss(&psi, &mask, &exact());
        for pixel in 0..8 {
            let mut longer = psi.clone();
            (0..3).for_each(|c| longer.data[c * 8 + pixel] *= grow);
            let after = loss(&longer, &mask, &exact());
            prop_assert_eq!(after > before, mask.data[pixel] == 0.0);
            prop_assert_ne!(after, before);
        }
    }

    #[test]
    fn replicating_all_or_only_anomalous_pixels_changes_nothing(seed: u64, times in 2usize..5) {
        let mut mask = Map::mask(seed, [1, 1, 1, 9], 0.5);
        both_classes(&mut mask);
        let a = Map::random(seed, "a", [1, 1, 1, 9], 4.0).map(|a| a.abs() + 0.01);
        let before = slow::feature(&a, &mask, &exact());
        let replicated = |which: &dyn Fn(f64) -> bool| {
            let copies = |i: &usize| if which(mask.data[*i]) { times } else { 1 };
            let pixels: Vec<usize> = (0..9).flat_map(|i| std::iter::repeat_n(i, copies(&i))).collect();
            let of = |map: &Map| row(&pixels.iter().map(|&i| map.data[i]).collect::<Vec<_>>()).tensor();
            value(&feature(&of(&a), &of(&mask), &exact()))
        };
        assert_near(replicated(&|_| true), before, 1e-9);
        assert_near(replicated(&|y| y == 1.0), before, 1e-9);
    }

    #[test]
    fn pixels_at_one_distance_cost_at_least_ln_2(a in 1e-3..20.0f64) {
        let mask = row(&[0.0, 1.0, 0.0]).tensor();
        let at = |a: f64| value(&feature(&row(&[a; 3]).tensor(), &mask, &exact()));
        let ln2 = std::f64::consts::LN_2;
        assert_near(at(a), (a - (1.0 - (-a).exp()).ln()) / 2.0, 1e-9);
        prop_assert!(at(a) >= ln2 - 1e-12);
        assert_near(at(ln2), ln2, 1e-12);
    }

    #[test]
    fn the_naive_formula_gives_the_same_value_where_it_is_accurate(exponent in -3.0..1.477f64) {
        let a = 10f64.powf(exponent);
        let got = value(&feature(&row(&[a]).tensor(), &row(&[1.0]).tensor(), &Feature { single_class_weight: 1.0, ..exact() }));
        let naive = -(1.0 - (-a).exp()).ln();
        // The naive form itself loses digits as exp(-a) nears the rounding of 1.
        prop_assert!((got - naive).abs() <= 1e-9 * naive + 2e-16);
    }

    #[test]
    fn normals_at_the_centre_and_far_anomalies_cost_next_to_nothing(a in 0.5..30.0f64) {
        let l = value(&feature(&row(&[0.0, 0.0, a, a + 1.0]).tensor(), &row(&[0.0, 0.0, 1.0, 1.0]).tensor(), &exact()));
        prop_assert!(l > 0.0 && l <= 0.5 * (-a).exp() / (1.0 - (-a).exp()) * (1.0 + 1e-12));
    }
}

#[test]
fn extreme_features_give_finite_values_and_bounded_gradients() {
    let lengths = [0.0f32, 1e-20, 1e-4, 1.0, 1e4];
    for kind in [Kind::Float, Kind::BFloat16] {
        for eps in [1e-6, 0.0] {
            let psi = Tensor::from_slice(&lengths).repeat([2]).reshape([1, 1, 2, 5]).to_kind(kind);
            let psi = Tensor::cat(&[&psi, &psi.zeros_like()], 1).set_requires_grad(true); // [1, 2, 2, 5]
            let mask = Tensor::from_slice(&[0f32, 0., 0., 0., 0., 1., 1., 1., 1., 1.]).reshape([1, 1, 2, 5]);
            let l = feature(&distance(&psi), &mask, &Feature { eps, ..defaults().feature });
            l.backward();
            let gradient = psi.grad().to_kind(Kind::Double);
            assert!(value(&l).is_finite() && values(&gradient).iter().all(|g| g.is_finite()), "{kind:?} {eps}");
            if eps > 0.0 {
                let norms = values(&gradient.square().sum_dim_intlist([1].as_slice(), false, None).sqrt());
                assert!(norms[5..].iter().all(|&n| n <= 708.0 / (2.0 * 5.0)), "{norms:?}");
            }
        }
    }
}

#[test]
fn the_distance_of_tiny_features_is_not_rounded_to_zero() {
    let a = value(&distance(&Tensor::from_slice(&[1e-5f32]).reshape([1, 1, 1, 1])).sum(Kind::Float));
    assert!((a / 0.5e-10 - 1.0).abs() < 1e-6, "{a}");
}

#[test]
fn a_missing_class_leaves_the_other_with_its_own_weight() {
    let a = row(&[1.0, 3.0]).tensor();
    let cfg = Feature { single_class_weight: 0.25, ..exact() };
    assert_near(value(&feature(&a, &row(&[0.0, 0.0]).tensor(), &cfg)), 0.25 * 2.0, 1e-12);
    let barrier = |a: f64| -(1.0 - (-a).exp()).ln();
    assert_near(value(&feature(&a, &row(&[1.0, 1.0]).tensor(), &cfg)), 0.25 * (barrier(1.0) + barrier(3.0)) / 2.0, 1e-12);
}

#[test]
fn an_empty_batch_costs_a_zero_that_has_a_gradient() {
    for norm_scope in [Scope::Batch, Scope::Image] {
        let psi = Tensor::zeros([0, 3, 2, 2], (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
        let mask = Tensor::zeros([0, 1, 2, 2], (Kind::Float, tch::Device::Cpu));
        let l = feature(&distance(&psi), &mask, &Feature { norm_scope, ..defaults().feature });
        l.backward();
        assert_eq!((value(&l), psi.grad().size()), (0.0, vec![0, 3, 2, 2]));
    }
}
