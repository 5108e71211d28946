//! Invariants of PTFEM.

use harness::config::{Offset, OffsetMean};
use harness_torch::model::Mode;
use harness_torch::model::ptfem::{Ptfem, co_occurrence};
use proptest::prelude::*;
use tch::{Kind, Tensor};

use crate::setup::{distance, finite, module, set, stir, tiny, values, wave, wave64};

/// Sums of outer products over the pairs inside each region.
fn slow(encoding: &Tensor, [dy, dx]: [i64; 2]) -> Vec<f64> {
    let (groups, h, w, n) = encoding.size4().unwrap();
    let e = values(encoding);
    let at = |g: i64, y: i64, x: i64, l: i64| e[(((g * h + y) * w + x) * n + l) as usize];
    let mut sums = vec![0.0; (groups * n * n) as usize];
    for (g, y, x) in (0..groups * h * w).map(|i| (i / (h * w), i / w % h, i % w)) {
        if (0..h).contains(&(y + dy)) && (0..w).contains(&(x + dx)) {
            for (u, v) in (0..n * n).map(|i| (i / n, i % n)) {
                sums[(g * n * n + u * n + v) as usize] += at(g, y, x, u) * at(g, y + dy, x + dx, v);
            }
        }
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn co_occurrence_is_the_sum_of_outer_products(
        g in 1i64..4, h in 1i64..6, w in 1i64..6, n in 2i64..5, dy in -3i64..4, dx in -3i64..4, pace in 0.1f64..2.0,
    ) {
        tch::set_num_threads(1);
        let e = wave64(&[g, h, w, n], pace).abs();
        let fast = co_occurrence(&e, Offset::One([dy, dx]));
        prop_assert_eq!(fast.size(), [g, n, n]);
        for (a, b) in values(&fast).iter().zip(slow(&e, [dy, dx])) {
            prop_assert!((a - b).abs() < 1e-9);
        }
    }

    #[test]
    fn a_region_turned_upside_down_transposes_its_matrix(h in 1i64..6, w in 1i64..6, dy in -2i64..3, dx in -2i64..3) {
        tch::set_num_threads(1);
        let e = wave64(&[2, h, w, 3], 0.9).abs();
        let (here, turned) = (co_occurrence(&e, Offset::One([dy, dx])), co_occurrence(&e.flip([1, 2]), Offset::One([dy, dx])));
        prop_assert!(distance(&here.transpose(1, 2), &turned) < 1e-12);
    }
}

#[test]
fn the_mean_offset_averages_right_and_down() {
    tch::set_num_threads(1);
    let e = wave64(&[2, 4, 3, 3], 0.9).abs();
    let mean = (co_occurrence(&e, Offset::One([0, 1])) + co_occurrence(&e, Offset::One([1, 0]))) * 0.5;
    assert!(distance(&co_occurrence(&e, Offset::Mean(OffsetMean::Mean)), &mean) < 1e-12);
}

/// PTFEM with its own statistics for each norm, over the scales given.
fn ptfem(scales: &[i64]) -> Ptfem {
    let mut model = tiny().model;
    model.ptfem.scales = scales.to_vec();
    let (ptfem, params) = module(Ptfem::new, &model);
    stir(&params);
    ptfem
}

#[test]
fn a_branch_sees_only_its_region() {
    let (ptfem, map) = (ptfem(&[1, 2, 4]), wave(&[1, 5, 8, 8], 0.63));
    let changed = map.copy();
    // Cell (1, 2) of 4 x 4, which lies in cell (0, 1) of 2 x 2; its first channel only, so that directions change.
    let _ = changed.narrow(1, 0, 1).narrow(2, 2, 2).narrow(3, 4, 2).g_add_scalar_(2.0);
    let (here, there) = (ptfem.describe(&map, Mode::Eval), ptfem.describe(&changed, Mode::Eval));
    for (which, own) in [(0, (0, 0)), (1, (0, 1)), (2, (1, 2))] {
        let scale = 1usize << which;
        let moved = (&here[which] - &there[which]).abs().amax([3], false); // [1, s, s]
        for (y, x) in (0..scale * scale).map(|i| (i / scale, i % scale)) {
            let by = moved.double_value(&[0, y as i64, x as i64]);
            assert!(if (y, x) == own { by > 1e-4 } else { by == 0.0 }, "scale {scale}: cell ({y}, {x}) moved by {by}");
        }
    }
}

#[test]
fn a_branch_is_the_same_alone_and_among_others() {
    let map = wave(&[2, 5, 16, 16], 0.63);
    let scales = [4, 1, 8, 2];
    for (scale, together) in scales.into_iter().zip(ptfem(&scales).describe(&map, Mode::Eval)) {
        let alone = &ptfem(&[scale]).describe(&map, Mode::Eval)[0];
        assert!(distance(&together, alone) < 1e-4, "{scale}");
    }
}

#[test]
fn constant_maps_and_regions_smaller_than_the_offset_stay_finite() {
    for (offset, level) in [([1, 1], Some(0.7)), ([1, 1], Some(0.0)), ([8, 8], None), ([-3, 0], None)] {
        let mut model = tiny().model;
        model.ptfem.offset = Offset::One(offset);
        let (ptfem, params) = module(Ptfem::new, &model);
        set(&params, "ptfem.in.weight", |w| w.ones_like());
        let full = |shape: &[i64]| level.map_or_else(|| wave(shape, 0.6), |l| Tensor::full(shape, l, (Kind::Float, tch::Device::Cpu)));
        let (t1, x0) = (full(&[2, 5, 8, 8]).set_requires_grad(true), full(&[2, 6, 8, 8]));
        let y = ptfem.forward(&t1, &x0, Mode::Train);
        assert_eq!(y.size(), [2, 4, 8, 8]);
        y.square().sum(Kind::Float).backward();
        assert!(finite(&y) && finite(&t1.grad()), "{offset:?}");
        assert!(params.trained_weights().all(|p| finite(&p.tensor.grad())), "{offset:?}");
    }
}
