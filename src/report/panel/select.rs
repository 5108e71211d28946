//! Which images are shown: decided by defect and mask area, never by a score. Pure.

use std::collections::BTreeMap;

/// Of each kind of defect, in the order of names, the indices of the images with the least, the median (of an even number
/// the lower one) and the greatest area, in that order. Equal areas are ordered by index; of fewer than three images each
/// stands once.
///
/// `images` are (kind, area) pairs; areas are shares of the image, never NaN.
pub fn by_area(images: &[(&str, f64)]) -> Vec<usize> {
    let mut kinds = BTreeMap::<&str, Vec<usize>>::new();
    for (index, (kind, _)) in images.iter().enumerate() {
        kinds.entry(kind).or_default().push(index);
    }
    let mut chosen = vec![];
    for mut indices in kinds.into_values() {
        indices.sort_by(|&a, &b| images[a].1.total_cmp(&images[b].1).then(a.cmp(&b)));
        let last = indices.len() - 1;
        let mut places = vec![0, last / 2, last];
        places.dedup();
        chosen.extend(places.into_iter().map(|place| indices[place]));
    }
    chosen
}

/// The first and the last of `count`: of images without a defect, which have no area to go by.
pub fn ends(count: usize) -> Vec<usize> {
    let mut ends: Vec<usize> = (0..count).take(1).chain((0..count).last()).collect();
    ends.dedup();
    ends
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_images_stand_once_and_kinds_go_by_name() {
        let images = [("b", 0.2), ("a", 0.3), ("b", 0.1), ("c", 0.5), ("c", 0.5), ("c", 0.5), ("c", 0.5)];
        assert_eq!(by_area(&images), [1, 2, 0, 3, 4, 6]);
        assert_eq!(by_area(&[]), [0; 0]);
        assert_eq!((ends(0), ends(1), ends(2), ends(9)), (vec![], vec![0], vec![0, 1], vec![0, 8]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn the_chosen_are_least_median_and_greatest_of_each_kind(images in prop::collection::vec((0..4_usize, 0..30_u32), 0..60)) {
            const KINDS: [&str; 4] = ["cut", "hole", "bent", "thread"];
            let images: Vec<(&str, f64)> = images.into_iter().map(|(k, a)| (KINDS[k], f64::from(a) / 30.0)).collect();
            let chosen = by_area(&images);
            for kind in KINDS {
                let area = |i: &usize| images[*i].1;
                let of_kind: Vec<usize> = (0..images.len()).filter(|&i| images[i].0 == kind).collect();
                let shown: Vec<usize> = chosen.iter().copied().filter(|&i| images[i].0 == kind).collect();
                prop_assert_eq!(shown.len(), of_kind.len().min(3));
                prop_assert!(shown.windows(2).all(|w| w[0] != w[1] && area(&w[0]) <= area(&w[1])));
                if let (Some(first), Some(last)) = (shown.first(), shown.last()) {
                    prop_assert!(of_kind.iter().all(|i| area(first) <= area(i) && area(i) <= area(last)));
                }
                if let [_, middle, _] = shown[..] {
                    // Slow twin of the lower median: as many may lie below as above, or one more above.
                    let below = of_kind.iter().filter(|i| area(i) < area(&middle)).count();
                    let above = of_kind.iter().filter(|i| area(i) > area(&middle)).count();
                    prop_assert!(below <= (of_kind.len() - 1) / 2 && above <= of_kind.len() / 2);
                }
            }
        }

        #[test]
        fn areas_alone_decide_so_that_any_growing_function_of_them_chooses_alike(areas in prop::collection::vec(0.0..1.0_f64, 1..40)) {
            let with = |f: &dyn Fn(f64) -> f64| by_area(&areas.iter().map(|&a| ("cut", f(a))).collect::<Vec<_>>());
            prop_assert_eq!(with(&|a| a), with(&|a| 7.0 * a + 1.0));
        }
    }
}
