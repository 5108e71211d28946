//! Shapes that defects and prints are made of: wandering paths with a distance field, and irregular blobs.

use super::draw::Draw;
use super::math::{sin_cos, turn};
use super::noise::fbm;
use super::shade::Grid;

/// A polyline, px of the 256 px frame.
#[derive(Debug, Clone)]
pub struct Path {
    pub points: Vec<[f32; 2]>,
}

/// The nearest place of a path: distance in px (infinite out of reach) and position along it, 0..=1.
#[derive(Debug, Clone, Copy)]
pub struct Near {
    pub distance: f32,
    pub along: f32,
}

impl Path {
    /// A path of `length` px from `start`; its heading drifts by up to `bend` radians in all and jumps by `jag` radians a step.
    pub fn wander(draw: &mut Draw, start: [f32; 2], heading: f32, length: f32, bend: f32, jag: f32) -> Self {
        const STEPS: usize = 40;
        let (curvature, twist) = (draw.uniform(-bend, bend), draw.uniform(-bend, bend));
        let mut points = vec![start];
        let [mut x, mut y] = start;
        for step in 0..STEPS {
            let t = step as f32 / STEPS as f32;
            let (s, c) = sin_cos(heading + curvature * t + twist * t * t + jag * draw.normal());
            x += c * length / STEPS as f32;
            y += s * length / STEPS as f32;
            points.push([x, y]);
        }
        Self { points }
    }

    /// The same path with its middle at `centre`, so that a drawn place is the defect's middle and not its end.
    pub fn centred(mut self, centre: [f32; 2]) -> Self {
        let middle = self.points[self.points.len() / 2];
        for p in &mut self.points {
            *p = [p[0] + centre[0] - middle[0], p[1] + centre[1] - middle[1]];
        }
        self
    }

    /// The nearest place of the path for every sample within `reach` px. Cost: the samples near each segment.
    pub fn trace(&self, grid: Grid, reach: f32) -> Vec<Near> {
        let mut field = grid.plane(Near { distance: f32::INFINITY, along: 0.0 });
        let pieces = (self.points.len() - 1) as f32;
        for (n, ends) in self.points.windows(2).enumerate() {
            segment(&mut field, grid, ends[0], ends[1], reach, (n as f32 / pieces, 1.0 / pieces));
        }
        field
    }
}

/// Distances to many separate segments, for prints.
pub fn trace_segments(segments: &[[[f32; 2]; 2]], grid: Grid, reach: f32) -> Vec<Near> {
    let mut field = grid.plane(Near { distance: f32::INFINITY, along: 0.0 });
    for &[a, b] in segments {
        segment(&mut field, grid, a, b, reach, (0.0, 1.0));
    }
    field
}

fn segment(field: &mut [Near], grid: Grid, a: [f32; 2], b: [f32; 2], reach: f32, (from, share): (f32, f32)) {
    let width = grid.width();
    let range = |lo: f32, hi: f32| {
        let first = ((lo - reach) / grid.step()).floor().max(0.0) as usize;
        let last = ((hi + reach) / grid.step()).ceil().clamp(0.0, width as f32) as usize;
        first.min(width)..last
    };
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let squared = (dx * dx + dy * dy).max(1e-12);
    for iy in range(a[1].min(b[1]), a[1].max(b[1])) {
        for ix in range(a[0].min(b[0]), a[0].max(b[0])) {
            let (px, py) = (grid.at(ix) - a[0], grid.at(iy) - a[1]);
            let t = ((px * dx + py * dy) / squared).clamp(0.0, 1.0);
            let (ex, ey) = (px - t * dx, py - t * dy);
            let distance = (ex * ex + ey * ey).sqrt();
            let near = &mut field[iy * width + ix];
            if distance <= reach && distance < near.distance {
                *near = Near { distance, along: from + share * t };
            }
        }
    }
}

/// An irregular region: an ellipse whose border fractal noise moves.
#[derive(Debug, Clone, Copy)]
pub struct Blob {
    pub centre: [f32; 2],
    /// Mean radius, px.
    pub radius: f32,
    turn: (f32, f32),
    squash: f32,
    /// Strength of the border's noise relative to the radius.
    ragged: f32,
    seed: u32,
}

impl Blob {
    pub fn draw(draw: &mut Draw, centre: [f32; 2], radius: f32, ragged: f32) -> Self {
        Self { centre, radius, turn: sin_cos(draw.angle()), squash: draw.uniform(0.6, 1.0), ragged, seed: draw.seed() }
    }

    /// How far inside the blob (x, y) lies, px; negative outside.
    pub fn depth(&self, x: f32, y: f32) -> f32 {
        let reach = 2.2 * self.radius;
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        if dx.abs() > reach || dy.abs() > reach {
            return -self.radius;
        }
        let [u, v] = turn(self.turn, [dx, dy]);
        let d = (u * u * self.squash + v * v / self.squash).sqrt();
        let size = 1.1 / self.radius;
        self.radius - d + self.radius * self.ragged * fbm(dx * size, dy * size, 4, self.seed)
    }
}
