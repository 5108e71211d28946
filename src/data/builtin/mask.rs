//! Exact masks: the pixels in which the picture with the defect differs from the same picture without it.

use super::shade::{Grid, Surfel};
use crate::image::{Mask, Plane, Rgb};

/// Least difference that counts, grey levels of any channel: about what the sensor's noise hides.
const VISIBLE: u8 = 3;

/// The mask: pixels that differ visibly and lie within a pixel of where the defect acts (so that a part's shadow far
/// away doesn't count), with gaps of up to four pixels closed, holes of fewer than 48 pixels filled and specks of fewer than
/// six dropped.
pub fn mask(normal: &Rgb, defective: &Rgb, surfels: &[Surfel], grid: Grid) -> Mask {
    let support = dilate(&support(surfels, grid), 1);
    let mut differs = Plane::filled(grid.side, grid.side, 0u8);
    for (i, (a, b)) in normal.data.chunks_exact(3).zip(defective.data.chunks_exact(3)).enumerate() {
        let most = a.iter().zip(b).map(|(p, q)| p.abs_diff(*q)).max().unwrap_or(0);
        differs.data[i] = u8::from(most >= VISIBLE && support.data[i] != 0);
    }
    let scaled = |area: usize| area * grid.side * grid.side / 65536;
    let filled = inverse(&without_specks(&inverse(&close(&differs, 2)), scaled(48)));
    without_specks(&filled, scaled(6))
}

/// Pixels with at least one sample on which the defect acts.
fn support(surfels: &[Surfel], grid: Grid) -> Mask {
    let mut out = Plane::filled(grid.side, grid.side, 0u8);
    for (y, row) in surfels.chunks_exact(grid.width()).enumerate() {
        for (x, surfel) in row.iter().enumerate() {
            if surfel.defect {
                out.set(x / grid.samples, y / grid.samples, 1);
            }
        }
    }
    out
}

/// Every pixel with a set pixel within `radius`, Euclidean; what lies outside the picture is not set.
fn dilate(mask: &Mask, radius: isize) -> Mask {
    spread(mask, radius, 0, 1)
}

/// Dilation, then erosion: gaps narrower than `2 * radius` fill, outlines stay.
fn close(mask: &Mask, radius: isize) -> Mask {
    spread(&dilate(mask, radius), radius, 1, 0)
}

/// Where a pixel is `from` and one of `to` lies within the radius, it becomes `to`.
fn spread(mask: &Mask, radius: isize, from: u8, to: u8) -> Mask {
    let (w, h) = (mask.width as isize, mask.height as isize);
    let mut out = mask.clone();
    for y in 0..h {
        for x in 0..w {
            if mask.at(x as usize, y as usize) != to {
                continue;
            }
            for (oy, ox) in (-radius..=radius).flat_map(|oy| (-radius..=radius).map(move |ox| (oy, ox))) {
                let (sx, sy) = (x + ox, y + oy);
                let inside = sx >= 0 && sy >= 0 && sx < w && sy < h && ox * ox + oy * oy <= radius * radius;
                if inside && mask.at(sx as usize, sy as usize) == from {
                    out.set(sx as usize, sy as usize, to);
                }
            }
        }
    }
    out
}

fn inverse(mask: &Mask) -> Mask {
    Plane { data: mask.data.iter().map(|&p| 1 - p).collect(), ..*mask }
}

/// The mask without 8-connected regions of fewer than `least` pixels.
fn without_specks(mask: &Mask, least: usize) -> Mask {
    let (w, h) = (mask.width, mask.height);
    let (mut out, mut seen) = (mask.clone(), vec![false; w * h]);
    for start in 0..w * h {
        if mask.data[start] == 0 || seen[start] {
            continue;
        }
        seen[start] = true;
        let mut region = vec![start];
        let mut next = 0;
        while next < region.len() {
            let (x, y) = (region[next] % w, region[next] / w);
            next += 1;
            for ny in y.saturating_sub(1)..=(y + 1).min(h - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(w - 1) {
                    let n = ny * w + nx;
                    if mask.data[n] != 0 && !seen[n] {
                        seen[n] = true;
                        region.push(n);
                    }
                }
            }
        }
        if region.len() < least {
            region.iter().for_each(|&i| out.data[i] = 0);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masks() -> impl Strategy<Value = Mask> {
        proptest::collection::vec(0u8..2, 16 * 12).prop_map(|data| Plane::from_vec(16, 12, data))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn closing_only_adds_and_changes_nothing_the_second_time(mask in masks()) {
            let closed = close(&mask, 2);
            prop_assert!(mask.data.iter().zip(&closed.data).all(|(a, b)| a <= b));
            prop_assert_eq!(close(&closed, 2), closed);
        }

        #[test]
        fn dropping_specks_only_removes(mask in masks(), least in 0usize..9) {
            let kept = without_specks(&mask, least);
            prop_assert!(mask.data.iter().zip(&kept.data).all(|(a, b)| a >= b));
            prop_assert_eq!(without_specks(&kept, least), kept);
        }
    }

    #[test]
    fn a_lone_pixel_dilates_to_a_disc() {
        let mut mask = Plane::filled(7, 7, 0u8);
        mask.set(3, 3, 1);
        assert_eq!((dilate(&mask, 1).area(), dilate(&mask, 2).area()), (5, 13));
    }
}
