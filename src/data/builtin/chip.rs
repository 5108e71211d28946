//! Category `chip`: a moulded circuit with fourteen legs, soldered to a board. Normal pictures vary in pose, light, the
//! lot number and its ink, the board's shade and traces, solder fillets and dust.

use super::draw::Draw;
use super::glyph::{self, Segment};
use super::math::{lerp, mix, round, scale, sin, sin_cos, smoothstep, turn};
use super::noise::{Cloud, fbm, gradient, hash, lattice, unit};
use super::shade::{Grid, Light, Relief, Surfel};
use super::shape::{Blob, trace_segments};
use super::subject::{Severity, Subject};

const LEGS: usize = 7;
/// Distance of two legs and half a leg's width, px before scaling.
const PITCH: f32 = 24.0;
const HALF_LEG: f32 = 5.0;
/// Half the body's width and length; where a leg's foot ends; half the stroke of the print.
const BODY: [f32; 2] = [52.0, 86.0];
const FOOT: f32 = 90.0;
const STROKE: f32 = 1.25;
/// Heights over the board, px: the body's top, a leg's shoulder, its foot.
const TOP: f32 = 13.0;
const SHOULDER: f32 = 7.0;
const SOLE: f32 = 1.6;

/// One board.
pub struct Chip {
    centre: [f32; 2],
    turned: (f32, f32),
    zoom: f32,
    lot: [usize; 4],
    print_shift: [f32; 2],
    print_turn: f32,
    ink: f32,
    mask: [f32; 3],
    cloud: Cloud,
    plastic: f32,
    tin: f32,
    dust: Vec<[f32; 3]>,
    seed: u32,
}

/// What went wrong in moulding, printing or soldering.
pub enum Flaw {
    /// A leg that turns about its root by `angle` radians.
    BentLeg { leg: usize, angle: f32 },
    /// Plastic broken off the rim of the body.
    ChippedBody { blob: Blob },
    /// A leg that ends `length` px from the body.
    MissingLeg { leg: usize, length: f32 },
    /// Ink that is missing in a region, or a second, shifted print in place of or over the first.
    Misprint { lost: Option<Blob>, shift: [f32; 2], turn: f32, first: f32 },
    /// Solder that flowed between two legs, or a ball of it.
    SolderBridge { from: [f32; 2], to: [f32; 2], half: f32, seed: u32 },
}

impl Chip {
    fn local(&self, x: f32, y: f32) -> [f32; 2] {
        let (s, c) = self.turned;
        turn((-s, c), [(x - self.centre[0]) / self.zoom, (y - self.centre[1]) / self.zoom])
    }

    fn picture(&self, q: [f32; 2]) -> [f32; 2] {
        let [x, y] = turn(self.turned, q);
        [self.centre[0] + self.zoom * x, self.centre[1] + self.zoom * y]
    }

    /// The print's strokes in the picture, displaced by a flaw.
    fn print(&self, shift: [f32; 2], angle: f32) -> Vec<Segment> {
        let turned = sin_cos(self.print_turn + angle);
        let place = |[x, y]: [f32; 2]| {
            let [u, v] = turn(turned, [x, y]);
            self.picture([u + self.print_shift[0] + shift[0], v + self.print_shift[1] + shift[1]])
        };
        let mut strokes = glyph::text("KX41", [-31.0, -21.0], 17.0, 3.0);
        let lot: String = self.lot.iter().map(|d| char::from(b'0' + *d as u8)).collect();
        strokes.extend(glyph::text(&format!("L{lot}"), [-34.0, 9.0], 14.5, 2.4));
        strokes.iter().map(|&[a, b]| [place(a), place(b)]).collect()
    }
}

