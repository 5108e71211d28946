//! Which items of an epoch carry a pseudo anomaly, and of which kind (docs/method.md, "Data and pseudo anomalies").

use super::generator::{Beside, Name, generator};
use super::{changed, shuffle};
use crate::config::{Combine, Pseudo, RatioMode};
use crate::image::{Mask, Rgb};
use crate::seed::stream;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// An image with its label at every pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub image: Rgb,
    /// Of the image's size, 1 = anomalous.
    pub mask: Mask,
    /// The generators that left something on the image, in the order in which they were applied; none exactly if the mask is
    /// empty.
    pub by: Vec<Name>,
}

impl Sample {
    /// An image without a pseudo anomaly.
    pub fn normal(image: Rgb) -> Self {
        let mask = Mask::filled(image.width, image.height, 0);
        Self { image, mask, by: Vec::new() }
    }
}

/// Gives an image a pseudo anomaly: by one generator drawn by weight, or by each that has a weight, as `cfg.combine` says.
/// Where nothing changed (ten empty pastes, noise that does not show, no weight above 0) the sample is the image itself,
/// labelled normal. The mask is where a channel changed, and with `cutpaste.mask = "rect"` all of a pasted rectangle.
///
/// `beside` has another image where generators take parts of one ([`needs_other`]).
pub fn pseudo(image: &Rgb, beside: Beside, cfg: &Pseudo, draws: &mut ChaCha8Rng) -> Sample {
    match cfg.combine {
        Combine::One => one(image, beside, cfg, draws),
        Combine::All => all(image, beside, cfg, draws),
    }
}

/// Whether any generator that may be drawn takes parts of another image.
pub fn needs_other(cfg: &Pseudo) -> bool {
    Name::ALL.iter().map(|(name, _)| generator(*name, cfg)).any(|(how, weight)| weight > 0.0 && how.takes_another())
}

fn one(image: &Rgb, beside: Beside, cfg: &Pseudo, draws: &mut ChaCha8Rng) -> Sample {
    let Some(name) = drawn(cfg, draws) else { return Sample::normal(image.clone()) };
    match generator(name, cfg).0.apply(image, beside, draws) {
        Some((image, mask)) => Sample { image, mask, by: vec![name] },
        None => Sample::normal(image.clone()),
    }
}

/// One name by weight, with one draw; `None` where no weight is above 0. The draw goes through the list from its end, because
/// the first release asked for confetti first.
fn drawn(cfg: &Pseudo, draws: &mut ChaCha8Rng) -> Option<Name> {
    let mut names = Name::ALL.iter().rev().map(|(name, _)| *name);
    let weight = |name| generator(name, cfg).1;
    let total: f64 = names.clone().map(weight).sum();
    let (at, mut below) = (draws.random::<f64>(), 0.0);
    // Summed in the order of `total`, so that the last share ends at 1.
    names.find(|&name| {
        below += weight(name);
        at < below / total
    })
}

/// Each generator with a weight above 0, one over the other.
fn all(image: &Rgb, beside: Beside, cfg: &Pseudo, draws: &mut ChaCha8Rng) -> Sample {
    let (mut out, mut by, mut regions) = (image.clone(), Vec::new(), Vec::new());
    for (name, _) in Name::ALL {
        let (how, weight) = generator(name, cfg);
        if weight <= 0.0 {
            continue;
        }
        if let Some((next, mask)) = how.apply(&out, beside, draws) {
            out = next;
            by.push(name);
            regions.extend(how.marks_region().then_some(mask));
        }
    }
    // Not the union of all masks: what comes later can restore a pixel.
    let mut mask = changed(image, &out);
    for region in regions {
        mask.data.iter_mut().zip(&region.data).for_each(|(m, r)| *m |= r);
    }
    if mask.is_empty() { Sample::normal(out) } else { Sample { image: out, mask, by } }
}

