//! The metrics' invariants, and agreement with the slow twins.

use super::super::{Connectivity, Protocol, Variant, evaluate, separation};
use super::slow::{self, Image, Lcg, scores, threads};
use crate::image::{Map, Mask, Plane};
use proptest::prelude::*;

/// Small images with many ties: scores are `levels` integers, some maps follow their masks.
fn images() -> impl Strategy<Value = Vec<Image>> {
    (any::<u64>(), 1usize..6, 1u32..60).prop_map(|(seed, count, levels)| random_images(seed, count, levels))
}

fn random_images(seed: u64, count: usize, levels: u32) -> Vec<Image> {
    let mut random = Lcg(seed);
    let image = |_| {
        let (width, height) = (1 + random.bits() as usize % 9, 1 + random.bits() as usize % 9);
        let density = random.unit() * 0.7;
        let mask = Mask::from_vec(width, height, (0..width * height).map(|_| u8::from(random.unit() < density)).collect());
        let lift = random.bits() % (levels + 1);
        let noise: Vec<u32> = (0..width * height).map(|_| random.bits() % levels).collect();
        let data = noise.iter().zip(&mask.data).map(|(&v, &m)| (v + u32::from(m) * lift) as f32 - levels as f32 / 2.0).collect();
        Image { map: Map::from_vec(width, height, data), mask: (random.unit() < 0.7).then_some(mask) }
    };
    (0..count).map(image).collect()
}

fn mapped(images: &[Image], f: impl Fn(f32) -> f32) -> Vec<Image> {
    let mut images = images.to_vec();
    images.iter_mut().flat_map(|i| &mut i.map.data).for_each(|s| *s = f(*s));
    images
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        (None, None) => true,
        _ => false,
    }
}

fn with_limit(pro_limit: f64) -> Protocol {
    Protocol { pro_limit, ..Protocol::default() }
}

/// Plain scores of two classes.
fn two_classes() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    let class = || prop::collection::vec((-20i16..20).prop_map(|s| f32::from(s) / 4.0), 1..40);
    (class(), class())
}

fn labelled<'a>(normal: &'a [f32], positive: &'a [f32]) -> impl Iterator<Item = (f32, bool)> + 'a {
    normal.iter().map(|&s| (s, false)).chain(positive.iter().map(|&s| (s, true)))
}

