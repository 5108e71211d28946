//! From linear light to an 8-bit picture: pixel aperture, defocus, uneven illumination, exposure, sensor noise, tone curve.

use super::draw::Draw;
use super::math::exp;
use super::shade::{FRAME, Grid};
use crate::image::Rgb;

/// One exposure.
#[derive(Debug, Clone)]
pub struct Camera {
    gain: [f32; 3],
    /// Deviation of the defocus, px.
    blur: f32,
    /// Loss of light in the corners, 0..1.
    vignette: f32,
    /// Change of the illumination from side to side.
    gradient: [f32; 2],
    /// Deviation of the noise at black and its growth with light.
    noise: (f32, f32),
    seed: u32,
}

/// Whether the sensor adds its noise; masks are found without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensor {
    Noisy,
    Ideal,
}

impl Camera {
    pub fn draw(draw: &mut Draw) -> Self {
        let gain = draw.uniform(0.88, 1.12);
        let white = draw.uniform(-0.025, 0.025);
        Self {
            gain: [gain * (1.0 + white), gain, gain * (1.0 - white)],
            blur: draw.uniform(0.35, 0.65),
            vignette: draw.uniform(0.03, 0.2),
            gradient: [draw.uniform(-0.1, 0.1), draw.uniform(-0.1, 0.1)],
            noise: (draw.uniform(0.002, 0.004), draw.uniform(0.006, 0.013)),
            seed: draw.seed(),
        }
    }

    /// The picture of the samples' light.
    pub fn expose(&self, light: &[[f32; 3]], grid: Grid, sensor: Sensor) -> Rgb {
        let side = grid.side;
        let mut pixels = blur(aperture(light, grid), side, self.blur * side as f32 / FRAME);
        let mut draw = Draw(crate::seed::stream(u64::from(self.seed), "builtin/sensor", 0, 0));
        for y in 0..side {
            for x in 0..side {
                let (u, v) = (x as f32 / side as f32 - 0.5, y as f32 / side as f32 - 0.5);
                let even = (1.0 - self.vignette * 2.0 * (u * u + v * v)) * (1.0 + self.gradient[0] * u + self.gradient[1] * v);
                // Demosaicing correlates the channels' noise.
                let shared = if sensor == Sensor::Noisy { draw.normal() } else { 0.0 };
                for (c, value) in pixels[y * side + x].iter_mut().enumerate() {
                    *value = (*value * even * self.gain[c]).max(0.0);
                    if sensor == Sensor::Noisy {
                        let deviation = self.noise.0 + self.noise.1 * value.sqrt();
                        *value = (*value + deviation * (0.6 * shared + 0.8 * draw.normal())).max(0.0);
                    }
                }
            }
        }
        let data = pixels.iter().flatten().map(|&v| (255.0 * tone(v) + 0.5) as u8).collect();
        Rgb::from_vec(side, side, data)
    }
}

/// The tone curve: a toe that keeps blacks deep, a soft shoulder above 0.75, then the power 7/16, which square roots give.
fn tone(linear: f32) -> f32 {
    let linear = linear * linear / (linear + 0.02);
    let x = if linear > 0.75 { 0.75 + 0.25 * (1.0 - exp(-(linear - 0.75) * 4.0)) } else { linear };
    let quarter = x.sqrt().sqrt();
    let eighth = quarter.sqrt();
    (quarter * eighth * eighth.sqrt()).min(1.0)
}

/// Mean of each pixel's samples.
fn aperture(light: &[[f32; 3]], grid: Grid) -> Vec<[f32; 3]> {
    let (side, width, n) = (grid.side, grid.width(), grid.samples);
    let share = 1.0 / (n * n) as f32;
    let mut pixels = vec![[0.0; 3]; side * side];
    for (y, row) in light.chunks_exact(width).enumerate() {
        for (x, sample) in row.iter().enumerate() {
            let pixel = &mut pixels[y / n * side + x / n];
            for c in 0..3 {
                pixel[c] += sample[c] * share;
            }
        }
    }
    pixels
}

/// Gaussian blur of deviation `sigma` px, truncated at two pixels: defocus here is below one.
fn blur(pixels: Vec<[f32; 3]>, side: usize, sigma: f32) -> Vec<[f32; 3]> {
    let weight = |d: f32| exp(-d * d / (2.0 * sigma * sigma).max(1e-3));
    let total = 1.0 + 2.0 * weight(1.0) + 2.0 * weight(2.0);
    let kernel = [weight(2.0), weight(1.0), 1.0, weight(1.0), weight(2.0)].map(|w| w / total);
    let pass = |source: &[[f32; 3]]| {
        let mut out = vec![[0.0; 3]; source.len()];
        for (y, row) in source.chunks_exact(side).enumerate() {
            for x in 0..side {
                let mut sum = [0.0; 3];
                for (k, w) in kernel.iter().enumerate() {
                    let from = row[(x + k).saturating_sub(2).min(side - 1)];
                    for c in 0..3 {
                        sum[c] += w * from[c];
                    }
                }
                out[x * side + y] = sum;
            }
        }
        out
    };
    pass(&pass(&pixels))
}
