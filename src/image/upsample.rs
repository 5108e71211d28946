//! Bilinear interpolation of score maps, by the definition of torch's `upsample_bilinear2d`.
//!
//! No antialiasing: it is meant for enlarging. Deterministic on every machine: plain arithmetic in a fixed order, in float32 for a
//! detector's own maps and in float64 for those that need it.
//! Cost: two multiplications a target pixel, and two a pixel of the map stretched along x.

use std::ops::{Add, Div, Mul, Sub};

use super::Plane;

/// What of the two grids coincides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// The centres of the corner pixels (`align_corners=true`).
    Corners,
    /// The outer edges; beyond the outermost centres the edge value goes on (`align_corners=false`).
    Edges,
}

impl From<bool> for Align {
    /// From the configuration's `align_corners`.
    fn from(align_corners: bool) -> Self {
        if align_corners { Self::Corners } else { Self::Edges }
    }
}

/// Interpolates a map to `width` x `height`. Every value lies within the range of its neighbours exactly, rounding
/// included, so that no maximum grows and no minimum falls. Both maps must have at least one pixel; NaN stays NaN.
pub fn bilinear<T: Real>(map: &Plane<T>, width: usize, height: usize, align: Align) -> Plane<T> {
    assert!(!map.data.is_empty(), "a map of at least one pixel");
    let columns = taps(map.width, width, align);
    // Rows first along x, each source row once; then along y.
    let mut wide = Vec::with_capacity(width * map.height);
    for row in map.data.chunks_exact(map.width) {
        wide.extend(columns.iter().map(|t| between(row[t.low], row[t.high], t.weight)));
    }
    let mut data = Vec::with_capacity(width * height);
    for t in taps(map.height, height, align) {
        let (low, high) = (&wide[t.low * width..][..width], &wide[t.high * width..][..width]);
        data.extend(low.iter().zip(high).map(|(&a, &b)| between(a, b, t.weight)));
    }
    Plane::from_vec(width, height, data)
}

/// A number that maps are made of.
pub trait Real: Copy + PartialOrd + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    const ZERO: Self;
    const HALF: Self;
    const ONE: Self;
    /// A count of pixels.
    fn of(count: usize) -> Self;
    /// Rounded down; not negative.
    fn whole(self) -> usize;
}

macro_rules! real {
    ($($float:ty),*) => {$(
        impl Real for $float {
            const ZERO: Self = 0.0;
            const HALF: Self = 0.5;
            const ONE: Self = 1.0;
            #[inline]
            fn of(count: usize) -> Self {
                count as Self
            }
            #[inline]
            fn whole(self) -> usize {
                self as usize
            }
        }
    )*};
}
real!(f32, f64);

/// Two neighbouring source indices and the weight of the second.
struct Tap<T> {
    low: usize,
    high: usize,
    weight: T,
}

fn taps<T: Real>(from: usize, to: usize, align: Align) -> Vec<Tap<T>> {
    let scale = match align {
        Align::Corners if to > 1 => T::of(from - 1) / T::of(to - 1),
        Align::Corners => T::ZERO,
        Align::Edges => T::of(from) / T::of(to),
    };
    let place = |i: usize| match align {
        Align::Corners => scale * T::of(i),
        Align::Edges => {
            let centre = scale * (T::of(i) + T::HALF) - T::HALF;
            if centre > T::ZERO { centre } else { T::ZERO }
        }
    };
    let tap = |i| {
        let x: T = place(i);
        let low = x.whole().min(from - 1);
        let weight = x - T::of(low);
        Tap { low, high: (low + 1).min(from - 1), weight: if weight > T::ONE { T::ONE } else { weight } }
    };
    (0..to).map(tap).collect()
}

