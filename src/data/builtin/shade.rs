//! Light on a relief seen from above: samples that carry height and material, a key light with soft shadows, ambient
//! light with occlusion, and highlights, isotropic or drawn out by grooves. Lengths are px of the 256 px frame.

use super::draw::Draw;
use super::math::{round, sin_cos, smoothstep};

/// Side of the frame that all scenes are described in, px.
pub const FRAME: f32 = 256.0;

/// Where samples lie: `side` pixels, `samples` x `samples` samples in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub side: usize,
    pub samples: usize,
}

impl Grid {
    /// Samples a row.
    pub fn width(self) -> usize {
        self.side * self.samples
    }

    /// Distance of two samples, px of the frame.
    pub fn step(self) -> f32 {
        FRAME / self.width() as f32
    }

    /// Position of the sample's row or column, px of the frame.
    pub fn at(self, index: usize) -> f32 {
        (index as f32 + 0.5) * self.step()
    }

    pub fn plane<T: Copy>(self, value: T) -> Vec<T> {
        vec![value; self.width() * self.width()]
    }
}

/// What a sample shows.
#[derive(Debug, Clone, Copy)]
pub struct Surfel {
    /// Height towards the camera, px.
    pub height: f32,
    /// Reflectance, linear, 0..=1.
    pub albedo: [f32; 3],
    /// Strength of the highlight, 0..=1.
    pub shine: f32,
    /// Sharpness of the highlight: its fall-off per unit of 1 - cos; 5 is dull, 200 polished.
    pub gloss: f32,
    /// 0 = paint or plastic, 1 = bare metal, which mirrors its surroundings instead of scattering.
    pub metal: f32,
    /// Unit direction of the grooves, zero where there are none.
    pub groove: [f32; 2],
    /// True where the defect acts on the scene.
    pub defect: bool,
}

impl Surfel {
    /// A matt sample.
    pub fn matt(height: f32, albedo: [f32; 3]) -> Self {
        Self { height, albedo, shine: 0.0, gloss: 5.0, metal: 0.0, groove: [0.0; 2], defect: false }
    }
}

/// The lamp and the surroundings.
#[derive(Debug, Clone)]
pub struct Light {
    /// Unit vector towards the lamp.
    towards: [f32; 3],
    key: [f32; 3],
    ambient: [f32; 3],
    /// Width of the penumbra, px per px of distance.
    softness: f32,
}

impl Light {
    /// A lamp whose azimuth lies within `spread` radians of the upper left.
    pub fn draw(draw: &mut Draw, spread: f32) -> Self {
        let azimuth = -2.25 + draw.uniform(-spread, spread);
        let elevation = draw.uniform(0.75, 1.1);
        let ((sa, ca), (se, ce)) = (sin_cos(azimuth), sin_cos(elevation));
        let warm = draw.uniform(-0.03, 0.05);
        let (key, ambient) = (draw.uniform(0.72, 0.95), draw.uniform(0.28, 0.42));
        Self {
            towards: [ca * ce, sa * ce, se],
            key: [key * (1.0 + warm), key, key * (1.0 - 1.4 * warm)],
            ambient: [ambient * (1.0 - 0.5 * warm), ambient, ambient * (1.0 + warm)],
            softness: draw.uniform(0.25, 0.5),
        }
    }
}

/// How far shadows and occlusion reach, px; flat scenes need neither.
#[derive(Debug, Clone, Copy)]
pub struct Relief {
    pub shadow: f32,
    pub occlusion: f32,
}

/// Linear light of every sample.
pub fn shade(surfels: &[Surfel], grid: Grid, light: &Light, relief: Relief) -> Vec<[f32; 3]> {
    let width = grid.width();
    let heights: Vec<f32> = surfels.iter().map(|s| s.height).collect();
    let around = box_blur(&heights, width, round(relief.occlusion / grid.step()) as usize);
    let shadows = shadows(&heights, grid, light, relief.shadow);
    let half = [light.towards[0], light.towards[1], light.towards[2] + 1.0];
    let norm = (half[0] * half[0] + half[1] * half[1] + half[2] * half[2]).sqrt();
    let half = half.map(|v| v / norm);
    let mut out = Vec::with_capacity(surfels.len());
    for y in 0..width {
        let (up, down) = (y.saturating_sub(1) * width, (y + 1).min(width - 1) * width);
        for x in 0..width {
            let i = y * width + x;
            let (left, right) = (i - usize::from(x > 0), i + usize::from(x + 1 < width));
            let slope = |a: f32, b: f32| ((b - a) / (2.0 * grid.step())).clamp(-1.6, 1.6);
            let normal = unit3([-slope(heights[left], heights[right]), -slope(heights[up + x], heights[down + x]), 1.0]);
            let open = 1.0 / (1.0 + 0.55 * (around[i] - heights[i]).max(0.0) / relief.occlusion.max(1.0) * 2.0);
            out.push(sample(&surfels[i], normal, shadows[i], open, light, half));
        }
    }
    out
}

