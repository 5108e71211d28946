//! Missing classes, ties, zeros, errors: the edges of the metrics' domain.

use super::super::{Accumulator, Connectivity, Protocol, Sample, Variant, evaluate, separation};
use super::slow::{self, Image, Lcg, scores};
use crate::image::{Map, Mask};

fn row(scores: &[f32], mask: Option<&[u8]>) -> Image {
    Image { map: Map::from_vec(scores.len(), 1, scores.to_vec()), mask: mask.map(|m| Mask::from_vec(m.len(), 1, m.to_vec())) }
}

#[test]
fn a_metric_without_its_classes_is_none() {
    let empty = evaluate(&[], &Protocol::default()).unwrap().0;
    assert!(empty.metrics().iter().all(|(_, value)| value.is_none()), "{empty:?}");

    let good = scores(&[row(&[0.1, 0.7], None)], &Protocol::default());
    assert!(good.metrics().iter().all(|(_, value)| value.is_none()), "{good:?}");

    let full = scores(&[row(&[0.1, 0.7], Some(&[1, 1]))], &Protocol::default());
    assert_eq!((full.image_auroc, full.pixel_auroc, full.aupro, full.large_recall), (None, None, None, None));
    assert_eq!((full.image_ap, full.image_f1max, full.pixel_ap, full.pixel_f1max), (Some(1.0), Some(1.0), Some(1.0), Some(1.0)));
    assert_eq!(full.pixel_f1max_threshold, Some(f64::from(0.1_f32)));
}

#[test]
fn every_variant_survives_missing_classes_and_constant_maps() {
    for variant in Variant::all() {
        let protocol = Protocol { variant, ..Protocol::default() };
        for images in [vec![], vec![row(&[1.0, 1.0], None)], vec![row(&[1.0, 1.0], Some(&[1, 1]))], vec![row(&[0.2, 0.1], Some(&[0, 0]))]] {
            assert_eq!(scores(&images, &protocol).aupro, None, "{variant} of {images:?}");
        }
        let constant = scores(&[row(&[0.5; 4], Some(&[0, 1, 0, 0]))], &protocol).aupro;
        assert!(constant.is_none_or(|a| (a - 0.15).abs() < 1e-12), "{variant}: {constant:?}");
    }
}

#[test]
fn an_anomalous_image_with_an_empty_mask_counts_as_an_image_only() {
    let scores = scores(&[row(&[0.1, 0.2], None), row(&[0.3, 0.4], Some(&[0, 0]))], &Protocol::default());
    assert_eq!((scores.images, scores.anomalous_images, scores.regions, scores.pixels), (2, 1, 0, 4));
    assert_eq!((scores.image_auroc, scores.pixel_auroc, scores.aupro), (Some(1.0), None, None));
}

#[test]
fn all_ties_are_half() {
    let images = [row(&[2.0; 5], Some(&[1, 0, 1, 1, 0])), row(&[2.0; 5], None)];
    let scores = scores(&images, &Protocol::default());
    assert_eq!((scores.image_auroc, scores.pixel_auroc), (Some(0.5), Some(0.5)));
    assert!((scores.pixel_ap.unwrap() - 0.3).abs() < 1e-12 && (scores.aupro.unwrap() - 0.15).abs() < 1e-12);
    assert_eq!(scores.pixel_f1max_threshold, Some(2.0));
}

#[test]
fn the_two_zeros_tie() {
    assert_eq!(separation([(0.0, false), (-0.0, true)]).auroc, Some(0.5));
    assert_eq!(separation([(-0.0, false), (0.0, true)]).auroc, Some(0.5));
}

#[test]
fn a_nan_names_file_and_pixel_and_leaves_the_accumulator_as_it_was() {
    let fine = row(&[0.5, 0.1], Some(&[1, 0]));
    let bad = Image { map: Map::from_vec(2, 2, vec![0.0, 1.0, f32::NAN, 0.0]), mask: None };
    let mut accumulator = Accumulator::new(&Protocol::default()).unwrap();
    accumulator.push(fine.sample()).unwrap();
    let message = accumulator.push(Sample { name: "good/007.png", ..bad.sample() }).unwrap_err().to_string();
    assert!(message.contains("good/007.png") && message.contains("x = 0, y = 1"), "{message}");
    let message = accumulator.push(Sample { image_score: f32::INFINITY, ..fine.sample() }).unwrap_err().to_string();
    assert!(message.contains("the image score of test.png is inf"), "{message}");
    assert_eq!(accumulator.finish().0, scores(&[fine], &Protocol::default()));
}

#[test]
fn a_mask_of_another_size_or_on_a_good_image_is_refused_by_name() {
    let image = row(&[0.5, 0.1], Some(&[1, 0]));
    let other = Mask::filled(3, 1, 1);
    let refused = |sample| evaluate(&[sample], &Protocol::default()).unwrap_err().to_string();
    let message = refused(Sample { name: "cut/001.png", mask: Some(&other), ..image.sample() });
    assert!(message.contains("cut/001.png") && message.contains("2x1") && message.contains("3x1"), "{message}");
    let message = refused(Sample { name: "good/001.png", anomalous: false, ..image.sample() });
    assert!(message.contains("good/001.png") && message.contains("labelled good"), "{message}");
}

