//! Category `gear`: a turned spur gear on a rubber mat. Normal pictures vary in pose (any rotation, shift, scale), light,
//! turning marks, tone of the steel, films of oil and dust.

use super::draw::Draw;
use super::math::{atan2, floor, lerp, mix, round, scale, sin_cos, smoothstep, times, turn};
use super::noise::{Cloud, fbm, gradient, lattice, line};
use super::shade::{Grid, Light, Relief, Surfel};
use super::shape::{Blob, Near, Path};
use super::subject::{Severity, Subject};
use std::f32::consts::TAU;

const TEETH: usize = 22;
const HOLES: usize = 6;
/// Radii, px before scaling: tip and root of the teeth, inner edge of the rim, hub, bore, circle of the holes, a hole.
const TIP: f32 = 101.0;
const ROOT: f32 = 84.0;
const RIM: f32 = 68.0;
const HUB: f32 = 30.0;
const BORE: f32 = 14.0;
const CIRCLE: f32 = 49.0;
const HOLE: f32 = 11.0;
/// Heights over the mat, px: the turned faces and the recessed web.
const FACE: f32 = 12.0;
const WEB: f32 = 7.5;

/// One gear in its pose.
pub struct Gear {
    centre: [f32; 2],
    angle: f32,
    turned: (f32, f32),
    zoom: f32,
    steel: [f32; 3],
    polish: f32,
    mat: [f32; 3],
    worn: Cloud,
    films: Vec<Blob>,
    dust: Vec<[f32; 3]>,
    seed: u32,
}

/// What went wrong in manufacture or handling.
pub enum Flaw {
    /// A tooth that leans to one side by `offset` px at its tip.
    BentTooth { tooth: i32, offset: f32 },
    /// A tooth that lacks `cut` px of its length.
    BrokenTooth { tooth: i32, cut: f32, slope: f32, seed: u32 },
    /// One hole of the web in the wrong place or of the wrong size.
    Misdrilled { hole: usize, shift: [f32; 2], radius: f32 },
    /// Corrosion.
    Rust { blob: Blob, strength: f32 },
    /// A groove across the turning marks.
    Scratch { path: Path, width: f32, depth: f32 },
}

/// A point of the gear.
struct Polar {
    q: [f32; 2],
    r: f32,
    angle: f32,
}

impl Gear {
    fn polar(&self, x: f32, y: f32) -> Polar {
        let (s, c) = self.turned;
        let q = turn((-s, c), [(x - self.centre[0]) / self.zoom, (y - self.centre[1]) / self.zoom]);
        Polar { q, r: (q[0] * q[0] + q[1] * q[1]).sqrt(), angle: atan2(q[1], q[0]) }
    }

    /// Place in the picture of a point of the gear, polar.
    fn picture(&self, r: f32, angle: f32) -> [f32; 2] {
        let (s, c) = sin_cos(angle + self.angle);
        [self.centre[0] + self.zoom * r * c, self.centre[1] + self.zoom * r * s]
    }

    /// Depth below the toothed outline, px, and whether the point belongs to the flawed tooth's place.
    fn outline(p: &Polar, flaw: Option<&Flaw>) -> (f32, bool, f32) {
        if p.r < ROOT - 12.0 {
            return (ROOT - p.r, false, f32::INFINITY);
        }
        let pitch = TAU / TEETH as f32;
        let tooth = round(p.angle / pitch);
        let (s, c) = sin_cos(p.angle - tooth as f32 * pitch);
        let (mut x, y) = (p.r * s, p.r * c);
        let t = (y - ROOT) / (TIP - ROOT);
        let index = tooth.rem_euclid(TEETH as i32);
        let (mut tip, mut mine, mut broken) = (TIP, false, f32::INFINITY);
        match flaw {
            Some(Flaw::BentTooth { tooth, offset }) if *tooth == index => {
                x -= offset * t.max(0.0) * t.max(0.0).sqrt();
                mine = t > 0.0;
            }
            Some(Flaw::BrokenTooth { tooth, cut, slope, seed }) if *tooth == index => {
                tip = TIP - cut + slope * x + 1.6 * line(x * 0.35, 0, *seed) + 0.7 * line(x * 1.1, 1, *seed);
                tip = tip.min(TIP);
                broken = tip - y;
                mine = y > tip - 3.5;
            }
            _ => {}
        }
        let half = 8.6 - 2.4 * t - 1.6 * t * t.abs();
        let tooth = ((half - x.abs()) * 0.96).min(tip - y);
        (tooth.max(ROOT - p.r), mine, broken)
    }

