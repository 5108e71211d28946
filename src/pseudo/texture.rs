//! Textures out of nothing: what a pseudo anomaly shows where no folder of photographs of textures (DTD, as DRAEM uses it) is at hand.

use super::{perlin, uniform};
use crate::image::Rgb;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Kinds of textures, each drawn as often as the others.
const KINDS: usize = 5;

/// A texture of one of five kinds in two colours: clouds, stripes, checks, dots, grain.
pub fn texture(width: usize, height: usize, draws: &mut ChaCha8Rng) -> Rgb {
    let colours = [0; 2].map(|_| [0; 3].map(|_| uniform(draws, 0.0, 255.0)));
    let kind = draws.random_range(0..KINDS);
    let whole = width.min(height) as f64;
    // A period between a sixty-fourth and a quarter of the image.
    let period = (whole / 64.0).max(2.0) * 2f64.powi(draws.random_range(0..5));
    let [across, down] = perlin::direction(draws);
    let [shift_x, shift_y] = [0; 2].map(|_| uniform(draws, 0.0, period));
    let sides = [width, height].map(usize::next_power_of_two);
    let cells = sides.map(|side| (side as f64 / period).max(1.0) as usize).map(usize::next_power_of_two);
    let clouds = perlin::noise(sides, [cells[0].min(sides[0] / 2).max(1), cells[1].min(sides[1] / 2).max(1)], draws);
    let share = |x: usize, y: usize, draws: &mut ChaCha8Rng| -> f64 {
        let (along, beside) = (x as f64 * across + y as f64 * down + shift_x, y as f64 * across - x as f64 * down + shift_y);
        let wave = |v: f64| (v / period).rem_euclid(1.0);
        match kind {
            0 => 0.5 + 0.5 * f64::from(clouds.at(x, y)),
            1 => 1.0 - (2.0 * wave(along) - 1.0).abs(),
            2 => f64::from(u8::from((wave(along) < 0.5) == (wave(beside) < 0.5))),
            3 => f64::from(u8::from((wave(along) - 0.5).powi(2) + (wave(beside) - 0.5).powi(2) < 0.09)),
            _ => uniform(draws, 0.0, 1.0),
        }
    };
    let mut out = Rgb::filled(width, height, [0; 3]);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let share = share(x, y, draws);
        out.set(x, y, [0, 1, 2].map(|c| (colours[0][c] + share * (colours[1][c] - colours[0][c])).round() as u8));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::stream;

    #[test]
    fn textures_of_any_size_are_drawn_again_and_few_are_flat() {
        for (width, height) in [(1, 1), (3, 7), (64, 64), (96, 40)] {
            let mut flat = 0;
            for index in 0..60 {
                let made = texture(width, height, &mut stream(0, "test", 0, index));
                assert_eq!((made.width, made.height), (width, height));
                assert_eq!(made, texture(width, height, &mut stream(0, "test", 0, index)));
                flat += usize::from(made.data.chunks_exact(3).all(|p| p == &made.data[..3]));
            }
            assert!(width < 8 || flat == 0, "{width}x{height}: {flat} flat ones");
        }
    }
}
