//! Simplex noise (Perlin 2001) in a box of the image: the pseudo anomaly of RD++ (Tien et al. 2023), after AnoDDPM (Wyatt et al. 2022).
//!
//! Octaves of noise in three dimensions, the third being the channel, are added to a random box. The authors draw OpenSimplex noise, a
//! relative of another lattice. Sums and products alone: the same bits on every machine.

use super::generator::{Beside, Generator};
use super::{changed, shuffle, uniform};
use crate::config::Simplex;
use crate::image::{Mask, Rgb};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Boxes that may come out without a change before the image is given up as normal.
const TRIES: usize = 10;

/// Side of the image that configured lengths are for, px.
const REFERENCE: f64 = 256.0;

/// The twelve directions from the middle of a cube to its edges.
const DIRECTIONS: [[f64; 3]; 12] = [
    [1.0, 1.0, 0.0],
    [-1.0, 1.0, 0.0],
    [1.0, -1.0, 0.0],
    [-1.0, -1.0, 0.0],
    [1.0, 0.0, 1.0],
    [-1.0, 0.0, 1.0],
    [1.0, 0.0, -1.0],
    [-1.0, 0.0, -1.0],
    [0.0, 1.0, 1.0],
    [0.0, -1.0, 1.0],
    [0.0, 1.0, -1.0],
    [0.0, -1.0, -1.0],
];

/// Brings the noise to about -1..=1.
const SCALE: f64 = 76.0;

/// A field of noise: a permutation of 256 says which corner has which direction.
pub struct Field {
    order: [u8; 256],
}

impl Generator for Simplex {
    fn apply(&self, image: &Rgb, _: Beside, draws: &mut ChaCha8Rng) -> Option<(Rgb, Mask)> {
        (0..TRIES).find_map(|_| {
            let out = self.once(image, draws);
            let mask = changed(image, &out);
            (!mask.is_empty()).then_some((out, mask))
        })
    }
}

impl Simplex {
    fn once(&self, image: &Rgb, draws: &mut ChaCha8Rng) -> Rgb {
        let whole = image.width.min(image.height) as f64;
        let mut side = |most: usize| {
            let length = uniform(draws, self.side[0], self.side[1]) * whole / REFERENCE;
            (length.round() as usize).clamp(1, most)
        };
        let (width, height) = (side(image.width), side(image.height));
        let (left, top) = (draws.random_range(0..=image.width - width), draws.random_range(0..=image.height - height));
        let field = Field::new(draws);
        let mut out = image.clone();
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let before = image.at(left + x, top + y);
            let after = [0, 1, 2].map(|c| {
                let noise = field.octaves([x as f64, y as f64, c as f64], self);
                (f64::from(before[c]) + 255.0 * self.strength * noise).round().clamp(0.0, 255.0) as u8
            });
            out.set(left + x, top + y, after);
        }
        out
    }
}

impl Field {
    pub fn new(draws: &mut ChaCha8Rng) -> Self {
        let mut order: [u8; 256] = std::array::from_fn(|i| i as u8);
        shuffle(draws, &mut order);
        Self { order }
    }

    /// The sum over octaves: each has half the wavelength of the one before, and its amplitude times the persistence.
    fn octaves(&self, at: [f64; 3], cfg: &Simplex) -> f64 {
        let (mut sum, mut amplitude, mut wavelength) = (0.0, 1.0, f64::from(cfg.wavelength));
        for _ in 0..cfg.octaves {
            sum += amplitude * self.at(at.map(|v| v / wavelength));
            amplitude *= cfg.persistence;
            wavelength /= 2.0;
        }
        sum
    }