/// `a` and `b` weighted `1 - weight` and `weight`, kept between them against rounding. Comparisons leave NaN alone.
#[inline]
fn between<T: Real>(a: T, b: T, weight: T) -> T {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    let value = (T::ONE - weight) * a + weight * b;
    if value < low {
        low
    } else if value > high {
        high
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::super::Map;
    use super::*;
    use proptest::prelude::*;

    /// The definition, one target pixel at a time in f64.
    fn slow(map: &Map, width: usize, height: usize, align: Align) -> Vec<f64> {
        let place = |i: usize, from: usize, to: usize| match align {
            Align::Corners if to == 1 => 0.0,
            Align::Corners => i as f64 * (from as f64 - 1.0) / (to as f64 - 1.0),
            Align::Edges => ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0),
        };
        let mut out = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let (sx, sy) = (place(x, map.width, width), place(y, map.height, height));
                let at = |dx: usize, dy: usize| {
                    let (x, y) = ((sx as usize + dx).min(map.width - 1), (sy as usize + dy).min(map.height - 1));
                    f64::from(map.at(x, y))
                };
                let (fx, fy) = (sx.fract(), sy.fract());
                out.push((1.0 - fy) * ((1.0 - fx) * at(0, 0) + fx * at(1, 0)) + fy * ((1.0 - fx) * at(0, 1) + fx * at(1, 1)));
            }
        }
        out
    }

    fn maps() -> impl Strategy<Value = Map> {
        (1..9_usize, 1..9_usize)
            .prop_flat_map(|(w, h)| proptest::collection::vec(-5.0..5.0_f32, w * h).prop_map(move |data| Map::from_vec(w, h, data)))
    }

    #[test]
    fn two_pixels_become_the_four_that_torch_gives() {
        // torch.nn.functional.interpolate(torch.tensor([[[[0., 3.]]]]), (1, 4), mode="bilinear", align_corners=...)
        let map = Map::from_vec(2, 1, vec![0.0, 3.0]);
        assert_eq!(bilinear(&map, 4, 1, true.into()).data, [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(bilinear(&map, 4, 1, false.into()).data, [0.0, 0.75, 2.25, 3.0]);
    }

    #[test]
    fn scipy_agrees_on_both_alignments() {
        // tests/oracle/scipy_maps.py: zoom of order 1, grid_mode on and off.
        let golden: serde_json::Value = serde_json::from_str(include_str!("../../tests/golden/scipy_maps.json")).unwrap();
        let numbers = |v: &serde_json::Value| v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect::<Vec<_>>();
        let map = Map::from_vec(9, 7, numbers(&golden["map"]));
        for (key, align) in [("zoom_corners_23x31", Align::Corners), ("zoom_edges_23x31", Align::Edges)] {
            let up = bilinear(&map, 31, 23, align);
            for (ours, scipy) in up.data.iter().zip(numbers(&golden[key])) {
                assert!((ours - scipy).abs() < 1e-5, "{key}: {ours} against {scipy}");
            }
        }
    }

    #[test]
    fn a_broken_score_is_not_hidden() {
        let up = bilinear(&Map::from_vec(2, 1, vec![f32::NAN, 1.0]), 5, 5, Align::Corners);
        assert!(up.data[1].is_nan());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn upsampling_equals_its_definition(map in maps(), w in 1..40_usize, h in 1..40_usize, corners: bool) {
            let up = bilinear(&map, w, h, corners.into());
            for (fast, slow) in up.data.iter().zip(slow(&map, w, h, corners.into())) {
                prop_assert!((f64::from(*fast) - slow).abs() < 1e-4);
            }
        }

        #[test]
        fn upsampling_neither_raises_the_maximum_nor_lowers_the_minimum(map in maps(), w in 1..70_usize, h in 1..70_usize, corners: bool) {
            let up = bilinear(&map, w, h, corners.into());
            let max = |m: &Map| m.data.iter().copied().fold(f32::MIN, f32::max);
            let min = |m: &Map| m.data.iter().copied().fold(f32::MAX, f32::min);
            prop_assert!(max(&up) <= max(&map) && min(&up) >= min(&map));
        }

        #[test]
        fn the_own_size_changes_nothing(map in maps(), corners: bool) {
            prop_assert_eq!(bilinear(&map, map.width, map.height, corners.into()), map);
        }

        #[test]
        fn the_image_score_bounds_every_pixel_score(map in maps(), w in 1..40_usize, h in 1..40_usize, corners: bool) {
            let up = bilinear(&map, w, h, corners.into());
            let score = up.data.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            prop_assert!(up.data.iter().all(|&p| p <= score));
        }
    }
}
