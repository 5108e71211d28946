//! Pixels that are not scored: the metrics are those of the images without them.

use super::super::{Bootstrap, Connectivity, Protocol, Sample, Sample64, evaluate, evaluate64, label};
use super::slow::Lcg;
use crate::image::{Map, Map64, Mask, NOT_SCORED};

/// A map, its mask and its label.
type Image = (Map, Mask, bool);

/// Images of 12x8 px with ties; every second one has defects, in both halves.
fn images() -> Vec<Image> {
    let mut random = Lcg(5);
    let image = |i: usize| {
        let anomalous = i % 2 == 1;
        let mask = Mask::from_vec(12, 8, (0..96).map(|_| u8::from(anomalous && random.unit() < 0.3)).collect());
        let map = mask.data.iter().map(|&m| (random.bits() % 20 + 6 * u32::from(m)) as f32).collect();
        (Map::from_vec(12, 8, map), mask, anomalous)
    };
    (0..6).map(image).collect()
}

/// The same with the columns from 7 on not scored, and with them cut off.
fn both(images: Vec<Image>) -> [Vec<Image>; 2] {
    let hide = |(map, mut mask, anomalous): Image| {
        (0..96).filter(|at| at % 12 >= 7).for_each(|at| mask.data[at] = NOT_SCORED);
        (map, mask, anomalous)
    };
    let cut = |(map, mask, anomalous): Image| (map.crop(0, 0, 7, 8), mask.crop(0, 0, 7, 8), anomalous);
    [images.clone().into_iter().map(hide).collect(), images.into_iter().map(cut).collect()]
}

fn sample((map, mask, anomalous): &Image) -> Sample<'_> {
    Sample { name: "test.png", map, mask: Some(mask), image_score: map.data[0], anomalous: *anomalous }
}

#[test]
fn metrics_are_those_of_the_images_without_the_pixels_that_are_not_scored() {
    let protocol = Protocol::default();
    let of = |images: &[Image]| {
        let scores = evaluate(&images.iter().map(sample).collect::<Vec<_>>(), &protocol).unwrap().0;
        (scores.pixel_auroc, scores.pixel_ap, scores.pixel_f1max, scores.aupro, scores.regions, scores.pixels, scores.image_auroc)
    };
    let [hidden, cut] = both(images());
    assert!(of(&cut).0.is_some_and(|auroc| auroc > 0.5) && of(&cut).3.is_some());
    assert_eq!(of(&hidden), of(&cut));
    assert_ne!(of(&hidden).0, of(&images()).0);
}

#[test]
fn the_same_holds_in_float64_and_for_the_bootstrap() {
    let protocol = Protocol::default();
    let [hidden, cut] = both(images());
    let of = |images: &[Image]| {
        let sample64 = |(map, mask, anomalous): &Image| Sample64 {
            name: "test.png".into(),
            map: Map64::from_vec(map.width, map.height, map.data.iter().map(|&v| f64::from(v)).collect()),
            mask: Some(mask.clone()),
            image_score: f64::from(map.data[0]),
            anomalous: *anomalous,
        };
        let double = evaluate64(&images.iter().map(sample64).collect::<Vec<_>>(), &protocol).unwrap().0;
        let mut bootstrap = Bootstrap::new(&protocol).unwrap();
        images.iter().for_each(|image| bootstrap.push(sample(image)).unwrap());
        let drawn = bootstrap.finish().scores(&[vec![1, 2, 0, 1, 3, 1]]);
        (double.pixel_auroc, double.aupro, drawn[0])
    };
    assert_eq!(of(&hidden), of(&cut));
}

#[test]
fn a_region_ends_where_pixels_are_not_scored() {
    let mask = Mask::from_vec(5, 1, vec![1, 1, NOT_SCORED, 1, 0]);
    let regions = label(&mask, Connectivity::Eight);
    assert_eq!(regions.regions.iter().map(|region| region.area).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(regions.scored, Some(vec![true, true, false, true, true]));
}
