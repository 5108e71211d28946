//! Noise over the plane: hashed lattices, gradient noise, fractal sums and Voronoi cells. Pure functions of position and
//! seed; one evaluation costs some 10 ns an octave, a Voronoi look-up some 60 ns.

use super::math::floor;
use super::shade::FRAME;

/// A well mixed 32-bit hash of a lattice point.
#[inline]
pub fn hash(x: i32, y: i32, seed: u32) -> u32 {
    let mut h = seed ^ (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77).rotate_left(15);
    h = (h ^ (h >> 16)).wrapping_mul(0x7FEB_352D);
    h = (h ^ (h >> 15)).wrapping_mul(0x846C_A68B);
    h ^ (h >> 16)
}

/// A hash as a number in [0, 1).
#[inline]
pub fn unit(h: u32) -> f32 {
    (h >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// A number in [-1, 1) that belongs to the lattice point.
#[inline]
pub fn lattice(x: i32, y: i32, seed: u32) -> f32 {
    2.0 * unit(hash(x, y, seed)) - 1.0
}

#[inline]
fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

/// Gradient noise, about [-1, 1], mean 0, features of size 1.
#[inline]
pub fn gradient(x: f32, y: f32, seed: u32) -> f32 {
    let (ix, iy) = (floor(x), floor(y));
    let (fx, fy) = (ix as f32, iy as f32);
    let (dx, dy) = (x - fx, y - fy);
    let corner = |ox: i32, oy: i32| {
        let h = hash(ix + ox, iy + oy, seed);
        // A gradient of length about 1 whose direction is uniform enough: two 16-bit halves of the hash.
        let gx = (h & 0xFFFF) as f32 * (1.0 / 32768.0) - 1.0;
        let gy = (h >> 16) as f32 * (1.0 / 32768.0) - 1.0;
        gx * (dx - ox as f32) + gy * (dy - oy as f32)
    };
    let (u, v) = (fade(dx), fade(dy));
    let top = corner(0, 0) * (1.0 - u) + corner(1, 0) * u;
    let bottom = corner(0, 1) * (1.0 - u) + corner(1, 1) * u;
    1.6 * (top * (1.0 - v) + bottom * v)
}

/// Sum of `octaves` of gradient noise, each of half the size and half the strength; about [-1, 1].
pub fn fbm(x: f32, y: f32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut strength, mut total) = (0.0, 1.0, 0.0);
    let (mut x, mut y) = (x, y);
    for octave in 0..octaves {
        sum += strength * gradient(x, y, seed.wrapping_add(octave.wrapping_mul(0x632B_E5AB)));
        total += strength;
        strength *= 0.5;
        // Turned by about 37 degrees, so that the lattices don't line up.
        (x, y) = (1.6 * x - 1.2 * y + 17.3, 1.2 * x + 1.6 * y - 5.1);
    }
    sum / total
}

/// Slow fractal noise over the frame: evaluated every four pixels and interpolated, which is forty times cheaper.
#[derive(Debug, Clone)]
pub struct Cloud {
    nodes: Vec<f32>,
}

impl Cloud {
    const PITCH: f32 = 4.0;
    const SIDE: usize = (FRAME / Self::PITCH) as usize + 2;

    /// `frequency` in 1/px, at most 0.04; the octaves double it each time.
    pub fn new(frequency: f32, octaves: u32, seed: u32) -> Self {
        let at = |i: usize| i as f32 * Self::PITCH * frequency;
        let nodes = (0..Self::SIDE * Self::SIDE).map(|i| fbm(at(i % Self::SIDE), at(i / Self::SIDE), octaves, seed)).collect();
        Self { nodes }
    }

    /// The noise at (x, y), px of the frame.
    #[inline]
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let (u, v) = ((x / Self::PITCH).clamp(0.0, Self::SIDE as f32 - 1.001), (y / Self::PITCH).clamp(0.0, Self::SIDE as f32 - 1.001));
        let (i, j) = (u as usize, v as usize);
        let (s, t) = (u - i as f32, v - j as f32);
        let n = &self.nodes[j * Self::SIDE + i..];
        (n[0] * (1.0 - s) + n[1] * s) * (1.0 - t) + (n[Self::SIDE] * (1.0 - s) + n[Self::SIDE + 1] * s) * t
    }
}