#[test]
fn pushing_one_by_one_is_evaluating_all() {
    let mut random = Lcg(9);
    let images: Vec<Image> = (0..5)
        .map(|i| {
            let mask = Mask::from_vec(12, 9, (0..108).map(|_| u8::from(random.unit() < 0.2)).collect());
            let data = mask.data.iter().map(|&m| (random.unit() + 0.3 * f64::from(m)) as f32).collect();
            Image { map: Map::from_vec(12, 9, data), mask: (i != 2).then_some(mask) }
        })
        .collect();
    let mut accumulator = Accumulator::new(&Protocol::default()).unwrap();
    images.iter().for_each(|image| accumulator.push(image.sample()).unwrap());
    let samples: Vec<Sample> = images.iter().map(Image::sample).collect();
    assert_eq!(accumulator.finish(), evaluate(&samples, &Protocol::default()).unwrap());
}

#[test]
fn recall_of_large_and_tiny_regions_is_read_where_one_pixel_in_twenty_is_a_false_alarm() {
    // 20 x 10: a region of 2 pixels is 1 % of it, one of 1 pixel is less. 200 - 3 - 1 + 4 = 200 normal pixels, 10 of them
    // may be false alarms.
    let mut mask = Mask::filled(20, 10, 0);
    [(0, 0), (1, 0), (2, 0), (10, 5)].iter().for_each(|&(x, y)| mask.set(x, y, 1));
    let mut map = Map::from_vec(20, 10, (0..200).map(|i| i as f32 / 1000.0).collect());
    [(0, 0, 9.0), (1, 0, 9.0), (2, 0, -1.0), (10, 5, 0.1885)].iter().for_each(|&(x, y, s)| map.set(x, y, s));
    let image = Image { map, mask: Some(mask) };
    let good = row(&[-2.0; 4], None);
    let scores = scores(&[image, good], &Protocol::default());
    assert_eq!((scores.large_regions, scores.tiny_regions), (1, 1));
    assert_eq!(scores.large_recall, Some(2.0 / 3.0));
    assert_eq!(scores.tiny_recall, Some(0.0)); // eleven normal pixels score above it
    assert!(serde_json::to_string(&scores).unwrap().contains("\"tiny_recall@fpr0.05\":0.0"));
}

#[test]
fn a_region_of_exactly_one_hundredth_of_its_image_is_large() {
    let square = |side: usize| {
        let mut mask = Mask::filled(100, 100, 0);
        (0..side * side).for_each(|i| mask.set(40 + i % side, 30 + i / side, 1));
        mask
    };
    let counts = |mask: Mask| {
        let scores = scores(&[Image { map: Map::filled(100, 100, 0.0), mask: Some(mask) }], &Protocol::default());
        (scores.large_regions, scores.tiny_regions)
    };
    assert_eq!(counts(square(10)), (1, 0));
    let mut less = square(10);
    less.set(40, 30, 0);
    assert_eq!(counts(less), (0, 1));
}

#[test]
fn recall_is_linear_within_a_group_that_straddles_the_rate() {
    // 40 normal pixels: 2 may be false alarms; the tied group goes from 0 to 8 of them, so a quarter of it is covered.
    let mut mask = vec![0; 41];
    mask[0] = 1;
    let map: Vec<f32> = (0..41).map(|i| if i <= 8 { 1.0 } else { 0.0 }).collect();
    assert_eq!(scores(&[row(&map, Some(&mask))], &Protocol::default()).large_recall, Some(0.25));
}

#[test]
fn keys_are_the_names_in_the_tables() {
    let keys: Vec<String> = scores(&[], &Protocol::default()).metrics().into_iter().map(|(key, _)| key).collect();
    let expected = "image_auroc image_ap image_f1max image_f1max_threshold pixel_auroc pixel_ap pixel_f1max pixel_f1max_threshold \
                    aupro@0.3 large_recall@fpr0.05 tiny_recall@fpr0.05";
    assert_eq!(keys.join(" "), expected);
}

#[test]
fn thin_scratches_are_one_region_of_eight_neighbours() {
    let mut mask = Mask::filled(6, 6, 0);
    (0..6).for_each(|i| mask.set(i, i, 1));
    let image = Image { map: Map::filled(6, 6, 0.0), mask: Some(mask) };
    let regions = |protocol: &Protocol| scores(std::slice::from_ref(&image), protocol).regions;
    assert_eq!(regions(&Protocol::default()), 1);
    assert_eq!(regions(&Protocol { connectivity: Connectivity::Four, ..Protocol::default() }), 6);
    assert_eq!(regions(&Protocol { variant: Variant::Connectivity4, ..Protocol::default() }), 6);
    assert_eq!(slow::pixels(&[image], Connectivity::Four).1.len(), 6);
}
