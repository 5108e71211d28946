//! Perlin noise (Perlin 1985, with the fade of 2002), and the blots that it leaves above a threshold: where a pseudo anomaly is.
//!
//! The same bits on every machine: directions are drawn without angles, and everything else is sums, products, quotients and
//! square roots.

use super::turn::turned;
use super::{between, uniform};
use crate::image::upsample::{self, Align};
use crate::image::{Map, Mask};
use rand::{Rng, RngExt};

/// The finest lattice has 2^5 cells along an axis, as DRAEM and those that follow it draw them.
const FINEST: u32 = 5;

/// 1 where Perlin noise is above `threshold`, else 0.
///
/// Each axis has a lattice of 2^n cells, n uniform from 0 to 5, with two pixels a cell at least: with one, all pixels would
/// be corners, where the noise is 0. It is drawn on sides that are powers of two and brought to `width` x `height` bilinearly
/// (DRAEM, Zavrtanik et al. 2021; SuperSimpleNet, Rolih et al. 2024).
pub fn blots<R: Rng>(width: usize, height: usize, threshold: f64, draws: &mut R) -> Mask {
    above(&octave(width, height, draws), threshold)
}

/// The same, the noise turned about its middle by up to `rotation` degrees either way, 0 where it has left the image (DRAEM).
pub fn blots_turned<R: Rng>(width: usize, height: usize, threshold: f64, rotation: f64, draws: &mut R) -> Mask {
    let noise = octave(width, height, draws);
    let turned = turned([width, height], uniform(draws, -rotation, rotation), |x, y| f64::from(noise.at(x, y)));
    let data = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| turned(x, y) as f32).collect();
    above(&Map::from_vec(width, height, data), threshold)
}

/// Perlin noise over a lattice whose cells along each axis are drawn.
fn octave<R: Rng>(width: usize, height: usize, draws: &mut R) -> Map {
    let sides = [width, height].map(usize::next_power_of_two);
    let cells = sides.map(|side| 1 << draws.random_range(0..=side.ilog2().saturating_sub(1).min(FINEST)));
    upsample::bilinear(&noise(sides, cells, draws), width, height, Align::Edges)
}

fn above(noise: &Map, threshold: f64) -> Mask {
    Mask::from_vec(noise.width, noise.height, noise.data.iter().map(|&value| u8::from(f64::from(value) > threshold)).collect())
}

/// Perlin noise between -1 and 1 of `[width, height]` pixels, over a lattice of `[columns, rows]` cells that divide them.
///
/// A pixel is its upper left corner. Each corner of the lattice has a direction drawn uniformly, row by row; a pixel's value is
/// the mean of the products of the four directions around it and its distances from their corners, weighted by the fade,
/// times the square root of 2.
pub fn noise<R: Rng>([width, height]: [usize; 2], [columns, rows]: [usize; 2], draws: &mut R) -> Map {
    assert!(width.is_multiple_of(columns) && height.is_multiple_of(rows), "cells divide the pixels");
    let corners: Vec<[f64; 2]> = (0..(columns + 1) * (rows + 1)).map(|_| direction(draws)).collect();
    let mut data = Vec::with_capacity(width * height);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let (column, row) = (x * columns / width, y * rows / height);
        let (u, v) = ((x * columns) as f64 / width as f64 - column as f64, (y * rows) as f64 / height as f64 - row as f64);
        let product = |right: usize, below: usize| {
            let [along, down] = corners[(row + below) * (columns + 1) + column + right];
            along * (u - right as f64) + down * (v - below as f64)
        };
        let upper = between(product(0, 0), product(1, 0), fade(u));
        let lower = between(product(0, 1), product(1, 1), fade(u));
        data.push((std::f64::consts::SQRT_2 * between(upper, lower, fade(v))) as f32);
    }
    Map::from_vec(width, height, data)
}

/// A vector of length 1: a point of the unit disc, drawn by rejection, pushed out to its edge.
pub(super) fn direction<R: Rng>(draws: &mut R) -> [f64; 2] {
    loop {
        let (x, y) = (uniform(draws, -1.0, 1.0), uniform(draws, -1.0, 1.0));
        let square = x * x + y * y;
        if square < 1.0 && square > 1e-12 {
            let length = square.sqrt();
            return [x / length, y / length];
        }
    }
}