/// Smooth noise along a line, [-1, 1], features of size 1; `row` picks the line.
#[inline]
pub fn line(x: f32, row: i32, seed: u32) -> f32 {
    let f = floor(x);
    let t = x - f as f32;
    let t = t * t * (3.0 - 2.0 * t);
    lattice(f, row, seed) * (1.0 - t) + lattice(f + 1, row, seed) * t
}

/// The Voronoi cell over a point.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    /// Hash that names the cell.
    pub id: u32,
    /// Distance to the cell's border, in units of the lattice.
    pub border: f32,
}

/// The cell over (x, y) among one jittered point per unit square.
pub fn cell(x: f32, y: f32, seed: u32) -> Cell {
    let (ix, iy) = (floor(x), floor(y));
    let (fx, fy) = (ix as f32, iy as f32);
    let mut points = [[0.0f32; 2]; 9];
    let (mut nearest, mut least, mut id) = (0, f32::INFINITY, 0);
    for (n, point) in points.iter_mut().enumerate() {
        let (ox, oy) = (n as i32 % 3 - 1, n as i32 / 3 - 1);
        let h = hash(ix + ox, iy + oy, seed);
        let px = fx + ox as f32 + 0.1 + 0.8 * ((h & 0xFFFF) as f32 / 65536.0) - x;
        let py = fy + oy as f32 + 0.1 + 0.8 * ((h >> 16) as f32 / 65536.0) - y;
        *point = [px, py];
        let d = px * px + py * py;
        if d < least {
            (nearest, least, id) = (n, d, h);
        }
    }
    let [cx, cy] = points[nearest];
    let mut border = f32::INFINITY;
    for (n, &[px, py]) in points.iter().enumerate() {
        if n != nearest {
            let (ex, ey) = (px - cx, py - cy);
            let half = 0.5 * ((px + cx) * ex + (py + cy) * ey);
            border = border.min(half / (ex * ex + ey * ey).sqrt());
        }
    }
    Cell { id: hash(id as i32, 7, seed), border }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_stays_near_the_unit_range_and_has_no_bias() {
        let (mut sum, mut most) = (0.0f64, 0.0f32);
        for i in 0..40_000 {
            let v = fbm((i % 200) as f32 * 0.37, (i / 200) as f32 * 0.29, 4, 11);
            sum += f64::from(v);
            most = most.max(v.abs());
        }
        assert!((sum / 40_000.0).abs() < 0.02 && most > 0.4 && most < 1.3, "mean {}, greatest {most}", sum / 40_000.0);
    }

    #[test]
    fn noise_is_continuous_across_lattice_lines() {
        for k in -5..5 {
            let x = k as f32;
            assert!((gradient(x - 1e-4, 0.3, 5) - gradient(x + 1e-4, 0.3, 5)).abs() < 2e-3);
            assert!((line(x - 1e-4, 3, 5) - line(x + 1e-4, 3, 5)).abs() < 2e-3);
        }
    }

    #[test]
    fn a_cloud_is_its_noise_at_the_nodes() {
        let cloud = Cloud::new(0.02, 3, 9);
        for (x, y) in [(0.0, 0.0), (40.0, 8.0), (252.0, 128.0), (256.0, 256.0)] {
            assert!((cloud.at(x, y) - fbm(x * 0.02, y * 0.02, 3, 9)).abs() < 0.02);
        }
    }

    #[test]
    fn a_cells_border_is_never_behind_the_point() {
        for i in 0..2000 {
            let c = cell((i % 50) as f32 * 0.21, (i / 50) as f32 * 0.33, 3);
            assert!(c.border >= -1e-4 && c.border < 1.5);
        }
    }
}
