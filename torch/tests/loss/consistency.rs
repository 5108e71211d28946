//! The consistency constraint against its slow twin, and the invariants that it must keep.

use crate::slow::{self, Map, assert_all_near, assert_near, defaults, value, values, with_gradient};
use harness::config::*;
use harness_torch::detector::mlff::loss::{RowEntropies, consistency};
use proptest::prelude::*;
use tch::{Kind, Tensor};

fn defaults_of() -> Consistency {
    defaults().consistency
}

fn loss(f: &Map, z: &Map, mask: &Map, cfg: &Consistency) -> f64 {
    value(&consistency(&f.tensor(), &z.tensor(), &mask.tensor(), cfg).unwrap().0)
}

/// Value and gradients with respect to features and scores, in float64.
fn gradients(f: &Map, z: &Map, mask: &Map, cfg: &Consistency) -> (f64, Vec<f64>, Vec<f64>) {
    let (f, z) = (f.tensor().set_requires_grad(true), z.tensor().set_requires_grad(true));
    let (l, _) = consistency(&f, &z, &mask.tensor(), cfg).unwrap();
    l.backward();
    let of = |x: &Tensor| if x.grad().defined() { values(&x.grad()) } else { vec![0.0; x.numel()] };
    (value(&l), of(&f), of(&z))
}

/// Features, scores and a mask that is twice as large.
fn batch(seed: u64, [b, c, h, w]: [usize; 4], share: f64, scale: f64) -> (Map, Map, Map) {
    let mask = Map::mask(seed, [b, 1, 2 * h, 2 * w], share);
    (Map::random(seed, "f", [b, c, h, w], scale), Map::random(seed, "z", [b, 1, h, w], scale), mask)
}

fn clean(b: usize, h: usize, w: usize) -> Map {
    Map { size: [b, 1, h, w], data: vec![0.0; b * h * w] }
}

prop_compose! {
    fn configs()(
        patch in prop_oneof![Just([2, 4]), Just([1, 1]), Just([2, 2]), Just([4, 1])],
        flatten: bool, all: bool, negative: bool, q_p: bool, tau in 0.2..5.0, by_mean: bool, exclude_diagonal: bool, across_images: bool,
    ) -> Consistency {
        Consistency {
            patch, tau, exclude_diagonal, across_images,
            patch_repr: if flatten { PatchRepr::Flatten } else { PatchRepr::Mean },
            scope: if all { ConsistencyScope::NormalPatches } else { ConsistencyScope::NormalImages },
            similarity: if negative { Similarity::NegDistance } else { Similarity::Distance },
            kl: if q_p { KlDirection::QP } else { KlDirection::PQ },
            normalize: if by_mean { DistanceNormalize::MeanDistance } else { DistanceNormalize::None },
            ..defaults_of()
        }
    }
}

/// What float64 allows the loss to be off: a distance d between patches of norm n comes from a Gram matrix, whose rounding moves it
/// by about eps n^2 / d; that is a change of logits. Two patches that happen to lie close together are the whole of it.
fn rounding(map: &Map, cfg: &Consistency) -> f64 {
    let patches = slow::patches(map, cfg);
    let norm2 = patches.iter().map(|p| p.iter().map(|v| v * v).sum::<f64>()).fold(0.0, f64::max);
    let pairs = patches.iter().enumerate().flat_map(|(i, a)| patches[..i].iter().map(move |b| (a, b)));
    let distances: Vec<f64> = pairs.map(|(a, b)| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()).collect();
    let unit = if cfg.normalize == DistanceNormalize::None { 1.0 } else { slow::mean(distances.iter().copied()) };
    let closest = distances.iter().copied().fold(f64::MAX, f64::min).max(1e-7 * norm2.sqrt());
    8.0 * f64::EPSILON * norm2 / closest / (unit * cfg.tau)
}

