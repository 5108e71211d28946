//! PTFEM's scales and offsets.

use harness::config::Offset;
use harness_torch::detector::mlff::model::ptfem::{Ptfem, co_occurrence};
use harness_torch::nn::Mode;
use proptest::prelude::*;
use tch::{Kind, Tensor};

use crate::{builder, distance, fill, is_finite, one_thread, tiny, wave};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_region_turned_upside_down_transposes_its_matrix(h in 1i64..6, w in 1i64..6, dy in -2i64..3, dx in -2i64..3) {
        one_thread();
        let e = wave(&[2, h, w, 3], 0.9).abs();
        let (here, turned) = (co_occurrence(&e, Offset::One([dy, dx])), co_occurrence(&e.flip([1, 2]), Offset::One([dy, dx])));
        prop_assert!(distance(&here.transpose(1, 2), &turned) < 1e-5);
    }
}

#[test]
fn a_scale_gives_the_same_alone_and_among_others_in_any_order() {
    one_thread();
    let describe = |scales: &[i64]| {
        let mut model = tiny().model;
        model.ptfem.scales = scales.to_vec();
        let mut builder = builder();
        let ptfem = Ptfem::new(&mut builder, &model).unwrap();
        fill(&builder.finish());
        ptfem.describe(&wave(&[2, 16, 16, 16], 0.63), Mode::Eval)
    };
    // Means of coarser scales come from finer ones where regions nest: 4 and 2 from 8, 1 from 2.
    let scales = [4, 1, 8, 2];
    for (scale, together) in scales.into_iter().zip(describe(&scales)) {
        let alone = &describe(&[scale])[0];
        assert!(distance(&together, alone) < 1e-4 * alone.abs().max().double_value(&[]), "{scale}");
    }
}

#[test]
fn regions_smaller_than_the_offset_have_no_pairs_and_stay_finite() {
    one_thread();
    for offset in [[8, 8], [-3, 0], [0, 5]] {
        let mut model = tiny().model;
        model.ptfem.offset = Offset::One(offset);
        let mut builder = builder();
        let ptfem = Ptfem::new(&mut builder, &model).unwrap();
        let params = builder.finish();
        let (t1, x0) = (wave(&[2, 16, 8, 8], 0.6).set_requires_grad(true), wave(&[2, 16, 8, 8], 0.8));
        let y = ptfem.forward(&t1, &x0, Mode::Train);
        y.square().sum(Kind::Float).backward();
        assert!(is_finite(&y) && is_finite(&t1.grad()), "{offset:?}");
        assert!(params.trained_weights().all(|p| is_finite(&p.tensor.grad())), "{offset:?}");
    }
    let e = wave(&[2, 2, 3, 4], 0.9);
    assert_eq!(distance(&co_occurrence(&e, Offset::One([2, 0])), &Tensor::zeros([2, 4, 4], (Kind::Float, e.device()))), 0.0);
}