/// Which of an epoch's `items` (training images times `data.repeat`) carry a pseudo anomaly.
///
/// `exact`: `round(ratio * items)` of them, drawn again each epoch; `bernoulli`: each with probability `ratio`; `fixed`:
/// as `exact`, the same in every epoch.
pub fn chosen(cfg: &Pseudo, seed: u64, epoch: u64, items: usize) -> Vec<bool> {
    let mut rng = stream(seed, "pseudo/chosen", stream_epoch(cfg, epoch), 0);
    match cfg.mode {
        RatioMode::Bernoulli => (0..items).map(|_| rng.random::<f64>() < cfg.ratio).collect(),
        RatioMode::Exact | RatioMode::Fixed => {
            let count = (cfg.ratio * items as f64).round() as usize;
            let mut chosen: Vec<bool> = (0..items).map(|i| i < count).collect();
            shuffle(&mut rng, &mut chosen);
            chosen
        }
    }
}

/// The epoch of an item's stream: 0 throughout where anomalies are fixed for the whole run.
pub fn stream_epoch(cfg: &Pseudo, epoch: u64) -> u64 {
    match cfg.mode {
        RatioMode::Fixed => 0,
        RatioMode::Exact | RatioMode::Bernoulli => epoch,
    }
}

/// The stream that draws item `index`'s anomaly: domain `"pseudo"`.
pub fn item_stream(cfg: &Pseudo, seed: u64, epoch: u64, index: u64) -> ChaCha8Rng {
    stream(seed, "pseudo", stream_epoch(cfg, epoch), index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Weight};
    use crate::pseudo::tests::picture;
    use crate::pseudo::{confetti, cutpaste};
    use proptest::prelude::*;

    fn configuration(ratio: f64, mode: RatioMode) -> Pseudo {
        Pseudo { ratio, mode, ..Config::default().pseudo }
    }

    fn none() -> Weight {
        Weight { confetti: 0.0, cutpaste: 0.0, scar: 0.0, perlin: 0.0, simplex: 0.0, nsa: 0.0 }
    }

    fn weights([confetti, cutpaste, scar]: [f64; 3]) -> Weight {
        Weight { confetti, cutpaste, scar, ..none() }
    }

    fn count(chosen: &[bool]) -> usize {
        chosen.iter().filter(|&&c| c).count()
    }

    #[test]
    fn a_degenerate_sample_is_the_image_itself_and_normal() {
        let black = Rgb::filled(40, 40, [0; 3]);
        let cfg = Pseudo { weight: weights([0.0, 1.0, 0.0]), ..Config::default().pseudo };
        assert_eq!(pseudo(&black, Beside::image(&black), &cfg, &mut item_stream(&cfg, 0, 0, 0)), Sample::normal(black));
    }

    #[test]
    fn kinds_follow_the_weights() {
        let image = picture(40, 40, 0);
        let made = |combine, weight| -> Vec<Vec<Name>> {
            let cfg = Pseudo { combine, weight: weights(weight), ..Config::default().pseudo };
            (0..200).map(|i| pseudo(&image, Beside::image(&image), &cfg, &mut item_stream(&cfg, 0, 0, i)).by).collect()
        };
        for (name, weight) in [(Name::Confetti, [0.1, 0.0, 0.0]), (Name::CutPaste, [0.0, 7.0, 0.0]), (Name::Scar, [0.0, 0.0, 1.0])] {
            assert!(made(Combine::One, weight).iter().all(|by| *by == [name]), "{name}");
        }
        assert!(made(Combine::One, [0.0; 3]).iter().all(Vec::is_empty));
        let both = [Name::CutPaste, Name::Confetti];
        assert!(made(Combine::All, [0.1, 0.9, 0.0]).iter().all(|by| *by == both));
        let every = [Name::CutPaste, Name::Scar, Name::Confetti];
        assert!(made(Combine::All, [1.0; 3]).iter().all(|by| *by == every));
        let count = |made: &[Vec<Name>], name| made.iter().filter(|by| **by == [name]).count();
        let half = count(&made(Combine::One, [0.5, 0.5, 0.0]), Name::Confetti);
        assert!((70..=130).contains(&half), "{half} of 200");
        // Expected 100, 60 and 40 of 200; standard deviation 7 at most.
        let some = made(Combine::One, [5.0, 3.0, 2.0]);
        let counts = [Name::Confetti, Name::CutPaste, Name::Scar].map(|name| count(&some, name));
        assert!(counts.iter().zip([100_usize, 60, 40]).all(|(&n, want)| n.abs_diff(want) < 28), "{counts:?}");
    }

    #[test]
    fn a_draw_below_the_share_of_confetti_is_confetti_as_it_was_with_a_probability() {
        for share in [0.0, 0.1, 0.3, 0.5, 2.0 / 3.0, 1.0] {
            for scale in [1.0, 3.0] {
                let cfg = Pseudo { weight: weights([scale * share, scale * (1.0 - share), 0.0]), ..Config::default().pseudo };
                for index in 0..400 {
                    let by_probability = item_stream(&cfg, 0, 0, index).random::<f64>() < share;
                    assert_eq!(drawn(&cfg, &mut item_stream(&cfg, 0, 0, index)) == Some(Name::Confetti), by_probability);
                }
            }
        }
    }

    #[test]
    fn noise_lies_over_a_paste() {
        let image = picture(64, 64, 4);
        let cfg = Pseudo { combine: Combine::All, ..Config::default().pseudo };
        let sample = pseudo(&image, Beside::image(&image), &cfg, &mut item_stream(&cfg, 0, 0, 9));
        let mut rng = item_stream(&cfg, 0, 0, 9);
        let (pasted, _) = cutpaste::apply(&image, &cfg.cutpaste, &mut rng).unwrap();
        assert_eq!(sample.image, confetti::apply(&pasted, &cfg.confetti, &mut rng).0);
    }

    #[test]
    fn a_fixed_set_is_the_same_in_every_epoch_and_others_are_not() {
        let fixed = configuration(0.5, RatioMode::Fixed);
        assert_eq!(chosen(&fixed, 3, 0, 100), chosen(&fixed, 3, 7, 100));
        assert_ne!(chosen(&fixed, 3, 0, 100), chosen(&fixed, 4, 0, 100));
        for mode in [RatioMode::Exact, RatioMode::Bernoulli] {
            let cfg = configuration(0.5, mode);
            assert_eq!(chosen(&cfg, 3, 7, 100), chosen(&cfg, 3, 7, 100));
            assert_ne!(chosen(&cfg, 3, 0, 100), chosen(&cfg, 3, 7, 100));
        }
        assert_eq!([stream_epoch(&fixed, 9), stream_epoch(&configuration(0.5, RatioMode::Exact), 9)], [0, 9]);
    }

    #[test]
    fn bernoulli_keeps_the_ratio_only_on_average() {
        let cfg = configuration(0.3, RatioMode::Bernoulli);
        let counts: Vec<usize> = (0..50).map(|epoch| count(&chosen(&cfg, 0, epoch, 200))).collect();
        let mean = counts.iter().sum::<usize>() as f64 / 50.0;
        assert!((mean - 60.0).abs() < 5.0, "{mean}");
        assert!(counts.iter().any(|&c| c != counts[0]));
    }

    #[test]
    fn every_item_is_chosen_equally_often() {
        let cfg = configuration(0.25, RatioMode::Exact);
        let mut times = [0_usize; 8];
        for epoch in 0..4000 {
            chosen(&cfg, 0, epoch, 8).iter().zip(&mut times).for_each(|(&c, t)| *t += usize::from(c));
        }
        // 1000 expected, standard deviation 27.
        assert!(times.iter().all(|t| (880..1120).contains(t)), "{times:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn exactly_the_rounded_share_is_chosen(ratio in 0.0..=1.0, items in 0..500_usize, seed: u64, epoch in 0..50_u64) {
            let cfg = configuration(ratio, RatioMode::Exact);
            prop_assert_eq!(count(&chosen(&cfg, seed, epoch, items)), (ratio * items as f64).round() as usize);
        }

        #[test]
        fn ratio_zero_chooses_none_and_ratio_one_all(items in 0..200_usize, seed: u64) {
            for mode in [RatioMode::Exact, RatioMode::Bernoulli, RatioMode::Fixed] {
                prop_assert_eq!(count(&chosen(&configuration(0.0, mode), seed, 0, items)), 0);
                prop_assert_eq!(count(&chosen(&configuration(1.0, mode), seed, 0, items)), items);
            }
        }
    }
}