/// The plain setting in which distances are the logits: one cell a patch, on a map of one row.
fn plain(kl: KlDirection) -> Consistency {
    Consistency { patch: [1, 1], similarity: Similarity::Distance, kl, ..defaults_of() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_agrees_with_its_slow_twin_in_every_setting(seed: u64, b in 1usize..3, c in 1usize..4, share in 0.0..0.4, cfg in configs()) {
        let (f, z, mask) = batch(seed, [b, c, 4, 4], share, 2.0);
        let (got, gf, gz) = gradients(&f, &z, &mask, &cfg);
        let (want, ep, eq) = slow::consistency(&f, &z, &mask, &cfg);
        assert_near(got, want, 1e-9 + rounding(&f, &cfg) + rounding(&z, &cfg));
        prop_assert!(got >= -1e-15);
        assert_all_near(&gz, &slow::differences(&z, |z| slow::consistency(&f, z, &mask, &cfg).0), 1e-5);
        if c == 1 {
            assert_all_near(&gf, &slow::differences(&f, |f| slow::consistency(f, &z, &mask, &cfg).0), 1e-5);
        }
        let (single, RowEntropies { features, scores }) = consistency(&f.float(), &z.float(), &mask.float(), &cfg).unwrap();
        assert_near(value(&single), want, 1e-5);
        assert_near(value(&features), ep, 1e-5);
        assert_near(value(&scores), eq, 1e-5);
        prop_assert!(!features.requires_grad() && !scores.requires_grad());
    }

    #[test]
    fn it_is_zero_when_features_and_scores_relate_alike(seed: u64, cfg in configs(), shift in -9.0..9.0) {
        let (_, z, mask) = batch(seed, [2, 1, 4, 4], 0.1, 2.0);
        assert_near(loss(&z.map(|z| shift - z), &z, &mask, &cfg), 0.0, 1e-9);
    }

    #[test]
    fn a_common_motion_of_the_patches_changes_nothing(seed: u64, cfg in configs(), shift in -50.0..50.0) {
        let (f, z, mask) = batch(seed, [2, 3, 4, 4], 0.1, 2.0);
        let want = loss(&f, &z, &mask, &cfg);
        let moved = [f.map(|f| f + shift), z.map(|z| z + shift)];
        assert_near(loss(&moved[0], &z, &mask, &cfg), want, 1e-9 + rounding(&moved[0], &cfg));
        assert_near(loss(&f, &moved[1], &mask, &cfg), want, 1e-9 + rounding(&moved[1], &cfg));
        assert_near(loss(&f, &z.map(|z| -z), &mask, &cfg), want, 1e-9);
        // A Householder reflection of the channels, which is orthogonal on flattened patches and on means
        let (t, v) = (f.tensor(), Map::random(seed, "v", [1, 3, 1, 1], 1.0).tensor());
        let reflected = &t - &v * (&t * &v).sum_dim_intlist([1].as_slice(), true, None) * 2.0 / (&v * &v).sum(Kind::Double);
        let got = value(&consistency(&reflected, &z.tensor(), &mask.tensor(), &cfg).unwrap().0);
        assert_near(got, want, 1e-9 + rounding(&f, &cfg));
    }

    #[test]
    fn the_order_of_patches_does_not_matter(seed: u64, cfg in configs()) {
        // Rows of patches and columns of patches are moved, the mask with them.
        let cfg = Consistency { patch: [1, 2], ..cfg };
        let (f, z, mask) = batch(seed, [2, 2, 3, 6], 0.1, 2.0);
        let moved = |map: &Map, scale: i64| {
            let blocks = |order: &[i64], n: i64| Tensor::from_slice(&order.iter().flat_map(|&o| (0..n).map(move |i| o * n + i)).collect::<Vec<_>>());
            map.tensor().index_select(2, &blocks(&[2, 0, 1], scale)).index_select(3, &blocks(&[1, 2, 0], 2 * scale))
        };
        let got = consistency(&moved(&f, 1), &moved(&z, 1), &moved(&mask, 2), &cfg).unwrap().0;
        assert_near(value(&got), loss(&f, &z, &mask, &cfg), 1e-9 + rounding(&f, &cfg) + rounding(&z, &cfg));
    }

    #[test]
    fn it_stays_below_hoeffdings_bound(seed: u64, scale in 0.1..5.0, q_p: bool) {
        let (f, z) = (Map::random(seed, "f", [1, 3, 1, 7], scale), Map::random(seed, "z", [1, 1, 1, 7], scale));
        let kl = loss(&f, &z, &clean(1, 1, 7), &plain(if q_p { KlDirection::QP } else { KlDirection::PQ }));
        let p = |i: usize, j: usize| (0..3).map(|c| (f.data[c * 7 + i] - f.data[c * 7 + j]).powi(2)).sum::<f64>().sqrt();
        let rows = |bound: &dyn Fn(&[f64]) -> f64| slow::mean((0..7).map(|i| {
            bound(&(0..7).map(|j| p(i, j) - (z.data[i] - z.data[j]).abs()).collect::<Vec<_>>())
        }));
        let (low, high) = (|r: &[f64]| r.iter().copied().fold(f64::MAX, f64::min), |r: &[f64]| r.iter().copied().fold(f64::MIN, f64::max));
        prop_assert!(kl <= rows(&|r| (high(r) - low(r)).powi(2) / 8.0) + 1e-12);
        prop_assert!(kl <= rows(&|r| 2.0 * r.iter().fold(0.0, |m: f64, d| m.max(d.abs()))) + 1e-12);
    }

    #[test]
    fn constant_scores_have_the_closed_form(seed: u64, score in -5.0..5.0) {
        let f = Map::random(seed, "f", [1, 2, 1, 6], 2.0);
        let z = Map { size: [1, 1, 1, 6], data: vec![score; 6] };
        let p = |i: usize, j: usize| (0..2).map(|c| (f.data[c * 6 + i] - f.data[c * 6 + j]).powi(2)).sum::<f64>().sqrt();
        let want = slow::mean((0..6).map(|i| {
            (0..6).map(|j| p(i, j).exp()).sum::<f64>().ln() - 6f64.ln() - slow::mean((0..6).map(|j| p(i, j)))
        }));
        assert_near(loss(&f, &z, &clean(1, 1, 6), &plain(KlDirection::QP)), want, 1e-9);
    }

    #[test]
    fn it_falls_with_the_square_of_a_high_temperature(seed: u64, tau in 1e2..1e4) {
        let (f, z, mask) = batch(seed, [1, 2, 4, 4], 0.1, 2.0);
        let at = |tau: f64| loss(&f, &z, &mask, &Consistency { patch: [1, 1], tau, ..defaults_of() });
        // The oscillation of P - Q is at most the two diameters, 2 * 2 * 2 ** 0.5 and 2 * 2.
        prop_assert!(at(tau) <= 10f64.powi(2) / 8.0 / tau.powi(2));
        prop_assert!(at(2.0 * tau) <= at(tau) * 0.3 + 1e-15);
    }

    #[test]
    fn anomalous_patches_have_no_influence(seed: u64, cfg in configs(), share in 0.05..0.5) {
        let cfg = Consistency { scope: ConsistencyScope::NormalPatches, ..cfg };
        let (f, z, mask) = batch(seed, [2, 2, 4, 4], share, 2.0);
        let [ph, pw] = cfg.patch.map(|n| n as usize);
        let masked = |b: usize, y: usize, x: usize| {
            let (top, left) = (y / ph * ph * 2, x / pw * pw * 2);
            (top..top + 2 * ph).any(|y| (left..left + 2 * pw).any(|x| mask.at(b, 0, y, x) == 1.0))
        };
        let changed = |map: &Map| {
            let mut other = map.clone();
            for i in 0..map.data.len() {
                let (x, y, b) = (i % 4, i / 4 % 4, i / 16 / map.size[1]);
                // Of the same length: distances below 1e-7 of the longest patch, an anomalous one included, count as 0.
                other.data[i] = if masked(b, y, x) { -map.data[i] } else { map.data[i] };
            }
            other
        };
        let (before, after) = (gradients(&f, &z, &mask, &cfg), gradients(&changed(&f), &changed(&z), &mask, &cfg));
        assert_near(after.0, before.0, 1e-12);
        assert_all_near(&after.1, &before.1, 1e-12);
        assert_all_near(&after.2, &before.2, 1e-12);
        for i in 0..z.data.len() {
            if masked(i / 16, i / 4 % 4, i % 4) {
                prop_assert_eq!(after.2[i], 0.0);
            }
        }
    }

    #[test]
    fn gram_distances_are_as_good_as_differences_in_float32(seed: u64, offset in 0.0..100.0, exponent in -3.0..0.5f64) {
        // Patches close together and far from the origin are the hard case.
        let f = Map::random(seed, "f", [1, 4, 4, 8], 10f64.powf(exponent)).map(|f| f64::from((f + offset) as f32));
        let z = Map::random(seed, "z", [1, 1, 4, 8], 1.0).map(|z| f64::from(z as f32));
        let cfg = Consistency { patch: [2, 2], ..defaults_of() };
        let got = value(&consistency(&f.float(), &z.float(), &clean(1, 8, 16).float(), &cfg).unwrap().0);
        assert_near(got, slow::consistency(&f, &z, &clean(1, 8, 16), &cfg).0, 2e-6);
    }
}

#[test]
fn identical_patches_have_finite_gradients() {
    for kind in [Kind::Float, Kind::Double] {
        for normalize in [DistanceNormalize::None, DistanceNormalize::MeanDistance] {
            for scale in [1e-4, 0.1, 1.0, 300.0] {
                let mut f = Map::random(3, "f", [1, 2, 4, 8], scale);
                (0..f.data.len()).filter(|i| i % 8 >= 4).for_each(|i| f.data[i] = f.data[i - 4]); // right half = left half
                for f in [f.clone(), f.map(|_| 0.7 * scale)] {
                    let (f, z) = (f.tensor().to_kind(kind), Tensor::ones([1, 1, 4, 8], (kind, tch::Device::Cpu)));
                    let (f, z) = (f.set_requires_grad(true), z.set_requires_grad(true));
                    let cfg = Consistency { normalize, ..defaults_of() };
                    let l = consistency(&f, &z, &clean(1, 8, 16).tensor(), &cfg).unwrap().0;
                    l.backward();
                    let gradient = values(&f.grad());
                    assert!(value(&l).is_finite() && gradient.iter().all(|g| g.is_finite()), "{kind:?} {scale}");
                    // Equal patches are pulled and pushed alike.
                    let left_and_right = (0..gradient.len()).filter(|i| i % 8 >= 4).map(|i| (gradient[i], gradient[i - 4]));
                    let greatest = gradient.iter().fold(1e-12, |m: f64, g| m.max(g.abs()));
                    left_and_right.for_each(|(a, b)| assert!((a - b).abs() <= 1e-4 * greatest, "{kind:?} {scale}: {a} {b}"));
                    assert!(values(&z.grad()).iter().all(|&g| g == 0.0));
                }
            }
        }
    }
}

#[test]
fn images_with_fewer_than_two_normal_patches_are_skipped() {
    let (f, z, _) = batch(1, [3, 2, 2, 8], 0.0, 1.0);
    let mut mask = clean(3, 4, 16);
    // Patches are 2 x 4 cells, 4 x 8 px, two an image: the first image keeps both, the second one, the third none.
    mask.data[64] = 1.0;
    mask.data[128] = 1.0;
    mask.data[128 + 12] = 1.0;
    let all = gradients(&f, &z, &mask, &defaults_of());
    let first = |map: &Map| Map { size: [1, map.size[1], map.size[2], map.size[3]], data: map.data[..map.data.len() / 3].to_vec() };
    let alone = gradients(&first(&f), &first(&z), &first(&mask), &defaults_of());
    assert_eq!((all.0, &all.1[..32]), (alone.0, &alone.1[..]));
    assert!(all.0 > 0.0 && all.1[32..].iter().all(|&g| g == 0.0));
}

#[test]
fn without_an_image_left_it_is_a_zero_that_has_a_gradient() {
    for (b, ones) in [(0, 0.0), (2, 1.0)] {
        for across_images in [false, true] {
            for exclude_diagonal in [false, true] {
                let (f, z, mask) = batch(1, [b, 2, 2, 8], 0.0, 1.0);
                let cfg = Consistency { across_images, exclude_diagonal, ..defaults_of() };
                let (got, gf, gz) = gradients(&f, &z, &mask.map(|_| ones), &cfg);
                assert_eq!(got, 0.0);
                assert!(gf.iter().chain(&gz).all(|&g| g == 0.0) && gf.len() == f.data.len());
                let (l, e) = consistency(&f.tensor().set_requires_grad(true), &z.tensor(), &mask.tensor(), &cfg).unwrap();
                assert!(l.requires_grad() && value(&e.features).is_finite() && value(&e.scores).is_finite());
            }
        }
    }
}

#[test]
fn a_single_patch_costs_nothing() {
    let (f, z, mask) = batch(1, [2, 3, 2, 4], 0.0, 1.0);
    assert_eq!(loss(&f, &z, &mask, &defaults_of()), 0.0);
}

#[test]
fn features_can_be_kept_out_of_its_gradient() {
    let (f, z, mask) = batch(1, [2, 3, 4, 8], 0.03, 1.0);
    let (value, gf, gz) = gradients(&f, &z, &mask, &Consistency { detach: Detach::Features, ..defaults_of() });
    let (both, _, gz_both) = gradients(&f, &z, &mask, &defaults_of());
    assert_eq!((value, &gz), (both, &gz_both));
    assert!(gf.iter().all(|&g| g == 0.0) && gz.iter().any(|&g| g != 0.0));
}

#[test]
fn mean_distances_make_it_independent_of_the_scale_of_features() {
    let (f, z, mask) = batch(1, [2, 3, 4, 8], 0.03, 1.0);
    let cfg = Consistency { normalize: DistanceNormalize::MeanDistance, ..defaults_of() };
    assert_near(loss(&f.map(|f| 1e3 * f), &z.map(|z| 1e-3 * z), &mask, &cfg), loss(&f, &z, &mask, &cfg), 1e-9);
    let (_, gradient) = with_gradient(&f, |f| consistency(f, &z.tensor(), &mask.tensor(), &cfg).unwrap().0);
    let along: f64 = gradient.iter().zip(&f.data).map(|(g, f)| g * f).sum();
    assert!(along.abs() < 1e-12, "{along}");
}

#[test]
fn sizes_that_do_not_fit_are_errors_that_name_the_key() {
    let (f, z, mask) = batch(1, [1, 1, 4, 6], 0.0, 1.0);
    let error = consistency(&f.tensor(), &z.tensor(), &mask.tensor(), &defaults_of()).unwrap_err();
    assert!(error.what.contains("loss.consistency.patch") && error.exit_code() == 2, "{error}");
    let cfg = Consistency { patch: [2, 2], ..defaults_of() };
    assert!(consistency(&f.tensor(), &z.tensor(), &clean(1, 9, 12).tensor(), &cfg).is_err());
}
