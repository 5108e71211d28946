//! Gaussian blur of maps: separable, f32, with the border rules of the codes that the results are compared with.
//!
//! Cost: two passes of `side` multiplications a pixel.

use super::{Map, Map64};

/// What a kernel reads beyond an edge; `d c b a | a b c d | d c b a` is [`Border::Reflect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// The edge pixel is repeated (scipy's `reflect`, numpy's `symmetric`).
    Reflect,
    /// The edge pixel is not repeated: `d c b | a b c d | c b a` (torch's and kornia's `reflect`, scipy's `mirror`).
    Mirror,
    /// Nothing: zeros.
    Zero,
}

/// Values that are summed side by side, in registers.
const LANES: usize = 16;

/// A one-dimensional kernel of odd length whose weights sum to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    weights: Vec<f32>,
}

impl Kernel {
    /// A sampled Gaussian of `side` (made odd by rounding down) px and `sigma` px; `sigma <= 0` gives the identity.
    pub fn gaussian(side: usize, sigma: f64) -> Self {
        if sigma <= 0.0 || side < 2 {
            return Self { weights: vec![1.0] };
        }
        let radius = ((side - 1) / 2) as i64;
        let weights: Vec<f64> = (-radius..=radius).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp()).collect();
        let sum: f64 = weights.iter().sum();
        Self { weights: weights.iter().map(|w| (w / sum) as f32).collect() }
    }

    /// Pixels on either side of the middle one.
    pub fn radius(&self) -> usize {
        self.weights.len() / 2
    }
}

/// `scipy.ndimage.gaussian_filter(map, sigma, mode="reflect", truncate=4)`, to float32 rounding. `sigma` in px; 0 = unchanged.
pub fn gaussian(map: &Map, sigma: f64) -> Map {
    let radius = (4.0 * sigma + 0.5) as usize;
    separable(map, &Kernel::gaussian(2 * radius + 1, sigma), Border::Reflect)
}

/// [`gaussian`] in float64 throughout: for maps that float32 would round. Plain, and slower.
pub fn gaussian64(map: &Map64, sigma: f64) -> Map64 {
    let radius = if sigma > 0.0 { (4.0 * sigma + 0.5) as usize } else { 0 };
    let offsets = -(radius as i64)..=radius as i64;
    let weights: Vec<f64> = offsets.map(|i| if radius == 0 { 1.0 } else { (-0.5 * (i as f64 / sigma).powi(2)).exp() }).collect();
    let sum: f64 = weights.iter().sum();
    let along = |source: &dyn Fn(usize) -> f64, places: &[Option<usize>]| -> f64 {
        places.iter().zip(&weights).map(|(place, weight)| place.map_or(0.0, source) * (weight / sum)).sum()
    };
    let [columns, rows] = [map.width, map.height].map(|size| around(size, radius, Border::Reflect));
    let pixels = || (0..map.height).flat_map(|y| (0..map.width).map(move |x| (x, y)));
    let across: Vec<f64> = pixels().map(|(x, y)| along(&|at| map.at(at, y), &columns[x..][..weights.len()])).collect();
    let across = Map64::from_vec(map.width, map.height, across);
    let data = pixels().map(|(x, y)| along(&|at| across.at(x, at), &rows[y..][..weights.len()])).collect();
    Map64::from_vec(map.width, map.height, data)
}

/// Filters a map with the kernel along both axes. Each value is the sum over ascending taps, of each row before the rows.
pub fn separable(map: &Map, kernel: &Kernel, border: Border) -> Map {
    let radius = kernel.radius();
    let [columns, rows] = [map.width, map.height].map(|size| around(size, radius, border));
    let stride = map.width.next_multiple_of(LANES);
    let taps: Vec<(usize, f32)> = kernel.weights.iter().copied().enumerate().collect();
    let mut padded = vec![0.0; stride + 2 * radius];
    let mut across = vec![0.0; stride * map.height];
    // A row of zeros adds nothing, and most of a plane of noise is zero.
    let mut live = vec![false; map.height];
    let sources = map.data.chunks_exact(map.width.max(1));
    for ((source, live), out) in sources.zip(&mut live).zip(across.chunks_exact_mut(stride.max(1))) {
        *live = source.iter().any(|&v| v != 0.0);
        if *live {
            padded.iter_mut().zip(&columns).for_each(|(p, column)| *p = column.map_or(0.0, |x| source[x]));
            weigh(&padded, &taps, out);
        }
    }
    let mut data = Vec::with_capacity(map.data.len());
    let mut down = vec![0.0; stride];
    for y in 0..map.height {
        let taps = rows[y..].iter().zip(&kernel.weights).filter_map(|(row, &weight)| Some(((*row)?, weight)));
        let taps: Vec<(usize, f32)> = taps.filter(|&(row, _)| live[row]).map(|(row, weight)| (row * stride, weight)).collect();
        weigh(&across, &taps, &mut down);
        data.extend_from_slice(&down[..map.width]);
    }
    Map::from_vec(map.width, map.height, data)
}

/// `out[i]` = the sum over taps (offset, weight) of `weight * source[offset + i]`; whole lanes.
fn weigh(source: &[f32], taps: &[(usize, f32)], out: &mut [f32]) {
    for (i, out) in out.chunks_exact_mut(LANES).enumerate() {
        let mut sums = [0.0; LANES];
        for &(offset, weight) in taps {
            let values = &source[offset + i * LANES..][..LANES];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        }
        out.copy_from_slice(&sums);
    }
}

/// Source indices of `-radius .. size + radius`; `None` reads zero.
fn around(size: usize, radius: usize, border: Border) -> Vec<Option<usize>> {
    let (size, radius) = (size as i64, radius as i64);
    (-radius..size + radius).map(|i| folded(i, size, border)).collect()
}