impl Subject for Chip {
    const NAME: &'static str = "chip";
    const DEFECTS: &'static [&'static str] = &["bent_leg", "chipped_body", "misprint", "missing_leg", "solder_bridge"];
    const RELIEF: Relief = Relief { shadow: 18.0, occlusion: 8.0 };
    const RANGE: (f32, f32) = (1.0, 2.6);
    type Flaw = Flaw;

    fn draw(draw: &mut Draw) -> Self {
        let shade = draw.uniform(0.75, 1.25);
        let seed = draw.seed();
        let hue = draw.uniform(-0.15, 0.15);
        Self {
            centre: [128.0 + draw.uniform(-9.0, 9.0), 128.0 + draw.uniform(-9.0, 9.0)],
            turned: sin_cos(draw.uniform(-0.13, 0.13)),
            zoom: draw.uniform(0.94, 1.04),
            lot: [draw.below(10), draw.below(10), draw.below(10), draw.below(10)],
            print_shift: [draw.uniform(-2.0, 2.0), draw.uniform(-2.5, 2.5)],
            print_turn: draw.uniform(-0.02, 0.02),
            ink: draw.uniform(0.13, 0.3),
            mask: [0.02 * shade * (1.0 + hue), 0.12 * shade, 0.05 * shade * (1.0 + 2.0 * hue)],
            plastic: draw.uniform(0.02, 0.034),
            tin: draw.uniform(0.85, 1.1),
            dust: (0..draw.below(11)).map(|_| [draw.uniform(0.0, 256.0), draw.uniform(0.0, 256.0), draw.uniform(0.5, 1.1)]).collect(),
            cloud: Cloud::new(0.02, 3, seed ^ 1),
            seed,
        }
    }

    fn light(draw: &mut Draw) -> Light {
        Light::draw(draw, 0.5)
    }

    fn flaw(&self, kind: &str, severity: Severity, draw: &mut Draw) -> Flaw {
        let leg = draw.below(2 * LEGS);
        match kind {
            "bent_leg" => Flaw::BentLeg { leg, angle: draw.sign() * severity.between(0.09, 0.38) },
            "chipped_body" => {
                let (side, along) = (draw.sign(), draw.uniform(-1.0, 1.0));
                let corner = draw.sign();
                let place = match draw.below(3) {
                    0 => [side * BODY[0], along * 76.0],
                    1 => [along * 44.0, side * BODY[1]],
                    _ => [side * BODY[0], corner * BODY[1]],
                };
                let place = self.picture(place);
                Flaw::ChippedBody { blob: Blob::draw(draw, place, severity.between(6.0, 19.0), 0.55) }
            }
            "misprint" => match draw.below(3) {
                0 => {
                    let place = self.picture([draw.uniform(-28.0, 28.0), draw.uniform(-18.0, 24.0)]);
                    let lost = Blob::draw(draw, place, severity.between(6.0, 22.0), 0.4);
                    Flaw::Misprint { lost: Some(lost), shift: [0.0; 2], turn: 0.0, first: 0.0 }
                }
                1 => {
                    let shift = [draw.sign() * severity.between(4.5, 11.0), draw.sign() * severity.between(4.5, 14.0)];
                    Flaw::Misprint { lost: None, shift, turn: draw.sign() * severity.between(0.03, 0.14), first: 0.0 }
                }
                _ => {
                    let shift = [draw.sign() * severity.between(2.2, 5.5), draw.sign() * severity.between(1.8, 4.5)];
                    Flaw::Misprint { lost: None, shift, turn: 0.0, first: 1.0 }
                }
            },
            "missing_leg" => Flaw::MissingLeg { leg, length: severity.between(24.0, -4.0) },
            _ => {
                let side = if leg < LEGS { -1.0 } else { 1.0 };
                let row = (leg % LEGS).min(LEGS - 2) as f32 - 3.0;
                let x = side * draw.uniform(70.0, 86.0);
                let reach = severity.between(0.35, 1.1);
                let start = row * PITCH + HALF_LEG;
                let to = [x + draw.uniform(-3.0, 3.0), start + reach * (PITCH - 2.0 * HALF_LEG)];
                Flaw::SolderBridge { from: [x, start], to, half: severity.between(2.6, 5.2), seed: draw.seed() }
            }
        }
    }

    fn paint(&self, flaw: Option<&Flaw>, grid: Grid) -> Vec<Surfel> {
        let width = grid.width();
        let print = trace_segments(&self.print([0.0; 2], 0.0), grid, STROKE + 1.0);
        let second = match flaw {
            Some(Flaw::Misprint { lost: None, shift, turn, .. }) => Some(trace_segments(&self.print(*shift, *turn), grid, STROKE + 1.0)),
            _ => None,
        };
        let ink = |distance: f32| 1.0 - smoothstep(STROKE - 0.4, STROKE + 0.4, distance);
        let mut out = Vec::with_capacity(width * width);
        for iy in 0..width {
            for ix in 0..width {
                let (x, y) = (grid.at(ix), grid.at(iy));
                let right = ink(print[iy * width + ix].distance);
                let wrong = match flaw {
                    Some(Flaw::Misprint { lost: Some(blob), .. }) => right * (1.0 - smoothstep(-1.0, 3.0, blob.depth(x, y))),
                    Some(Flaw::Misprint { first, .. }) => {
                        let other = second.as_ref().map_or(0.0, |s| ink(s[iy * width + ix].distance));
                        other.max(right * first)
                    }
                    _ => right,
                };
                let mut surfel = self.sample(x, y, wrong, flaw);
                surfel.defect |= (right - wrong).abs() > 0.02;
                out.push(surfel);
            }
        }
        out
    }
}

