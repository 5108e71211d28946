//! What a category is: a scene that can be drawn, damaged and painted; and how that becomes a picture.

use super::camera::{Camera, Sensor};
use super::draw::Draw;
use super::mask;
use super::math::lerp;
use super::shade::{Grid, Light, Relief, Surfel, shade};
use crate::image::{Mask, Rgb};

/// How clear a defect is: 0 = barely visible, 1 = plain, 2 = gross.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Severity(pub f32);

impl Severity {
    /// The value between that of a faint and that of a clear defect.
    pub fn between(self, faint: f32, clear: f32) -> f32 {
        lerp(faint, clear, self.0)
    }

    /// The same for a share of a whole, 0..=1.
    pub fn share(self, faint: f32, clear: f32) -> f32 {
        self.between(faint, clear).clamp(0.0, 1.0)
    }

    /// The eighth of the range that an image falls in, 0 = faintest.
    fn step(kind: usize, index: usize) -> usize {
        (index * 5 + kind * 3) % 8
    }

    /// The severity of image `index` of defect number `kind`: each run of eight images covers the range evenly.
    pub fn of(kind: usize, index: usize, range: (f32, f32), draw: &mut Draw) -> Self {
        let step = Self::step(kind, index);
        Self(lerp(range.0, range.1, (step as f32 + draw.uniform(0.0, 1.0)) / 8.0))
    }
}

/// A category's scene. The same scene is painted with and without its flaw.
pub trait Subject: Sized {
    const NAME: &'static str;
    /// In alphabetical order.
    const DEFECTS: &'static [&'static str];
    const RELIEF: Relief;
    /// Severities of the faintest and the clearest defect: the one knob of a category's difficulty, set so that a network
    /// that was trained for a minute on two cores finds most defects and misses some.
    const RANGE: (f32, f32);
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

/// A defective picture and its mask. A flaw that hardly shows (it fell on a hidden place) is drawn again.
pub fn defective<S: Subject>(kind: usize, index: usize, draw: &mut Draw, grid: Grid) -> (Rgb, Mask) {
    let (scene, light, camera) = (S::draw(draw), S::light(draw), Camera::draw(draw));
    let clean = shade(&scene.paint(None, grid), grid, &light, S::RELIEF);
    let clean = camera.expose(&clean, grid, Sensor::Ideal);
    let severity = Severity::of(kind, index, S::RANGE, draw);
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

#[cfg(test)]
mod tests {
    use super::super::{chip::Chip, fabric::Fabric, gear::Gear, terrazzo::Terrazzo};
    use super::*;

    /// Every kind of a category at 64 px: a mask's pixels differ visibly from the clean picture, or fill a gap between
    /// pixels that do.
    fn masks_lie_where_the_pictures_differ<S: Subject>() {
        let grid = Grid { side: 64, samples: 2 };
        for (kind, name) in S::DEFECTS.iter().enumerate() {
            let draw = || Draw(crate::seed::stream(5, "test", 0, kind as u64));
            let (_, mask) = defective::<S>(kind, 0, &mut draw(), grid);
            // The same draws again, up to the flaw.
            let mut again = draw();
            let (scene, light, camera) = (S::draw(&mut again), S::light(&mut again), Camera::draw(&mut again));
            let picture =
                |flaw: Option<&S::Flaw>| camera.expose(&shade(&scene.paint(flaw, grid), grid, &light, S::RELIEF), grid, Sensor::Ideal);
            let clean = picture(None);
            let severity = Severity::of(kind, 0, S::RANGE, &mut again);
            // The last flaw drawn is the one that showed.
            let bad = (0..=ATTEMPTS).map(|_| scene.flaw(name, severity, &mut again)).map(|flaw| picture(Some(&flaw)));
            let differs = |bad: &Rgb, x: usize, y: usize| clean.at(x, y).iter().zip(bad.at(x, y)).any(|(&a, b)| a.abs_diff(b) >= 3);
            let explained = |bad: &Rgb| {
                (0..64 * 64).filter(|&i| mask.data[i] != 0).all(|i| {
                    let (x, y) = (i % 64, i / 64);
                    let rows = y.saturating_sub(4)..(y + 5).min(64);
                    rows.into_iter().any(|ny| (x.saturating_sub(4)..(x + 5).min(64)).any(|nx| differs(bad, nx, ny)))
                })
            };
            assert!(!mask.is_empty() && bad.into_iter().any(|bad| explained(&bad)), "{} {name}", S::NAME);
        }
    }

    #[test]
    fn masks_lie_where_the_defective_picture_differs_from_the_clean_one() {
        masks_lie_where_the_pictures_differ::<Chip>();
        masks_lie_where_the_pictures_differ::<Fabric>();
        masks_lie_where_the_pictures_differ::<Gear>();
        masks_lie_where_the_pictures_differ::<Terrazzo>();
    }

    #[test]
    fn eight_images_of_a_kind_cover_the_range_of_severity_evenly() {
        let mut draw = Draw(crate::seed::stream(0, "test", 0, 0));
        for kind in 0..5 {
            let mut severities: Vec<f32> = (0..8).map(|index| Severity::of(kind, index, (0.5, 1.5), &mut draw).0).collect();
            severities.sort_by(f32::total_cmp);
            for (step, s) in severities.iter().enumerate() {
                let t = (s - 0.5) * 8.0;
                assert!(t >= step as f32 - 1e-3 && t <= step as f32 + 1.001);
            }
        }
    }
}