    /// Depth below the edge of hub and bore with its keyway: positive in the steel.
    fn bore(p: &Polar) -> f32 {
        let key = (p.q[0].abs() - 4.2).max(p.q[1] - 19.0).max(-p.q[1]);
        (p.r - BORE).min(key)
    }

    /// Depth below the edge of the nearest hole, positive in the steel, without and with the flaw.
    fn holes(p: &Polar, flaw: Option<&Flaw>) -> (f32, f32) {
        let step = TAU / HOLES as f32;
        let hole = floor(p.angle / step);
        let (s, c) = sin_cos((hole as f32 + 0.5) * step);
        let (dx, dy) = (p.q[0] - CIRCLE * c, p.q[1] - CIRCLE * s);
        let right = (dx * dx + dy * dy).sqrt() - HOLE;
        match flaw {
            Some(Flaw::Misdrilled { hole: which, shift, radius }) if *which as i32 == hole.rem_euclid(HOLES as i32) => {
                let (ex, ey) = (dx - shift[0], dy - shift[1]);
                (right, (ex * ex + ey * ey).sqrt() - radius)
            }
            _ => (right, right),
        }
    }
}

impl Subject for Gear {
    const NAME: &'static str = "gear";
    const DEFECTS: &'static [&'static str] = &["bent_tooth", "broken_tooth", "misdrilled", "rust", "scratch"];
    const RELIEF: Relief = Relief { shadow: 16.0, occlusion: 8.0 };
    const RANGE: (f32, f32) = (1.0, 2.6);
    type Flaw = Flaw;

    fn draw(draw: &mut Draw) -> Self {
        let (angle, seed) = (draw.angle(), draw.seed());
        let tone = draw.uniform(0.85, 1.1);
        let warm = draw.uniform(-0.03, 0.05);
        let centre = [128.0 + draw.uniform(-9.0, 9.0), 128.0 + draw.uniform(-9.0, 9.0)];
        let films = (0..1 + draw.below(4))
            .map(|_| {
                let (place, radius) = (draw.point(40.0), draw.uniform(10.0, 32.0));
                Blob::draw(draw, place, radius, 0.5)
            })
            .collect();
        let dust = (0..draw.below(9)).map(|_| [draw.uniform(0.0, 256.0), draw.uniform(0.0, 256.0), draw.uniform(0.5, 1.2)]).collect();
        Self {
            centre,
            angle,
            turned: sin_cos(angle),
            zoom: draw.uniform(0.94, 1.05),
            steel: [0.56 * tone * (1.0 + warm), 0.56 * tone, 0.57 * tone * (1.0 - warm)],
            polish: draw.uniform(0.7, 1.3),
            mat: scale([0.055, 0.062, 0.07], draw.uniform(0.75, 1.35)),
            worn: Cloud::new(0.02, 3, seed ^ 2),
            films,
            dust,
            seed,
        }
    }

    fn light(draw: &mut Draw) -> Light {
        Light::draw(draw, 0.7)
    }

    fn flaw(&self, kind: &str, severity: Severity, draw: &mut Draw) -> Flaw {
        let tooth = draw.below(TEETH) as i32;
        match kind {
            "bent_tooth" => Flaw::BentTooth { tooth, offset: draw.sign() * severity.between(2.5, 8.5) },
            "broken_tooth" => {
                Flaw::BrokenTooth { tooth, cut: severity.between(5.0, 17.0), slope: draw.uniform(-0.5, 0.5), seed: draw.seed() }
            }
            "misdrilled" => {
                let (hole, (s, c)) = (draw.below(HOLES), sin_cos(draw.angle()));
                if draw.chance(0.55) {
                    let by = severity.between(2.6, 9.0);
                    Flaw::Misdrilled { hole, shift: [by * c, by * s], radius: HOLE }
                } else {
                    // The clearest case is a hole that was never drilled.
                    let radius = if severity.0 > 0.8 { -9.0 } else { HOLE - severity.between(2.2, 8.0) };
                    Flaw::Misdrilled { hole, shift: [0.0; 2], radius }
                }
            }
            "rust" => {
                let place = self.picture(draw.uniform(24.0, 96.0), draw.angle());
                let radius = severity.between(6.0, 11.0) * draw.uniform(1.0, 2.2);
                Flaw::Rust { blob: Blob::draw(draw, place, radius, 0.9), strength: severity.share(0.45, 1.0) }
            }
            _ => {
                let place = self.picture(draw.uniform(68.0, 84.0), draw.angle());
                let (heading, length) = (draw.angle(), severity.between(20.0, 75.0));
                let path = Path::wander(draw, place, heading, length, 0.9, 0.03).centred(place);
                Flaw::Scratch { path, width: severity.between(0.7, 1.5), depth: severity.between(0.5, 1.1) }
            }
        }
    }

    fn paint(&self, flaw: Option<&Flaw>, grid: Grid) -> Vec<Surfel> {
        let width = grid.width();
        let trace = match flaw {
            Some(Flaw::Scratch { path, .. }) => Some(path.trace(grid, 3.0)),
            _ => None,
        };
        let mut out = Vec::with_capacity(width * width);
        for iy in 0..width {
            for ix in 0..width {
                let near = trace.as_ref().map(|t| t[iy * width + ix]);
                out.push(self.sample(grid.at(ix), grid.at(iy), near, flaw));
            }
        }
        out
    }
}

