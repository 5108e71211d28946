//! Which items of an epoch carry a pseudo anomaly, and which kind (method.md 6.3).

use super::{changed, confetti, cutpaste, shuffle};
use crate::config::{CutPasteMask, Pseudo, RatioMode};
use crate::image::{Mask, Rgb};
use crate::seed::stream;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// What was done to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing that shows: the mask is empty.
    None,
    Confetti,
    CutPaste,
    Both,
}

/// An image with its label at every pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub image: Rgb,
    /// Of the image's size; empty exactly if `kind` is [`Kind::None`].
    pub mask: Mask,
    pub kind: Kind,
}

impl Sample {
    /// An image without a pseudo anomaly.
    pub fn normal(image: Rgb) -> Self {
        let mask = Mask::filled(image.width, image.height, 0);
        Self { image, mask, kind: Kind::None }
    }
}

/// Gives an image a pseudo anomaly: confetti with probability `cfg.confetti_prob`, else CutPaste; or both, CutPaste
/// first. Where nothing changed (ten empty pastes, noise that does not show) the sample is the image itself, labelled
/// normal. The mask is where a channel changed, and with `cutpaste.mask = "rect"` all of a pasted rectangle.
pub fn pseudo<R: Rng>(image: &Rgb, cfg: &Pseudo, rng: &mut R) -> Sample {
    let sample = if cfg.both {
        both(image, cfg, rng)
    } else if rng.random::<f64>() < cfg.confetti_prob {
        let (image, mask) = confetti::apply(image, &cfg.confetti, rng);
        Sample { image, mask, kind: Kind::Confetti }
    } else {
        match cutpaste::apply(image, &cfg.cutpaste, rng) {
            Some((image, mask)) => Sample { image, mask, kind: Kind::CutPaste },
            None => return Sample::normal(image.clone()),
        }
    };
    if sample.mask.is_empty() { Sample::normal(image.clone()) } else { sample }
}

fn both<R: Rng>(image: &Rgb, cfg: &Pseudo, rng: &mut R) -> Sample {
    let pasted = cutpaste::apply(image, &cfg.cutpaste, rng);
    let (out, noise) = confetti::apply(pasted.as_ref().map_or(image, |(pasted, _)| pasted), &cfg.confetti, rng);
    let kind = match (&pasted, noise.is_empty()) {
        (Some(_), false) => Kind::Both,
        (Some(_), true) => Kind::CutPaste,
        (None, _) => Kind::Confetti,
    };
    let mask = match (pasted, cfg.cutpaste.mask) {
        (Some((_, mut mask)), CutPasteMask::Rect) => {
            mask.data.iter_mut().zip(&noise.data).for_each(|(m, n)| *m |= n);
            mask
        }
        // Not the union: noise over a paste can restore a pixel.
        _ => changed(image, &out),
    };
    Sample { image: out, mask, kind }
}

/// Which of an epoch's `items` (training images times `data.repeat`) carry a pseudo anomaly.
///
/// `exact`: `round(ratio * items)` of them, drawn anew each epoch; `bernoulli`: each with probability `ratio`; `fixed`:
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
    use crate::config::Config;
    use crate::synth::tests::picture;
    use proptest::prelude::*;

    fn configuration(ratio: f64, mode: RatioMode) -> Pseudo {
        Pseudo { ratio, mode, ..Config::default().pseudo }
    }

    fn count(chosen: &[bool]) -> usize {
        chosen.iter().filter(|&&c| c).count()
    }

    #[test]
    fn a_degenerate_sample_is_the_image_itself_and_normal() {
        let black = Rgb::filled(40, 40, [0; 3]);
        let cfg = Pseudo { confetti_prob: 0.0, ..Config::default().pseudo };
        assert_eq!(pseudo(&black, &cfg, &mut item_stream(&cfg, 0, 0, 0)), Sample::normal(black));
    }

    #[test]
    fn kinds_follow_the_probability() {
        let image = picture(40, 40, 0);
        let kinds = |confetti_prob, both| -> Vec<Kind> {
            let cfg = Pseudo { confetti_prob, both, ..Config::default().pseudo };
            (0..200).map(|i| pseudo(&image, &cfg, &mut item_stream(&cfg, 0, 0, i)).kind).collect()
        };
        assert!(kinds(1.0, false).iter().all(|&k| k == Kind::Confetti));
        assert!(kinds(0.0, false).iter().all(|&k| k == Kind::CutPaste));
        assert!(kinds(0.5, true).iter().all(|&k| k == Kind::Both));
        let half = kinds(0.5, false).iter().filter(|&&k| k == Kind::Confetti).count();
        assert!((70..=130).contains(&half), "{half} of 200");
    }

    #[test]
    fn with_both_the_noise_lies_over_the_paste() {
        let image = picture(64, 64, 4);
        let cfg = Pseudo { both: true, ..Config::default().pseudo };
        let sample = pseudo(&image, &cfg, &mut item_stream(&cfg, 0, 0, 9));
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
