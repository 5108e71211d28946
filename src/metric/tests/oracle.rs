//! Agreement with scikit-learn, scipy and numpy: tests/golden/metric.json, made by tests/oracle/metric.py.

use super::super::{Protocol, Scores, Variant};
use super::slow::{Image, Lcg, scores};
use crate::image::{Map, Mask};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    seed: u64,
    images: usize,
    levels: u32,
    lift: u32,
    cubed: bool,
    limit: f64,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    pixel: BTreeMap<String, f64>,
    image: BTreeMap<String, f64>,
    regions: usize,
    large_recall: f64,
    tiny_recall: f64,
    large_regions: usize,
    tiny_regions: usize,
    aupro: BTreeMap<Variant, f64>,
}

/// The images of a case, drawn as the script draws them.
fn draw(case: &Case) -> Vec<Image> {
    let mut rng = Lcg(case.seed);
    let mut below = move |n: usize| rng.bits() as usize % n;
    let mut images = Vec::new();
    for i in 0..case.images {
        let (w, h) = (20 + below(24), 20 + below(24));
        let mut mask = Mask::filled(w, h, 0);
        for _ in 0..if i % 3 > 0 { 1 + below(3) } else { 0 } {
            let (kind, x, y) = (below(2), below(w), below(h));
            let (a, b) = (1 + below(8), 1 + below(8));
            match kind {
                0 => (y..h.min(y + b)).for_each(|y| (x..w.min(x + a)).for_each(|x| mask.set(x, y, 1))),
                _ => (0..(a + b).min(w - x).min(h - y)).for_each(|k| mask.set(x + k, y + k, 1)),
            }
        }
        let score = |&anomalous: &u8| {
            let value = below(case.levels as usize) as i64 + i64::from(anomalous) * i64::from(case.lift);
            if case.cubed { value.pow(3) as f32 } else { (value - i64::from(case.levels / 2)) as f32 / 8.0 }
        };
        let map = Map::from_vec(w, h, mask.data.iter().map(score).collect());
        images.push(Image { map, mask: (i % 3 > 0).then_some(mask) });
    }
    images
}

#[test]
fn metrics_are_those_of_scikit_learn_and_numpy() {
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/golden/metric.json")).unwrap();
    for case in golden.cases {
        let images = draw(&case);
        let of = |variant| -> Scores { scores(&images, &Protocol { variant, pro_limit: case.limit, ..Protocol::default() }) };
        let same = |what: &str, ours: Option<f64>, theirs: f64| {
            let ours = ours.unwrap();
            assert!((ours - theirs).abs() < 1e-10, "seed {}: {what} is {ours}, not {theirs}", case.seed);
        };
        let (ours, theirs) = (of(Variant::Exact), &case.expected);
        assert_eq!((ours.regions, ours.large_regions, ours.tiny_regions), (theirs.regions, theirs.large_regions, theirs.tiny_regions));
        same("pixel AUROC", ours.pixel_auroc, theirs.pixel["auroc"]);
        same("pixel AP", ours.pixel_ap, theirs.pixel["ap"]);
        same("pixel F1max", ours.pixel_f1max, theirs.pixel["f1max"]);
        same("its threshold", ours.pixel_f1max_threshold, theirs.pixel["f1max_threshold"]);
        same("image AUROC", ours.image_auroc, theirs.image["auroc"]);
        same("image AP", ours.image_ap, theirs.image["ap"]);
        same("image F1max", ours.image_f1max, theirs.image["f1max"]);
        same("its threshold", ours.image_f1max_threshold, theirs.image["f1max_threshold"]);
        same("recall of large regions", ours.large_recall, theirs.large_recall);
        same("recall of tiny regions", ours.tiny_recall, theirs.tiny_recall);
        assert_eq!(theirs.aupro.len(), Variant::all().count());
        for (&variant, &aupro) in &theirs.aupro {
            same(variant.name(), of(variant).aupro, aupro);
        }
    }
}
