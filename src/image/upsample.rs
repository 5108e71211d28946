//! Bilinear interpolation of score maps, by the definition of torch's `upsample_bilinear2d`.
//!
//! No antialiasing: it is meant for enlarging. Deterministic on every machine: plain f32 arithmetic in a fixed order.
//! Cost: two multiplications a target pixel, and two a pixel of the map stretched along x.

use super::Map;

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
pub fn bilinear(map: &Map, width: usize, height: usize, align: Align) -> Map {
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
    Map::from_vec(width, height, data)
}

/// Two neighbouring source indices and the weight of the second.
struct Tap {
    low: usize,
    high: usize,
    weight: f32,
}

fn taps(from: usize, to: usize, align: Align) -> Vec<Tap> {
    let scale = match align {
        Align::Corners if to > 1 => (from - 1) as f32 / (to - 1) as f32,
        Align::Corners => 0.0,
        Align::Edges => from as f32 / to as f32,
    };
    let place = |i: usize| match align {
        Align::Corners => scale * i as f32,
        Align::Edges => (scale * (i as f32 + 0.5) - 0.5).max(0.0),
    };
    let tap = |i| {
        let x: f32 = place(i);
        let low = (x as usize).min(from - 1);
        Tap { low, high: (low + 1).min(from - 1), weight: (x - low as f32).min(1.0) }
    };
    (0..to).map(tap).collect()
}

/// `a` and `b` weighted `1 - weight` and `weight`, kept between them against rounding. Comparisons leave NaN alone.
#[inline]
fn between(a: f32, b: f32, weight: f32) -> f32 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    let value = (1.0 - weight) * a + weight * b;
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