/// One sample's light: `lit` and `open` are the shares of lamp and sky that reach it.
fn sample(s: &Surfel, n: [f32; 3], lit: f32, open: f32, light: &Light, half: [f32; 3]) -> [f32; 3] {
    let diffuse = dot(n, light.towards).max(0.0) * lit;
    let sky = open * (0.55 + 0.45 * n[2]);
    let highlight = if s.shine == 0.0 {
        0.0
    } else if s.groove == [0.0; 2] {
        lobe(s.gloss * (1.0 - dot(n, half))) * (0.25 + 0.75 * lit)
    } else {
        // Grooves keep the highlight narrow along them and draw it out across them.
        let [gx, gy] = s.groove;
        let along = half[0] * gx + half[1] * gy - (n[0] * gx + n[1] * gy) * half[2];
        let across = -half[0] * gy + half[1] * gx - (-n[0] * gy + n[1] * gx) * half[2];
        lobe(s.gloss * (along * along + 0.12 * across * across)) * (0.25 + 0.75 * lit)
    };
    // What bare metal mirrors: a bright ceiling that falls off to the sides, brighter on the lamp's side.
    let tilt = n[0] * light.towards[0] + n[1] * light.towards[1];
    let mirrored = (0.35 + 0.9 * tilt + 0.35 * n[2] * n[2]).max(0.05) * open * (0.45 + 0.55 * lit);
    let mut rgb = [0.0; 3];
    for (c, value) in rgb.iter_mut().enumerate() {
        let matt = light.ambient[c] * sky + light.key[c] * diffuse;
        let bare = light.ambient[c] * 0.6 * sky + light.key[c] * mirrored;
        let tint = 1.0 - s.metal + s.metal * s.albedo[c];
        *value = s.albedo[c] * (matt * (1.0 - s.metal) + bare * s.metal) + s.shine * highlight * light.key[c] * tint;
    }
    rgb
}

/// A highlight's fall-off: close to `e^-x` near its middle, with the longer tail of real surfaces.
fn lobe(x: f32) -> f32 {
    let q = 1.0 / (1.0 + 0.25 * x);
    q * q * q * q
}

/// Share of the lamp that each sample sees, 0..=1: a march towards the lamp over the relief.
fn shadows(heights: &[f32], grid: Grid, light: &Light, reach: f32) -> Vec<f32> {
    if reach <= 0.0 {
        return vec![1.0; heights.len()];
    }
    let width = grid.width() as isize;
    let flat = (light.towards[0] * light.towards[0] + light.towards[1] * light.towards[1]).sqrt();
    let rise = light.towards[2] / flat;
    let count = round(reach / grid.step()).clamp(1, 10);
    let steps: Vec<(isize, isize, f32)> = (1..=count)
        .map(|k| {
            // Close steps first: small relief has short shadows.
            let t = k as f32 / count as f32;
            let d = reach * t * (0.4 + 0.6 * t);
            let cells = |towards: f32| round(towards / flat * d / grid.step()) as isize;
            (cells(light.towards[0]), cells(light.towards[1]), d)
        })
        .collect();
    let highest = heights.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let mut out = Vec::with_capacity(heights.len());
    for y in 0..width {
        for x in 0..width {
            let here = heights[(y * width + x) as usize];
            let mut covered = 0.0f32;
            for &(ox, oy, d) in &steps {
                let (sx, sy) = (x + ox, y + oy);
                // The ray leaves the picture, or rises above all that is in it by more than the penumbra.
                if sx < 0 || sy < 0 || sx >= width || sy >= width || highest - here < d * rise - 0.2 * (0.35 + light.softness * d) {
                    break;
                }
                let above = heights[(sy * width + sx) as usize] - here - d * rise;
                covered = covered.max(above / (0.35 + light.softness * d));
            }
            out.push(1.0 - smoothstep(-0.2, 1.0, covered));
        }
    }
    out
}

/// Mean over a square of side `2 * radius + 1`, clamped at the sides; two passes of running sums.
pub fn box_blur(plane: &[f32], width: usize, radius: usize) -> Vec<f32> {
    if radius == 0 {
        return plane.to_vec();
    }
    let pass = |source: &[f32]| {
        // Each pass blurs rows and writes them transposed.
        let mut out = vec![0.0; source.len()];
        let share = 1.0 / (2 * radius + 1) as f32;
        for (y, row) in source.chunks_exact(width).enumerate() {
            let mut sum: f32 = row[0] * (radius + 1) as f32 + row[1..=radius.min(width - 1)].iter().sum::<f32>();
            for x in 0..width {
                out[x * width + y] = sum * share;
                sum += row[(x + radius + 1).min(width - 1)] - row[x.saturating_sub(radius)];
            }
        }
        out
    };
    pass(&pass(plane))
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn unit3(v: [f32; 3]) -> [f32; 3] {
    let norm = 1.0 / dot(v, v).sqrt();
    v.map(|c| c * norm)
}