    /// Noise at a point, about -1..=1: the sum over the four corners of the simplex around it of `(1/2 - d^2)^4` times the product of the
    /// corner's direction with the way from it. Corners further away than `1/2` in square do not count, so that the noise is smooth.
    pub fn at(&self, [x, y, z]: [f64; 3]) -> f64 {
        // To the lattice in which simplices are halves of halves of cubes.
        let skew = (x + y + z) / 3.0;
        let cell = [x + skew, y + skew, z + skew].map(f64::floor);
        let first = self.from(cell, [x, y, z]);
        // The corners on the way from the cell's first to its last, along its longest side first.
        let mut axes = [0, 1, 2];
        axes.sort_by(|&a, &b| first[b].total_cmp(&first[a]));
        let (mut corner, mut sum) = (cell, self.corner(cell, first));
        for axis in axes {
            corner[axis] += 1.0;
            sum += self.corner(corner, self.from(corner, [x, y, z]));
        }
        SCALE * sum
    }

    /// The way from a corner of the lattice to a point.
    fn from(&self, corner: [f64; 3], point: [f64; 3]) -> [f64; 3] {
        let unskew = corner.iter().sum::<f64>() / 6.0;
        std::array::from_fn(|i| point[i] - (corner[i] - unskew))
    }

    fn corner(&self, corner: [f64; 3], way: [f64; 3]) -> f64 {
        let near = 0.5 - way.iter().map(|v| v * v).sum::<f64>();
        if near <= 0.0 {
            return 0.0;
        }
        let [i, j, k] = corner.map(|v| (v as i64 & 255) as usize);
        let next = |i: usize, n: u8| self.order[(i + n as usize) & 255];
        let direction = DIRECTIONS[next(i, next(j, self.order[k])) as usize % DIRECTIONS.len()];
        near.powi(4) * (0..3).map(|axis| direction[axis] * way[axis]).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::pseudo::tests::picture;
    use crate::seed::stream;
    use proptest::prelude::*;

    fn default() -> Simplex {
        Config::default().pseudo.simplex
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn four_corners_are_all_that_count(seed: u64, point in [-40.0..40.0, -40.0..40.0, -40.0..40.0]) {
            let field = Field::new(&mut stream(seed, "test", 0, 0));
            // The definition: a sum over every corner around.
            let middle = point.map(|v: f64| (v + point.iter().sum::<f64>() / 3.0).floor());
            let mut sum = 0.0;
            for (i, j, k) in (-3..=3).flat_map(|i| (-3..=3).flat_map(move |j| (-3..=3).map(move |k| (i, j, k)))) {
                let corner = [middle[0] + f64::from(i), middle[1] + f64::from(j), middle[2] + f64::from(k)];
                sum += field.corner(corner, field.from(corner, point));
            }
            prop_assert!((field.at(point) - SCALE * sum).abs() < 1e-9);
            prop_assert!(field.at(point).abs() <= 1.0);
        }

        #[test]
        fn only_what_changed_is_marked_and_it_lies_in_a_box(width in 1..100_usize, height in 1..100_usize, seed: u64) {
            let image = picture(width, height, seed % 100);
            let made = default().apply(&image, Beside::image(&image), &mut stream(seed, "test", 0, 0));
            prop_assert_eq!(&made, &default().apply(&image, Beside::image(&image), &mut stream(seed, "test", 0, 0)));
            if let Some((out, mask)) = made {
                prop_assert_eq!(&mask, &changed(&image, &out));
                let side = |at: &dyn Fn(usize) -> usize| {
                    let at: Vec<usize> = (0..mask.data.len()).filter(|&i| mask.data[i] != 0).map(at).collect();
                    at.iter().max().unwrap() - at.iter().min().unwrap() + 1
                };
                let most = (31.0 * width.min(height) as f64 / 256.0).round().max(1.0) as usize;
                prop_assert!(side(&|i| i % width) <= most && side(&|i| i / width) <= most);
            }
        }
    }

    #[test]
    fn noise_spreads_over_its_range_about_0() {
        let field = Field::new(&mut stream(0, "test", 0, 0));
        let mut draws = stream(1, "test", 0, 0);
        let values: Vec<f64> = (0..40_000).map(|_| field.at([0; 3].map(|_| uniform(&mut draws, -100.0, 100.0)))).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let (low, high) = values.iter().fold((0.0, 0.0), |(l, h): (f64, f64), v| (l.min(*v), h.max(*v)));
        assert!(mean.abs() < 0.02 && low < -0.8 && high > 0.8, "{mean} {low} {high}");
    }
}
