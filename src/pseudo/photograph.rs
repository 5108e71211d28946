//! A photograph as a texture: the whole of it, under three random changes (DRAEM, Zavrtanik et al. 2021, on the photographs of DTD).
//!
//! The changes and their ranges are those of DRAEM's published code: gamma, brightness, sharpness, hue and saturation, solarisation,
//! posterisation, inversion, contrast, equalisation and rotation. What that code leaves to its library is said at each.

use super::color::{self, by_value};
use super::turn::turned;
use super::{shuffle, uniform};
use crate::image::{Rgb, resize};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A change of the image, with its own draws.
type Change = fn(&mut Rgb, &mut ChaCha8Rng);

const CHANGES: [Change; 10] = [gamma, brightness, sharpness, tint, solarised, posterised, inverted, stretched, equalised, rotated];

/// Changes of a photograph, all different.
const DRAWN: usize = 3;

/// The photograph at `width` x `height`, changed.
pub fn texture(photograph: &Rgb, [width, height]: [usize; 2], draws: &mut ChaCha8Rng) -> Rgb {
    let mut out = resize::bilinear(photograph, width, height);
    let mut changes = CHANGES;
    shuffle(draws, &mut changes);
    changes[..DRAWN].iter().for_each(|change| change(&mut out, draws));
    out
}

/// Each channel to a power between 1/2 and 2 of its own.
fn gamma(image: &mut Rgb, draws: &mut ChaCha8Rng) {
    for channel in 0..3 {
        let power = uniform(draws, 0.5, 2.0);
        by_channel(image, channel, |v| (255.0 * (f64::from(v) / 255.0).powf(power)).round() as u8);
    }
}

/// Times 0.8 to 1.2, plus up to 30 either way.
fn brightness(image: &mut Rgb, draws: &mut ChaCha8Rng) {
    let (factor, more) = (uniform(draws, 0.8, 1.2), uniform(draws, -30.0, 30.0));
    by_value(image, |v| (factor * f64::from(v) + more).round() as u8);
}

/// From its smoothed form (PIL's kernel: 5 in the middle, 1 around it) to as far on its other side.
fn sharpness(image: &mut Rgb, draws: &mut ChaCha8Rng) {
    let factor = uniform(draws, 0.0, 2.0);
    let before = image.clone();
    for (y, x) in (1..image.height.saturating_sub(1)).flat_map(|y| (1..before.width.saturating_sub(1)).map(move |x| (y, x))) {
        let sharpened = [0, 1, 2].map(|c| {
            let own = f64::from(before.at(x, y)[c]);
            let around: f64 =
                (y - 1..=y + 1).flat_map(|y| (x - 1..=x + 1).map(move |x| (x, y))).map(|(x, y)| f64::from(before.at(x, y)[c])).sum();
            let smooth = (around + 4.0 * own) / 13.0;
            (smooth + factor * (own - smooth)).round() as u8
        });
        image.set(x, y, sharpened);
    }
}

/// Hue turned by up to 50/255 of the circle, saturation times 0.8 to 1.2 (the code adds up to 50/255 to it).
fn tint(image: &mut Rgb, draws: &mut ChaCha8Rng) {
    let (turn, factor) = (uniform(draws, -50.0 / 255.0, 50.0 / 255.0), uniform(draws, 0.8, 1.2));
    color::hue(image, turn);
    color::saturation(image, factor);
}

/// With probability 1/2, what is brighter than a threshold between 32 and 128 turned into its negative.
fn solarised(image: &mut Rgb, draws: &mut ChaCha8Rng) {
    let (threshold, applies) = (draws.random_range(32..=128), draws.random::<bool>());
    if applies {
        by_value(image, |v| if v >= threshold { 255 - v } else { v });
    }
}

/// The highest 1 to 8 bits of each value.
fn posterised(image: &mut Rgb, draws: &mut ChaCha8Rng) {
    let bits = draws.random_range(1..=8);
    by_value(image, |v| v & (0xff_u8 << (8 - bits)));
}

fn inverted(image: &mut Rgb, _: &mut ChaCha8Rng) {
    by_value(image, |v| 255 - v);
}

/// Each channel stretched to all of 0..=255, once up to 20 per cent at either end are cut off.
fn stretched(image: &mut Rgb, draws: &mut ChaCha8Rng) {
    let cut = uniform(draws, 0.0, 0.2);
    for channel in 0..3 {
        let counts = counts(image, channel);
        let beyond = cut * counts.iter().sum::<usize>() as f64;
        if let (Some(low), Some(high)) = (first_beyond(beyond, &counts, 0..256), first_beyond(beyond, &counts, (0..256).rev()))
            && low < high
        {
            let span = (high - low) as f64;
            by_channel(image, channel, |v| (255.0 * (f64::from(v) - low as f64) / span).round() as u8);
        }
    }
}

/// The first of these values at which more than `beyond` pixels have been passed.
fn first_beyond(beyond: f64, counts: &[usize; 256], mut values: impl Iterator<Item = usize>) -> Option<usize> {
    let mut passed = 0;
    values.find(|&v| {
        passed += counts[v];
        passed as f64 > beyond
    })
}

/// Each channel's values spread evenly over 0..=255: a value becomes the share of pixels below it, half of its own included.
fn equalised(image: &mut Rgb, _: &mut ChaCha8Rng) {
    for channel in 0..3 {
        let counts = counts(image, channel);
        let all = counts.iter().sum::<usize>().max(1) as f64;
        let below = |v: u8| counts[..usize::from(v)].iter().sum::<usize>() as f64 + 0.5 * counts[usize::from(v)] as f64;
        by_channel(image, channel, |v| (255.0 * below(v) / all).round() as u8);
    }
}