impl Chip {
    fn sample(&self, x: f32, y: f32, ink: f32, flaw: Option<&Flaw>) -> Surfel {
        let q = self.local(x, y);
        let mut surfel = self.board(q);
        if q[0].abs() > BODY[0] - 4.0 && q[0].abs() < 112.0 {
            self.solder(&mut surfel, q, flaw);
            self.legs(&mut surfel, q, flaw);
        }
        self.body(&mut surfel, q, [x, y], ink, flaw);
        for &[dx, dy, r] in &self.dust {
            let d2 = ((x - dx) * (x - dx) + (y - dy) * (y - dy)) / (r * r);
            if d2 < 1.0 {
                surfel = Surfel { defect: surfel.defect, ..Surfel::matt(surfel.height + 0.4 * (1.0 - d2), [0.42, 0.4, 0.37]) };
            }
        }
        surfel
    }

    /// Solder mask with the weave of the laminate, traces that leave the pads, and vias.
    fn board(&self, [x, y]: [f32; 2]) -> Surfel {
        let weave = sin(x * 1.15) * sin(y * 1.15);
        let cloud = self.cloud.at(x + 128.0, y + 128.0);
        let grain = gradient(x * 0.8, y * 0.8, self.seed ^ 2);
        let mut surfel = Surfel {
            shine: 0.05,
            gloss: 22.0,
            ..Surfel::matt(0.05 * weave, scale(self.mask, 1.0 + 0.06 * weave + 0.1 * cloud + 0.08 * grain))
        };
        let row = (round(y / PITCH) as f32).clamp(-3.0, 3.0);
        let h = hash(row as i32, i32::from(x > 0.0), self.seed ^ 3);
        // Each trace leaves straight and turns away at its own place.
        let turnoff = 104.0 + 14.0 * unit(h);
        let slant = if h & 1 == 0 { 0.8 } else { -0.8 };
        let middle = row * PITCH + (x.abs() - turnoff).max(0.0) * slant;
        let off = (y - middle).abs();
        if x.abs() > 92.0 && off < 3.2 {
            let copper = 1.0 - smoothstep(2.4, 3.2, off);
            surfel.albedo = mix(surfel.albedo, [0.045, 0.2, 0.085], 0.6 * copper);
            surfel.height += 0.5 * copper;
        }
        let (vx, vy) = (x.abs() - 112.0, y - 14.0 - 56.0 * lattice(i32::from(x > 0.0), 2, self.seed ^ 4));
        let via = (vx * vx + vy * vy).sqrt();
        if via < 4.5 {
            surfel = if via < 1.8 { Surfel::matt(-2.0, [0.01; 3]) } else { self.tin_at(0.5, 0.0) };
        }
        surfel
    }

    fn tin_at(&self, height: f32, grain: f32) -> Surfel {
        let albedo = scale([0.52, 0.52, 0.53], self.tin * (1.0 + 0.15 * grain));
        Surfel { shine: 0.22, gloss: 14.0, metal: 0.8, ..Surfel::matt(height, albedo) }
    }

    /// Solder of a pad: duller and darker than the legs' tin.
    fn pad_at(&self, height: f32, grain: f32) -> Surfel {
        let tin = self.tin_at(height, grain);
        Surfel { albedo: scale(tin.albedo, 0.62), shine: 0.1, ..tin }
    }

