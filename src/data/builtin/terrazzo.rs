//! Category `terrazzo`: polished cement with stone chips of three sizes. Normal pictures vary in the chips' places, the
//! mix of stones, cement shade, mottling, rotation and gloss.

use super::draw::Draw;
use super::math::{lerp, mix, scale, sin_cos, smoothstep, times, turn};
use super::noise::{Cloud, cell, fbm, gradient, hash, lattice, line, unit};
use super::shade::{Grid, Light, Relief, Surfel};
use super::shape::{Blob, Near, Path};
use super::subject::{Severity, Subject};

/// Size of each layer's cells in px, and the share of cells that hold a chip.
const LAYERS: [(f32, f32); 3] = [(30.0, 0.42), (15.0, 0.4), (7.0, 0.36)];

/// Colours of the quarry's stones, linear.
const STONES: [[f32; 3]; 6] =
    [[0.64, 0.61, 0.54], [0.42, 0.38, 0.32], [0.25, 0.245, 0.24], [0.36, 0.255, 0.2], [0.15, 0.15, 0.155], [0.52, 0.46, 0.37]];

/// One slab.
pub struct Terrazzo {
    rotation: (f32, f32),
    zoom: f32,
    cement: [f32; 3],
    /// Cumulative shares of the stones.
    shares: [f32; 6],
    /// Strength of the cement's mottling.
    mottling: f32,
    mottles: Cloud,
    seed: u32,
}

/// What went wrong in the slab.
pub enum Flaw {
    /// A crack with branches.
    Crack { paths: Vec<Path>, width: f32, depth: f32 },
    /// A chip that is torn out, or an air bubble.
    Pit { cell: Option<(usize, u32)>, bubble: Blob, depth: f32 },
    /// Fine strokes that break the polish.
    Scratch { paths: Vec<Path>, width: f32, bright: f32 },
    /// Something soaked into the cement.
    Stain { blob: Blob, tint: [f32; 3], strength: f32 },
    /// A stone from another quarry.
    ForeignChip { layer: usize, id: u32, colour: [f32; 3] },
}

/// A point's chip: layer, cell and distance from the chip's rim in px.
struct Chip {
    layer: usize,
    id: u32,
    inside: f32,
}

impl Terrazzo {
    fn place(&self, x: f32, y: f32) -> [f32; 2] {
        let [u, v] = turn(self.rotation, [x - 128.0, y - 128.0]);
        [u * self.zoom, v * self.zoom]
    }

    /// The uppermost chip over a point of the slab; `forced` cells hold a chip in any case.
    fn chip(&self, u: f32, v: f32, forced: Option<(usize, u32)>) -> Option<Chip> {
        let (wu, wv) = (gradient(u * 0.4, v * 0.4, self.seed ^ 11), gradient(u * 0.4, v * 0.4, self.seed ^ 12));
        for (layer, (size, share)) in LAYERS.iter().enumerate() {
            let over = cell((u + 0.9 * wu) / size, (v + 0.9 * wv) / size, self.seed.wrapping_add(layer as u32 * 101));
            let held = unit(over.id) < *share || forced == Some((layer, over.id));
            let inside = (over.border - 0.05 - 0.16 * unit(hash(over.id as i32, 1, 5))) * size;
            if held && inside > 0.0 {
                return Some(Chip { layer, id: over.id, inside });
            }
        }
        None
    }

    fn stone(&self, id: u32, u: f32, v: f32) -> [f32; 3] {
        let pick = unit(hash(id as i32, 2, 5));
        let kind = self.shares.iter().position(|&s| pick < s).unwrap_or(5);
        let shade = 1.0 + 0.22 * lattice(id as i32, 3, 5);
        let vein = fbm(u * 0.16, v * 0.16, 3, id);
        scale(STONES[kind], shade * (1.0 + 0.3 * vein))
    }
}