/// From 0 to 1 with slopes and curvatures of 0 at both ends.
fn fade(t: f64) -> f64 {
    t * t * t * (t * (6.0 * t - 15.0) + 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;
    use proptest::prelude::*;

    /// The definition as a sum over all corners of the lattice, each with a weight that is 0 beyond its neighbouring cells.
    fn slow([width, height]: [usize; 2], [columns, rows]: [usize; 2], corners: &[[f64; 2]]) -> Vec<f64> {
        let weight = |t: f64| if t.abs() < 1.0 { 1.0 - 10.0 * t.abs().powi(3) + 15.0 * t.powi(4) - 6.0 * t.abs().powi(5) } else { 0.0 };
        let mut out = Vec::new();
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let at = [x as f64 * columns as f64 / width as f64, y as f64 * rows as f64 / height as f64];
            let mut sum = 0.0;
            for (place, [along, down]) in corners.iter().enumerate() {
                let [u, v] = [at[0] - (place % (columns + 1)) as f64, at[1] - (place / (columns + 1)) as f64];
                sum += weight(u) * weight(v) * (along * u + down * v);
            }
            out.push(2f64.sqrt() * sum);
        }
        out
    }

    fn sides() -> impl Strategy<Value = ([usize; 2], [usize; 2])> {
        let side = || (0..4_u32, 0..4_u32).prop_map(|(cells, pixels)| (1 << cells, 1 << (cells + pixels)));
        (side(), side()).prop_map(|((columns, width), (rows, height))| ([width, height], [columns, rows]))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn noise_is_the_weighted_sum_over_the_corners_and_lies_between_minus_1_and_1((sides, cells) in sides(), seed: u64) {
            let draws = || stream(seed, "test", 0, 0);
            let fast = noise(sides, cells, &mut draws());
            let mut again = draws();
            let corners: Vec<[f64; 2]> = (0..(cells[0] + 1) * (cells[1] + 1)).map(|_| direction(&mut again)).collect();
            for (fast, slow) in fast.data.iter().zip(slow(sides, cells, &corners)) {
                prop_assert!((f64::from(*fast) - slow).abs() < 1e-6);
                prop_assert!((-1.0..=1.0).contains(fast));
            }
        }
    }

    #[test]
    fn directions_have_length_1_and_point_everywhere_alike() {
        let mut draws = stream(0, "test", 0, 0);
        let (n, mut octants) = (8000, [0; 8]);
        for _ in 0..n {
            let [x, y] = direction(&mut draws);
            assert!((x * x + y * y - 1.0).abs() < 1e-12);
            octants[usize::from(x > 0.0) + 2 * usize::from(y > 0.0) + 4 * usize::from(x.abs() > y.abs())] += 1;
        }
        // Four standard errors of a share of an eighth.
        assert!(octants.iter().all(|&count| (count as f64 - 1000.0).abs() < 4.0 * (8000.0 * 0.125 * 0.875f64).sqrt()), "{octants:?}");
    }

    #[test]
    fn corners_of_the_lattice_are_0() {
        let noise = noise([32, 16], [4, 4], &mut stream(3, "test", 0, 0));
        for (y, x) in (0..16).flat_map(|y| (0..32).map(move |x| (y, x))) {
            assert_eq!(noise.at(x, y) == 0.0, x % 8 == 0 && y % 4 == 0, "{x} {y}");
        }
    }

    #[test]
    fn blots_of_any_size_are_there_and_leave_something_out() {
        for (width, height) in [(1, 1), (2, 3), (16, 16), (40, 24), (64, 64)] {
            let masks: Vec<Mask> = (0..200).map(|index| blots(width, height, 0.2, &mut stream(0, "test", 0, index))).collect();
            assert!(masks.iter().all(|mask| (mask.width, mask.height, mask.data.len()) == (width, height, width * height)));
            let share = masks.iter().map(|mask| mask.area()).sum::<usize>() as f64 / (200 * width * height) as f64;
            if width > 3 {
                assert!((0.1..0.4).contains(&share), "{width}x{height}: {share}");
                assert!(masks.iter().filter(|mask| mask.is_empty()).count() < 30);
            }
        }
    }

    #[test]
    fn a_turn_by_nothing_is_none_and_by_a_right_angle_moves_every_pixel() {
        for side in [16, 33] {
            let plain = blots(side, side, 0.2, &mut stream(0, "test", 0, 1));
            assert_eq!(blots_turned(side, side, 0.2, 0.0, &mut stream(0, "test", 0, 1)), plain);
            let share = |rotation: f64| -> f64 {
                let masks = (0..100).map(|index| blots_turned(side, side, 0.2, rotation, &mut stream(0, "test", 0, index)));
                masks.map(|mask| mask.area()).sum::<usize>() as f64 / (100 * side * side) as f64
            };
            // What leaves the corners is 0, which is below the threshold.
            assert!(share(90.0) < share(0.0) && share(90.0) > 0.5 * share(0.0));
        }
    }

    /// A change here changes every result that is made with it.
    #[test]
    fn a_blot_is_that_of_the_first_release() {
        let mask = blots(24, 12, 0.2, &mut stream(0, "golden", 0, 0));
        let rows = mask.data.chunks_exact(24).map(|row| row.iter().map(|&m| if m == 1 { '#' } else { '.' }).collect::<String>());
        assert_eq!(rows.collect::<Vec<_>>(), GOLDEN);
    }

    const GOLDEN: [&str; 12] = [
        "..#.......##.......##..#",
        "##........#........##..#",
        "##.............##..#####",
        "##.............##...####",
        "##.............##...##..",
        "#.........##...##...#...",
        "....##....##....##......",
        "...###...###....##......",
        "..####...###....##......",
        ".####....##.....#.......",
        ".###......#.............",
        ".##.......#.............",
    ];
}
