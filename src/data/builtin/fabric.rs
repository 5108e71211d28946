//! Category `fabric`: twill of dyed warp and pale weft. Normal pictures vary in weave phase, rotation, yarn count,
//! tension (a slow warp of the weave), dye, yarn thickness with slubs, and shade.

use super::draw::Draw;
use super::math::{floor, lerp, mix, scale, sin, sin_cos, smoothstep, times, turn};
use super::noise::{Cloud, gradient, hash, lattice, line, unit};
use super::shade::{Grid, Light, Relief, Surfel};
use super::shape::{Blob, Near, Path};
use super::subject::{Severity, Subject};

/// One piece of cloth.
pub struct Fabric {
    rotation: (f32, f32),
    /// Distance of two yarns, px.
    period: f32,
    phase: [f32; 2],
    tension: f32,
    stretch: [Cloud; 2],
    blotches: Cloud,
    dye: [f32; 3],
    pale: [f32; 3],
    /// Spread of the yarns' brightness.
    shade: f32,
    seed: u32,
}

/// What went wrong in or after the loom.
pub enum Flaw {
    /// Yarns broken away; a few survive.
    Hole { blob: Blob, survivors: f32, seed: u32 },
    /// A liquid soaked in.
    Stain { blob: Blob, tint: [f32; 3], strength: f32 },
    /// One or two weft yarns lack, or are too thin, between two warp yarns.
    MissingYarn { weft: i32, missing: i32, from: f32, to: f32, left: f32 },
    /// One warp yarn floats over the weave and puckers it.
    PulledThread { warp: i32, from: f32, to: f32, lift: f32 },
    /// A foreign fibre lies on the cloth.
    Lint { path: Path, width: f32, colour: [f32; 3], cover: f32 },
}

impl Fabric {
    /// Yarn coordinates of a point, without the slow warp.
    fn yarns(&self, x: f32, y: f32) -> [f32; 2] {
        let [u, v] = turn(self.rotation, [x - 128.0, y - 128.0]);
        [u / self.period + self.phase[0], v / self.period + self.phase[1]]
    }

    /// Whether warp yarn `i` passes over weft yarn `j`: twill 2/2.
    fn over(i: i32, j: i32) -> f32 {
        if (i + j) & 3 < 2 { 1.0 } else { -1.0 }
    }

    /// Height (yarn radii) and brightness of the yarn `row` that runs along `along` at distance `across` of its middle.
    fn yarn(&self, row: i32, along: f32, across: f32, thickness: f32, seed: u32) -> Option<(f32, f32)> {
        let slub = (gradient(along * 0.11, row as f32 * 3.7, seed ^ 0x51).max(0.35) - 0.35) * 0.5;
        let half = 0.47 * thickness * (1.0 + 0.08 * lattice(row, 1, seed) + slub + 0.05 * line(along * 0.6, row, seed ^ 0x52));
        let middle = 0.09 * line(along * 0.35, row, seed ^ 0x53);
        let d = (across - middle) / half;
        let profile = 1.0 - d * d;
        if profile <= 0.0 {
            return None;
        }
        // Fibres wind round the yarn.
        let strand = sin(along * 9.5 + d * 2.4 + 6.0 * unit(hash(row, 2, seed)));
        let fuzz = gradient(along * 3.1, across * 6.0 + row as f32 * 5.0, seed ^ 0x54);
        let brightness = 1.0 + self.shade * lattice(row, 3, seed) + 0.1 * strand + 0.16 * fuzz - 0.22 * d * d;
        Some((profile.sqrt() + 0.06 * strand, brightness))
    }
}

