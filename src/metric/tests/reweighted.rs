//! Weights of images against copies of them, evaluated from scratch.

use super::super::{Bootstrap, Connectivity, Ordered, Protocol, Reweighted, Scores, Variant, draws};
use super::slow::{Image, Lcg, scores, threads};
use crate::image::{Map, Mask};
use proptest::prelude::*;

/// Images with ties, regions of several sizes, maps that follow the masks to a degree.
fn images(seed: u64, count: usize, levels: u32) -> Vec<Image> {
    let mut random = Lcg(seed);
    let image = |i| {
        let (width, height) = (4 + random.bits() as usize % 12, 4 + random.bits() as usize % 12);
        let density = 0.35 * random.unit();
        let mask = Mask::from_vec(width, height, (0..width * height).map(|_| u8::from(random.unit() < density)).collect());
        let good = i % 3 == 0;
        let value = |m: u8| (random.bits() % levels + if good { 0 } else { u32::from(m) * levels / 3 }) as f32;
        let data = mask.data.iter().copied().map(value).collect();
        Image { map: Map::from_vec(width, height, data), mask: (!good).then_some(mask) }
    };
    (0..count).map(image).collect()
}

fn ordered(images: &[Image], protocol: &Protocol) -> Ordered {
    let mut bootstrap = Bootstrap::new(protocol).unwrap();
    images.iter().for_each(|image| bootstrap.push(image.sample()).unwrap());
    bootstrap.finish()
}

/// The slow twin: image `i` stands `weights[i]` times in the list.
fn copied(images: &[Image], weights: &[u32], protocol: &Protocol) -> Scores {
    let list: Vec<Image> = images.iter().zip(weights).flat_map(|(image, &w)| std::iter::repeat_n(image.clone(), w as usize)).collect();
    scores(&list, protocol)
}

fn assert_same(fast: &Reweighted, slow: &Scores, protocol: &Protocol) {
    let all: std::collections::BTreeMap<String, Option<f64>> = slow.metrics().into_iter().collect();
    for (name, value) in fast.metrics(protocol) {
        match (value, all[&name]) {
            (Some(a), Some(b)) => assert!((a - b).abs() < 1e-12, "{name}: {a} and {b}"),
            (a, b) => assert_eq!(a, b, "{name}"),
        }
    }
    assert_eq!(fast.pixel.f1max_threshold, slow.pixel_f1max_threshold);
    assert_eq!(fast.image.f1max_threshold, slow.image_f1max_threshold);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn weights_are_copies(seed in any::<u64>(), count in 1usize..9, levels in 2u32..500, limit in 0.02..=1.0f64, four in any::<bool>(), weights in prop::collection::vec(prop::collection::vec(0u32..4, 9), 1..20)) {
        let variant = if four { Variant::Connectivity4 } else { Variant::Exact };
        let protocol = Protocol { pro_limit: limit, variant, ..Protocol::default() };
        let images = images(seed, count, levels);
        let weights: Vec<Vec<u32>> = weights.into_iter().map(|w| w[..count].to_vec()).collect();
        let fast = ordered(&images, &protocol).scores(&weights);
        prop_assert_eq!(fast.len(), weights.len());
        for (fast, weights) in fast.iter().zip(&weights) {
            assert_same(fast, &copied(&images, weights, &protocol), &protocol);
        }
    }
}

#[test]
fn weights_of_one_are_the_plain_evaluation_and_threads_change_nothing() {
    let images = images(4, 20, 300);
    let ordered = ordered(&images, &Protocol::default());
    assert_same(&ordered.plain(), &scores(&images, &Protocol::default()), &Protocol::default());
    let anomalous: Vec<bool> = images.iter().map(|i| i.mask.is_some()).collect();
    let drawn = draws(&anomalous, 50, 1);
    assert_eq!(threads(1, || ordered.scores(&drawn)), threads(3, || ordered.scores(&drawn)));
}

#[test]
fn the_bootstrap_mean_is_near_the_value_and_its_spread_shrinks_with_more_images() {
    let spread = |seed: u64, count: usize| {
        let images = images(seed, count, 4000);
        let ordered = ordered(&images, &Protocol::default());
        let anomalous: Vec<bool> = images.iter().map(|i| i.mask.is_some()).collect();
        let drawn: Vec<f64> = ordered.scores(&draws(&anomalous, 200, 0)).iter().map(|s| s.aupro.unwrap()).collect();
        let deviation = crate::num::standard_deviation(&drawn).unwrap();
        let mean = crate::num::mean(&drawn).unwrap();
        assert!((mean - ordered.plain().aupro.unwrap()).abs() < deviation);
        deviation
    };
    let mean = |count: usize| (0..5).map(|seed| spread(seed, count)).sum::<f64>() / 5.0;
    let (few, many) = (mean(12), mean(96));
    assert!(many < 0.6 * few, "{few} {many}");
}

#[test]
fn draws_keep_the_classes_repeat_by_seed_and_differ_by_index() {
    let anomalous: Vec<bool> = (0..30).map(|i| i % 3 == 0).collect();
    let drawn = draws(&anomalous, 40, 7);
    for draw in &drawn {
        let of = |class: bool| -> u32 { draw.iter().zip(&anomalous).filter(|(_, a)| **a == class).map(|(w, _)| w).sum() };
        assert_eq!((of(false), of(true)), (20, 10));
    }
    assert_eq!(draws(&anomalous, 10, 7), drawn[..10], "the first draws do not depend on how many follow");
    assert_ne!(drawn[0], drawn[1]);
    assert_ne!(draws(&anomalous, 1, 8)[0], drawn[0]);
    assert_eq!(draws(&[true, true], 3, 0).len(), 3, "one class is enough");
}

#[test]
fn binned_forms_and_bad_maps_are_refused() {
    let message = Bootstrap::new(&Protocol { variant: Variant::Linear200, ..Protocol::default() }).unwrap_err().to_string();
    assert!(message.contains("linear200") && message.contains("exact"), "{message}");
    let mut bootstrap = Bootstrap::new(&Protocol { connectivity: Connectivity::Four, ..Protocol::default() }).unwrap();
    let bad = Image { map: Map::from_vec(2, 1, vec![0.0, f32::NAN]), mask: None };
    assert!(bootstrap.push(bad.sample()).unwrap_err().to_string().contains("test.png"));
}