impl Subject for Terrazzo {
    const NAME: &'static str = "terrazzo";
    const DEFECTS: &'static [&'static str] = &["crack", "foreign_chip", "pit", "scratch", "stain"];
    const RELIEF: Relief = Relief { shadow: 5.0, occlusion: 4.0 };
    const RANGE: (f32, f32) = (0.6, 1.8);
    type Flaw = Flaw;

    fn draw(draw: &mut Draw) -> Self {
        let base = [0.26, 0.16, 0.2, 0.12, 0.1, 0.16];
        let weights = base.map(|w: f32| w * draw.uniform(0.6, 1.4));
        let total: f32 = weights.iter().sum();
        let mut sum = 0.0;
        let shade = draw.uniform(0.85, 1.12);
        let seed = draw.seed();
        let warm = draw.uniform(-0.04, 0.04);
        Self {
            rotation: sin_cos(draw.angle()),
            zoom: draw.uniform(0.9, 1.12),
            cement: times([0.47, 0.455, 0.42], [shade * (1.0 + warm), shade, shade * (1.0 - warm)]),
            shares: weights.map(|w| {
                sum += w / total;
                sum
            }),
            mottling: draw.uniform(0.06, 0.16),
            mottles: Cloud::new(0.03, 3, seed ^ 22),
            seed,
        }
    }

    fn light(draw: &mut Draw) -> Light {
        Light::draw(draw, 0.8)
    }

    fn flaw(&self, kind: &str, severity: Severity, draw: &mut Draw) -> Flaw {
        let centre = draw.point(34.0);
        let [u, v] = self.place(centre[0], centre[1]);
        match kind {
            "crack" => {
                let length = severity.between(45.0, 165.0) * draw.uniform(0.8, 1.2);
                let heading = draw.angle();
                let trunk = Path::wander(draw, centre, heading, length, 0.7, 0.42).centred(centre);
                let mut paths = vec![trunk];
                for _ in 0..(severity.between(0.0, 3.0).round() as usize) {
                    let from = paths[0].points[8 + draw.below(26)];
                    let aside = heading + draw.sign() * draw.uniform(0.5, 1.1);
                    let part = length * draw.uniform(0.15, 0.35);
                    paths.push(Path::wander(draw, from, aside, part, 0.6, 0.45));
                }
                Flaw::Crack { paths, width: severity.between(0.6, 1.3), depth: severity.between(0.55, 1.0) }
            }
            "foreign_chip" => {
                let layer = if draw.chance(severity.share(0.35, 0.8)) { 0 } else { 1 };
                let id = cell(u / LAYERS[layer].0, v / LAYERS[layer].0, self.seed.wrapping_add(layer as u32 * 101)).id;
                let colours = [[0.08, 0.22, 0.42], [0.1, 0.33, 0.16], [0.6, 0.4, 0.06], [0.5, 0.09, 0.2]];
                let own = self.stone(id, u, v);
                let colour = mix(own, colours[draw.below(4)], severity.share(0.5, 1.0));
                Flaw::ForeignChip { layer, id, colour }
            }
            "pit" => {
                let cell = match self.chip(u, v, None) {
                    Some(chip) if chip.layer > 0 || severity.0 > 0.5 => Some((chip.layer, chip.id)),
                    _ => None,
                };
                let bubble = Blob::draw(draw, centre, severity.between(4.0, 12.0), 0.3);
                Flaw::Pit { cell, bubble, depth: severity.between(2.5, 7.0) }
            }
            "scratch" => {
                let heading = draw.angle();
                let strokes = 1 + draw.below(3);
                let paths = (0..strokes)
                    .map(|_| {
                        let at = [centre[0] + draw.uniform(-9.0, 9.0), centre[1] + draw.uniform(-9.0, 9.0)];
                        let length = severity.between(40.0, 140.0) * draw.uniform(0.6, 1.2);
                        let aside = heading + draw.uniform(-0.15, 0.15);
                        Path::wander(draw, at, aside, length, 0.5, 0.01).centred(at)
                    })
                    .collect();
                Flaw::Scratch { paths, width: severity.between(0.7, 1.3), bright: severity.share(0.3, 0.8) }
            }
            _ => {
                let tints = [[0.5, 0.3, 0.14], [0.55, 0.5, 0.42], [0.4, 0.46, 0.36]];
                let radius = draw.uniform(11.0, 36.0);
                let blob = Blob::draw(draw, centre, radius, 0.75);
                Flaw::Stain { blob, tint: tints[draw.below(3)], strength: severity.share(0.4, 0.95) }
            }
        }
    }

    fn paint(&self, flaw: Option<&Flaw>, grid: Grid) -> Vec<Surfel> {
        let width = grid.width();
        let traces: Vec<Vec<Near>> = match flaw {
            Some(Flaw::Crack { paths, .. } | Flaw::Scratch { paths, .. }) => paths.iter().map(|p| p.trace(grid, 3.0)).collect(),
            _ => Vec::new(),
        };
        let mut out = Vec::with_capacity(width * width);
        for iy in 0..width {
            for ix in 0..width {
                let mut surfel = self.sample(grid.at(ix), grid.at(iy), flaw);
                for (n, trace) in traces.iter().enumerate() {
                    if let Some(flaw) = flaw {
                        carve(&mut surfel, trace[iy * width + ix], flaw, n);
                    }
                }
                out.push(surfel);
            }
        }
        out
    }
}