/// Turned about its middle by up to 45 degrees either way; black where it has left the image.
fn rotated(image: &mut Rgb, draws: &mut ChaCha8Rng) {
    let degrees = uniform(draws, -45.0, 45.0);
    let before = image.clone();
    let (width, height) = (before.width, before.height);
    let channels = [0, 1, 2].map(|c| {
        let before = &before;
        turned([width, height], degrees, move |x, y| f64::from(before.at(x, y)[c]))
    });
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        image.set(x, y, [0, 1, 2].map(|c| channels[c](x, y).round() as u8));
    }
}

/// Replaces every value of a channel by `of` it.
fn by_channel(image: &mut Rgb, channel: usize, of: impl Fn(u8) -> u8) {
    let table: [u8; 256] = std::array::from_fn(|v| of(v as u8));
    image.data.iter_mut().skip(channel).step_by(3).for_each(|v| *v = table[usize::from(*v)]);
}

/// How often each value occurs in a channel.
fn counts(image: &Rgb, channel: usize) -> [usize; 256] {
    let mut counts = [0; 256];
    image.data.iter().skip(channel).step_by(3).for_each(|&v| counts[usize::from(v)] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pseudo::tests::picture;
    use crate::seed::stream;
    use proptest::prelude::*;

    /// A change of a picture under the draws of `seed`.
    fn changed(change: Change, seed: u64) -> (Rgb, Rgb) {
        let before = picture(24, 20, seed % 50);
        let mut after = before.clone();
        change(&mut after, &mut stream(seed, "test", 0, 0));
        (before, after)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_texture_has_the_size_that_was_asked_for_and_is_drawn_again(width in 1..60_usize, height in 1..60_usize, seed: u64) {
            let photograph = picture(40, 33, seed % 50);
            let make = || texture(&photograph, [width, height], &mut stream(seed, "test", 0, 0));
            let made = make();
            prop_assert_eq!((made.width, made.height), (width, height));
            prop_assert_eq!(made, make());
        }

        #[test]
        fn values_keep_their_order_under_gamma_stretching_and_equalising(seed: u64) {
            for change in [gamma as Change, stretched, equalised] {
                let (before, after) = changed(change, seed);
                for c in 0..3 {
                    let mut pairs: Vec<(u8, u8)> = before.data.iter().zip(&after.data).skip(c).step_by(3).map(|(a, b)| (*a, *b)).collect();
                    pairs.sort_unstable();
                    prop_assert!(pairs.windows(2).all(|w| w[0].1 <= w[1].1));
                }
            }
        }

        #[test]
        fn posterising_only_takes_bits_away(seed: u64) {
            let (before, after) = changed(posterised, seed);
            prop_assert!(before.data.iter().zip(&after.data).all(|(a, b)| a & b == *b && a - b < 128));
        }
    }

    #[test]
    fn negatives_are_their_own_inverse_and_a_solarised_value_is_itself_or_its_negative() {
        let (before, mut twice) = changed(inverted, 0);
        assert_ne!(before, twice);
        inverted(&mut twice, &mut stream(0, "test", 0, 0));
        assert_eq!(before, twice);
        let made: Vec<(Rgb, Rgb)> = (0..40).map(|seed| changed(solarised, seed)).collect();
        assert!(made.iter().all(|(a, b)| a.data.iter().zip(&b.data).all(|(a, b)| b == a || *b == 255 - a)));
        assert!((8..=32).contains(&made.iter().filter(|(a, b)| a == b).count()));
    }

    #[test]
    fn an_equalised_ramp_stays_and_a_narrow_one_is_spread() {
        let ramp = |values: &[u8]| Rgb::from_vec(values.len(), 1, values.iter().flat_map(|&v| [v; 3]).collect());
        let mut whole = ramp(&(0..=255).collect::<Vec<u8>>());
        let before = whole.clone();
        equalised(&mut whole, &mut stream(0, "test", 0, 0));
        assert!(before.data.iter().zip(&whole.data).all(|(a, b)| a.abs_diff(*b) <= 1));
        for change in [equalised as Change, stretched] {
            let mut narrow = ramp(&(100..120).collect::<Vec<u8>>());
            change(&mut narrow, &mut stream(0, "test", 0, 0));
            assert!(narrow.data[0] < 10 && narrow.data[57] > 245, "{:?}", narrow.data);
        }
    }

    #[test]
    fn a_rotation_keeps_the_middle_and_leaves_black_corners_of_a_white_image() {
        let mut corners = 0;
        for seed in 0..20 {
            let mut image = Rgb::filled(31, 31, [255; 3]);
            rotated(&mut image, &mut stream(seed, "test", 0, 0));
            assert_eq!(image.at(15, 15), [255; 3]);
            corners += usize::from(image.at(0, 0) == [0; 3]);
        }
        assert!(corners > 10, "{corners}");
    }

    #[test]
    fn sharpness_leaves_a_flat_image_as_it_is() {
        let mut image = Rgb::filled(9, 9, [77, 5, 200]);
        sharpness(&mut image, &mut stream(0, "test", 0, 0));
        assert_eq!(image, Rgb::filled(9, 9, [77, 5, 200]));
    }

    #[test]
    fn every_change_is_drawn_and_few_textures_are_the_photograph_itself() {
        let photograph = picture(32, 32, 1);
        let made: Vec<Rgb> = (0..60).map(|i| texture(&photograph, [32, 32], &mut stream(0, "test", 0, i))).collect();
        assert!(made.iter().filter(|made| **made == photograph).count() < 3);
    }
}