impl Subject for Fabric {
    const NAME: &'static str = "fabric";
    const DEFECTS: &'static [&'static str] = &["hole", "lint", "missing_yarn", "pulled_thread", "stain"];
    const RELIEF: Relief = Relief { shadow: 3.0, occlusion: 2.5 };
    const RANGE: (f32, f32) = (0.15, 1.0);
    type Flaw = Flaw;

    fn draw(draw: &mut Draw) -> Self {
        let depth = draw.uniform(0.8, 1.25);
        let hue = draw.uniform(-0.12, 0.12);
        let seed = draw.seed();
        Self {
            rotation: sin_cos(draw.uniform(-0.12, 0.12)),
            period: draw.uniform(6.4, 7.4),
            phase: [draw.uniform(0.0, 4.0), draw.uniform(0.0, 4.0)],
            tension: draw.uniform(0.2, 0.6),
            dye: times([0.075, 0.135, 0.25], [depth * (1.0 + hue), depth, depth * (1.0 - 0.6 * hue)]),
            pale: scale([0.52, 0.5, 0.45], draw.uniform(0.88, 1.1)),
            shade: draw.uniform(0.06, 0.14),
            stretch: [Cloud::new(0.0105, 2, seed ^ 1), Cloud::new(0.0105, 2, seed ^ 2)],
            blotches: Cloud::new(0.018, 3, seed ^ 5),
            seed,
        }
    }

    fn light(draw: &mut Draw) -> Light {
        Light::draw(draw, 0.6)
    }

    fn flaw(&self, kind: &str, severity: Severity, draw: &mut Draw) -> Flaw {
        let centre = draw.point(36.0);
        let [u, v] = self.yarns(centre[0], centre[1]);
        match kind {
            "hole" => {
                let blob = Blob::draw(draw, centre, severity.between(5.0, 16.0), 0.5);
                Flaw::Hole { blob, survivors: severity.share(0.35, 0.05), seed: draw.seed() }
            }
            "stain" => {
                let tints = [[0.35, 0.3, 0.25], [0.6, 0.42, 0.3], [0.3, 0.34, 0.4]];
                let radius = draw_radius(draw, 11.0, 36.0);
                let blob = Blob::draw(draw, centre, radius, 0.7);
                Flaw::Stain { blob, tint: tints[draw.below(3)], strength: severity.share(0.4, 0.95) }
            }
            "missing_yarn" => {
                let half = 0.5 * severity.between(8.0, 28.0) * draw.uniform(0.8, 1.2);
                Flaw::MissingYarn {
                    weft: floor(v),
                    from: u - half,
                    to: u + half,
                    left: severity.share(0.35, 0.0),
                    missing: 1 + i32::from(severity.0 > 0.6),
                }
            }
            "pulled_thread" => {
                let half = 0.5 * severity.between(8.0, 26.0) * draw.uniform(0.8, 1.2);
                Flaw::PulledThread { warp: floor(u), from: v - half, to: v + half, lift: severity.between(0.5, 1.0) }
            }
            _ => {
                let length = severity.between(24.0, 95.0) * draw.uniform(0.8, 1.25);
                let heading = draw.angle();
                let path = Path::wander(draw, centre, heading, length, 2.8, 0.06).centred(centre);
                let colours = [[0.03, 0.03, 0.03], [0.75, 0.73, 0.7], [0.5, 0.08, 0.06], [0.4, 0.33, 0.2]];
                let colour = colours[draw.below(4)];
                Flaw::Lint { path, width: severity.between(0.8, 1.6), colour, cover: severity.share(0.6, 1.0) }
            }
        }
    }

    fn paint(&self, flaw: Option<&Flaw>, grid: Grid) -> Vec<Surfel> {
        let width = grid.width();
        let lint = match flaw {
            Some(Flaw::Lint { path, width, .. }) => Some(path.trace(grid, width + 0.5)),
            _ => None,
        };
        let mut out = Vec::with_capacity(width * width);
        for iy in 0..width {
            for ix in 0..width {
                let surfel = self.sample(grid.at(ix), grid.at(iy), flaw);
                out.push(match (&lint, flaw) {
                    (Some(near), Some(flaw)) => lay(surfel, near[iy * width + ix], flaw),
                    _ => surfel,
                });
            }
        }
        out
    }
}

/// Stains are large or small whatever their strength.
fn draw_radius(draw: &mut Draw, lo: f32, hi: f32) -> f32 {
    let t = draw.uniform(0.0, 1.0);
    lerp(lo, hi, t * t)
}