fn folded(i: i64, size: i64, border: Border) -> Option<usize> {
    if (0..size).contains(&i) {
        return Some(i as usize);
    }
    let folded = match border {
        Border::Zero => return None,
        Border::Mirror if size == 1 => 0,
        Border::Reflect => {
            let i = i.rem_euclid(2 * size);
            i.min(2 * size - 1 - i)
        }
        Border::Mirror => {
            let i = i.rem_euclid(2 * size - 2);
            i.min(2 * size - 2 - i)
        }
    };
    Some(folded as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition: one pixel, one double sum in f64.
    fn slow(map: &Map, kernel: &Kernel, border: Border) -> Vec<f64> {
        let radius = kernel.radius() as i64;
        let mut out = Vec::new();
        for y in 0..map.height as i64 {
            for x in 0..map.width as i64 {
                let mut sum = 0.0;
                for dy in -radius..=radius {
                    for dx in -radius..=radius {
                        let weight = f64::from(kernel.weights[(dy + radius) as usize]) * f64::from(kernel.weights[(dx + radius) as usize]);
                        let read = folded(x + dx, map.width as i64, border).zip(folded(y + dy, map.height as i64, border));
                        sum += weight * read.map_or(0.0, |(x, y)| f64::from(map.at(x, y)));
                    }
                }
                out.push(sum);
            }
        }
        out
    }

    fn maps() -> impl Strategy<Value = Map> {
        (1..20_usize, 1..14_usize)
            .prop_flat_map(|(w, h)| proptest::collection::vec(-5.0..5.0_f32, w * h).prop_map(move |data| Map::from_vec(w, h, data)))
    }

    fn borders() -> impl Strategy<Value = Border> {
        proptest::sample::select(vec![Border::Reflect, Border::Mirror, Border::Zero])
    }

    #[test]
    fn scipy_agrees_on_small_and_large_sigmas() {
        // tests/oracle/scipy_maps.py; at sigma 4 the kernel is larger than the map, so borders fold more than once.
        let golden: serde_json::Value = serde_json::from_str(include_str!("../../tests/golden/scipy_maps.json")).unwrap();
        let numbers = |v: &serde_json::Value| v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect::<Vec<_>>();
        let map = Map::from_vec(9, 7, numbers(&golden["map"]));
        for sigma in ["0.6", "1.5", "4.0"] {
            let ours = gaussian(&map, sigma.parse().unwrap());
            for (a, b) in ours.data.iter().zip(numbers(&golden[&format!("gaussian_{sigma}")])) {
                assert!((a - b).abs() < 2e-6, "sigma {sigma}: {a} against {b}");
            }
        }
    }

    #[test]
    fn no_sigma_changes_nothing() {
        let map = Map::from_vec(3, 1, vec![1.0, 5.0, -2.0]);
        assert_eq!(gaussian(&map, 0.0), map);
        assert_eq!(Kernel::gaussian(25, 0.0), Kernel { weights: vec![1.0] });
    }

    #[test]
    fn borders_fold_as_they_are_drawn() {
        let read = |border| (-3..7).map(|i| folded(i, 4, border)).collect::<Vec<_>>();
        assert_eq!(read(Border::Reflect), [2, 1, 0, 0, 1, 2, 3, 3, 2, 1].map(Some));
        assert_eq!(read(Border::Mirror), [3, 2, 1, 0, 1, 2, 3, 2, 1, 0].map(Some));
        assert_eq!(read(Border::Zero)[..4], [None, None, None, Some(0)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn two_passes_equal_the_double_sum(map in maps(), side in 1..20_usize, sigma in 0.2..6.0, border in borders()) {
            let kernel = Kernel::gaussian(side, sigma);
            for (fast, slow) in separable(&map, &kernel, border).data.iter().zip(slow(&map, &kernel, border)) {
                prop_assert!((f64::from(*fast) - slow).abs() < 2e-5);
            }
        }

        #[test]
        fn rows_of_zeros_and_lanes_change_no_bit(map in maps(), zeros in proptest::collection::vec(any::<bool>(), 14), side in 1..20_usize, border in borders()) {
            let mut map = map;
            map.data.chunks_exact_mut(map.width).zip(zeros).filter(|(_, zero)| *zero).for_each(|(row, _)| row.fill(0.0));
            let kernel = Kernel::gaussian(side, 3.0);
            let radius = kernel.radius() as i64;
            // One axis at a time, every tap in order.
            let pass = |map: &Map, dx: i64, dy: i64| {
                let sum = |x: i64, y: i64| (-radius..=radius).zip(&kernel.weights).fold(0.0_f32, |sum, (d, weight)| {
                    let read = folded(x + d * dx, map.width as i64, border).zip(folded(y + d * dy, map.height as i64, border));
                    sum + weight * read.map_or(0.0, |(x, y)| map.at(x, y))
                });
                let places = (0..map.height as i64).flat_map(|y| (0..map.width as i64).map(move |x| (x, y)));
                Map::from_vec(map.width, map.height, places.map(|(x, y)| sum(x, y)).collect())
            };
            let slow = pass(&pass(&map, 1, 0), 0, 1);
            for (a, b) in separable(&map, &kernel, border).data.iter().zip(&slow.data) {
                prop_assert_eq!(a.to_bits(), b.to_bits());
            }
        }

        #[test]
        fn a_constant_map_stays_constant(w in 1..20_usize, h in 1..20_usize, sigma in 0.1..8.0, value in -100.0..100.0_f32) {
            let blurred = gaussian(&Map::filled(w, h, value), sigma);
            prop_assert!(blurred.data.iter().all(|v| (v - value).abs() <= 1e-5 * value.abs()));
        }
    }
}
