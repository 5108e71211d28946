//! Gaussian blur of maps: separable, f32, with the border rules of the codes that the results are compared with.
//!
//! Cost: two passes of `side` multiplications a pixel.

use super::Map;

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

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

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

/// Filters a map with the kernel along both axes.
pub fn separable(map: &Map, kernel: &Kernel, border: Border) -> Map {
    separable_in(map, kernel, border, Region { x: 0, y: 0, width: map.width, height: map.height })
}

/// The part of [`separable`]'s result that lies in `region`, bit for bit, at the cost of the region alone.
pub fn separable_in(map: &Map, kernel: &Kernel, border: Border, region: Region) -> Map {
    let radius = kernel.radius();
    let columns: Vec<Option<usize>> = around(region.x, region.width, radius, map.width, border);
    let rows: Vec<Option<usize>> = around(region.y, region.height, radius, map.height, border);
    let mut padded = vec![0.0_f32; columns.len()];
    let mut across = vec![0.0_f32; rows.len() * region.width];
    for (row, out) in rows.iter().zip(across.chunks_exact_mut(region.width.max(1))) {
        let Some(y) = row else { continue };
        let source = &map.data[y * map.width..][..map.width];
        for (p, column) in padded.iter_mut().zip(&columns) {
            *p = column.map_or(0.0, |x| source[x]);
        }
        for (k, &weight) in kernel.weights.iter().enumerate() {
            add_scaled(out, &padded[k..][..region.width], weight);
        }
    }
    let mut data = vec![0.0_f32; region.width * region.height];
    for (y, out) in data.chunks_exact_mut(region.width.max(1)).enumerate() {
        for (k, &weight) in kernel.weights.iter().enumerate() {
            add_scaled(out, &across[(y + k) * region.width..][..region.width], weight);
        }
    }
    Map::from_vec(region.width, region.height, data)
}

#[inline]
fn add_scaled(out: &mut [f32], values: &[f32], weight: f32) {
    for (o, v) in out.iter_mut().zip(values) {
        *o += weight * v;
    }
}

/// Source indices of `start - radius .. start + length + radius`; `None` reads zero.
fn around(start: usize, length: usize, radius: usize, size: usize, border: Border) -> Vec<Option<usize>> {
    let (start, radius) = (start as i64, radius as i64);
    (start - radius..start + length as i64 + radius).map(|i| folded(i, size as i64, border)).collect()
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
        (1..14_usize, 1..14_usize)
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
        fn a_region_is_a_cut_of_the_whole(map in maps(), side in 1..20_usize, cut in (0.0..1.0, 0.0..1.0, 0.0..1.0, 0.0..1.0), border in borders()) {
            let kernel = Kernel::gaussian(side, 3.0);
            let part = |from: f64, to: f64, size: usize| {
                let start = (from * size as f64) as usize;
                (start, 1 + (to * (size - start - 1) as f64) as usize)
            };
            let ((x, width), (y, height)) = (part(cut.0, cut.1, map.width), part(cut.2, cut.3, map.height));
            let whole = separable(&map, &kernel, border);
            let region = separable_in(&map, &kernel, border, Region { x, y, width, height });
            for j in 0..height {
                for i in 0..width {
                    prop_assert_eq!(region.at(i, j).to_bits(), whole.at(x + i, y + j).to_bits());
                }
            }
        }

        #[test]
        fn a_constant_map_stays_constant(w in 1..20_usize, h in 1..20_usize, sigma in 0.1..8.0, value in -100.0..100.0_f32) {
            let blurred = gaussian(&Map::filled(w, h, value), sigma);
            prop_assert!(blurred.data.iter().all(|v| (v - value).abs() <= 1e-5 * value.abs()));
        }
    }
}
