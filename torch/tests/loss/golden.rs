//! One fixed example against numbers from numpy: tests/oracle/loss.py.

use crate::slow::{Map, assert_near, defaults};
use harness::config::{Activation, KlDirection, Loss, Similarity};
use harness::seed;
use harness_torch::detector::mlff::loss::total;

/// The sines of the flat index from 1, as in the script.
fn wave(size: [usize; 4], speed: f64, amplitude: f64) -> Map {
    Map { size, data: (1..=size.iter().product()).map(|i: usize| amplitude * (speed * i as f64).sin()).collect() }
}

fn mask() -> Map {
    let mut mask = Map { size: [3, 1, 8, 16], data: vec![0.0; 384] };
    for y in 1..4 {
        (2..7).for_each(|x| mask.data[y * 16 + x] = 1.0);
    }
    mask.data[383] = 1.0;
    mask
}

fn config(case: &str) -> Loss {
    let mut cfg = defaults();
    (cfg.score.gamma, cfg.score.lambda) = (0.25, 1.5);
    match case {
        "default" => {}
        "lineage" => (cfg.score.activation, cfg.consistency.kl) = (Activation::Abs, KlDirection::PQ),
        "distance" => cfg.consistency.similarity = Similarity::Distance,
        other => panic!("unknown case {other}"),
    }
    cfg
}

#[test]
fn a_fixed_example_costs_what_numpy_says() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("../../../tests/golden/loss.json")).unwrap();
    let (f, z) = (wave([3, 3, 4, 8], 0.7, 0.8), wave([3, 1, 4, 8], 1.3, 2.0));
    let cases = golden["cases"].as_object().unwrap();
    assert_eq!(cases.len(), 3);
    for (case, want) in cases {
        let of = |f: &tch::Tensor, z: &tch::Tensor| {
            total(f, Some(z), &mask().float(), &config(case), &mut seed::stream(0, "", 0, 0)).unwrap().scalars()
        };
        for ((name, double), (_, single)) in of(&f.tensor(), &z.tensor()).into_iter().zip(of(&f.float(), &z.float())) {
            let want = want[name].as_f64().unwrap();
            assert_near(double, want, 1e-9);
            assert_near(single, want, 1e-5);
        }
    }
}