impl Gear {
    fn sample(&self, x: f32, y: f32, near: Option<Near>, flaw: Option<&Flaw>) -> Surfel {
        let p = self.polar(x, y);
        let (outline, tooth, broken) = Self::outline(&p, flaw);
        let bore = Self::bore(&p);
        let (right, wrong) = if p.r > HUB && p.r < RIM { Self::holes(&p, flaw) } else { (9.0, 9.0) };
        let edge = outline.min(bore).min(wrong);
        let mut surfel = if edge > 0.0 { self.metal(&p, edge, broken, x, y) } else { self.rubber(x, y) };
        surfel.defect = tooth || ((right > -1.5) != (wrong > -1.5)) || (right - wrong).abs() > 0.4 && right.min(wrong) < 2.0;
        if edge > 0.0 {
            match (flaw, near) {
                (Some(Flaw::Rust { blob, strength }), _) => corrode(&mut surfel, blob.depth(x, y), *strength, [x, y]),
                (Some(Flaw::Scratch { width, depth, .. }), Some(near)) => scratch(&mut surfel, near, *width, *depth),
                _ => {}
            }
        }
        for &[dx, dy, r] in &self.dust {
            let d2 = ((x - dx) * (x - dx) + (y - dy) * (y - dy)) / (r * r);
            if d2 < 1.0 {
                surfel = Surfel { defect: surfel.defect, ..Surfel::matt(surfel.height + 0.5 * (1.0 - d2), [0.4, 0.38, 0.35]) };
            }
        }
        surfel
    }

    fn rubber(&self, x: f32, y: f32) -> Surfel {
        let grain = gradient(x * 0.9, y * 0.9, self.seed ^ 1);
        let worn = self.worn.at(x, y);
        let albedo = scale(self.mat, 1.0 + 0.3 * grain + 0.25 * worn);
        Surfel { shine: 0.03, gloss: 8.0, ..Surfel::matt(0.25 * grain, albedo) }
    }