    /// Pads, their fillets, and a bridge.
    fn solder(&self, surfel: &mut Surfel, [x, y]: [f32; 2], flaw: Option<&Flaw>) {
        let row = (round(y / PITCH) as f32).clamp(-3.0, 3.0);
        let dy = (y - row * PITCH).abs();
        let side = i32::from(x > 0.0);
        let wet = 1.0 + 0.35 * lattice(row as i32, side, self.seed ^ 5);
        let pad = (7.2 - dy).min(x.abs() - 70.0).min(99.0 - x.abs());
        if pad > 0.0 {
            let grain = fbm(x * 0.3, y * 0.3, 2, self.seed ^ 6);
            let mound = smoothstep(0.0, 4.0, pad) * wet;
            *surfel = Surfel { defect: surfel.defect, ..self.pad_at(0.4 + 1.2 * mound + 0.25 * grain, grain) };
        }
        if let Some(Flaw::SolderBridge { from, to, half, seed }) = flaw {
            let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
            let t = (((x - from[0]) * dx + (y - from[1]) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
            let (ex, ey) = (x - from[0] - t * dx, y - from[1] - t * dy);
            let waist = half * (1.0 - 0.3 * (1.0 - (2.0 * t - 1.0).abs()) + 0.25 * gradient(x * 0.2, y * 0.2, *seed));
            let d2 = (ex * ex + ey * ey) / (waist * waist);
            if d2 < 1.0 {
                *surfel = Surfel { defect: true, ..self.tin_at(0.8 + 0.9 * half * (1.0 - d2).sqrt(), 0.0) };
            }
        }
    }

    /// The leg at this place, if it rises over what is there.
    fn legs(&self, surfel: &mut Surfel, [x, y]: [f32; 2], flaw: Option<&Flaw>) {
        let (ax, side) = (x.abs(), usize::from(x > 0.0));
        let nearest = (round(y / PITCH) as f32).clamp(-3.0, 3.0);
        for row in [nearest - 1.0, nearest, nearest + 1.0] {
            if row.abs() > 3.5 {
                continue;
            }
            let leg = side * LEGS + (row + 3.0) as usize;
            let straight = (ax, y - row * PITCH);
            let (mut at, mut end, mut mine) = (straight, FOOT, false);
            match flaw {
                Some(Flaw::BentLeg { leg: which, angle }) if *which == leg => {
                    let [u, v] = turn(sin_cos(-*angle), [ax - BODY[0], straight.1]);
                    at = (u + BODY[0], v);
                    mine = true;
                }
                Some(Flaw::MissingLeg { leg: which, length }) if *which == leg => {
                    end = BODY[0] + length;
                    mine = straight.0 > end - 1.0;
                }
                _ => {}
            }
            let inside = |(u, v): (f32, f32), end: f32| (HALF_LEG + lerp(1.5, 0.0, smoothstep(58.0, 64.0, u)) - v.abs()).min(end - u);
            let depth = inside(at, end);
            if mine && (depth > 0.0 || inside(straight, FOOT) > 0.0) {
                surfel.defect = true;
            }
            if depth > 0.0 {
                let fall = smoothstep(62.0, 76.0, at.0);
                let rounded = 0.9 * (1.0 - (depth / 1.8).min(1.0));
                let height = lerp(SHOULDER, SOLE + 1.4, fall) - rounded;
                if height > surfel.height {
                    let grain = gradient(at.0 * 0.15, at.1 * 1.4, self.seed.wrapping_add(leg as u32));
                    *surfel = Surfel { defect: surfel.defect, ..self.tin_at(height + 0.05 * grain, 0.6 * grain) };
                }
            }
        }
    }

    fn body(&self, surfel: &mut Surfel, [x, y]: [f32; 2], at: [f32; 2], ink: f32, flaw: Option<&Flaw>) {
        const ROUND: f32 = 4.0;
        let (ox, oy) = ((x.abs() - BODY[0] + ROUND).max(0.0), (y.abs() - BODY[1] + ROUND).max(0.0));
        let corner = ROUND - (ox * ox + oy * oy).sqrt();
        let depth = if ox > 0.0 || oy > 0.0 { corner } else { (BODY[0] - x.abs()).min(BODY[1] - y.abs()) };
        if depth <= 0.0 {
            return;
        }
        let grain = gradient(x * 0.9, y * 0.9, self.seed ^ 8);
        let bevel = (depth / 6.0).min(1.0);
        let mut height = lerp(SHOULDER, TOP, bevel) + 0.12 * grain;
        let mut shine = 0.05;
        let pin = ((x + 36.0) * (x + 36.0) + (y + 70.0) * (y + 70.0)).sqrt();
        if pin < 6.5 {
            height -= 1.6 * (1.0 - smoothstep(4.8, 6.5, pin));
            shine = 0.09;
        }
        let cloud = self.cloud.at(y + 128.0, x + 128.0);
        let mut albedo = scale([1.0, 1.0, 1.06], self.plastic * (1.0 + 0.16 * grain + 0.14 * cloud));
        // Laser marks are grainy, not solid.
        albedo = mix(albedo, scale([0.96, 1.0, 0.92], self.ink), ink * (0.8 + 0.25 * grain).min(1.0));
        *surfel = Surfel { shine, gloss: 16.0, ..Surfel::matt(height, albedo) };
        if let Some(Flaw::ChippedBody { blob }) = flaw {
            let gone = blob.depth(at[0], at[1]);
            if gone > 0.0 {
                let rough = fbm(x * 0.3, y * 0.3, 3, self.seed ^ 10);
                let floor = (SHOULDER - 2.0 + 1.6 * rough + 5.0 * (1.0 - smoothstep(0.0, blob.radius, gone))).min(height);
                *surfel = Surfel { defect: true, ..Surfel::matt(floor, scale([0.115, 0.112, 0.105], 1.0 + 0.35 * rough)) };
            }
        }
    }
}
