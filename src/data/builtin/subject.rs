//! What a category is: a scene that can be drawn, spoilt and painted; and how a picture comes of it.

use super::camera::{Camera, Sensor};
use super::draw::Draw;
use super::mask;
use super::math::lerp;
use super::shade::{Grid, Light, Relief, Surfel, shade};
use crate::image::{Mask, Rgb};

/// How clear a defect is: 0 = barely visible, 1 = obvious.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Severity(pub f32);

impl Severity {
    /// The value between that of a faint and that of a clear defect.
    pub fn between(self, faint: f32, clear: f32) -> f32 {
        lerp(faint, clear, self.0)
    }

    /// The severity of image `index` of defect number `kind`: each run of eight images covers the scale evenly.
    pub fn of(kind: usize, index: usize, draw: &mut Draw) -> Self {
        let step = (index * 5 + kind * 3) % 8;
        Self((step as f32 + draw.uniform(0.0, 1.0)) / 8.0)
    }
}

/// A category's scene. The same scene is painted with and without its flaw.
pub trait Subject: Sized {
    const NAME: &'static str;
    /// In alphabetical order.
    const DEFECTS: &'static [&'static str];
    const RELIEF: Relief;
    type Flaw;

    /// A normal scene.
    fn draw(draw: &mut Draw) -> Self;

    fn light(draw: &mut Draw) -> Light;

    /// A flaw of one of `DEFECTS`.
    fn flaw(&self, kind: &str, severity: Severity, draw: &mut Draw) -> Self::Flaw;

    /// The scene's samples, row by row.
    fn paint(&self, flaw: Option<&Self::Flaw>, grid: Grid) -> Vec<Surfel>;
}

/// Least area of a mask, px of the 256 px frame.
pub const LEAST_AREA: usize = 30;

/// Attempts at a flaw that shows; more than one in a hundred is rare.
const ATTEMPTS: usize = 40;

/// A normal picture.
pub fn normal<S: Subject>(draw: &mut Draw, grid: Grid) -> Rgb {
    let (scene, light, camera) = (S::draw(draw), S::light(draw), Camera::draw(draw));
    camera.expose(&shade(&scene.paint(None, grid), grid, &light, S::RELIEF), grid, Sensor::Noisy)
}

/// A defective picture and its mask. A flaw that hardly shows (it fell on a hidden place) is drawn anew.
pub fn defective<S: Subject>(kind: usize, index: usize, draw: &mut Draw, grid: Grid) -> (Rgb, Mask) {
    let (scene, light, camera) = (S::draw(draw), S::light(draw), Camera::draw(draw));
    let clean = shade(&scene.paint(None, grid), grid, &light, S::RELIEF);
    let clean = camera.expose(&clean, grid, Sensor::Ideal);
    let severity = Severity::of(kind, index, draw);
    let least = (LEAST_AREA * grid.side * grid.side / 65536).max(2);
    for attempt in 0.. {
        let flaw = scene.flaw(S::DEFECTS[kind], severity, draw);
        let surfels = scene.paint(Some(&flaw), grid);
        let light = shade(&surfels, grid, &light, S::RELIEF);
        let mask = mask::mask(&clean, &camera.expose(&light, grid, Sensor::Ideal), &surfels, grid);
        if mask.area() >= least || attempt == ATTEMPTS {
            return (camera.expose(&light, grid, Sensor::Noisy), mask);
        }
    }
    unreachable!("the loop returns at its last attempt")
}