    fn metal(&self, p: &Polar, edge: f32, broken: f32, x: f32, y: f32) -> Surfel {
        // The web is recessed between two short slopes.
        let recess = smoothstep(HUB, HUB + 3.0, p.r) * (1.0 - smoothstep(RIM - 3.0, RIM, p.r));
        let chamfer = 1.3 * (1.0 - (edge / 1.6).min(1.0));
        let mut height = lerp(FACE, WEB, recess) - chamfer;
        let marks = 0.5 * line(p.r * 0.9, 0, self.seed ^ 3) + 0.35 * line(p.r * 2.3, 1, self.seed ^ 3);
        let cast = fbm(x * 0.35, y * 0.35, 3, self.seed ^ 4);
        height += 0.06 * marks * (1.0 - recess) + 0.35 * cast * recess;
        let tone = 1.0 + 0.1 * marks * (1.0 - recess) + 0.14 * cast * recess;
        let mut film = 1.0;
        for blob in &self.films {
            film -= 0.13 * smoothstep(0.0, 9.0, blob.depth(x, y));
        }
        let mut surfel = Surfel {
            shine: lerp(0.9 * self.polish, 0.05, recess) * film,
            gloss: lerp(34.0, 6.0, recess),
            metal: lerp(0.85, 0.45, recess),
            ..Surfel::matt(height, scale(self.steel, tone * film.max(0.6) * lerp(0.62, 0.5, recess)))
        };
        if recess < 0.5 && p.r > 1.0 {
            surfel.groove = turn(self.turned, [-p.q[1] / p.r, p.q[0] / p.r]);
        }
        if broken < 3.2 {
            // The fracture falls off roughly and is granular.
            let grain = lattice(floor(x * 1.7), floor(y * 1.7), self.seed ^ 5);
            surfel.height -= 1.1 * (3.2 - broken) + 0.5 * grain;
            surfel.albedo = scale(surfel.albedo, 0.7 + 0.2 * grain);
            (surfel.shine, surfel.metal, surfel.groove) = (0.1, 0.4, [0.0; 2]);
        }
        surfel
    }
}

/// Turns steel into rust where `depth` is positive.
fn corrode(surfel: &mut Surfel, depth: f32, strength: f32, [x, y]: [f32; 2]) {
    if depth <= -1.0 {
        return;
    }
    let crust = fbm(x * 0.4, y * 0.4, 3, 91);
    let eaten = (smoothstep(-1.0, 4.0, depth) * strength * (0.8 + 0.6 * crust)).clamp(0.0, 1.0);
    let rust = mix([0.3, 0.13, 0.05], [0.14, 0.06, 0.03], 0.5 + 0.5 * crust);
    surfel.albedo = mix(surfel.albedo, rust, eaten);
    surfel.metal *= 1.0 - eaten;
    surfel.shine *= 1.0 - eaten;
    surfel.height += 0.3 * crust * eaten;
    surfel.defect = true;
}

/// Ploughs a groove that tapers at both ends; its floor is darker and duller than the steel.
fn scratch(surfel: &mut Surfel, near: Near, width: f32, depth: f32) {
    let taper = smoothstep(0.0, 0.3, near.along.min(1.0 - near.along));
    let half = width * lerp(0.4, 1.0, taper) * (1.0 + 0.3 * line(near.along * 17.0, 0, 93));
    let cut = 1.0 - smoothstep(half * 0.3, half + 0.5, near.distance);
    if cut > 0.0 {
        surfel.height -= 1.3 * cut * depth * lerp(0.4, 1.0, taper);
        surfel.albedo = times(surfel.albedo, scale([1.0, 1.0, 1.02], 1.0 - 0.45 * depth * cut));
        surfel.shine *= 1.0 - 0.5 * cut * depth;
        surfel.defect = true;
    }
}