impl Fabric {
    fn sample(&self, x: f32, y: f32, flaw: Option<&Flaw>) -> Surfel {
        let [u0, v0] = self.yarns(x, y);
        let mut u = u0 + self.tension * self.stretch[0].at(x, y);
        let v = v0 + self.tension * self.stretch[1].at(x, y);
        let mut touched = false;
        let mut floating = 0.0;
        if let Some(Flaw::PulledThread { warp, from, to, lift }) = flaw {
            let d = u - (*warp as f32 + 0.5);
            let t = (v - from) / (to - from);
            let near = if t > 0.0 && t < 1.0 { smoothstep(0.0, 0.12, t.min(1.0 - t)) } else { 0.0 };
            if near > 0.0 && d.abs() < 3.0 {
                // The neighbours draw towards the taut yarn.
                u += 0.4 * lift * near * d * (-(d.abs() / 3.0) + 1.0);
                floating = near * lift;
                touched = d.abs() < 1.5;
            }
        }
        let (i, j) = (floor(u), floor(v));
        let (fu, fv) = (u - i as f32 - 0.5, v - j as f32 - 0.5);
        let wave = |t: f32, over: &dyn Fn(i32) -> f32| {
            let k = floor(t - 0.5);
            lerp(over(k), over(k + 1), smoothstep(0.0, 1.0, t - 0.5 - k as f32))
        };
        let mut z = wave(v, &|j| Self::over(i, j));
        let z_weft = -wave(u, &|i| Self::over(i, j));
        let mut thick = [1.0, 1.0];
        match flaw {
            Some(Flaw::MissingYarn { weft, missing, from, to, left }) if j >= *weft && j < weft + missing && u > *from && u < *to => {
                thick[1] = *left;
                touched = true;
            }
            Some(Flaw::PulledThread { warp, .. }) if i == *warp && floating > 0.0 => {
                z = lerp(z, 2.2, (floating * 1.4).min(1.0));
                thick[0] = 1.0 - 0.2 * floating;
            }
            Some(Flaw::Hole { blob, survivors, seed }) => {
                // Each yarn breaks at its own place along the rim.
                let depth = blob.depth(x, y);
                let torn = |row: i32, n: i32| depth + 2.5 * lattice(row, n, *seed) > 0.0 && unit(hash(row, n + 9, *seed)) > *survivors;
                for (n, row) in [(0, i), (1, j)] {
                    if depth > -3.0 && torn(row, n as i32) {
                        thick[n] = 0.0;
                    }
                }
                touched = depth > -2.5;
            }
            _ => {}
        }
        let warp = if thick[0] > 0.0 { self.yarn(i, v, fu, thick[0], self.seed ^ 3) } else { None };
        let weft = if thick[1] > 0.0 { self.yarn(j, u, fv, thick[1], self.seed ^ 4) } else { None };
        let blotch = 1.0 + 0.09 * self.blotches.at(x, y);
        let mut surfel = Surfel::matt(-2.2, [0.05, 0.047, 0.045]);
        let radius = 0.2 * self.period;
        for (yarn, z, colour) in [(warp, z, self.dye), (weft, z_weft, self.pale)] {
            if let Some((height, brightness)) = yarn {
                let height = radius * (height * 0.9 + 0.75 * z);
                if height > surfel.height {
                    surfel.height = height;
                    surfel.albedo = scale(colour, brightness * blotch);
                }
            }
        }
        if let Some(Flaw::Stain { blob, tint, strength }) = flaw {
            let depth = blob.depth(x, y);
            if depth > -1.0 {
                // The rim dries darker, and fibres soak unevenly.
                let rim = 1.0 - smoothstep(0.0, 5.0, depth.abs());
                let uneven = 0.85 + 0.3 * gradient(x * 0.3, y * 0.3, self.seed ^ 6);
                let soaked = (smoothstep(-1.0, 3.0, depth) * (0.75 + 0.35 * rim) * uneven * strength).min(1.0);
                surfel.albedo = times(surfel.albedo, mix([1.0; 3], *tint, soaked));
                touched = true;
            }
        }
        surfel.defect = touched;
        surfel
    }
}

/// Lays the fibre over the cloth.
fn lay(mut surfel: Surfel, near: Near, flaw: &Flaw) -> Surfel {
    if let Flaw::Lint { width, colour, cover, .. } = flaw {
        let taper = smoothstep(0.0, 0.06, near.along.min(1.0 - near.along));
        let half = width * (0.4 + 0.6 * taper) * (1.0 + 0.25 * line(near.along * 14.0, 0, 77));
        if near.distance < half {
            let d = near.distance / half;
            surfel.albedo = mix(surfel.albedo, scale(*colour, 1.0 - 0.3 * d), *cover);
            surfel.height = surfel.height.max(1.6) + 0.8 * (1.0 - d * d).sqrt();
            surfel.defect = true;
        }
    }
    surfel
}