fn auroc(normal: &[f32], positive: &[f32]) -> f64 {
    separation(labelled(normal, positive)).auroc.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pixel_metrics_are_those_of_the_definitions(images in images(), limit in 0.01..=1.0f64, eight in any::<bool>()) {
        let connectivity = if eight { Connectivity::Eight } else { Connectivity::Four };
        let fast = scores(&images, &Protocol { connectivity, ..with_limit(limit) });
        let (normal, regions) = slow::pixels(&images, connectivity);
        let positive = regions.concat();
        prop_assert!(close(fast.pixel_auroc, slow::auroc(&normal, &positive)));
        prop_assert!(close(fast.aupro, slow::aupro(&normal, &regions, limit)), "{:?}", fast.aupro);
        let twin = slow::ap_and_f1(&normal, &positive);
        prop_assert!(close(fast.pixel_ap, twin.map(|t| t.0)));
        prop_assert!(close(fast.pixel_f1max, twin.map(|t| t.1)));
        prop_assert_eq!(fast.pixel_f1max_threshold, twin.map(|t| t.2));
        prop_assert_eq!((fast.regions, fast.pixels), (regions.len(), (normal.len() + positive.len()) as u64));
    }

    #[test]
    fn image_metrics_are_those_of_the_definitions((normal, positive) in two_classes()) {
        let maps: Vec<(Map, bool)> = labelled(&normal, &positive).map(|(s, a)| (Map::filled(1, 1, s), a)).collect();
        let samples: Vec<_> = maps.iter().map(|(map, anomalous)| super::super::Sample { name: "x", map, mask: None, image_score: map.data[0], anomalous: *anomalous }).collect();
        let fast = evaluate(&samples, &Protocol::default()).unwrap().0;
        let (ap, f1, threshold) = slow::ap_and_f1(&normal, &positive).unwrap();
        prop_assert!(close(fast.image_auroc, slow::auroc(&normal, &positive)));
        prop_assert!(close(fast.image_ap, Some(ap)) && close(fast.image_f1max, Some(f1)));
        prop_assert_eq!(fast.image_f1max_threshold, Some(threshold));
        prop_assert_eq!((fast.images, fast.anomalous_images, fast.regions), (samples.len(), positive.len(), 0));
    }

    #[test]
    fn auroc_is_unchanged_by_an_increasing_transform((normal, positive) in two_classes()) {
        for f in [|s: f32| s * s * s, |s: f32| 2.0 * s - 7.0, |s: f32| s.exp()] {
            let image = |scores: &[f32]| scores.iter().map(|&s| f(s)).collect::<Vec<f32>>();
            prop_assert_eq!(auroc(&normal, &positive), auroc(&image(&normal), &image(&positive)));
        }
    }

    #[test]
    fn negated_scores_and_swapped_labels_give_one_minus_auroc((normal, positive) in two_classes()) {
        let negated = |scores: &[f32]| scores.iter().map(|s| -s).collect::<Vec<f32>>();
        prop_assert!((auroc(&negated(&normal), &negated(&positive)) - (1.0 - auroc(&normal, &positive))).abs() < 1e-12);
        prop_assert!((auroc(&positive, &normal) - (1.0 - auroc(&normal, &positive))).abs() < 1e-12);
    }

    #[test]
    fn auroc_is_mann_whitney_and_blind_to_replication((normal, positive) in two_classes(), times in 1usize..4) {
        let exact = auroc(&normal, &positive);
        prop_assert!(close(Some(exact), slow::auroc(&normal, &positive)));
        prop_assert!(close(Some(exact), Some(auroc(&normal.repeat(times), &positive))));
        prop_assert!(close(Some(exact), Some(auroc(&normal.repeat(2), &positive.repeat(times)))));
        prop_assert_eq!(auroc(&vec![0.5; normal.len()], &vec![0.5; positive.len()]), 0.5);
        prop_assert_eq!(auroc(&vec![-1.0; normal.len()], &positive.iter().map(|s| s.abs()).collect::<Vec<_>>()), 1.0);
    }

    #[test]
    fn aupro_is_a_fraction_one_if_perfect_and_half_the_limit_if_constant(images in images(), limit in 0.01..=1.0f64) {
        let protocol = with_limit(limit);
        let fast = scores(&images, &protocol);
        prop_assume!(fast.aupro.is_some());
        prop_assert!((0.0..=1.0).contains(&fast.aupro.unwrap()));
        let mut perfect = images.clone();
        for image in &mut perfect {
            let mask = image.mask.clone().unwrap_or_else(|| Mask::filled(image.map.width, image.map.height, 0));
            image.map.data = mask.data.iter().map(|&m| f32::from(m)).collect();
        }
        prop_assert_eq!(scores(&perfect, &protocol).aupro, Some(1.0));
        prop_assert!(close(scores(&mapped(&images, |_| 3.0), &protocol).aupro, Some(limit / 2.0)));
    }

    #[test]
    fn exact_aupro_is_unchanged_by_an_increasing_transform(images in images()) {
        let fast = scores(&images, &Protocol::default());
        for f in [|s: f32| s * s * s, |s: f32| 0.5 * s + 100.0, |s: f32| (s / 8.0).exp()] {
            prop_assert_eq!(fast.aupro, scores(&mapped(&images, f), &Protocol::default()).aupro);
        }
    }

    #[test]
    fn with_one_region_and_limit_one_aupro_is_auroc(seed in any::<u64>(), count in 2usize..5, height in 1usize..5) {
        // One region of 3 x height in each image: equal areas.
        let mut random = Lcg(seed);
        let images: Vec<Image> = (0..count).map(|_| {
            let mut mask = Mask::filled(8, 6, 0);
            (0..height).for_each(|y| mask.data[8 * y + 2..8 * y + 5].fill(1));
            let data = mask.data.iter().map(|&m| (random.bits() % 20 + 5 * u32::from(m)) as f32).collect();
            Image { map: Map::from_vec(8, 6, data), mask: Some(mask) }
        }).collect();
        for images in [&images[..], &images[..1]] {
            let fast = scores(images, &with_limit(1.0));
            prop_assert!(close(fast.aupro, fast.pixel_auroc));
        }
    }

    #[test]
    fn an_enlarged_region_weighs_as_much_as_before(images in images(), k in 2usize..4) {
        // Each region fills an image of its own and a good image holds the normal pixels, so that one region can grow alone.
        let (normal, regions) = slow::pixels(&images, Connectivity::Eight);
        prop_assume!(!normal.is_empty() && !regions.is_empty());
        let row = |scores: &[f32], anomalous: u8| Image {
            map: Map::from_vec(scores.len(), 1, scores.to_vec()),
            mask: (anomalous == 1).then(|| Mask::filled(scores.len(), 1, 1)),
        };
        let mut plain = vec![row(&normal, 0)];
        plain.extend(regions.iter().map(|r| row(r, 1)));
        let mut enlarged = plain.clone();
        let replicated: Vec<f32> = regions[0].iter().flat_map(|&s| std::iter::repeat_n(s, k * k)).collect();
        enlarged[1] = row(&replicated, 1);
        let protocol = Protocol::default();
        prop_assert!(close(scores(&plain, &protocol).aupro, scores(&enlarged, &protocol).aupro));
        prop_assert!(close(scores(&plain, &protocol).aupro, scores(&images, &protocol).aupro));
    }

    #[test]
    fn aupro_does_not_fall_with_a_wider_limit(images in images(), a in 0.01..=1.0f64, b in 0.01..=1.0f64) {
        let at = |limit| scores(&images, &with_limit(limit)).aupro;
        prop_assert!(at(a.min(b)).unwrap_or(0.0) <= at(a.max(b)).unwrap_or(1.0) + 1e-12);
    }

    #[test]
    fn flips_rotations_and_the_order_of_images_change_nothing(images in images(), eight in any::<bool>()) {
        fn turned<T: Copy>(p: &Plane<T>) -> Plane<T> {
            let data = (0..p.width).flat_map(|y| (0..p.height).map(move |x| p.at(y, p.height - 1 - x))).collect();
            Plane::from_vec(p.height, p.width, data)
        }
        fn flipped<T: Copy>(p: &Plane<T>) -> Plane<T> {
            Plane::from_vec(p.width, p.height, p.data.chunks(p.width).rev().flatten().copied().collect())
        }
        let connectivity = if eight { Connectivity::Eight } else { Connectivity::Four };
        let protocol = Protocol { connectivity, ..Protocol::default() };
        let turn = |i: &Image| Image { map: turned(&i.map), mask: i.mask.as_ref().map(turned) };
        let flip = |i: &Image| Image { map: flipped(&i.map), mask: i.mask.as_ref().map(flipped) };
        let plain = scores(&images, &protocol);
        let moved: Vec<Vec<Image>> = vec![
            images.iter().map(turn).collect(),
            images.iter().map(flip).collect(),
            images.iter().rev().cloned().collect(),
        ];
        for other in moved {
            let other = scores(&other, &protocol);
            for ((name, a), (_, b)) in plain.metrics().into_iter().zip(other.metrics()) {
                prop_assert!(close(a, b), "{name}: {a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn an_image_scores_as_much_as_its_highest_pixel(images in images()) {
        for image in &images {
            let score = super::super::image_score(&image.map).unwrap();
            prop_assert!(image.map.data.iter().all(|&s| s <= score) && image.map.data.contains(&score));
        }
    }

    #[test]
    fn curves_enclose_the_areas(images in images()) {
        let samples: Vec<_> = images.iter().map(Image::sample).collect();
        let (fast, curves) = evaluate(&samples, &with_limit(1.0)).unwrap();
        let area = |points: &[[f64; 2]]| (!points.is_empty()).then(|| points.windows(2).map(|w| (w[1][0] - w[0][0]) * (w[0][1] + w[1][1]) / 2.0).sum::<f64>());
        // Fewer groups than points that may be drawn: nothing is thinned away but what is shorter than a step.
        prop_assert!(area(&curves.pixel_roc).zip(fast.pixel_auroc).is_none_or(|(a, b)| (a - b).abs() < 3e-3));
        prop_assert!(area(&curves.pro).zip(fast.aupro).is_none_or(|(a, b)| (a - b).abs() < 3e-3));
        prop_assert!(close(area(&curves.image_roc), fast.image_auroc));
        prop_assert_eq!(curves.pro.is_empty(), fast.aupro.is_none());
    }
}

#[test]
fn a_binned_aupro_does_change_under_an_increasing_transform() {
    // Why it is not the reference.
    let binned = Protocol { variant: Variant::Linear200, ..Protocol::default() };
    let differs = |seed| {
        let images = random_images(seed, 5, 50);
        let bent = mapped(&images, |s| (s / 2.0).exp());
        !close(scores(&images, &binned).aupro, scores(&bent, &binned).aupro)
    };
    assert!((0..10).any(differs));
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    // Enough pixels that more than one thread takes part.
    let mut random = Lcg(1);
    let images: Vec<Image> = (0..6)
        .map(|i| {
            let mut mask = Mask::filled(256, 256, 0);
            (60..200).for_each(|y| mask.data[256 * y + 10 * i..256 * y + 90 + 10 * i].fill(1));
            let data = mask.data.iter().map(|&m| ((random.unit() + 0.2 * f64::from(m)) * 1e4).round() as f32).collect();
            Image { map: Map::from_vec(256, 256, data), mask: (i > 0).then_some(mask) }
        })
        .collect();
    for variant in Variant::all() {
        let protocol = Protocol { variant, ..Protocol::default() };
        let run = |n| threads(n, || evaluate(&images.iter().map(Image::sample).collect::<Vec<_>>(), &protocol).unwrap());
        assert_eq!(run(1), run(3), "{variant}");
    }
}