impl Terrazzo {
    fn sample(&self, x: f32, y: f32, flaw: Option<&Flaw>) -> Surfel {
        let [u, v] = self.place(x, y);
        let sand = gradient(u * 1.3, v * 1.3, self.seed ^ 21);
        let mottled = 1.0 + self.mottling * self.mottles.at(x, y) + 0.1 * sand;
        let cement = scale(self.cement, mottled);
        let forced = match flaw {
            Some(Flaw::ForeignChip { layer, id, .. }) => Some((*layer, *id)),
            _ => None,
        };
        let chip = self.chip(u, v, forced);
        let mut surfel = Surfel { shine: 0.05, gloss: 40.0, ..Surfel::matt(0.04 * sand, cement) };
        let foreign = forced.is_some_and(|f| chip.as_ref().is_some_and(|c| (c.layer, c.id) == f));
        if let Some(chip) = &chip {
            let stone = match flaw {
                Some(Flaw::ForeignChip { colour, .. }) if foreign => scale(*colour, 1.0 + 0.3 * fbm(u * 0.16, v * 0.16, 3, chip.id)),
                _ => self.stone(chip.id, u, v),
            };
            // A thin rim where the binder darkens the stone.
            let rim = smoothstep(0.0, 0.8, chip.inside);
            surfel.albedo = mix(scale(cement, 0.8), stone, rim);
            surfel.height = 0.03 * rim;
            surfel.shine = 0.09;
        }
        surfel.defect = foreign;
        match flaw {
            Some(Flaw::Pit { cell, bubble, depth }) => {
                let torn = match (cell, &chip) {
                    (Some(cell), Some(chip)) if (chip.layer, chip.id) == *cell => chip.inside,
                    (None, _) => bubble.depth(x, y),
                    _ => -1.0,
                };
                if torn > 0.0 {
                    let rough = fbm(u * 0.35, v * 0.35, 3, self.seed ^ 31);
                    surfel = Surfel::matt(-depth * smoothstep(0.0, 2.2, torn) * (1.0 + 0.35 * rough), scale(cement, 0.55 + 0.2 * rough));
                    surfel.defect = true;
                }
            }
            Some(Flaw::Stain { blob, tint, strength }) => {
                let depth = blob.depth(x, y);
                if depth > -1.0 {
                    // Cement drinks more than stone.
                    let thirst = if chip.is_some() { 0.55 } else { 1.0 };
                    let rim = 1.0 - smoothstep(0.0, 3.5, depth.abs());
                    let soaked = smoothstep(-1.0, 4.0, depth) * (0.7 + 0.4 * rim) * thirst * strength;
                    surfel.albedo = times(surfel.albedo, mix([1.0; 3], *tint, soaked.min(1.0)));
                    surfel.defect = true;
                }
            }
            _ => {}
        }
        surfel
    }
}

/// Cuts a crack or a scratch into a sample; `branch` 0 is a crack's trunk.
fn carve(surfel: &mut Surfel, near: Near, flaw: &Flaw, branch: usize) {
    if !near.distance.is_finite() {
        return;
    }
    let taper = smoothstep(0.0, 0.25, near.along.min(1.0 - near.along));
    let uneven = 1.0 + 0.45 * line(near.along * 23.0, branch as i32, 41);
    match flaw {
        Flaw::Crack { width, depth, .. } => {
            let half = width * lerp(0.35, 1.0, taper) * uneven * if branch == 0 { 1.0 } else { 0.7 };
            let cut = 1.0 - smoothstep(half * 0.5, half + 0.35, near.distance);
            if cut > 0.0 {
                surfel.albedo = scale(surfel.albedo, 1.0 - 0.75 * cut * depth);
                surfel.height -= 1.2 * cut * depth;
                surfel.shine *= 1.0 - cut;
                surfel.defect = true;
            }
        }
        Flaw::Scratch { width, bright, .. } => {
            let half = width * lerp(0.3, 1.0, taper) * uneven;
            let cut = 1.0 - smoothstep(half * 0.4, half + 0.3, near.distance);
            if cut > 0.0 {
                // Broken polish scatters: dark stones turn grey, pale ones hardly change.
                surfel.albedo = mix(surfel.albedo, [0.62, 0.61, 0.59], cut * bright * lerp(0.5, 1.0, taper));
                surfel.height -= 0.25 * cut * bright;
                surfel.shine *= 1.0 - cut;
                surfel.defect = true;
            }
        }
        _ => {}
    }
}
