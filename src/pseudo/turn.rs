//! A picture turned about its middle.

use super::between;

/// Its value at pixel (x, y) once a picture of `[width, height]`, whose value `pixel` gives, is turned by `degrees`: bilinear between
/// pixels, 0 outside of it.
pub fn turned([width, height]: [usize; 2], degrees: f64, pixel: impl Fn(usize, usize) -> f64) -> impl Fn(usize, usize) -> f64 {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let middle = [width, height].map(|side| (side as f64 - 1.0) / 2.0);
    move |x, y| {
        let (dx, dy) = (x as f64 - middle[0], y as f64 - middle[1]);
        let (u, v) = (middle[0] + dx * cos + dy * sin, middle[1] + dy * cos - dx * sin);
        let (left, top) = (u.floor(), v.floor());
        let pixel = |x: f64, y: f64| match (0.0..width as f64).contains(&x) && (0.0..height as f64).contains(&y) {
            true => pixel(x as usize, y as usize),
            false => 0.0,
        };
        let row = |y: f64| between(pixel(left, y), pixel(left + 1.0, y), u - left);
        between(row(top), row(top + 1.0), v - top)
    }
}
